"""Claims about the effects of experiments: closed forms, published examples, and who is compared."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from flat_events import START, Row, events_of, request, view
from scipy.stats import norm, t

from analytics.analysis import Analysis
from analytics.settings import AnalyticsSettings
from analytics.statistics.experiments import (
    ExperimentArms,
    compare_proportions,
    confidence_sequence,
    cuped,
    detectable_difference,
    power_of_test,
    visitors_needed,
)
from analytics.statistics.prepared_events import EventsInParts


@pytest.mark.parametrize(
    ("counts", "difference", "low", "high"),
    [
        ((56, 70, 48, 80), 0.2, 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.6, 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.5714, 0.0582, 0.8062),
        ((5, 56, 0, 29), 0.0893, -0.0381, 0.1926),
        ((0, 10, 0, 20), 0.0, -0.1611, 0.2775),
        ((10, 10, 0, 20), 1.0, 0.6791, 1.0),
    ],
)
def test_the_interval_of_a_difference_is_newcombes(
    counts: tuple[int, int, int, int], difference: float, low: float, high: float
):
    """Method 10 of table II of R. G. Newcombe, Statistics in Medicine 17 (1998) 873–890."""
    found = compare_proportions(*counts)
    shown = (found.difference, found.difference_low, found.difference_high)
    assert shown == pytest.approx((difference, low, high), abs=5.1e-5)


def test_the_ratio_and_the_test_agree():
    """Koopman's interval excludes 1 exactly where the score test, Pearson's χ² with n − 1, is significant."""
    rng = np.random.default_rng(5)
    for x, reference in rng.binomial([400, 300], [0.06, 0.04], size=(200, 2)):
        found = compare_proportions(int(x), 400, int(reference), 300)
        pooled = (x + reference) / 700
        z = (x / 400 - reference / 300) / math.sqrt(pooled * (1 - pooled) * (1 / 400 + 1 / 300) * 700 / 699)
        assert found.p_value == pytest.approx(math.erfc(abs(z) / math.sqrt(2)))
        assert found.ratio_low is not None
        assert found.ratio_high is not None
        assert (found.p_value < 0.05) == (not found.ratio_low <= 1 <= found.ratio_high)


def test_without_requests_there_is_no_ratio():
    """Nobody in one arm: the difference has an interval, the ratio none; nobody in either: no test."""
    one, neither = compare_proportions(5, 100, 0, 100), compare_proportions(0, 100, 0, 100)
    assert one.ratio is None
    assert one.p_value is not None
    assert (neither.p_value, neither.difference) == (None, 0.0)
    assert neither.difference_high == pytest.approx(0.0370, abs=1e-4)


def test_cuped_is_dengs():
    """One covariate: the variance falls by the squared correlation within arms, and θ is that of a regression."""
    rng, n = np.random.default_rng(3), 4000
    in_arm, before = np.arange(n) % 2 == 0, rng.normal(size=n)
    after = 0.5 * in_arm + 0.8 * before + rng.normal(size=n)
    found = cuped(after, in_arm, before[:, None])
    assert found is not None
    y, x = (values - np.where(in_arm, values[in_arm].mean(), values[~in_arm].mean()) for values in (after, before))
    theta = (x @ y) / (x @ x)
    means = [(after - theta * before)[chosen].mean() for chosen in (in_arm, ~in_arm)]
    assert found.difference == pytest.approx(means[0] - means[1])
    assert found.variance_reduction == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2, abs=1e-3)
    half = (found.high - found.low) / 2
    assert half == pytest.approx(1.959964 * found.standard_error)


def test_cuped_needs_something_that_varies():
    """A constant covariate, or a visitor alone, adjusts nothing."""
    outcome, in_arm = np.array([0.0, 1, 0, 1]), np.array([True, True, False, False])
    assert cuped(outcome, in_arm, np.ones((4, 2))) is None
    assert cuped(outcome[:3], in_arm[:3], np.arange(3.0)[:, None]) is None


def test_the_sequence_is_the_mixture_likelihood_ratio():
    """Its p-value is the reciprocal of Robbins' mixture of normal likelihood ratios, integrated here numerically.

    And the interval excludes 0 exactly where the p-value of that look is below 5 %.
    """
    n, x = np.array([[6000.0, 5000.0]]), np.array([[100.0, 130.0]])
    low, high, p = confidence_sequence(x, n)
    rate = x / n
    d, v = float(rate[0, 1] - rate[0, 0]), float((rate * (1 - rate) / n).sum())
    alpha = 0.05
    rho2 = (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / 10_000
    tau2 = rho2 * 11_000 * v
    effects = np.linspace(-0.05, 0.05, 400_001)
    mixture = np.exp(-(effects**2) / (2 * tau2)) / math.sqrt(2 * math.pi * tau2)
    ratio = np.exp((d * effects - effects**2 / 2) / v)
    assert p[0] == pytest.approx(1 / float((mixture * ratio).sum() * (effects[1] - effects[0])), rel=1e-6)
    assert (p[0] < alpha) == (not low[0] <= 0 <= high[0])


def test_the_sequence_waits_for_requests():
    """Nothing is said of fewer than 20 requests, or of an arm without any; the smallest p-value so far counts."""
    n = np.array([[100.0, 100], [1000, 1000], [2000, 2000], [4000, 4000], [5000, 5000]])
    x = np.array([[1.0, 5], [0, 30], [10, 60], [20, 80], [70, 80]])
    low, high, p = confidence_sequence(x, n)
    assert np.isnan([low[:2], high[:2], p[:2]]).all()
    assert p[2] < 0.05
    assert p[4] == p[3] < p[2]
    assert low[4] < 0 < high[4]


def test_the_size_of_an_experiment_is_the_textbooks():
    """Fleiss, Levin and Paik (2003), chapter 4: the formula by hand; and the size, power and difference agree."""
    p, d, z = 0.02, 0.004, (1.959963985, 0.841621234)
    mean = p + d / 2
    by_hand = (
        z[0] * math.sqrt(2 * mean * (1 - mean)) + z[1] * math.sqrt(p * (1 - p) + (p + d) * (1 - p - d))
    ) ** 2 / d**2
    n = visitors_needed(p, d)
    assert n == pytest.approx(by_hand, rel=1e-6)
    assert power_of_test(p, d, n, n) == pytest.approx(0.8, abs=1e-5)
    assert detectable_difference(p, n, n) == pytest.approx(d, rel=1e-4)
    unequal = visitors_needed(p, d, ratio=9)
    assert power_of_test(p, d, unequal, 9 * unequal) == pytest.approx(0.8, abs=1e-5)
    assert detectable_difference(0.0, n, n) is None
    assert detectable_difference(0.5, 3, 3) is None


def arms_of(*rows: Row, **settings: Any) -> ExperimentArms:
    """The arms of these events."""
    return Analysis(lambda: events_of(*rows), AnalyticsSettings(**settings)).experiments


def visitor(who: str, arm: str, *, asks: bool = False, minute: float = 10, account: str | None = None) -> list[Row]:
    """A page view in an arm, and a request five minutes later."""
    known = {"context_experiments": f"e={arm}", "context_group_id": account}
    return [view(minute, who, **known), *([request(minute + 5, who, **known)] if asks else [])]


def test_who_requested_before_is_not_at_risk():
    """A request before the arm was first seen is no outcome; page views before it are its past."""
    rows = [*visitor("x", "a", asks=True), *visitor("y", "b"), view(1, "y"), view(2, "y"), request(3, "z")]
    rows += visitor("z", "b", asks=True)
    arms = arms_of(*rows, *visitor("w", "b", asks=True))
    found = arms.effects.select("arm", "visitors", "requesters", "requested_before").rows()
    assert found == [("a", 1, 1, 0), ("b", 2, 1, 1)]
    assert dict(arms.visitors.select("visitor", "n_views_before").iter_rows()) == {"x": 0, "w": 0, "y": 2, "z": 0}
    exposed = arms.visitors.filter(visitor="y")["exposed_at"].item()
    assert exposed == START + timedelta(minutes=10)


def test_a_server_exposes_nobody():
    """Who is known by a server's request alone was not seen to come into the arm, and is counted apart."""
    alone = request(5, "s", context_experiments="e=b", context_library_name="analytics-node")
    arms = arms_of(*visitor("x", "a", asks=True), *visitor("y", "b"), alone)
    assert arms.effects.select("arm", "visitors", "never_exposed").rows() == [("a", 1, 0), ("b", 1, 1)]


def random_visitors(n: int, **rates: float) -> list[Row]:
    """Visitors in arms by turns, of whom these shares request a demo."""
    rng = np.random.default_rng(8)
    names = sorted(rates)
    return [
        row
        for i in range(n)
        for row in visitor(
            f"v{i:05}",
            names[i % len(names)],
            asks=bool(rng.random() < rates[names[i % len(names)]]),
            minute=float(i),
            account=f"g{i // 3}" if i % 2 else None,
        )
    ]


def test_the_first_arm_by_name_is_the_reference():
    """As in the intent model; p-values of several arms are Holm's, and each arm has a sentence."""
    arms = arms_of(*random_visitors(900, b=0.4, c=0.1, a=0.1))
    effects = arms.effects
    assert effects["arm"].to_list() == ["a", "b", "c"]
    assert effects["reference"].to_list() == ["a"] * 3
    assert effects.filter(arm="a")["difference"].to_list() == [None]
    p, adjusted = (effects[name].to_list() for name in ("p_value", "p_adjusted"))
    assert adjusted[1] == pytest.approx(2 * p[1])
    assert adjusted[2] == pytest.approx(p[2])
    (_, of_b), (_, of_c) = arms.sentences
    assert "a difference is shown (p < 0.001)" in of_b
    assert "no difference shown (p = " in of_c
    assert "detects" in of_c


def test_a_mismatch_of_the_sample_ratio_marks_the_effect():
    """It is shown all the same, and said not to be trusted."""
    rows = [
        *random_visitors(300, a=0.1),
        *(row | {"anonymous_id": f"w{n}"} for n in range(60) for row in visitor("w", "b")),
    ]
    arms = arms_of(*rows)
    assert arms.effects["sample_ratio_as_planned"].to_list() == [False, False]
    assert arms.effects["difference"][1] is not None
    ((_, sentence),) = arms.sentences
    assert sentence.endswith("not to be trusted, as the arms do not have their planned shares")


def test_colleagues_who_are_alike_widen_the_interval():
    """Ten colleagues with one outcome are one observation; without accounts they would be ten."""
    rows, same = [], []
    rng = np.random.default_rng(2)
    for account in range(60):
        asks = bool(rng.random() < 0.3)
        for person in range(10):
            arm = "ab"[int(account % 2)]
            rows += visitor(f"{account:02}-{person}", arm, asks=asks, minute=account, account=f"g{account}")
            same += visitor(f"{account:02}-{person}", arm, asks=asks, minute=account)
    clustered, plain = arms_of(*rows).effects.row(1, named=True), arms_of(*same).effects.row(1, named=True)
    assert clustered["difference"] == pytest.approx(plain["difference"])
    assert plain["design_effect"] == 1.0
    few = (t.ppf(0.975, 58) / norm.ppf(0.975)) ** 2
    assert clustered["design_effect"] == pytest.approx(10 * 60 / 59 * few)
    assert clustered["standard_error"] == pytest.approx(plain["standard_error"] * math.sqrt(10 * 60 / 59 * few))


def test_parts_give_the_same_tables():
    """Visitors cut into parts have the same effects and sequences, to the last digit."""
    events = events_of(*random_visitors(600, a=0.2, b=0.3))
    whole = Analysis(lambda: events, AnalyticsSettings()).experiments
    in_parts = Analysis(EventsInParts(lambda: [events], 3), AnalyticsSettings()).experiments
    for name, table in whole.tables().items():
        assert table.equals(in_parts.tables()[name]), name
    assert whole.effects["variance_reduction"].is_not_null().any()


def test_looks_know_what_was_known_then():
    """The first look has no later visitor and no later request; the last one is the whole."""
    arms = arms_of(
        *visitor("x", "a", asks=True, minute=57), *visitor("y", "b", minute=1), *visitor("z", "b", minute=130)
    )
    counts = ("visitors", "reference_visitors", "requesters", "reference_requesters")
    looks = arms.sequences.select((pl.col("until") - START).dt.total_hours(), *counts).rows()
    assert looks == [(1, 1, 1, 0, 0), (2, 1, 1, 0, 1), (3, 2, 1, 0, 1)]
    assert arms.sequences["difference"].to_list() == [0.0, -1.0, -1.0]
    later = arms_of(*visitor("x", "a", minute=1), *visitor("y", "b", minute=100))
    assert later.sequences["difference"].to_list() == [None, 0.0]


def test_true_effects_stand_beside_the_estimates():
    """Where the truth of an arm is known, it is in its row."""
    events = events_of(*random_visitors(60, a=0.2, b=0.3))
    known = Analysis(lambda: events, AnalyticsSettings(), truth={"e=b": 0.4, "e=a": 0.0}).experiments
    assert known.effects["true_log_odds"].to_list() == [0.0, 0.4]
    assert arms_of(*random_visitors(60, a=0.2, b=0.3)).effects["true_log_odds"].to_list() == [None, None]
