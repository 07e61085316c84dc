"""Claims about experiments: visitors in two arms, and arms that do not have their shares."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from flat_events import CRAWLER, events_of, make_events, request, view

from analytics.analysis import Analysis
from analytics.settings import AnalyticsSettings
from analytics.statistics.experiments import ExperimentArms, sample_ratio_test


def seen_in(*arms: tuple[str, str | None], **columns: str) -> pl.DataFrame:
    """A page view of each of these visitors in these arms, one after another."""
    rows = (
        {"anonymous_id": who, "context_experiments": text, "at": n, **columns} for n, (who, text) in enumerate(arms)
    )
    return make_events(*rows)


def test_a_visitor_in_two_arms_is_in_none():
    """Who was seen in two arms of an experiment is left out of both and counted, and stays in other experiments."""
    events = seen_in(("x", "e=a;f=x"), ("x", "e=b;f=x"), ("y", "e=b"), ("y", "e=b"), ("z", "e=a"), ("w", None))
    arms = ExperimentArms(events)
    assert arms.in_several_arms.rows() == [("e", "x")]
    assert arms.events["context_experiments"].cast(pl.String).to_list() == ["f=x", "f=x", "e=b", "e=b", "e=a", None]
    counted = arms.sample_ratios.select("experiment", "arm", "visitors", "in_several_arms").rows()
    assert counted == [("e", "a", 1, 1), ("e", "b", 1, 1), ("f", "x", 1, 0)]
    assert arms.warnings == (
        "visitors seen in several arms of e: 1; they are left out of its arms and of the intent model",
    )


def test_a_visitor_in_two_arms_of_two_experiments_is_in_none_of_either():
    """Each experiment is judged by itself; a visitor without other arms has none left."""
    arms = ExperimentArms(seen_in(("x", "e=a;f=x"), ("x", "f=y;e=b"), ("x", "e=c")))
    assert arms.in_several_arms.rows() == [("e", "x"), ("f", "x")]
    assert arms.events["context_experiments"].null_count() == 3


def test_bots_and_events_without_experiments_do_not_matter():
    """A bot that changes its arms is no visitor; without experiments there is nothing to report."""
    arms = ExperimentArms(seen_in(("x", "e=a"), ("x", "e=b"), context_user_agent=CRAWLER))
    assert (arms.in_several_arms.height, arms.sample_ratios.height, arms.warnings) == (0, 0, ())
    nothing = ExperimentArms(seen_in(("x", None), ("y", "on")))
    assert (nothing.sample_ratios.height, nothing.warnings) == (0, ())


def test_visits_in_two_arms_are_not_in_the_model():
    """Segments do not count the visitor in the first arm, and the model drops the visits with a warning."""
    rows = []
    for n in range(40):
        arm = "e=a" if n % 2 else "e=b"
        rows.append(view(n, f"v{n}", context_experiments=arm))
        if n % 3 == 0:
            rows.append(request(n + 0.5, f"v{n}", context_experiments=arm))
    rows += [view(n, "both", context_experiments=f"e={arm}") for n, arm in ((0, "a"), (90, "b"))]
    analysis = Analysis(lambda: events_of(*rows), AnalyticsSettings())
    by_arm = analysis.statistics.segments("arm").select("arm", "visitors")
    assert dict(by_arm.iter_rows()) == {"e=a": 20, "e=b": 20, "(not set)": 1}
    assert (analysis.visits.height, analysis.intent.n_visits) == (42, 40)
    assert "2 visits of visitors in several arms of an experiment are left out" in analysis.intent.warnings
    assert analysis.tables()["experiments"]["visitors"].to_list() == [20, 20]


@pytest.mark.parametrize(
    ("visitors", "shares", "p_value"),
    [
        ([821_588, 815_482], [0.5, 0.5], 1.8e-6),
        ([50, 50], [0.5, 0.5], 1.0),
        ([90, 10], [0.9, 0.1], 1.0),
        ([60, 40], [0.5, 0.5], 0.0455),
        ([30, 30, 0], [1 / 3, 1 / 3, 1 / 3], 3.06e-7),
    ],
)
def test_the_sample_ratio_test_is_pearsons(visitors: list[int], shares: list[float], p_value: float):
    """The first is the example of Kohavi, Tang and Xu (2020), chapter 21; the others are χ² by hand."""
    assert sample_ratio_test(np.array(visitors), np.array(shares)) == pytest.approx(p_value, rel=0.02)


def test_arms_are_held_against_their_planned_shares():
    """9 to 1 is a mismatch unless it was planned; an arm without anybody, or without a plan, counts."""
    events = seen_in(*((f"v{n}", "e=b" if n % 10 == 0 else "e=a") for n in range(100)))
    (warning,) = ExperimentArms(events).warnings
    assert warning == (
        "sample-ratio mismatch in e (p = 1.2e-15): visitors by arm are a 90 (planned 50.0%), b 10 (planned 50.0%); "
        "find the cause before comparing the arms"
    )
    planned = ExperimentArms(events, {"e": {"a": 0.9, "b": 0.1}})
    assert planned.sample_ratios["p_value"].to_list() == [1.0, 1.0]
    assert planned.warnings == ()
    assert ExperimentArms(events, {"e": {"a": 0.6, "b": 0.1, "c": 0.3}}).sample_ratios["visitors"].to_list() == [
        90,
        10,
        0,
    ]
    assert ExperimentArms(events, {"e": {"a": 1.0}}).sample_ratios["p_value"].to_list() == [0.0, 0.0]
    assert ExperimentArms(seen_in(("x", "e=a"))).sample_ratios["p_value"].to_list() == [None]
