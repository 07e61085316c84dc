"""Charts of traffic by hour and of the funnel.

Each takes a table of :class:`analytics.statistics.funnel.FunnelStatistics` and returns an Altair chart, which
:func:`analytics.charts.style.to_svg` draws without JavaScript and without a network. Importing this module imports
Altair.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import altair as alt
import polars as pl

from analytics.charts.style import BLUE, INK, VERMILLION, inline, label, layered, time_axis

_HOURS_OF_DAY: Final = 24

_FEW_TICKS: Final = 5

_TENTH: Final = 0.1

_FEW: Final = 4
_FEWEST_BARS: Final = 6
_TOGETHER: Final = {f"{n} hours": f"{n}h" for n in (2, 3, 6, 12)} | {"day": "1d"}
"""Hours that a bar may have together."""


def traffic_by(hourly: pl.DataFrame, moving_average: pl.DataFrame) -> tuple[str, int | None, pl.DataFrame]:
    """Aggregate traffic to a grain that can be drawn: hours, days beyond two weeks, months beyond a year.

    Args:
        hourly: As of ``FunnelStatistics.hourly()``.
        moving_average: As of ``FunnelStatistics.moving_average()``.

    Returns:
        The grain; the number of grains that averages span, where they are computed here; and one row per grain: its
        ``start`` and ``end``, ``page_views``, ``demo_requests``, their averages ``page_views_mean`` and
        ``demo_requests_mean``, ``partial``, whether it was observed in part only, and ``partial_mean``, whether such a
        grain is in the averages.
    """
    counts = ("page_views", "demo_requests")
    start = pl.col("hour").alias("start")
    grain, every, window = _grain(hourly.height)
    hourly, moving_average = _marked(hourly), _marked(moving_average)
    end = pl.col("start").dt.offset_by(every).alias("end")
    if window is None:
        means = moving_average.select(
            "hour", *(pl.col(name).alias(f"{name}_mean") for name in counts), partial_mean="partial"
        )
        table = hourly.select("hour", *counts, "partial").join(means, on="hour", how="left")
        return grain, window, table.select(start, pl.exclude("hour")).with_columns(end)
    # Averages anew from the sums: those of single hours do not add up to those of days.
    starts = pl.col("hour").dt.truncate(every).alias("start")
    summed = hourly.group_by(starts).agg(pl.col(counts).sum(), pl.col("partial").any(), n_hours=pl.len())
    averages = (pl.col(name).cast(pl.Float64).rolling_mean(window).alias(f"{name}_mean") for name in counts)
    table = summed.sort("start").with_columns(*averages, end)
    # The first and the last one may have fewer hours than others.
    is_short = pl.col("n_hours") < (pl.col("end") - pl.col("start")).dt.total_hours()
    table = table.with_columns(partial=pl.col("partial") | is_short).drop("n_hours")
    return grain, window, table.with_columns(partial_mean=_any_in(window))


def _marked(table: pl.DataFrame) -> pl.DataFrame:
    """A table of hours that says which ones are partial; none is where nothing is known of it."""
    return table if "partial" in table.columns else table.with_columns(partial=pl.lit(value=False))


def _any_in(window: int) -> pl.Expr:
    return pl.col("partial").cast(pl.UInt8).rolling_max(window, min_samples=1).cast(pl.Boolean)


def _grain(n_hours: int) -> tuple[str, str, int | None]:
    # Both limits are some 350 bars, as many as can be distinguished across a page.
    if n_hours <= 14 * _HOURS_OF_DAY:
        return "hour", "1h", None
    return ("day", "1d", 7) if n_hours <= 366 * _HOURS_OF_DAY else ("month", "1mo", 3)


def of_few(traffic: pl.DataFrame, count: str) -> tuple[str, pl.DataFrame]:
    """Put hours, days or months together where a count is so small that bars of single ones would be a comb.

    Args:
        traffic: As of :func:`traffic_by`.
        count: Name of the count.

    Returns:
        What a bar counts, such as ``6 hours``, empty where it is as before; and the rows, with the average over this
        bar and the two before it.
    """
    length = (traffic["end"][0] - traffic["start"][0]).total_seconds() / 3600
    steps = _TOGETHER if length == 1 else {"7 days": "1w"} if length == _HOURS_OF_DAY else {}
    chosen, table = "", traffic
    for words, every in steps.items():
        if table[count].mean() >= _FEW:  # type: ignore[operator]
            break
        bar = pl.col("start").dt.truncate(every).alias("bar")
        facts = pl.col("start").min(), pl.col("end").max(), pl.col("partial").any(), pl.col(count).sum()
        coarser = traffic.group_by(bar, maintain_order=True).agg(*facts)
        # The first and the last one may have fewer hours than others.
        is_short = pl.col("end") - pl.col("start") < pl.col("bar").dt.offset_by(every) - pl.col("bar")
        coarser = coarser.with_columns(partial=pl.col("partial") | is_short)
        if coarser.height < _FEWEST_BARS:
            break
        average = pl.col(count).cast(pl.Float64).rolling_mean(3).alias(f"{count}_mean")
        chosen, table = words, coarser.drop("bar").with_columns(average, partial_mean=_any_in(3))
    return chosen, table


def hourly_chart(traffic: pl.DataFrame, suffix: str = "") -> alt.VConcatChart:
    """Draw page views above demo requests: bars for the counts, a line for the moving average.

    Bars of grains that were observed in part only are dashed outlines, and the line leaves out averages with such a
    grain: the end of the data must not look like the end of the traffic.

    Args:
        traffic: As of :func:`traffic_by`.
        suffix: End of the titles, such as `` of Europe``.

    Returns:
        Two panels with one axis of time, in UTC for every reader.
    """
    x = alt.X("start:T", title=None, **_utc_axis(traffic))
    panels = []
    for count, title, colour, height in (
        ("page_views", "Page views", BLUE, 150),
        ("demo_requests", "Demo requests", VERMILLION, 110),
    ):
        of, table = of_few(traffic, count)
        named = f"{title}{label(suffix)}{f', per {of}' if of else ''}"
        panels.append(_traffic_panel(_with_gaps(table), count, named, colour, x).properties(height=height))
    return alt.vconcat(*panels, spacing=18)


def _with_gaps(traffic: pl.DataFrame) -> pl.DataFrame:
    """Rows with bars that do not touch, and times as texts."""
    length = pl.col("end") - pl.col("start")
    # Gaps in proportion, because months are not equally long.
    return traffic.with_columns(
        start=pl.col("start") + 0.04 * length, middle=pl.col("start") + length / 2, end=pl.col("end") - 0.04 * length
    ).with_columns(pl.col("start", "end", "middle").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _utc_axis(traffic: pl.DataFrame) -> dict[str, Any]:
    """Scale and axis of time in UTC, whatever the time zone of the reader."""
    hours = [*traffic["start"].dt.timestamp("ms"), *traffic["end"].dt.timestamp("ms").tail(1)]
    scale = alt.Scale(type="utc", domain=[hours[0], hours[-1]])
    return {"scale": scale, "axis": time_axis(hours[0], hours[-1])}


def _traffic_panel(rows: pl.DataFrame, count: str, title: str, colour: str, x: alt.X) -> alt.LayerChart:
    upper = max(1, *rows[count])
    # Explicit ticks for small counts: Vega would put one at 0.5 and write it as 1.
    ticks: dict[str, Any] = {"values": list(range(upper + 1))} if upper <= _FEW_TICKS else {"tickCount": _FEW_TICKS}
    counts = alt.Axis(format=",d", minExtent=48, **ticks)
    y = alt.Y(f"{count}:Q", title=None, axis=counts, scale=alt.Scale(domain=[0, upper], nice=True))
    drawn = rows.select("start", "end", count, "partial")
    whole, partial = (
        alt.Chart(inline(part.drop("partial").to_dicts())).encode(x=x, x2=alt.X2("end:T"), y=y)
        for part in (drawn.filter(~pl.col("partial")), drawn.filter("partial"))
    )
    layers = [whole.mark_bar(color=colour, opacity=0.35, orient="vertical")]
    if drawn["partial"].any():
        layers.append(partial.mark_bar(filled=False, stroke=colour, strokeDash=[3, 2], orient="vertical"))
        title = f"{title} (dashed: observed in part)"
    means = rows.filter(~pl.col("partial_mean")).select("middle", mean=f"{count}_mean").drop_nulls()
    layers.append(
        alt.Chart(inline(means.to_dicts()))
        .mark_line(color=colour, strokeWidth=2.5)
        .encode(x=alt.X("middle:T", scale=alt.Scale(type="utc")), y=alt.Y("mean:Q"))
    )
    return layered(*layers, width=780, title=title)


def funnel_chart(funnel: pl.DataFrame) -> alt.LayerChart:
    """Draw how many visitors reach each stage, with their share of all and of the previous stage.

    Bars begin at 0 and share one scale, so that their lengths are the numbers of visitors.

    Args:
        funnel: As of ``FunnelStatistics.funnel()``; a stage that is unknown has no bar, and says so.
    """
    rows = [_funnel_bar(row, is_first=not index) for index, row in enumerate(funnel.to_dicts())]
    most = max((row["visitors"] for row in rows), default=1) or 1
    base = alt.Chart(inline(rows)).encode(
        y=alt.Y("stage:N", sort=None, title=None, axis=alt.Axis(domain=False, ticks=False, labelFontSize=14)),
        # Room on the right for the texts beside the longest bar.
        x=alt.X("visitors:Q", axis=None, scale=alt.Scale(domain=[0, 1.75 * most])),
    )
    text = base.mark_text(align="left", dx=8, dy=-7, fontSize=13, color=INK, fontWeight="bold").encode(
        text=alt.Text("all:N")
    )
    step = base.mark_text(align="left", dx=8, dy=9, fontSize=12, color=INK).encode(text=alt.Text("step:N"))
    return layered(base.mark_bar(color=BLUE, height=34), text, step, width=430, height=alt.Step(52))


def _funnel_bar(row: Mapping[str, Any], *, is_first: bool) -> dict[str, Any]:
    stage, visitors = str(row["stage"]), row["visitors"]
    if visitors is None:
        words = {"all": "unknown", "step": "no page has a funnel stage"}
    else:
        of_all = "" if is_first or row["share"] is None else f" · {percent(row['share'])} of all"
        step = "" if row["step_rate"] is None else f"{percent(row['step_rate'])} of the previous stage"
        words = {"all": f"{visitors:,} visitors{of_all}", "step": step}
    # Only the first letter: names of steps may have capitals of their own.
    return {"stage": stage[:1].upper() + stage[1:], "visitors": visitors or 0, **words}


def percent(rate: float) -> str:
    """Format a rate as a percentage, as short as a chart needs it.

    Args:
        rate: Between 0 and 1.

    >>> percent(0.0147), percent(0.8)
    ('1.5%', '80%')
    """
    return f"{100 * rate:.1f}%" if rate < _TENTH else f"{100 * rate:.0f}%"
