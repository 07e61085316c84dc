"""Claims about indices of sensitivity: analytic values, inert factors, and numbers that are missing."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from made_up_studies import results_of

from scenarios.errors import InputError
from scenarios.output_analysis.sensitivity import (
    morris_effects,
    morris_indices,
    pawn_indices,
    pawn_shares,
    sobol_indices,
    sobol_shares,
)
from scenarios.studies.design import unit_design
from scenarios.studies.settings import DesignSettings, Factor
from scenarios.study import Study

WORLD = "{name: tiny, clock: {hours: 1}, traffic: {visitors_per_day: 2000}, intent: {intercept: -2.0}}"
FACTORS = "{intent.intercept: {uniform: [-4, 0]}, clock.hours: {int: [1, 2]}, sales.slot_minutes: {uniform: [30, 60]}}"
TEXT = f"""name: tiny
scenario: {WORLD}
factors: {FACTORS}
design: DESIGN
replications: 2
responses: {{asked: counts.demo_requests, visitors: counts.visitors}}
"""


def shares(kind: str, points: int, n_factors: int) -> np.ndarray:
    """A design in the unit cube."""
    return unit_design(DesignSettings.model_validate({"kind": kind, "samples": points}), n_factors, 11)


def ishigami(x: np.ndarray) -> np.ndarray:
    """The Ishigami function with a = 7 and b = 0.1, of points in the unit cube."""
    angle = 2 * math.pi * x - math.pi
    return np.sin(angle[:, 0]) + 7 * np.sin(angle[:, 1]) ** 2 + 0.1 * angle[:, 2] ** 4 * np.sin(angle[:, 0])


G = np.array([0.0, 1.0, 4.5, 9.0, 99.0])


def g_function(x: np.ndarray) -> np.ndarray:
    """Sobol's G function, of points in the unit cube."""
    return np.prod((np.abs(4 * x - 2) + G) / (1 + G), axis=1)


def test_sobol_indices_of_the_ishigami_function():
    """First and total indices are the analytic ones, within 0.01 at 4,096 base points of a Sobol sequence.

    Source of the values: T. Ishigami and T. Homma (1990), with V = a²/8 + bπ⁴/5 + b²π⁸/18 + 1/2. The error of the total
    indices by plain Monte Carlo would be some 2/√4096 = 0.03; that of a Sobol sequence is far below.
    """
    a, b = 7.0, 0.1
    v1, v2 = 0.5 * (1 + b * math.pi**4 / 5) ** 2, a**2 / 8
    v13 = b**2 * math.pi**8 * 8 / 225
    v = v1 + v2 + v13
    first, total = sobol_shares(ishigami(shares("saltelli", 4096, 3)).reshape(-1, 5))
    assert first == pytest.approx([v1 / v, v2 / v, 0.0], abs=0.01)
    assert total == pytest.approx([(v1 + v13) / v, v2 / v, v13 / v], abs=0.01)


def test_sobol_indices_of_the_g_function():
    """The same for Sobol's G function: Vᵢ = 1 / 3(1 + aᵢ)², and products of them for interactions."""
    partial = 1 / (3 * (1 + G) ** 2)
    v = np.prod(1 + partial) - 1
    total = np.array([partial[i] * np.prod(np.delete(1 + partial, i)) for i in range(5)])
    found = sobol_shares(g_function(shares("saltelli", 4096, 5)).reshape(-1, 7))
    assert found[0] == pytest.approx(partial / v, abs=0.01)
    assert found[1] == pytest.approx(total / v, abs=0.01)


@pytest.mark.slow
def test_the_total_index_of_an_inert_factor_of_a_noisy_model_covers_zero():
    """With noise of a third of the variance an inert factor's mean total index is 0, and its intervals hold 0.

    Of a linear model, whose two other factors share the variance 4 : 1, 200 times over with 128 base points and five
    replications: the mean within 3 standard errors, and three in four intervals at the least. Uncorrected, the index is
    the noise's share of what it is held against, σ²/5 / (σ²/5 + variance), in every one of them.
    """
    rng, found, covered = np.random.default_rng(8), [], 0
    x = shares("saltelli", 128, 3)
    for _ in range(200):
        runs = (2 * x[:, 0] + x[:, 1])[:, None] + rng.normal(0, math.sqrt(5 / 12 / 3), (len(x), 5))
        means, noise = runs.mean(axis=1).reshape(-1, 5), (runs.var(axis=1, ddof=1) / 5).reshape(-1, 5)
        total = sobol_shares(means, noise)[1, 2]
        draws = [sobol_shares(means[rows], noise[rows])[1, 2] for rows in rng.integers(0, 128, (60, 128))]
        covered += np.percentile(draws, 2.5) <= 0 <= np.percentile(draws, 97.5)
        found.append(total)
    assert abs(np.mean(found)) < 3 * np.std(found) / math.sqrt(200)
    assert covered >= 150


def test_elementary_effects_of_a_straight_line_are_its_slopes():
    """Of a linear response every effect is the slope; of a product it depends on where, and the mean is the half."""
    x = shares("morris", 40, 3)
    effects = morris_effects(x, x @ np.array([2.0, -1.0, 0.0]))
    assert effects == pytest.approx(np.tile([2.0, -1.0, 0.0], (40, 1)))
    product = morris_effects(x, x[:, 0] * x[:, 1])
    assert np.ptp(product[:, 0]) > 0.5
    assert (product[:, 2] == 0).all()


@pytest.mark.parametrize(
    ("factor", "response", "effect"),
    [
        (Factor(categorical=(0.0, 0.4)), lambda value: 725 * value, 290.0),
        (Factor(categorical=(0.4, 0.0)), lambda value: 725 * value, 290.0),
        (Factor(uniform=(0.0, 0.4)), lambda value: 725 * value, 290.0),
        (Factor(categorical=(False, True)), float, 1.0),
        (Factor(categorical=("off", "on")), lambda value: 7.0 * (value == "on"), 7.0),
        (Factor(categorical=(1, 2, 10)), float, 9.0),
        (Factor(int=(1, 3)), float, 2.0),
        (Factor(int=(0, 1)), float, 1.0),
        (Factor(int=(1, 8)), lambda value: -3.0 * value, 21.0),
        (Factor(loguniform=(1.0, 100.0)), math.log10, 2.0),
    ],
)
def test_elementary_effects_are_per_step_made_in_values(factor: Factor, response: Callable[..., float], effect: float):
    """A straight line has the same effect whatever values it is moved by, and no curvature; beside an inert factor."""
    x = shares("morris", 10, 2)
    effects = morris_effects(x, np.array([response(factor.at(share)) for share in x[:, 0]]), [factor, factor])
    assert np.abs(effects[:, 0]) == pytest.approx(np.full(10, effect))
    assert effects[:, 0].std() == pytest.approx(0.0, abs=1e-9)
    assert (effects[:, 1] == 0).all()


def test_morris_indices_know_the_values_of_the_factors():
    """A setting moved by two categories has the effect that it has moved over their range."""
    for kind in ("categorical", "uniform"):
        factors = {"intent.intercept": {kind: [-6.0, -4.0]}, "tracking.ad_blocker_rate": {"uniform": [0.0, 0.4]}}
        changes = {"factors": factors, "design": {"kind": "morris", "samples": 4}}
        results = results_of(changes, lambda values, _: 145.0 * values["intent.intercept"])
        assert morris_indices(results, "held")["mean_absolute"].to_list() == pytest.approx([290.0, 0.0])


def test_pawn_tells_what_moves_the_distribution():
    """A factor that alone makes the response has slices a whole distribution apart; an inert one differs by chance.

    The slices of an inert factor hold 102 of 1,024 points: beyond 1.95/√102 = 0.19 their distance is in 1 of 1,000.
    A slice that no point falls into has no distance, and does not lower the others' median.
    """
    x = shares("sobol", 1024, 2)
    distances = pawn_shares(x, x[:, 0])
    assert distances[0].max() == pytest.approx(0.9, abs=0.01)
    assert distances[1].max() < 0.19
    distances = pawn_shares(np.array([[0.05], [0.95]]), np.array([1.0, 2.0]))
    assert np.isnan(distances[0, 1:-1]).all()
    assert distances[0, [0, -1]].tolist() == [0.5, 0.5]


def test_pawn_agrees_with_salib():
    """Medians and maxima for the Ishigami function are those of SALib 1.6.0 (`pawn.analyze`, S=10) at the same points.

    SALib cuts at quantiles and leaves out the last point: slices of 200 points may differ by two of them.
    """
    x = np.arange(1, 2001)[:, None] * np.sqrt([2, 3, 5]) % 1
    distances = pawn_shares(x, ishigami(x))
    assert np.median(distances, axis=1) == pytest.approx([0.26, 0.40075, 0.08575], abs=0.01)
    assert distances.max(axis=1) == pytest.approx([0.297, 0.499, 0.21200754], abs=0.01)


@pytest.mark.slow
def test_sobol_indices_of_a_simulation_give_an_inert_factor_nothing():
    """What no visitor knows of has an index of exactly 0 under common random numbers; what matters most has most."""
    results = Study.parse(TEXT.replace("DESIGN", "{kind: saltelli, samples: 8}")).run(jobs=1)
    table = sobol_indices(results, "asked")
    assert table["factor"].to_list() == ["intent.intercept", "clock.hours", "sales.slot_minutes"]
    intercept, hours, inert = table.to_dicts()
    assert (inert["first"], inert["total"], inert["total_low"], inert["total_high"]) == (0.0, 0.0, 0.0, 0.0)
    assert intercept["total"] > hours["total"] > 0
    assert (table["total_low"] <= table["total"]).all()
    assert (table["total"] <= table["total_high"]).all()
    assert 0 < intercept["noise"] < 0.2


@pytest.mark.slow
def test_an_inert_factor_of_a_simulation_whose_points_share_no_noise_covers_zero():
    """Without common random numbers an inert factor has a total index whose interval holds 0, not the noise's share."""
    text = TEXT.replace("DESIGN", "{kind: saltelli, samples: 8}").replace("replications: 2", "replications: 4")
    table = sobol_indices(Study.parse(text + "common_random_numbers: false\n").run(jobs=1), "asked")
    inert = table.row(2, named=True)
    assert inert["total_low"] <= 0 <= inert["total_high"]
    assert inert["total"] < table["total"][0] / 4


@pytest.mark.slow
def test_morris_and_pawn_of_a_simulation_agree():
    """The same order of factors is found by elementary effects and by distances of distributions."""
    morris = morris_indices(Study.parse(TEXT.replace("DESIGN", "{kind: morris, samples: 6}")).run(jobs=1), "asked")
    assert morris["mean_absolute"][0] > morris["mean_absolute"][1] > morris["mean_absolute"][2] == 0
    pawn = pawn_indices(Study.parse(TEXT.replace("DESIGN", "{kind: sobol, samples: 64}")).run(jobs=1), "asked")
    assert pawn["median"][0] == pl.Series(pawn["median"]).max()


@pytest.mark.parametrize(
    ("kind", "value", "response", "message"),
    [
        ("saltelli", None, "held", "has no number in some replications"),
        ("saltelli", 1.0, "hold", "there is no response"),
        ("sobol", 1.0, "held", "design saltelli"),
    ],
)
def test_indices_that_would_be_wrong_are_refused(kind: str, value: float | None, response: str, message: str):
    """One missing number is refused instead of turned into zeros; so is a design of another kind."""
    factors = {"intent.intercept": {"uniform": [-6.0, -4.0]}, "sales.no_show_rate": {"uniform": [0.0, 0.4]}}
    changes = {"factors": factors, "design": {"kind": kind, "samples": 8}}
    results = results_of(changes, lambda _, number: value if number == 1 else 1.0)
    with pytest.raises(InputError, match=message):
        sobol_indices(results, response)
