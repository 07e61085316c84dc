"""Claims about measures of probes: the statistic of the right rows, and a clear reason where there is none."""

from __future__ import annotations

from functools import cache

import polars as pl
import pytest

from scenarios.errors import ScenarioError, UndefinedMeasureError
from scenarios.measures.expressions import ExpressionError
from scenarios.run.run import Run
from scenarios.scenario import Scenario
from scenarios.study import Study

CHANGES = {
    "clock.hours": 6,
    "traffic.visitors_per_day": 1500,
    "intent.intercept": -2.0,
    "probes.inbox": {"use": "queue_length", "every_minutes": 20},
    "probes.held": {"use": "queue_length", "every_minutes": None, "on_events": ["Deal Won"]},
}
"""Six hours of many requests, some before the offices open; no deal is won so soon."""


@cache
def run() -> Run:
    """The run that the claims here are about."""
    return Scenario.load("baseline", CHANGES).run()


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        ("mean", pl.col("value").mean()),
        ("min", pl.col("value").min()),
        ("max", pl.col("value").max()),
        ("last", pl.col("value").last()),
        ("p90", pl.col("value").quantile(0.9, "linear")),
        ("p5", pl.col("value").quantile(0.05, "linear")),
    ],
)
def test_a_statistic_is_that_of_the_table(statistic: str, expected: pl.Expr) -> None:
    """Each statistic is Polars' own of the rows of the measure."""
    rows = run().probes["inbox"].filter(measure="north_america")
    assert rows.height == 18
    assert rows["value"].max() != rows["value"].min()
    assert run().measure(f'probe("inbox", "north_america", "{statistic}")') == rows.select(expected).item()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('probe("inbx", "europe", "max")', "there is no probe 'inbx'; did you mean 'inbox'"),
        ('probe("inbox", "europe", "p100")', "there is no statistic 'p100'; there are mean, min, max, last, and perc"),
        ('probe("inbox", "europe")', "the argument 'statistic' is missing"),
        ("probe", "probe has arguments"),
    ],
)
def test_what_no_run_can_have_is_refused(text: str, reason: str) -> None:
    """Unknown probes and statistics are faults of the file, found before any run."""
    with pytest.raises(ExpressionError, match=reason.replace("(", r"\(")):
        run().measure(text)
    with pytest.raises(ScenarioError, match="claims"):
        Scenario.load("baseline", {**CHANGES, "claims": {"wrong": f"{text} > 0"}})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('probe("inbox", "europ", "max")', "the probe 'inbox' has no measure 'europ'; did you mean 'europe'"),
        ('probe("held", "europe", "max")', "the probe 'held' has measured nothing"),
    ],
)
def test_what_this_run_has_not_measured_is_undefined(text: str, reason: str) -> None:
    """Only a run knows what its probes measure; a claim about anything else is undecided."""
    with pytest.raises(UndefinedMeasureError, match=reason):
        run().measure(text)


def test_a_study_reads_probes_within_its_window() -> None:
    """A response of a light run is that of the probe's rows after the warm-up."""
    text = 'probe("inbox", "north_america", "mean")'
    changes = {name: value for name, value in CHANGES.items() if name != "probes.held"}
    study = Study.from_dict(
        {
            "name": "inbox",
            "scenario": "baseline",
            "overrides": changes,
            "replications": 2,
            "warm_up_hours": 2,
            "responses": {"waiting": text},
        }
    )
    start = run().scenario.clock.start
    after = run().probes["inbox"].filter(pl.col("time") >= start + pl.duration(hours=2), measure="north_america")
    found = study.run(jobs=1).wide["waiting"]
    assert found[0] == pytest.approx(after["value"].mean())
    assert found[0] != run().measure(text)
