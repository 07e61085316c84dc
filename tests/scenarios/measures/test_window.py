"""Claims about the hours that responses leave out at either end of a simulation."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest

from scenarios.errors import ScenarioError
from scenarios.studies.replication import light_run
from scenarios.study import Study
from scenarios.study_report.view import study_report

TEXT = """name: w
scenario: {name: tiny, clock: {hours: 72}, traffic: {visitors_per_day: 400}, intent: {intercept: -2.0}}
warm_up_hours: 24
cool_down_hours: 12
replications: 1
responses:
  page views: page_views()
  first hour: hourly("page_views", "sum", start=0, end=1)
  hours: hourly("page_views", "sum", start=0, end=36)
  wednesday: daily("page_views", "sum", weekday="wednesday")
  asked: sales.requests
  asked in europe: sales.requests(region="europe")
  held: sales.held
  visits of the model: model.n_visits
"""


def test_responses_are_about_the_window_alone():
    """Counts, hours, requests and visits of a window are those of the whole run that lie in it.

    Requests keep what becomes of them later, and visits what their visitors did before.
    """
    study = Study.parse(TEXT)
    (point,) = study.points
    row = study.run(jobs=1).wide.row(0, named=True)
    whole = light_run(Study.parse(TEXT.replace("warm_up_hours: 24\ncool_down_hours: 12\n", "")).replication(point, 0))
    begin = whole.scenario.clock.start + timedelta(hours=24)
    end = begin + timedelta(hours=36)
    hours = whole.analysis.hourly().filter(pl.col("hour").is_between(begin, end, closed="left"))["page_views"]
    assert (row["page views"], row["first hour"], row["hours"]) == (hours.sum(), hours[0], hours.sum())
    assert row["wednesday"] == hours[:24].sum()  # the clock starts on a Tuesday
    asked = whole.sales.requests.filter(pl.col("requested_s").is_between(24 * 3600, 60 * 3600, closed="left"))
    assert (row["asked"], row["held"]) == (asked.height, asked["held_s"].count())
    assert row["asked in europe"] == asked.filter(pl.col("region") == "europe").height
    assert asked.filter(pl.col("held_s") > 60 * 3600).height > 0
    windowed = light_run(study.replication(point, 0)).analysis
    inside = whole.analysis.visits.filter(pl.col("started_at").is_between(begin, end, closed="left"))
    assert windowed.visits.equals(inside)
    assert row["visits of the model"] == inside["at_risk"].sum()
    for rows in windowed.content_by("region").conversion.partition_by("content"):
        assert rows.select(pl.col("n_seen", "n_unseen").sum()).sum_horizontal().item() == inside["at_risk"].sum()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("held: sales.held", "held: counts.visitors"), "responses.held: counts.visitors counts the whole clock"),
        (("held: sales.held", "held: sales.sdr_utilisation"), "sales.sdr_utilisation counts the whole clock"),
        (("warm_up_hours: 24", "warm_up_hours: 60"), "warm_up_hours: nothing is left of the 72 hours of tiny"),
        (("end=36", "end=37"), "the window ends after the simulation (36)"),
    ],
)
def test_what_no_window_can_be_cut_out_of_is_refused(change: tuple[str, str], message: str):
    """Counts of the whole clock, excluded hours, and windows without hours are reported before anything runs."""
    with pytest.raises(ScenarioError) as caught:
        Study.parse(TEXT.replace(*change))
    assert message in str(caught.value)


def test_a_point_whose_clock_is_too_short_has_no_replications():
    """Where a factor makes the clock shorter than what is left out, the point says so and the others run."""
    text = TEXT + "factors: {clock.hours: [30, 72]}\n"
    for line in ("first hour", "hours"):
        text = "\n".join(each for each in text.splitlines() if not each.startswith(f"  {line}:"))
    results = Study.parse(text).run(jobs=1)
    assert results.replications["point"].unique().to_list() == [1]
    (failure,) = results.failures
    assert "must be more than the warm-up and the cool-down together (got 30)" in failure["message"]


def test_the_report_says_what_is_left_out():
    """The page and the checklist name the warm-up and the cool-down."""
    text = TEXT.replace("hours: 72", "hours: 38")
    text = "\n".join(line for line in text.splitlines() if not line.startswith(("  hours:", "  wednesday:")))
    page = study_report(Study.parse(text).run(jobs=1))
    assert "Responses exclude the first 24 and the last 12 hours." in page
    assert "responses exclude the first 24 hours (warm-up)" in page
