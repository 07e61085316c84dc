"""Charts of what events say: traffic by hour, the funnel, conversion by segment, and the coefficients of the model.

Each takes a table of :class:`analytics.statistics.FunnelStatistics` or :class:`analytics.intent_results.IntentResults`
and returns an Altair chart, small because the table is. :func:`analytics.chart_style.to_svg` makes a still picture of
it, without JavaScript and without a network. Importing this module imports Altair.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import polars as pl

from analytics.chart_style import BLUE, GREY, INK, VERMILLION, Rows, distinct, inline, label, layered

__all__ = [
    "SIGNIFICANT",
    "SMALL_N",
    "coefficient_chart",
    "funnel_chart",
    "heat_map",
    "hourly_chart",
    "segment_chart",
    "segment_rows",
    "traffic_by",
]

_PALE_BLUE: Final = "#DCEAF4"

SMALL_N: Final = 100
"""Below this many visitors a rate is shown muted: its interval is wider than most differences worth knowing."""

SIGNIFICANT: Final = 0.05
"""Below this adjusted p-value a coefficient is told from no effect."""

_HOURS_OF_DAY: Final = 24
_FEW_HOURS: Final = 8
_FEW_TICKS: Final = 5
_TENTH: Final = 0.1
_MOST_SEGMENTS: Final = 12
_MOST_ROWS: Final = 16
_MOST_COLUMNS: Final = 7
_MOST_LOG_ODDS: Final = 5.0

_LOG_ODDS: Final = "log-odds of a demo request: less likely left of 0, more likely right of it"


def traffic_by(hourly: pl.DataFrame, moving_average: pl.DataFrame) -> tuple[str, int | None, pl.DataFrame]:
    """Give traffic by hour a grain that can be drawn: by the hour, over two weeks by the day, over a year by the month.

    Args:
        hourly: As of ``FunnelStatistics.hourly()``.
        moving_average: As of ``FunnelStatistics.moving_average()``.

    Returns:
        The grain; how many grains the averages span where they were worked out here; and one row per grain: its
        ``start`` and ``end``, ``page_views``, ``demo_requests`` and their averages ``page_views_mean`` and
        ``demo_requests_mean``.
    """
    counts = ("page_views", "demo_requests")
    start = pl.col("hour").alias("start")
    grain, every, window = _grain(hourly.height)
    if window is None:
        means = moving_average.select("hour", *(pl.col(name).alias(f"{name}_mean") for name in counts))
        table = hourly.select("hour", *counts).join(means, on="hour", how="left").select(start, pl.exclude("hour"))
    else:
        summed = hourly.group_by(pl.col("hour").dt.truncate(every).alias("start")).agg(pl.col(counts).sum())
        averages = (pl.col(name).cast(pl.Float64).rolling_mean(window).alias(f"{name}_mean") for name in counts)
        table = summed.sort("start").with_columns(*averages)
    return grain, window, table.with_columns(end=pl.col("start").dt.offset_by(every))


def _grain(n_hours: int) -> tuple[str, str, int | None]:
    if n_hours <= 14 * _HOURS_OF_DAY:
        return "hour", "1h", None
    return ("day", "1d", 7) if n_hours <= 366 * _HOURS_OF_DAY else ("month", "1mo", 3)


def hourly_chart(traffic: pl.DataFrame, whose: str = "") -> alt.VConcatChart:
    """Draw page views above demo requests: bars for the counts, a line for the moving average.

    Args:
        traffic: As of :func:`traffic_by`.
        whose: What the titles add to say whose they are, such as `` of Europe``.
    """
    length = pl.col("end") - pl.col("start")
    rows = traffic.with_columns(
        start=pl.col("start") + 0.04 * length, middle=pl.col("start") + length / 2, end=pl.col("end") - 0.04 * length
    ).with_columns(pl.col("start", "end", "middle").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    x = alt.X("start:T", title=None, **_utc_axis(traffic))
    views = _traffic_panel(rows, "page_views", f"Page views{label(whose)}", BLUE, x).properties(height=150)
    requests = _traffic_panel(rows, "demo_requests", f"Demo requests{label(whose)}", VERMILLION, x).properties(
        height=110
    )
    return alt.vconcat(views, requests, spacing=18)


def _utc_axis(traffic: pl.DataFrame) -> dict[str, Any]:
    """Scale and axis of time in UTC, wherever the reader is."""
    hours = [*traffic["start"].dt.timestamp("ms"), *traffic["end"].dt.timestamp("ms").tail(1)]
    scale = alt.Scale(type="utc", domain=[hours[0], hours[-1]])
    if traffic.height > _HOURS_OF_DAY:
        return {"scale": scale, "axis": alt.Axis(tickCount=8)}
    # Each tick by name: Vega fails on tick intervals of a UTC scale.
    named = hours[:: 3 if traffic.height > _FEW_HOURS else 1]
    return {"scale": scale, "axis": alt.Axis(format="%H:%M", values=named)}


def _traffic_panel(rows: pl.DataFrame, count: str, title: str, colour: str, x: alt.X) -> alt.LayerChart:
    upper = max(1, *rows[count])
    # Few things are counted one by one: Vega would put a tick at a half and write it as 1.
    ticks: dict[str, Any] = {"values": list(range(upper + 1))} if upper <= _FEW_TICKS else {"tickCount": _FEW_TICKS}
    counts = alt.Axis(format=",d", minExtent=48, **ticks)
    bars = (
        alt.Chart(inline(rows.select("start", "end", count).to_dicts()))
        .mark_bar(color=colour, opacity=0.35, orient="vertical")
        .encode(
            x=x,
            x2="end:T",
            y=alt.Y(f"{count}:Q", title=None, axis=counts, scale=alt.Scale(domain=[0, upper], nice=True)),
        )
    )
    means = rows.select("middle", mean=f"{count}_mean").drop_nulls()
    line = (
        alt.Chart(inline(means.to_dicts()))
        .mark_line(color=colour, strokeWidth=2.5)
        .encode(x=alt.X("middle:T", scale=alt.Scale(type="utc")), y="mean:Q")
    )
    return layered(bars, line, width=780, title=title)


def funnel_chart(funnel: pl.DataFrame) -> alt.LayerChart:
    """Draw how many visitors reach each stage, with their share of all and of those at the stage before.

    Args:
        funnel: As of ``FunnelStatistics.funnel()``.
    """
    rows = [
        {
            "stage": str(row["stage"]).capitalize(),
            "visitors": row["visitors"],
            "all": f"{row['visitors']:,} visitors" + (f" · {_percent(row['share'])} of all" if index else ""),
            "step": "" if row["step_rate"] is None else f"{_percent(row['step_rate'])} of the stage before",
        }
        for index, row in enumerate(funnel.to_dicts())
    ]
    most = max((row["visitors"] for row in rows), default=1) or 1
    base = alt.Chart(inline(rows)).encode(
        y=alt.Y("stage:N", sort=None, title=None, axis=alt.Axis(domain=False, ticks=False, labelFontSize=14)),
        x=alt.X("visitors:Q", axis=None, scale=alt.Scale(domain=[0, 1.75 * most])),
    )
    text = base.mark_text(align="left", dx=8, dy=-7, fontSize=13, color=INK, fontWeight="bold").encode(text="all:N")
    step = base.mark_text(align="left", dx=8, dy=9, fontSize=12, color=INK).encode(text="step:N")
    return layered(base.mark_bar(color=BLUE, height=34), text, step, width=430, height=alt.Step(52))


def segment_rows(segments: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Choose the segments of a table that can be drawn: those with the most page views and enough visitors.

    Args:
        segments: As of ``FunnelStatistics.segments()`` by one dimension.

    Returns:
        The rows to draw, in their order, and how many are left to the table of numbers.
    """
    known = segments.filter(pl.col("conversion").is_not_null())
    enough = known.filter(pl.col("n") >= SMALL_N // 2)
    drawn = (known if enough.is_empty() else enough).head(_MOST_SEGMENTS)
    return drawn.sort("n", segments.columns[0], descending=[True, False]), segments.height - drawn.height


def segment_chart(segments: pl.DataFrame, overall: float | None = None, most: float | None = None) -> alt.LayerChart:
    """Draw the conversion of each segment as a dot with its interval.

    Args:
        segments: As of :func:`segment_rows`; the first column names the segment.
        overall: Conversion of all visitors, drawn as a dashed line.
        most: Upper end of the axis, to share it with other charts; from the data if not given.
    """
    dimension = segments.columns[0]
    rows = segments.to_dicts()
    called = distinct(label(row[dimension], longest=24).replace("_", " ") for row in rows)
    names = [f"{name} (n {row['n']:,})" for name, row in zip(called, rows, strict=True)]
    upper = most or max((row["conversion_high"] for row in rows), default=1.0)
    data = inline(
        [
            {"segment": name, "rate": row["conversion"], "low": row["conversion_low"], "high": row["conversion_high"]}
            for name, row in zip(names, rows, strict=True)
        ]
    )
    axis = alt.Axis(format="~%", tickCount=5)
    x = alt.X("low:Q", title=None, axis=axis, scale=alt.Scale(domain=[0, upper], nice=True))
    y = alt.Y("segment:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, minExtent=175))
    layers: list[alt.Chart] = [
        alt.Chart(data).mark_rule(color=BLUE, strokeWidth=2.5, opacity=0.6).encode(x=x, x2="high:Q", y=y),
        alt.Chart(data).mark_point(color=BLUE, filled=True, size=80, opacity=1).encode(x="rate:Q", y=y),
    ]
    if overall is not None:
        mean = alt.Chart(inline([{"rate": overall}])).mark_rule(color=INK, strokeDash=[4, 4], opacity=0.7)
        layers.insert(0, mean.encode(x="rate:Q"))
    return layered(*layers, width=230, height=alt.Step(26))


def heat_map(pairs: pl.DataFrame, outlined: tuple[str, str] | None = None) -> alt.LayerChart:
    """Draw the conversion of each pair of segments (geography × content), with the visitors it is a share of.

    Args:
        pairs: As of ``FunnelStatistics.segments()`` by two dimensions: the first goes across, the second down.
        outlined: A pair to frame, and never to leave out.

    Cells of fewer than :data:`SMALL_N` visitors have no colour and pale text.
    """
    across, down = pairs.columns[:2]
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
    enough = drawn.filter(pl.col("n") >= SMALL_N)["conversion"]
    most = max([0.0, *enough]) or 1.0
    rows = [_cell(row, column_names[row[across]], row_names[row[down]], most) for row in drawn.to_dicts()]
    for row, source in zip(rows, drawn.to_dicts(), strict=True):
        row["framed"] = (source[across], source[down]) == outlined
    return _grid(rows, list(column_names.values()), list(row_names.values()), most)


def _cell(row: Mapping[str, Any], column: str, name: str, most: float) -> dict[str, Any]:
    rate, small = row["conversion"], row["n"] < SMALL_N
    ink = INK if small else ("#FFFFFF" if rate > 0.85 * most else "#111111")
    return {"column": column, "row": name, "rate": rate, "ink": ink, "small": small} | {
        "percent": _percent(rate),
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
    colour = alt.Color("rate:Q", scale=alt.Scale(domain=[0, most], range=[_PALE_BLUE, BLUE]), legend=None)
    ink, opacity = alt.Color("ink:N", scale=None), alt.Opacity("opacity:Q", scale=None)
    cells = base.transform_filter("!datum.small").mark_rect().encode(color=colour)
    framed = base.transform_filter("datum.framed").mark_rect(filled=False, stroke=VERMILLION, strokeWidth=3)
    percent = base.mark_text(dy=-6, fontSize=13, fontWeight="bold").encode(text="percent:N", color=ink, opacity=opacity)
    n = base.mark_text(dy=9, fontSize=11).encode(text="n:N", color=ink, opacity=opacity)
    layers = [empty, cells, framed, percent, n]
    apart = alt.Resolve(scale=alt.ScaleResolveMap(color="independent"))
    return layered(*layers, width=alt.Step(106), height=alt.Step(38), resolve=apart)


def coefficient_chart(groups: Mapping[str, pl.DataFrame], names: Mapping[str, str]) -> alt.VConcatChart:
    """Draw the coefficients of the intent model as a forest plot: estimate and interval in log-odds, 0 is no effect.

    A filled dot is significant after adjustment for the number of signals, a hollow one is not; a diamond is the truth,
    where it is known. What lies beyond ±5 is drawn at the edge.

    Args:
        groups: Rows of ``IntentResults.coefficients`` under the heading of each group, in order.
        names: What to call each term.
    """
    filled = {title: table for title, table in groups.items() if table.height}
    every = pl.concat(filled.values())
    ends = every.select("ci_low", "ci_high", "truth").unpivot()["value"].drop_nulls().drop_nans()
    bounds = [_clamped(value) for value in (min([-0.1, *ends]), max([0.1, *ends]))]
    last = list(filled)[-1]
    panels = [_forest(title, table, names, bounds, is_last=title == last) for title, table in filled.items()]
    return alt.vconcat(*panels, spacing=12)


def _forest(
    title: str, table: pl.DataFrame, names: Mapping[str, str], bounds: Sequence[float | None], *, is_last: bool
) -> alt.LayerChart:
    called = distinct(label(names.get(term, term)) for term in table["signal"])
    data = inline([_estimate(row, name) for row, name in zip(table.to_dicts(), called, strict=True)])
    x_scale = alt.Scale(domain=list(bounds), nice=True)
    y = alt.Y("signal:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, minExtent=200, maxExtent=200))
    colour = alt.Color("colour:N", scale=None)
    base = alt.Chart(data).encode(y=y)
    axis = alt.Axis(tickCount=6, labels=is_last, ticks=is_last)
    zero = alt.Chart(inline([{"x": 0}])).mark_rule(color=INK, opacity=0.8).encode(x=alt.X("x:Q"))
    interval = base.mark_rule(strokeWidth=2.5).encode(
        x=alt.X("low:Q", title=_LOG_ODDS if is_last else None, scale=x_scale, axis=axis), x2="high:Q", color=colour
    )
    # A dot and its ring: the ring of those that are not significant has nothing in it.
    dots = base.mark_point(size=90, strokeWidth=2, opacity=1).encode(
        x="coefficient:Q", fill=alt.Fill("fill:N", scale=None), stroke=alt.Stroke("colour:N", scale=None)
    )
    truth = (
        base.transform_filter("isValid(datum.truth)")
        .mark_point(shape="diamond", size=90, filled=False, strokeWidth=2, color=VERMILLION, opacity=1)
        .encode(x="truth:Q")
    )
    return layered(zero, interval, dots, truth, width=310, height=alt.Step(25), title=title)


def _estimate(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    significant = row["p_adjusted"] is not None and row["p_adjusted"] < SIGNIFICANT
    places = {key: _clamped(row[key]) for key in ("coefficient", "truth")}
    ends = {"low": _clamped(row["ci_low"]), "high": _clamped(row["ci_high"])}
    colour = BLUE if significant else GREY
    return {"signal": name, **places, **ends, "colour": colour, "fill": colour if significant else "transparent"}


def _clamped(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else min(max(value, -_MOST_LOG_ODDS), _MOST_LOG_ODDS)


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f}%" if rate < _TENTH else f"{100 * rate:.0f}%"


def _commonest(pairs: pl.DataFrame, dimension: str, most: int, kept: str) -> list[str]:
    """The values of a dimension with the most visitors, by falling number, and the one to keep."""
    counted = pairs.group_by(dimension).agg(pl.col("n").sum()).sort("n", dimension, descending=[True, False])
    ranked: list[str] = counted[dimension].to_list()
    chosen = ranked[:most]
    return chosen if kept in chosen or kept not in ranked else [*chosen[:-1], kept]
