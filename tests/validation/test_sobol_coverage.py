"""Claims about the coverage of intervals of Sobol indices where the response is random."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scenarios.output_analysis.sobol import sobol_intervals, sobol_shares
from scenarios.studies.design import unit_design
from scenarios.studies.settings import DesignSettings

N_STUDIES = 400
A, B = 7.0, 0.1
V1, V2, V13 = 0.5 * (1 + B * math.pi**4 / 5) ** 2, A**2 / 8, B**2 * math.pi**8 * 8 / 225
TRUE_FIRST = np.array([V1, V2, 0.0]) / (V1 + V2 + V13)
TRUE_TOTAL = np.array([V1 + V13, V2, V13]) / (V1 + V2 + V13)


def random_errors(n_points: int, n: int, rng: np.random.Generator, *, common: bool) -> np.ndarray:
    """Errors of three coefficients, 3 × points × replications; with common random numbers the same at all points."""
    return rng.normal(size=(3, 1 if common else n_points, n)) + np.zeros((3, n_points, n))


def ishigami(x: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Responses, points × replications, whose mean is the Ishigami function."""
    angle = 2 * math.pi * x - math.pi
    terms = np.array([np.sin(angle[:, 0]), np.sin(angle[:, 1]) ** 2, angle[:, 2] ** 4 * np.sin(angle[:, 0])])
    return np.einsum("tp,tpr->pr", terms, np.array([1.0, A, B])[:, None, None] * (1 + errors))


def linear(x: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Responses whose mean is linear; the effect of the third factor is random, and 0 on average."""
    return np.einsum("pt,tpr->pr", x - 0.5, np.array([2.0, 1.0, 0.0])[:, None, None] + errors)


LINEAR = np.array([0.8, 0.2, 0.0])
MODELS = {"Ishigami": (ishigami, TRUE_FIRST, TRUE_TOTAL), "linear": (linear, LINEAR, LINEAR)}


def of_one_draw(runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Percentiles over base samples only, of the averaged points, as if their random numbers were the only ones."""
    means, n = runs.mean(axis=2, keepdims=True), len(runs)
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), 1000)
    draws = [np.stack(sobol_shares(np.repeat(means, each, axis=0), 3)[:2]) for each in counts]
    low, high = np.quantile(draws, (0.025, 0.975), axis=0)
    return low, high


@pytest.mark.validation
@pytest.mark.parametrize(
    ("model", "n_replications", "common"),
    [
        ("Ishigami", 5, True),
        ("Ishigami", 20, True),
        ("linear", 5, True),
        ("Ishigami", 5, False),
        ("Ishigami", 20, False),
        ("linear", 5, False),
        ("linear", 20, False),
    ],
)
def test_intervals_of_sobol_indices_cover_those_of_the_mean_response(model: str, n_replications: int, *, common: bool):
    """Over 400 studies of 64 base samples at least 95 % of the intervals of each index hold it, within 3 SE.

    The errors of the coefficients are as large as the coefficients themselves. Of a response that is so noisy, the
    intervals may hold more than 95 %: they allow for Student's tails in each of three coefficients.
    """
    respond, first, total = MODELS[model]
    rng, truth = np.random.default_rng(20261201), np.stack([first, total])
    hits: dict[str, list[np.ndarray]] = {"of one draw": [], "now": []} if common else {"now": []}
    for study in range(N_STUDIES):
        x = unit_design(DesignSettings(kind="saltelli", samples=64), 3, study)
        runs = respond(x, random_errors(len(x), n_replications, rng, common=common)).reshape(64, 5, n_replications)
        low, high = (np.stack(ends[:2]) for ends in sobol_intervals(runs, 3, common=common))
        hits["now"].append((low <= truth) & (truth <= high))
        if common:
            low, high = of_one_draw(runs)
            hits["of one draw"].append((low <= truth) & (truth <= high))
    covered = {name: np.mean(each, axis=0) for name, each in hits.items()}
    print(f"\n{model}, {n_replications} replications, {'common' if common else 'independent'} random numbers")
    for name, each in covered.items():
        print(f"  {name:11} S1 {np.round(each[0], 3)}  ST {np.round(each[1], 3)}")
    assert covered["now"].min() > 0.95 - 3 * math.sqrt(0.95 * 0.05 / N_STUDIES)


@pytest.mark.validation
@pytest.mark.parametrize(("n_replications", "common"), [(5, True), (20, True), (5, False), (20, False)])
def test_intervals_of_pairs_cover_too(n_replications: int, *, common: bool):
    """Of the Ishigami function the first and the third factor interact, and no others: 400 studies of 64 samples."""
    rng, truth = np.random.default_rng(20261202), np.array([0.0, V13 / (V1 + V2 + V13), 0.0])
    design, hits = DesignSettings(kind="saltelli", samples=64, second_order=True), []
    for study in range(N_STUDIES):
        x = unit_design(design, 3, study)
        errors = random_errors(len(x), n_replications, rng, common=common)
        low, high = (ends.second for ends in sobol_intervals(ishigami(x, errors).reshape(64, 8, -1), 3, common=common))
        hits.append((low <= truth) & (truth <= high))
    covered = np.mean(hits, axis=0)
    print(f"\npairs, {n_replications} replications, {'common' if common else 'independent'}: {np.round(covered, 3)}")
    assert covered.min() > 0.95 - 3 * math.sqrt(0.95 * 0.05 / N_STUDIES)
