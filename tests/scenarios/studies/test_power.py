"""Claims about sample-size planning: the power curve, its interval, and the search for the size."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from scenarios import power as planning
from scenarios.errors import InputError
from scenarios.output_analysis.power_curve import PowerCurve, fit_power_curve
from scenarios.power import experiment_power, sample_size
from scenarios.scenario import Scenario

NORMAL = NormalDist()
WORLD = Scenario.load("baseline")


@given(st.floats(-3, 0), st.floats(0.01, 0.2))
def test_a_curve_is_recovered_from_its_own_probabilities(a: float, b: float):
    """Where as many effects are found as the curve says, the fit gives that curve, and the size of closed form."""
    size = ((np.array([0.3, 0.5, 0.7, 0.9]) * 4 - a) / b) ** 2 / 4
    found = np.array([1e6 * NORMAL.cdf(a + b * math.sqrt(each)) for each in size])
    curve = fit_power_curve(size, np.full(4, 1e6), found)
    assert curve is not None
    assert (curve.a, curve.b) == pytest.approx((a, b), rel=1e-6, abs=1e-6)
    assert curve.size(0.8) == pytest.approx(((NORMAL.inv_cdf(0.8) - a) / b) ** 2, rel=1e-5)
    assert curve.power(curve.size(0.8)) == pytest.approx(0.8)


def test_the_fit_maximises_the_likelihood():
    """The score is 0 at the fit, and the covariance is the inverse of Fisher's information, both worked out here."""
    size, n, found = np.array([400.0, 900.0, 1600.0, 3000.0]), np.full(4, 50.0), np.array([12.0, 24.0, 37.0, 48.0])
    curve = fit_power_curve(size, n, found)
    assert curve is not None
    x = np.column_stack([np.ones(4), np.sqrt(size)])
    eta = x @ [curve.a, curve.b]
    p, density = stats.norm.cdf(eta), stats.norm.pdf(eta)
    score = x.T @ ((found - n * p) * density / (p * (1 - p)))
    information = (x.T * (n * density**2 / (p * (1 - p)))) @ x
    assert score == pytest.approx([0, 0], abs=1e-8)
    assert curve.covariance == pytest.approx(np.linalg.inv(information), rel=1e-8)


def test_what_tells_no_curve_gives_none():
    """All found, none found, or fewer the larger the sample: no size can be estimated from that."""
    size, n = np.array([100.0, 200.0, 400.0]), np.full(3, 20.0)
    for found in ([20, 20, 20], [0, 0, 0], [15, 10, 5], [0, 20, 20]):
        assert fit_power_curve(size, n, np.array(found, dtype=np.float64)) is None, found


@pytest.mark.slow
def test_fiellers_interval_holds_the_size_as_often_as_it_says():
    """Over 1,000 studies of 200 samples, 95 % of the intervals hold the true size, within 3 standard errors."""
    rng, size, n = np.random.default_rng(1), np.array([1000.0, 1800.0, 2600.0, 3900.0]), np.full(4, 50.0)
    truth = PowerCurve(-1.96, 0.05, np.zeros((2, 2)))
    p = np.array([truth.power(each) for each in size])
    held = 0
    for _ in range(1000):
        curve = fit_power_curve(size, n, rng.binomial(50, p).astype(np.float64))
        assert curve is not None
        low, high = curve.interval(0.8)
        held += low <= truth.size(0.8) and (high is None or truth.size(0.8) <= high)
    assert abs(held / 1000 - 0.95) < 3 * math.sqrt(0.95 * 0.05 / 1000)


def test_an_interval_whose_slope_may_be_zero_has_no_upper_end():
    """Where the slope is not surely above 0 no size is surely enough."""
    curve = PowerCurve(0.0, 0.01, np.diag([0.01, 0.02**2]))
    low, high = curve.interval(0.8)
    assert high is None
    assert 0 <= low < curve.size(0.8)


class Lottery:
    """Worlds whose z is normal with mean c √size and variance 1: their power is known."""

    def __init__(self, c: float, seed: int) -> None:
        self.c, self.rng, self.sizes = c, np.random.default_rng(seed), list[float]()

    def __call__(self, sizes: list[float], n: int, response: str) -> list[np.ndarray]:
        """Draw z or p-values."""
        z = [self.rng.normal(self.c * math.sqrt(size), 1.0, n) for size in sizes]
        self.sizes += sizes
        return z if response.startswith("z(") else [2 * stats.norm.sf(np.abs(each)) for each in z]


@pytest.mark.slow
@pytest.mark.parametrize("c", [0.2, 0.005])
def test_the_search_finds_the_size_of_closed_form(c: float, monkeypatch: pytest.MonkeyPatch):
    """From a pilot far too large, or far too small, the search ends at ((1.96 + 0.84) / c)², and its interval holds it.

    Over 100 searches the intervals hold it at least 86 times: 95 less 4 standard errors of √(100 · 0.95 · 0.05) = 2.2.
    """
    truth, held, sizes = ((1.959964 + 0.841621) / c) ** 2, 0, []
    for seed in range(100):
        monkeypatch.setattr(planning._Planner, "_replicate", Lottery(c, seed).__call__)
        found = sample_size(WORLD, "security_page_view")
        held += found.low <= truth and (found.high is None or truth <= found.high)
        sizes.append(found.needed)
    assert held >= 86
    assert np.median(sizes) == pytest.approx(truth, rel=0.1)


def test_more_power_takes_more_traffic_and_is_told_with_the_curve(monkeypatch: pytest.MonkeyPatch):
    """Of the same runs, 90 % power needs more than 80 %, hours are whole, and the table says what was seen."""
    needed = []
    for target in (0.8, 0.9):
        monkeypatch.setattr(planning._Planner, "_replicate", Lottery(0.5, 3).__call__)
        found = sample_size(WORLD, "security_page_view", power=target, vary="hours")
        assert found.curve["size"].to_list() == sorted({float(round(size)) for size in found.curve["size"]})
        assert (found.curve["ci_low"] <= found.curve["power"]).all()
        assert (found.curve["power"] <= found.curve["ci_high"]).all()
        needed.append(found.needed)
    assert needed[0] < needed[1]


SMALL: dict[str, Any] = {"visits.gap_hours": 0.5, "visits.return_rate": 0.45, "intent.target_conversion": 0.2}


@pytest.mark.slow
def test_a_decoy_is_never_found():
    """What has no effect takes no traffic to be found: that is said, after the pilot."""
    world = WORLD.replace({**SMALL, "traffic.visitors_per_day": 1500})
    with pytest.raises(InputError, match="careers_page_view has no effect in baseline"):
        sample_size(world, "careers_page_view", replications=40, jobs=1)


@pytest.mark.parametrize("wrong", [{"power": 0.04}, {"power": 1.0}, {"replications": 10}])
def test_wishes_that_mean_nothing_are_refused(wrong: dict[str, Any]):
    """A power below alpha or of certainty, or too few replications, are refused before anything runs."""
    with pytest.raises(InputError):
        sample_size(WORLD, "security_page_view", **wrong)


AB: dict[str, Any] = {
    **SMALL,
    "clock.hours": 6,
    "traffic.visitors_per_day": 2000,
    "experiments.form.arms": {
        "control": {"share": 0.5},
        "same": {"share": 0.2},
        "short": {"share": 0.3, "log_odds": 1},
    },
}


def test_an_experiment_needs_what_the_closed_form_says():
    """Traffic and conversion are those of the runs; the size for a lift, and the lift that a run detects, agree.

    An arm that changes nothing needs nothing, unless a lift is assumed.
    """
    found = experiment_power(WORLD.replace(AB), "form", replications=8, jobs=1)
    same, short = found.arms.to_dicts()
    assert (found.reference, found.days, same["arm"], short["arm"]) == ("control", 0.25, "same", "short")
    assert (same["lift"], same["visitors_needed"], same["days_needed"]) == (None, None, None)
    assert short["lift"] == pytest.approx(short["conversion"] / short["reference_conversion"] - 1)
    assert short["days_needed"] == pytest.approx(0.25 * short["visitors_needed"] / short["visitors"])
    assert 0 <= short["ci_low"] <= short["simulated_power"] <= short["ci_high"] <= 1
    lift = short["detectable_lift"]
    again = experiment_power(WORLD.replace(AB), "form", lift=lift, replications=8, jobs=1).arms.to_dicts()
    # The size is by one tail of the test, the difference by both.
    assert again[1]["visitors_needed"] == pytest.approx(short["visitors"], rel=1e-3)
    assert again[0]["visitors_needed"] > again[0]["visitors"]
    assert found.to_dict()["arms"][1]["power"] == short["power"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lift": 0.0}, "lift: must be above -1"),
        ({"lift": 40.0}, "is no conversion"),
        ({"power": 1.0}, "power: must lie between"),
    ],
)
def test_experiments_that_cannot_be_planned_are_refused(wrong: dict[str, Any], message: str):
    """A lift of nothing, or to more than everybody."""
    with pytest.raises(InputError, match=message):
        experiment_power(WORLD.replace(AB), "form", replications=2, jobs=1, **wrong)


def test_without_requests_an_experiment_cannot_be_planned():
    """No conversion: no lift of it."""
    nothing = WORLD.replace({**AB, "intent.target_conversion": None, "intent.intercept": -30.0})
    with pytest.raises(InputError, match="no run has visitors in both arms and a request in control"):
        experiment_power(nothing, "form", replications=2, jobs=1)
