"""Conversion by segment, by pairs of dimensions, and by segment and page group seen before the decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from analytics.charts.chart import Chart, chart_of
from analytics.charts.segments import SMALL_N, heat_map, segment_chart, segment_rows
from analytics.html.numbers import count, percent, rate
from analytics.intent.findings import significant
from analytics.report.data import ReportData


@dataclass(frozen=True)
class Segments:
    """Conversion by one dimension or by a pair of them.

    Args:
        dimensions: Their names, the one that goes across first.
        chart: The drawing; None where nobody was seen.
        remark: A sentence below it; may be empty.
        rates: One row per segment, as of ``FunnelStatistics.segments()``.
    """

    dimensions: list[str]
    chart: Chart | None
    remark: str
    rates: list[dict[str, Any]]


@dataclass(frozen=True)
class Interaction:
    """Whether a page group matters more in some segments than in others.

    Args:
        segment: Name of the dimension whose segments are compared.
        per: What the counts are of, ``visit`` or ``visitor``.
        n_tested: Page groups that could be tested.
        significant: Those whose effect differs, after Holm's adjustment.
        tests: One row per page group, see :data:`analytics.statistics.segment_content.TEST_SCHEMA`.
        rates: One row per segment and page group, with conversion of those who saw it and of those who did not.
    """

    segment: str
    per: str
    n_tested: int
    significant: list[str]
    tests: list[dict[str, Any]]
    rates: list[dict[str, Any]]


def segment_views(data: ReportData) -> list[Segments]:
    """Collect conversion by each dimension, on axes of one length.

    Args:
        data: Contents of the report.

    Returns:
        One part per dimension in which somebody was seen, in the order of the settings.
    """
    chosen = {name: segment_rows(found) for name, found in data.segments.items() if ":" not in name and found.height}
    # Charts that stand side by side are compared by length.
    highest = max((high for rows, _ in chosen.values() for high in rows["conversion_high"]), default=1.0)
    views = []
    for index, (name, (rows, n_left)) in enumerate(chosen.items()):
        title = f"Conversion by {_words(name)}: {_shares(rows, name)}"
        drawn = None if rows.is_empty() else segment_chart(rows, data.totals["conversion"][0], highest)
        # By number, because identifiers in a drawing cannot hold every name.
        chart = None if drawn is None else chart_of(drawn, f"segment{index}", title)
        remark = f"{n_left} more in the numbers below." if n_left else ""
        views.append(Segments([name], chart, remark, data.segments[name].to_dicts()))
    return views


def _words(dimension: str) -> str:
    return dimension.replace("_", " ")


def _shares(rows: pl.DataFrame, *dimensions: str) -> str:
    return "; ".join(
        f"{' and '.join(row[name] for name in dimensions)} {percent(row['conversion'])} of {count(row['n'])}"
        for row in rows.to_dicts()
    )


def pair_views(data: ReportData) -> list[Segments]:
    """Collect conversion by each pair of dimensions, with the highest rates in the title for screen readers.

    Args:
        data: Contents of the report.

    Returns:
        One part per pair in which somebody was seen.
    """
    views = []
    for index, found in enumerate(found for name, found in data.segments.items() if ":" in name and found.height):
        across, down = found.columns[:2]
        framed, remark = None, ""
        # The pair of the interaction that the model has by default.
        if (across, down) == ("region", "page_group"):
            framed, remark = ("europe", "security"), _europe_and_security(found)
        highest = found.filter(pl.col("n") >= SMALL_N).sort("conversion", descending=True, nulls_last=True).head(3)
        shares = _shares(highest, across, down) or "no pair has enough visitors"
        title = f"Conversion by {_words(across)} and {_words(down)}. Highest: {shares}"
        chart = chart_of(heat_map(found, framed), f"pair{index}", title)
        views.append(Segments([across, down], chart, remark, found.to_dicts()))
    return views


def _europe_and_security(found: pl.DataFrame) -> str:
    """Compare European readers of the security pages with those from elsewhere; a visitor has one region only."""
    seen = found.filter(page_group="security").with_columns(europe=pl.col("region") == "europe")
    here, elsewhere = seen.filter("europe"), seen.filter(~pl.col("europe"))
    # Regions may be added up, because a visitor has one; page groups may not.
    n = int(elsewhere["n"].sum())
    if here.is_empty() or not n:
        return ""
    row = here.row(0, named=True)
    return (
        f"Of the {count(row['n'])} European visitors who saw a page on security (framed), "
        f"{rate(row['conversion'], row['conversion_low'], row['conversion_high'])} requested a demo; "
        f"of the {count(n)} from elsewhere, {percent(int(elsewhere['converted'].sum()) / n)}."
    )


def interaction_views(data: ReportData) -> list[Interaction]:
    """Collect, of each dimension that is crossed with page groups, the rates and the tests of interaction.

    Args:
        data: Contents of the report.

    Returns:
        One part per dimension with visits to compare.
    """
    views = []
    for segment, found in data.content.items():
        # A page group that all have seen, or none, has no test.
        tested = found.tests.drop_nulls("p_adjusted").to_dicts()
        different = [row["content"] for row in tested if significant(row)]
        tables = found.tests.to_dicts(), found.conversion.to_dicts()
        if found.conversion.height:
            views.append(Interaction(segment, found.per, len(tested), different, *tables))
    return views
