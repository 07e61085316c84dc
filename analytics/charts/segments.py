"""Charts of segments: conversion by one dimension, and a heat map of two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import polars as pl

from analytics.charts.style import BLUE, GREY, INK, PALE_BLUE, VERMILLION, Rows, distinct, inline, label, layered
from analytics.charts.traffic import percent

SMALL_N: Final = 100
"""Below this many visitors a rate is muted: its interval is wider than most differences of interest."""

_MOST_SEGMENTS: Final = 12

_MOST_ROWS: Final = 16

_MOST_COLUMNS: Final = 7


def segment_rows(segments: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Choose the segments of a table that can be drawn: those with the most page views and enough visitors.

    Args:
        segments: As of ``FunnelStatistics.segments()`` by one dimension.

    Returns:
        The rows to draw, by falling number of visitors, and the number of those that only the table has.

    >>> table = pl.DataFrame({"region": ["asia", "europe"], "n": [3, 900], "conversion": [0.0, 0.02]})
    >>> rows, n_left = segment_rows(table)
    >>> rows["region"].to_list(), n_left
    (['europe'], 1)
    """
    known = segments.filter(pl.col("conversion").is_not_null())
    enough = known.filter(pl.col("n") >= SMALL_N // 2)
    # Where every segment is small, small ones are better than an empty chart.
    drawn = (known if enough.is_empty() else enough).head(_MOST_SEGMENTS)
    return drawn.sort("n", segments.columns[0], descending=[True, False]), segments.height - drawn.height


def segment_chart(segments: pl.DataFrame, overall: float | None = None, most: float | None = None) -> alt.LayerChart:
    """Draw the conversion of each segment as a dot with its interval.

    Args:
        segments: As of :func:`segment_rows`; the first column names the segment.
        overall: Conversion of all visitors, drawn as a dashed line.
        most: Upper end of the axis, if charts share it; that of the data otherwise.
    """
    dimension = segments.columns[0]
    rows = segments.to_dicts()
    called = distinct(label(row[dimension], longest=24).replace("_", " ") for row in rows)
    upper = most or max((row["conversion_high"] for row in rows), default=1.0)
    named = [{**row, "segment": f"{name} (n {row['n']:,})"} for name, row in zip(called, rows, strict=True)]
    data = inline(named)
    axis = alt.Axis(format="~%", tickCount=5)
    x = alt.X("conversion_low:Q", title=None, axis=axis, scale=alt.Scale(domain=[0, upper], nice=True))
    y = alt.Y("segment:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, minExtent=175))
    layers: list[alt.Chart] = [
        alt.Chart(data)
        .mark_rule(color=BLUE, strokeWidth=2.5, opacity=0.6)
        .encode(x=x, x2=alt.X2("conversion_high:Q"), y=y),
        alt.Chart(data).mark_point(color=BLUE, filled=True, size=80, opacity=1).encode(x=alt.X("conversion:Q"), y=y),
    ]
    if overall is not None:
        mean = alt.Chart(inline([{"rate": overall}])).mark_rule(color=INK, strokeDash=[4, 4], opacity=0.7)
        # At the bottom: it must not hide a dot.
        layers.insert(0, mean.encode(x=alt.X("rate:Q")))
    return layered(*layers, width=230, height=alt.Step(26))


def heat_map(pairs: pl.DataFrame, outlined: tuple[str, str] | None = None) -> alt.LayerChart:
    """Draw the conversion of each pair of segments, such as region × content, with the number of visitors.

    Args:
        pairs: As of ``FunnelStatistics.segments()`` by two dimensions: the first goes across, the second down.
        outlined: A pair to frame, which is always drawn.

    Cells of fewer than :data:`SMALL_N` visitors have no colour and pale text. Of many segments those with the most
    visitors are drawn.
    """
    across, down = pairs.columns[:2]
    # No segment has an empty name, so without a frame nothing is kept.
    keep = outlined or ("", "")
    columns = _commonest(pairs, across, _MOST_COLUMNS, keep[0])
    contents = _commonest(pairs, down, _MOST_ROWS, keep[1])
    column_names, row_names = (
        dict(zip(values, distinct(label(value).replace("_", " ") for value in values), strict=True))
        for values in (columns, contents)
    )
    drawn = pairs.filter(
        pl.col(across).is_in(columns), pl.col(down).is_in(contents), pl.col("conversion").is_not_null()
    )
    # The scale is that of the large cells: small ones have extreme rates by chance.
    enough = drawn.filter(pl.col("n") >= SMALL_N)["conversion"]
    most = max([0.0, *enough]) or 1.0
    rows = [_cell(row, column_names[row[across]], row_names[row[down]], most) for row in drawn.to_dicts()]
    for row, source in zip(rows, drawn.to_dicts(), strict=True):
        row["framed"] = (source[across], source[down]) == outlined
    return _grid(rows, list(column_names.values()), list(row_names.values()), most)


def _cell(row: Mapping[str, Any], column: str, name: str, most: float) -> dict[str, Any]:
    rate, small = row["conversion"], row["n"] < SMALL_N
    # White on the darkest cells only; black has more contrast on all others.
    ink = INK if small else ("#FFFFFF" if rate > 0.85 * most else "#111111")
    return {"column": column, "row": name, "rate": rate, "ink": ink, "small": small} | {
        "percent": percent(rate),
        "n": f"n {row['n']:,}",
        "opacity": 0.55 if small else 1.0,
    }


def _grid(rows: Rows, columns: Sequence[str], names: Sequence[str], most: float) -> alt.LayerChart:
    # The whole grid in order comes first: with `sort=None` the order of the data is the order of the axes.
    frame = [{"column": column, "row": name} for name in names for column in columns]
    above = alt.Axis(orient="top", labelAngle=0, labelLimit=104, ticks=False, domain=False, title=None)
    x = alt.X("column:N", sort=None, axis=above)
    y = alt.Y("row:N", sort=None, axis=alt.Axis(ticks=False, domain=False, title=None))
    empty = alt.Chart(inline(frame)).mark_rect(color=GREY, opacity=0.08).encode(x=x, y=y)
    base = alt.Chart(inline(rows)).encode(x=x, y=y)
    colour = alt.Color("rate:Q", scale=alt.Scale(domain=[0, most], range=[PALE_BLUE, BLUE]), legend=None)
    ink, opacity = alt.Color("ink:N", scale=None), alt.Opacity("opacity:Q", scale=None)
    cells = base.transform_filter("!datum.small").mark_rect().encode(color=colour)
    framed = base.transform_filter("datum.framed").mark_rect(filled=False, stroke=VERMILLION, strokeWidth=3)
    percent = base.mark_text(dy=-6, fontSize=13, fontWeight="bold").encode(
        text=alt.Text("percent:N"), color=ink, opacity=opacity
    )
    n = base.mark_text(dy=9, fontSize=11).encode(text=alt.Text("n:N"), color=ink, opacity=opacity)
    layers = [empty, cells, framed, percent, n]
    # Layers have colours of their own: those of the texts would else enter the scale of the rates.
    apart = alt.Resolve(scale=alt.ScaleResolveMap(color="independent"))
    return layered(*layers, width=alt.Step(106), height=alt.Step(34), resolve=apart)


def _commonest(pairs: pl.DataFrame, dimension: str, most: int, kept: str) -> list[str]:
    """The values of a dimension with the most visitors, by falling number, and the one to keep."""
    counted = pairs.group_by(dimension).agg(pl.col("n").sum()).sort("n", dimension, descending=[True, False])
    ranked: list[str] = counted[dimension].to_list()
    chosen = ranked[:most]
    # In the place of the last, so that the number of rows stays the same.
    return chosen if kept in chosen or kept not in ranked else [*chosen[:-1], kept]
