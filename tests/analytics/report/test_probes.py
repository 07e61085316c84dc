"""Claims about probes in the report: every measure is drawn and summarised, however many times it was measured."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from flat_events import make_events
from pages import Page, assert_sections

from analytics.charts.probes import MOST_PANELS, measured_over_time
from analytics.report.data import ReportData
from analytics.report.render import render_report
from analytics.report.view import report_view
from analytics.statistics.funnel import FunnelStatistics

START = datetime(2026, 3, 3, tzinfo=UTC)


def measured(n: int, measures: int = 1) -> pl.DataFrame:
    """A table of measurements every second, of values that rise from 0 on."""
    rows = [(second, f"m{index}", float(second)) for second in range(n) for index in range(measures)]
    table = pl.DataFrame(rows, {"second": pl.Int64, "measure": pl.String, "value": pl.Float64}, orient="row")
    return table.select((pl.lit(START) + pl.duration(seconds="second")).alias("time"), "measure", "value")


def report(**probes: pl.DataFrame) -> ReportData:
    """A report about one visitor, and probes."""
    return ReportData(FunnelStatistics(make_events({"at": 0.0})), title="probes", probes=probes)


def test_the_summary_is_that_of_all_measurements() -> None:
    """Each measure has its number, mean, extremes, percentile and last value."""
    view = report_view(report(inbox=measured(11, measures=2))).probes[0]
    assert (view.name, view.n_drawn, [row["measure"] for row in view.summary]) == ("inbox", 2, ["m0", "m1"])
    assert view.summary[0] == {"measure": "m0", "n": 11, "mean": 5.0, "min": 0.0, "p90": 9.0, "max": 10.0, "last": 10.0}


@pytest.mark.parametrize("n", [1, 2, 400, 401, 5000])
def test_a_long_series_is_condensed_and_keeps_its_extremes(n: int) -> None:
    """At most some 400 points are drawn; nothing measured lies outside the band."""
    found = measured_over_time(measured(n))
    assert found.height <= 401
    assert (found["low"].min(), found["high"].max()) == (0.0, n - 1)
    assert found.filter((pl.col("low") > pl.col("value")) | (pl.col("value") > pl.col("high"))).is_empty()
    assert found["time"].is_sorted()
    if n <= 400:
        assert found["value"].to_list() == list(range(n))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (measured(1), "inbox over time; m0: 0 on average"),
        (measured(3, measures=MOST_PANELS + 1), f"The first {MOST_PANELS} of {MOST_PANELS + 1} measures."),
        (measured(0), "The probe has measured nothing that can be drawn."),
        (measured(2).with_columns(value=float("inf")), "The probe has measured nothing that can be drawn."),
        (measured(2).with_columns(measure=pl.lit("<script>")), "&lt;script&gt;"),
    ],
)
def test_any_table_makes_a_section(table: pl.DataFrame, said: str) -> None:
    """One measurement, many measures, none, infinite ones, and hostile names."""
    page = render_report(report(inbox=table))
    assert '<h2 id="probes-title">Measured while the clock ran</h2>' in page
    assert assert_sections(Page(page))[-1] == "probes"
    assert said in page
    assert "<script>" not in page


def test_without_probes_there_is_no_section() -> None:
    """Events from anywhere have no probes, no components and no truth to miss."""
    page = render_report(report())
    assert "Measured while" not in page
    assert "probes" not in assert_sections(Page(page))
    assert "Components of" not in page
