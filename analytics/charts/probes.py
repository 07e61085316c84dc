"""Charts of measures over time, a panel for each.

Importing this module imports Altair.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import altair as alt
import polars as pl

from analytics.charts.style import BLUE, INK, inline, label, layered, time_axis

MOST_PANELS: Final = 8
"""Measures that are drawn; more panels than this nobody compares."""

_MOST_POINTS: Final = 400
"""Points of a line, as many as can be distinguished across a page."""


def measured_over_time(table: pl.DataFrame) -> pl.DataFrame:
    """Condense measurements to as many times as can be drawn.

    Args:
        table: One row per ``time`` and ``measure``, with its ``value``; times in order.

    Returns:
        One row per ``measure`` and ``time``, the start of a span of equal length where there are too many times: the
        mean ``value``, and its least and greatest, ``low`` and ``high``. Without what is not finite.

    >>> from datetime import datetime
    >>> hour = pl.datetime_range(datetime(2026, 3, 3), datetime(2026, 3, 3, 1), "1s", eager=True)
    >>> found = measured_over_time(pl.DataFrame({"time": hour, "measure": "queue", "value": range(3601)}))
    >>> found.height <= 401, found["low"][0], found["high"][-1]
    (True, 0.0, 3600.0)
    """
    table = table.filter(pl.col("value").cast(pl.Float64).is_finite())
    times = table["time"].unique()
    by, first = pl.col("time"), times.min()
    if len(times) > _MOST_POINTS:
        span_ms = -((times.max() - first) // -timedelta(milliseconds=_MOST_POINTS))  # type: ignore[operator]
        since = (pl.col("time") - pl.lit(first)).dt.total_milliseconds()
        by = pl.lit(first) + pl.duration(milliseconds=since // span_ms * span_ms)
    value = pl.col("value").cast(pl.Float64)
    grouped = table.group_by("measure", by.alias("time"), maintain_order=True)
    return grouped.agg(value.mean(), low=value.min(), high=value.max())


def probe_chart(measured: pl.DataFrame) -> alt.VConcatChart:
    """Draw measures over time, a panel for each of the first :data:`MOST_PANELS`.

    Args:
        measured: As of :func:`measured_over_time`.

    Returns:
        Panels with one axis of time, in UTC for every reader; a band from the least to the greatest value where times
        were condensed.
    """
    times_ms = measured["time"].dt.timestamp("ms").to_list()
    ends = [min(times_ms), max(times_ms)]
    x = alt.X("time:T", title=None, scale=alt.Scale(type="utc", domain=ends, nice=False), axis=time_axis(*ends))
    # As texts that end in Z: other moments would be shown in the time zone of this machine.
    rows = measured.with_columns(pl.col("time").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
    names = rows["measure"].unique(maintain_order=True)[:MOST_PANELS]
    return alt.vconcat(*(_panel(rows.filter(measure=name), name, x) for name in names), spacing=14)


def _panel(rows: pl.DataFrame, name: str, x: alt.X) -> alt.LayerChart:
    # At least 1 high, because a measure that stays 0 has an axis too.
    ends = alt.Scale(domain=[min(0, *rows["low"]), max(1, *rows["high"])], nice=True)
    y = alt.Y("value:Q", title=None, scale=ends, axis=alt.Axis(tickCount=4, minExtent=48))
    base = alt.Chart(inline(rows.select("time", "value", "low", "high").to_dicts())).encode(x=x)
    # Between two measurements the last one is what is known.
    band = base.mark_area(color=BLUE, opacity=0.25, interpolate="step-after").encode(
        y=alt.Y("low:Q"), y2=alt.Y2("high:Q")
    )
    line = base.mark_line(color=BLUE, strokeWidth=2, interpolate="step-after").encode(y=y)
    # A measurement alone is no line.
    dot = base.mark_point(color=INK, filled=True, size=30, opacity=1 if rows.height == 1 else 0).encode(y=y)
    return layered(band, line, dot, width=780, height=90, title=label(name))
