"""Claims about the coverage of intervals of Sobol indices where the response is random."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scenarios.output_analysis.sobol import half_widths, sobol_shares
from scenarios.studies.design import unit_design
from scenarios.studies.settings import DesignSettings

N_STUDIES = 400
A, B = 7.0, 0.1
V1, V2, V13 = 0.5 * (1 + B * math.pi**4 / 5) ** 2, A**2 / 8, B**2 * math.pi**8 * 8 / 225
TRUE_FIRST = np.array([V1, V2, 0.0]) / (V1 + V2 + V13)
TRUE_TOTAL = np.array([V1 + V13, V2, V13]) / (V1 + V2 + V13)


def random_ishigami(x: np.ndarray, n: int, rng: np.random.Generator, noise: float, *, common: bool) -> np.ndarray:
    """Responses, points × replications, whose mean is the Ishigami function: its coefficients have random errors.

    With common random numbers the coefficients of replication r are the same at all points; they change how strong
    each factor is. Otherwise each run has its own.
    """
    angle = 2 * math.pi * x - math.pi
    terms = np.sin(angle[:, 0]), np.sin(angle[:, 1]) ** 2, angle[:, 2] ** 4 * np.sin(angle[:, 0])
    coefficients = np.array([1.0, A, B])[:, None, None]
    errors = rng.normal(0.0, noise, (3, 1 if common else len(x), n))
    return np.einsum("tp,tpr->pr", np.array(terms), coefficients * (1 + errors) + np.zeros((3, len(x), n)))


def old_interval(runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval over base samples of the indices of the averaged points, which ignores the draws."""
    means, rng = runs.mean(axis=2, keepdims=True), np.random.default_rng(0)
    rows = rng.integers(0, len(runs), (300, len(runs)))
    draws = np.array([np.stack(sobol_shares(means[each], 3)[:2]) for each in rows])
    low, high = np.percentile(draws, (2.5, 97.5), axis=0)
    return low, high


def two_level_interval(runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval over base samples and replications, resampled together."""
    rng, (n, _, n_replications) = np.random.default_rng(0), runs.shape
    draws = []
    for _ in range(300):
        columns = rng.integers(0, n_replications, n_replications)
        resampled = runs[rng.integers(0, n, n)][:, :, columns].mean(axis=2, keepdims=True)
        draws.append(np.stack(sobol_shares(resampled, 3)[:2]))
    low, high = np.percentile(np.array(draws), (2.5, 97.5), axis=0)
    return low, high


@pytest.mark.validation
@pytest.mark.parametrize("n_replications", [5, 20])
@pytest.mark.parametrize("common", [True, False])
@pytest.mark.parametrize("n", [64, 256])
def test_intervals_of_sobol_indices_cover_those_of_the_mean_response(n: int, n_replications: int, common: bool):
    """Over 400 studies of a random Ishigami function, 95 % of the intervals hold the true index, within 3 standard errors.

    The errors of the coefficients are as large as the coefficients. First-order and total indices of three factors are
    six intervals of a study, which are not independent: the tolerance is that of one interval of each study.
    """
    rng = np.random.default_rng(20261201)
    truth = np.stack([TRUE_FIRST, TRUE_TOTAL])
    hits: dict[str, list[np.ndarray]] = {"old": [], "percentile": [], "now": []}
    for study in range(N_STUDIES):
        x = unit_design(DesignSettings(kind="saltelli", samples=n), 3, study)
        runs = random_ishigami(x, n_replications, rng, 1.0, common=common).reshape(n, 5, n_replications)
        estimate = np.stack(sobol_shares(runs, 3)[:2])
        half = np.stack(half_widths(runs, 3, common=common)[:2])
        hits["now"].append(np.abs(estimate - truth) <= half)
        for name, interval in (("old", old_interval), ("percentile", two_level_interval)):
            low, high = interval(runs)
            hits[name].append((low <= truth) & (truth <= high))
    covered = {name: np.mean(each, axis=0) for name, each in hits.items()}
    print(f"\nN = {n}, R = {n_replications}, {'common' if common else 'independent'} random numbers")
    for name, each in covered.items():
        print(f"  {name:10} S1 {np.round(each[0], 3)}  ST {np.round(each[1], 3)}  mean {each.mean():.3f}")
    tolerance = 3 * math.sqrt(0.95 * 0.05 / N_STUDIES)
    assert covered["now"].min() > 0.95 - tolerance
