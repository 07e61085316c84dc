"""Claims about the rule of how many replications are enough."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError
from scipy import stats

from scenarios.studies.intervals import mean_intervals, running_exceptions, running_sample
from scenarios.studies.precision import Precision, PrecisionSettings, is_met, stopping_point


def target(least: int = 10, most: int = 1000, **precision: float) -> PrecisionSettings:
    """A target precision of the one response x."""
    return PrecisionSettings(precision={"x": Precision(**precision)}, min=least, max=most)


def interval(numbers: list[float]) -> tuple[float, float]:
    """The interval of all the values."""
    low, high = mean_intervals(running_sample(np.array(numbers)))
    return float(low[-1]), float(high[-1])


@given(st.lists(st.floats(1, 1e6) | st.floats(-1e6, -1) | st.just(math.nan), min_size=2, max_size=40))
def test_intervals_are_scipys_t_intervals(numbers: list[float]):
    """Of values other than 0 they are those of SciPy, without NaN; of fewer than two values or a constant, none."""
    known = [number for number in numbers if not math.isnan(number)]
    low, high = interval(numbers)
    if len(set(known)) < 2:
        assert np.isnan([low, high]).all() or set(known) == {1.0}
        return
    scale = np.abs(known).max()
    expected = stats.t.interval(0.95, len(known) - 1, np.mean(known), stats.sem(known))
    assert (low, high) == pytest.approx(expected, rel=1e-6, abs=1e-6 * scale)


@given(st.lists(st.integers(0, 1), min_size=2, max_size=60))
def test_intervals_of_a_proportion_are_wilsons(numbers: list[int]):
    """Also where the event was never seen, or always."""
    expected = stats.binomtest(sum(numbers), len(numbers)).proportion_ci(method="wilson")
    assert interval([*map(float, numbers)]) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(st.lists(st.integers(0, 4), min_size=3, max_size=60).filter(lambda numbers: 0 in numbers and max(numbers) > 1))
def test_intervals_of_rare_counts_invert_a_score_test(numbers: list[int]):
    """At both ends the test of the mean μ, with variance proportional to μ, is at the t quantile; and never below 0."""
    n, mean, variance = len(numbers), np.mean(numbers), np.var(numbers, ddof=1)
    ends = np.array(interval([*map(float, numbers)]))
    quantile = stats.t.ppf(0.975, n - 1)
    assert (mean - ends) ** 2 == pytest.approx(quantile**2 * ends * variance / mean / n)
    assert 0 < ends[0] < mean < ends[1]


def test_exceptions_are_the_values_beside_the_most_frequent():
    """None of a constant, the rare ones of an event, all but one where no value occurs twice; NaN is no value."""
    assert running_exceptions(np.full(4, 7.0)).tolist() == [0, 0, 0, 0]
    assert running_exceptions(np.array([0.0, 1.0, np.nan, 1.0, 1.0, 0.0])).tolist() == [0, 1, 1, 1, 1, 2]
    assert running_exceptions(np.array([3.0, 1.0, 2.0])).tolist() == [0, 1, 2]


def test_a_relative_target_ignores_the_sign_and_is_never_met_around_zero():
    """An interval from 9 to 11 is known to a ninth, on either side of 0; one that holds 0 is not known at all."""
    low, high = np.array([9.0, -11.0, -0.5, -1e-9]), np.array([11.0, -9.0, 1.5, 1e-9])
    assert Precision(relative=1 / 9).is_met(low, high).tolist() == [True, True, False, False]
    assert Precision(relative=0.11).is_met(low, high).tolist() == [False, False, False, False]


def test_a_point_has_the_minimum_at_least_and_the_maximum_at_most():
    """Values known at once need the minimum and a quarter more; a mean of 0 never meets a relative target."""
    assert stopping_point({"x": 3 + np.arange(50) / 1000}, target(least=12, absolute=0.1)) == 15
    numbers = np.random.default_rng(6).normal(0.0, 1.0, 80)
    assert stopping_point({"x": numbers[:79]}, target(most=80, relative=0.1)) is None
    assert stopping_point({"x": numbers}, target(most=80, relative=0.1)) == 80


@pytest.mark.parametrize("value", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("goal", [{"absolute": 1000.0}, {"relative": 0.9}])
def test_a_constant_response_runs_to_the_maximum(value: float, goal: dict[str, float]):
    """What has not varied may vary yet: no target is met, however wide; rounding is no variation."""
    values = np.full(300, value)
    if value == 3.0:
        values[::2] += 4e-16
    assert not is_met({"x": values}, target(**goal)).any()
    assert stopping_point({"x": values[:299]}, target(most=300, **goal)) is None
    assert stopping_point({"x": values}, target(most=300, **goal)) == 300


def test_a_rare_event_is_seen_ten_times():
    """Zeros and a single other value are no spread to rely on, whatever the target."""
    values = np.zeros(400)
    values[[30, 31, 32, 33, 34, 35, 36, 37, 38, 200]] = [1, 2, 1, 1, 3, 1, 1, 1, 1, 1]
    assert np.flatnonzero(is_met({"x": values}, target(absolute=1000.0)))[0] == 200


@settings(max_examples=20)  # 200 rules each
@given(st.integers(0, 2**32 - 1), st.sampled_from([{"absolute": 0.5}, {"relative": 0.2}]))
def test_further_numbers_do_not_change_the_stopping_point(seed: int, precision: dict[str, float]):
    """The rule looks at the numbers in order, and what comes after the stopping point changes nothing."""
    numbers = np.random.default_rng(seed).normal(2.0, 1.0, 200)
    enough = stopping_point({"x": numbers}, target(**precision))
    assert enough is not None
    assert is_met({"x": numbers}, target(**precision))[enough - 1]
    for n in range(1, 200):
        assert stopping_point({"x": numbers[:n]}, target(**precision)) == (enough if n >= enough else None)


def test_all_responses_must_be_known():
    """With two targets the study continues until the slower one is met; without numbers it never is."""
    rng = np.random.default_rng(5)
    values = {"quick": rng.normal(5.0, 0.1, 500), "slow": rng.normal(5.0, 2.0, 500)}
    both = PrecisionSettings(precision=dict.fromkeys(values, Precision(absolute=0.3)), min=10)
    slow = PrecisionSettings(precision={"slow": Precision(absolute=0.3)}, min=10)
    assert stopping_point(values, both) == stopping_point(values, slow) > 100
    assert stopping_point({**values, "quick": np.full(500, np.nan)}, both) is None


@pytest.mark.parametrize(
    "fault",
    [
        {"precision": {}},
        {"precision": {"x": {}}},
        {"precision": {"x": {"absolute": 1.0, "relative": 0.1}}},
        {"precision": {"x": {"relative": -0.1}}},
        {"precision": {"x": {"relative": 0.1}}, "min": 9},
        {"precision": {"x": {"relative": 0.1}}, "min": 30, "max": 20},
    ],
)
def test_targets_without_meaning_are_refused(fault: dict[str, object]):
    """No target, two for one response, one of 0 or less, fewer than 10 replications, a maximum below the minimum."""
    with pytest.raises(ValidationError):
        PrecisionSettings.model_validate(fault)


Draw = Callable[[np.random.Generator, int], np.ndarray]
KNOWN: dict[str, tuple[Draw, float, dict[str, float]]] = {
    "normal": (lambda rng, n: rng.normal(10.0, 3.0, n), 10.0, {"relative": 0.05}),
    "normal, a negative mean": (lambda rng, n: rng.normal(-5.0, 2.0, n), -5.0, {"relative": 0.1}),
    "normal, mean zero, absolute": (lambda rng, n: rng.normal(0.0, 1.0, n), 0.0, {"absolute": 0.2}),
    "normal, mean zero, relative": (lambda rng, n: rng.normal(0.0, 1.0, n), 0.0, {"relative": 0.1}),
    "exponential": (lambda rng, n: rng.exponential(1.0, n), 1.0, {"relative": 0.1}),
    "exponential, a negative mean": (lambda rng, n: -rng.exponential(1.0, n), -1.0, {"relative": 0.1}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", KNOWN)
def test_stopping_keeps_the_coverage_of_the_intervals(name: str):
    """Over 1,000 studies of a known distribution, 95 % of the intervals at the stopping point hold the true mean.

    Within 3 standard errors of 1,000 Bernoulli trials, √(0.95 · 0.05 / 1000) = 0.0069 each.
    """
    draw, truth, precision = KNOWN[name]
    rng, settings = np.random.default_rng(20260303), target(least=20, most=1000 if truth else 200, **precision)
    covered, met, n_studies = 0, 0, 1000
    for _ in range(n_studies):
        numbers = draw(rng, settings.max)
        enough = stopping_point({"x": numbers}, settings)
        assert enough is not None
        low, high = mean_intervals(running_sample(numbers[:enough]))
        covered += low[-1] <= truth <= high[-1]
        met += enough < settings.max
    assert abs(covered / n_studies - 0.95) < 3 * math.sqrt(0.95 * 0.05 / n_studies), covered / n_studies
    assert met == (0 if "relative" in precision and truth == 0 else n_studies)
