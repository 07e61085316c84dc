"""Traffic by hour with its moving average, of all visitors and of the largest segments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from analytics.charts.chart import Chart, chart_of
from analytics.charts.traffic import hourly_chart, traffic_by
from analytics.events.dimensions import NOT_SET
from analytics.html.numbers import count, moment
from analytics.report.data import ReportData

_MOST_VALUES: Final = 12
"""Segments of a dimension that can be picked: those with the most page views. Each is a chart, of some 17 KB."""


@dataclass(frozen=True)
class Choice:
    """Traffic of all visitors or of a segment, which the reader can pick.

    Args:
        number: Place on the page, from 0; the button, the chart and the style know each other by it.
        name: What is drawn, for a reader: ``all visitors``, ``paid search``.
        chart: The drawing.
    """

    number: int
    name: str
    chart: Chart


@dataclass(frozen=True)
class Traffic:
    """The section on traffic.

    Args:
        grain: What a row counts: ``hour``, ``day`` or ``month``.
        span: What a moving average covers, in words: ``3 hours``.
        choices: Charts by dimension, those of all visitors first, under an empty name.
        n_left_out: By dimension, how many segments with fewer page views have no chart; none is 0.
        counts: One row per grain, as of :func:`analytics.charts.traffic.traffic_by`, with its ``name``.
        n_partial: How many of them were observed in part only.
    """

    grain: str
    span: str
    choices: Mapping[str, list[Choice]]
    n_left_out: Mapping[str, int]
    counts: list[dict[str, Any]]
    n_partial: int


def traffic_view(data: ReportData) -> Traffic | None:
    """Collect the traffic.

    Args:
        data: Contents of the report.

    Returns:
        Counts and charts; None where there are no events.
    """
    if data.hourly.is_empty():
        return None
    grain, window, traffic = traffic_by(data.hourly, data.moving_average)
    choices: dict[str, list[Choice]] = {}
    segments = [("", "all visitors", data.hourly, data.moving_average), *_segments(data.hourly_by)]
    for index, (dimension, name, *counts) in enumerate(segments):
        choices.setdefault(dimension, []).append(Choice(index, name, _chart(index, name, *counts)))
    left_out = {"": 0} | {name: len(_ranked(table, name)[_MOST_VALUES:]) for name, (table, _) in data.hourly_by.items()}
    span = f"{data.moving_average_hours} hours" if window is None else f"{window} {grain}s"
    return Traffic(grain, span, choices, left_out, _rows(traffic), int(traffic["partial"].sum()))


def _rows(traffic: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of the table, without averages that a partial hour makes fall."""
    is_partial, means = pl.col("partial_mean"), pl.selectors.ends_with("_mean") - pl.selectors.by_name("partial_mean")
    mark = pl.when("partial").then(pl.lit(", in part")).otherwise(pl.lit(""))
    name = pl.col("start").dt.strftime("%Y-%m-%d %H:%M") + mark
    return traffic.with_columns(pl.when(~is_partial).then(means).name.keep(), name=name).to_dicts()


def _segments(
    hourly_by: Mapping[str, tuple[pl.DataFrame, pl.DataFrame]],
) -> Iterator[tuple[str, str, pl.DataFrame, pl.DataFrame]]:
    """The segments with the most page views, by dimension."""
    for dimension, (hourly, averages) in hourly_by.items():
        ranked = _ranked(hourly, dimension)
        # A single value is all of the traffic again.
        if len(ranked) > 1:
            for value in ranked[:_MOST_VALUES]:
                of_value = pl.col(dimension) == value
                yield dimension, value.replace("_", " "), hourly.filter(of_value), averages.filter(of_value)


def _ranked(hourly: pl.DataFrame, dimension: str) -> list[str]:
    """The segments of a dimension, the most viewed first."""
    views = hourly.group_by(dimension).agg(pl.col("page_views").sum()).filter(pl.col(dimension) != NOT_SET)
    # By name among equals, or equal data could make other pages.
    return views.sort("page_views", dimension, descending=[True, False])[dimension].to_list()


def _chart(index: int, name: str, hourly: pl.DataFrame, averages: pl.DataFrame) -> Chart:
    grain, _, traffic = traffic_by(hourly, averages)
    # Stable: of equally busy hours, the first is named.
    busiest = traffic.sort("page_views", descending=True, maintain_order=True).row(0, named=True)
    title = (
        f"Page views and demo requests of {name} in {traffic.height} {grain}s; most page views, "
        f"{count(busiest['page_views'])}, in the {grain} of {moment(busiest['start'])} UTC"
    )
    # The first chart is of everybody, which needs no saying.
    return chart_of(hourly_chart(traffic, f" of {name}" if index else ""), f"traffic{index}", title)
