"""Claims about indices of sensitivity: analytic values, inert factors, and numbers that are missing."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from made_up_studies import results_of

from scenarios.errors import InputError
from scenarios.output_analysis.morris import morris_effects, morris_indices, noise_floors
from scenarios.output_analysis.pawn import dummy_medians, pawn_indices, pawn_shares
from scenarios.output_analysis.results import StudyResults
from scenarios.output_analysis.sensitivity import all_indices, index_remarks, ranked_indices
from scenarios.output_analysis.sobol import (
    sobol_convergence,
    sobol_indices,
    sobol_interactions,
    sobol_intervals,
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


def shares(kind: str, points: int, n_factors: int, **more: object) -> np.ndarray:
    """A design in the unit cube."""
    return unit_design(DesignSettings.model_validate({"kind": kind, "samples": points, **more}), n_factors, 11)


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
    first, total, second = sobol_shares(ishigami(shares("saltelli", 4096, 3)).reshape(-1, 5, 1), 3)
    assert not second.size
    assert first == pytest.approx([v1 / v, v2 / v, 0.0], abs=0.01)
    assert total == pytest.approx([(v1 + v13) / v, v2 / v, v13 / v], abs=0.01)


def test_sobol_indices_of_the_g_function():
    """The same for Sobol's G function: Vᵢ = 1 / 3(1 + aᵢ)², and products of them for interactions."""
    partial = 1 / (3 * (1 + G) ** 2)
    v = np.prod(1 + partial) - 1
    total = np.array([partial[i] * np.prod(np.delete(1 + partial, i)) for i in range(5)])
    x = shares("saltelli", 4096, 5, second_order=True)
    found = sobol_shares(g_function(x).reshape(-1, 12, 1), 5)
    assert found.first == pytest.approx(partial / v, abs=0.01)
    assert found.total == pytest.approx(total / v, abs=0.01)
    j, k = np.triu_indices(5, 1)
    assert found.second == pytest.approx(partial[j] * partial[k] / v, abs=0.01)
    # The blocks for pairs leave the other indices as they are without them.
    without = sobol_shares(g_function(shares("saltelli", 4096, 5)).reshape(-1, 7, 1), 5)
    assert found.first == pytest.approx(without.first, abs=1e-3)
    assert found.total == pytest.approx(without.total)


def test_sobol_indices_agree_with_salib():
    """All three kinds are those of SALib 1.6.0 (`sobol.analyze`) for the Ishigami function at the same points.

    The points are a lattice, which anybody can make again.
    """
    pairs = np.arange(1, 65)[:, None] * np.sqrt([2, 3, 5, 7, 11, 13]) % 1
    a, b = pairs[:, :3], pairs[:, 3:]
    swapped = [np.where(np.arange(3) == j, there, here) for here, there in ((a, b), (b, a)) for j in range(3)]
    blocks = np.stack([a, *swapped, b], axis=1).reshape(-1, 3)
    found = sobol_shares(ishigami(blocks).reshape(64, 8, 1), 3)
    assert found.first == pytest.approx([0.23458919534847847, 0.49826426947993363, -0.08360199576084087], abs=1e-9)
    assert found.total == pytest.approx([0.2707918334559636, 0.4222865927187706, 0.2167577061776254], abs=1e-9)
    assert found.second == pytest.approx([-0.10142732454914771, 0.2865472911743585, -0.026726718402091898], abs=1e-9)


@pytest.mark.slow
def test_the_total_index_of_an_inert_factor_of_a_noisy_model_covers_zero():
    """With noise of a third of the variance an inert factor's mean total index is 0, and its intervals hold 0.

    Of a linear model, whose two other factors share the variance 4 : 1, 200 times over with 128 base points and five
    replications: the mean within 3 standard errors, and 95 % of the intervals, within 3 standard errors. Uncorrected,
    the index is the noise's share of what it is held against, σ²/5 / (σ²/5 + variance), in every one of them.
    """
    rng, found, covered = np.random.default_rng(8), [], 0
    x = shares("saltelli", 128, 3)
    for _ in range(200):
        runs = (2 * x[:, 0] + x[:, 1])[:, None] + rng.normal(0, math.sqrt(5 / 12 / 3), (len(x), 5))
        total = sobol_shares(runs.reshape(128, 5, 5), 3).total[2]
        low, high = sobol_intervals(runs.reshape(128, 5, 5), 3, common=False)
        covered += low.total[2] <= 0 <= high.total[2]
        found.append(total)
    assert abs(np.mean(found)) < 3 * np.std(found) / math.sqrt(200)
    assert covered / 200 > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 200)


def test_elementary_effects_of_a_straight_line_are_its_slopes():
    """Of a linear response every effect is the slope; of a product it depends on where, and the mean is the half."""
    x = shares("morris", 40, 3)
    effects = morris_effects(x, x @ np.array([[2.0], [-1.0], [0.0]]))[:, :, 0]
    assert effects == pytest.approx(np.tile([2.0, -1.0, 0.0], (40, 1)))
    product = morris_effects(x, (x[:, 0] * x[:, 1])[:, None])[:, :, 0]
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
    values = np.array([[response(factor.at(share))] for share in x[:, 0]])
    effects = morris_effects(x, values, [factor, factor])[:, :, 0]
    assert np.abs(effects[:, 0]) == pytest.approx(np.full(10, effect))
    assert effects[:, 0].std() == pytest.approx(0.0, abs=1e-9)
    assert (effects[:, 1] == 0).all()


def test_morris_indices_know_the_values_of_the_factors():
    """A setting moved by two categories has the effect that it has moved over their range."""
    for kind in ("categorical", "uniform"):
        factors = {"intent.intercept": {kind: [-6.0, -4.0]}, "tracking.ad_blocker_rate": {"uniform": [0.0, 0.4]}}
        changes = {"factors": factors, "design": {"kind": "morris", "samples": 4}}
        results = results_of(changes, lambda values, _: 145.0 * values["intent.intercept"])
        table = morris_indices(results, "held")
        assert table["mean_absolute"].to_list() == pytest.approx([290.0, 0.0])
        assert table["mean_per_unit"].to_list() == pytest.approx([145.0, 0.0])
        assert table["unit"].to_list() == ["+1", "+1"]


@pytest.mark.parametrize(
    ("factor", "unit", "share"),
    [
        (Factor(uniform=(0.0, 0.4)), "+1", 2.5),
        (Factor(int=(2, 6)), "+1", 0.25),
        (Factor(categorical=(10, 1, 2)), "+1", 1 / 9),
        (Factor(loguniform=(1.0, 8.0)), "×2", 1 / 3),
        (Factor(categorical=("on", "off")), "on → off", 1.0),
        (Factor(categorical=(True, False)), "False → True", 1.0),
        (Factor(categorical=("a", "b", "c")), "another value", 1.0),
    ],
)
def test_effects_in_values_have_a_unit(factor: Factor, unit: str, share: float):
    """Numbers change by 1, logarithms by a factor of 2, and two categories from the one to the other."""
    assert factor.unit == (unit, pytest.approx(share))


@pytest.mark.parametrize("common", [True, False])
def test_noise_exceeds_its_floor_in_five_percent_of_studies(*, common: bool):
    """Of 4,000 factors without effect on the mean 5 % are above the floor, within 3 standard errors, or fewer.

    With common random numbers the effect of a replication is the same in all trajectories, which is the worst case;
    without, each has its own, and with 50 replications their errors are known.
    """
    rng, n_factors = np.random.default_rng(4), 4000
    noise = rng.normal(size=(1 if common else 10, n_factors, 4 if common else 50)) + np.zeros((10, 1, 1))
    above = np.abs(noise.mean(axis=2)).mean(axis=0) > noise_floors(noise, common=common)
    tolerance = 3 * math.sqrt(0.05 * 0.95 / n_factors)
    assert above.mean() == pytest.approx(0.05, abs=tolerance)
    assert np.isnan(noise_floors(noise[:, :, :1], common=common)).all()


def test_factors_below_the_noise_are_named():
    """A factor whose effect differs from replication to replication about 0 is not distinguishable from noise."""
    signs = [1.0, -1.0, 0.5]

    def response(values: dict[str, float], number: int) -> float:
        return 100 * values["intent.intercept"] + signs[number] * values["sales.no_show_rate"]

    factors = {"intent.intercept": {"uniform": [-6.0, -4.0]}, "sales.no_show_rate": {"uniform": [0.0, 0.4]}}
    changes = {"factors": factors, "design": {"kind": "morris", "samples": 4}}
    for n, remark in ((3, "not distinguishable from noise: sales.no_show_rate"), (1, "the noise is not known")):
        results = results_of(changes, response, n)
        table = ranked_indices(results, "held")
        assert table is not None
        assert remark in "\n".join(index_remarks(table))
        assert table["above_noise"].to_list() == ([True, False] if n == 3 else [None, None])
    assert all_indices(results)["response"].to_list() == ["held", "held"]


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


def test_a_dummy_factor_is_above_the_noise_floor_of_pawn_in_five_percent():
    """Of 1,000 factors without effect 5 % have a median above the floor, within 3 standard errors of factors and floor.

    The floor is a quantile of 200 dummies: its level has the standard error √(0.05 · 0.95 / 200).
    """
    rng = np.random.default_rng(3)
    values, x = rng.exponential(size=100), rng.permuted(np.tile((np.arange(100) + 0.5) / 100, (1000, 1)), axis=1).T
    median = np.median(pawn_shares(x, values, 10), axis=1)
    floor = np.quantile(dummy_medians(x[:, :1], values, 10), 0.95)
    assert (median > floor).mean() == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 * (1 / 1000 + 1 / 200)))


def test_pawn_needs_fifty_points():
    """Fewer are refused; of fifty each range has five slices."""
    factors = {"intent.intercept": {"uniform": [-6.0, -4.0]}, "sales.no_show_rate": {"uniform": [0.0, 0.4]}}
    tables = []
    for samples in (49, 50):
        changes = {"factors": factors, "design": {"kind": "latin-hypercube", "samples": samples}}
        tables.append(results_of(changes, lambda values, _: values["intent.intercept"]))
    with pytest.raises(InputError, match="need 50 points or more \\(got 49\\)"):
        pawn_indices(tables[0], "held")
    table = ranked_indices(tables[1], "held")
    assert table is not None
    assert table["maximum"][0] == pytest.approx(0.8)
    assert table["above_noise"].to_list() == [True, False]


def saltelli_results(n: int, *, common: bool = True, samples: int = 32, second_order: bool = False) -> StudyResults:
    """A response to two factors and their product, which differs by replication."""
    factors = {"intent.intercept": {"uniform": [-6.0, -4.0]}, "sales.no_show_rate": {"uniform": [0.0, 0.4]}}
    design = {"kind": "saltelli", "samples": samples, "second_order": second_order}
    changes = {"factors": factors, "design": design, "common_random_numbers": common}

    def response(values: dict[str, float], number: int) -> float:
        x, y = values["intent.intercept"] + 5, 5 * values["sales.no_show_rate"] - 1
        return (2 + [0.5, -0.5, 0.2][number]) * x + y + x * y

    return results_of(changes, response, n)


def test_one_replication_needs_common_random_numbers():
    """Without them its noise looks like interactions, and is refused; with them a remark says what is described."""
    with pytest.raises(InputError, match="with one replication and `common_random_numbers: false`"):
        sobol_indices(saltelli_results(1, common=False), "held")
    assert sobol_indices(saltelli_results(3, common=False), "held").height == 2
    for n, is_said in ((1, True), (3, False)):
        results = saltelli_results(n)
        remarks = index_remarks(sobol_indices(results, "held"))
        assert ("one draw of random numbers" in " ".join(remarks)) is is_said


def test_intervals_are_wider_by_what_other_random_numbers_would_give():
    """With replications that differ the intervals are wider than those of their mean alone, of one draw."""
    results = saltelli_results(3, samples=128)
    table = sobol_indices(results, "held")
    runs = results.replications["value"].to_numpy().reshape(128, 4, 3)
    low, high = sobol_intervals(runs.mean(axis=2, keepdims=True), 2, common=True)
    assert ((table["first_high"] - table["first_low"]).to_numpy() > 1.1 * (high.first - low.first)).all()


def test_points_are_averaged_over_the_replications_that_all_have():
    """Replication r has the same random numbers at all points: what one point has beyond the others is left out."""
    three, two = saltelli_results(3), saltelli_results(2)
    runs = [three._runs[0], *two._runs[1:]]
    assert sobol_indices(StudyResults(three.plan, runs), "held").equals(sobol_indices(two, "held"))


def test_second_order_indices_need_their_blocks():
    """The product of two factors has its share; a design without the blocks says how to get them."""
    table = sobol_interactions(saltelli_results(3, samples=1024, second_order=True), "held")
    mean, variances = 2 + 0.2 / 3, 1 / 3
    share = variances**2 / (mean**2 * variances + variances + variances**2)
    assert table.select("factor", "with_factor").row(0) == ("intent.intercept", "sales.no_show_rate")
    assert table["second"][0] == pytest.approx(share, abs=0.01)
    with pytest.raises(InputError, match="second_order: true"):
        sobol_interactions(saltelli_results(3), "held")


def test_convergence_ends_with_the_indices_of_all_samples():
    """Parts are N/8 to N, none of fewer than 8; the last is the whole, and its intervals are the narrowest."""
    results = saltelli_results(3, samples=32)
    table = sobol_convergence(results, "held")
    assert table["samples"].unique().to_list() == [8, 16, 32]
    last = table.filter(samples=32).drop("samples")
    assert last.equals(sobol_indices(results, "held").drop("noise"))
    widths = (
        table.with_columns(width=pl.col("total_high") - pl.col("total_low")).group_by("samples").agg(pl.max("width"))
    )
    assert widths.sort("samples")["width"].is_sorted(descending=True)


def test_a_constant_response_has_no_indices():
    """Nothing varies, so that nothing has a share of it, whatever rounding leaves."""
    factors = {"intent.intercept": {"uniform": [-6.0, -4.0]}, "sales.no_show_rate": {"uniform": [0.0, 0.4]}}
    results = results_of({"factors": factors, "design": {"kind": "saltelli", "samples": 8}}, lambda _, __: 0.1)
    assert sobol_indices(results, "held")["total"].is_nan().all()


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
