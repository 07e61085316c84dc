"""Charts of experiments: the difference of each arm from the reference, and that difference over time.

Importing this module imports Altair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import polars as pl

from analytics.charts.style import BLUE, GREY, INK, VERMILLION, distinct, inline, label, layered, time_axis, zero_line

MOST_ARMS: Final = 6
"""Arms whose difference over time is drawn."""

_WIDEST: Final = 4
"""Largest interval that is drawn, by the last one: the first looks are at few visitors, and would flatten the rest."""

_POINTS: Final = "percentage points more visitors with a demo request than in "


def effect_chart(rows: Sequence[dict[str, Any]], reference: str) -> alt.LayerChart:
    """Draw the difference of each arm from the reference with its interval, filled where it is significant.

    Args:
        rows: Rows of the table of effects of one experiment, without the reference.
        reference: Name of the reference.
    """
    names = distinct(label(row["arm"], longest=24) for row in rows)
    data = inline(
        [
            {"arm": f"{name} (n {row['visitors']:,})"}
            | {end: 100 * row[f"difference{end and '_'}{end}"] for end in ("low", "high")}
            | {"difference": 100 * row["difference"], "colour": _colour(row)}
            | {"fill": _colour(row) if _is_shown(row) else "transparent"}
            for name, row in zip(names, rows, strict=True)
        ]
    )
    y = alt.Y("arm:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, minExtent=175))
    base, colour = alt.Chart(data).encode(y=y), alt.Color("colour:N", scale=None)
    x = alt.X("low:Q", title=f"{_POINTS}{label(reference, longest=24)}", axis=alt.Axis(tickCount=6))
    interval = base.mark_rule(strokeWidth=2.5).encode(x=x, x2=alt.X2("high:Q"), color=colour)
    dots = base.mark_point(size=90, strokeWidth=2, opacity=1).encode(
        x=alt.X("difference:Q"), fill=alt.Fill("fill:N", scale=None), stroke=alt.Stroke("colour:N", scale=None)
    )
    return layered(zero_line(), interval, dots, width=420, height=alt.Step(30))


def _is_shown(row: dict[str, Any]) -> bool:
    return row["p_adjusted"] is not None and row["p_adjusted"] < 0.05  # noqa: PLR2004 - as in the text


def _colour(row: dict[str, Any]) -> str:
    return (BLUE if _is_shown(row) else GREY) if row["sample_ratio_as_planned"] else VERMILLION


def sequence_chart(sequences: pl.DataFrame) -> alt.VConcatChart:
    """Draw the difference of each arm over time with its confidence sequence, a panel for each.

    Args:
        sequences: The table of sequences of one experiment, with at least one look at which there are intervals.
    """
    known = sequences.drop_nulls("difference_low").with_columns(
        pl.col("difference", "difference_low", "difference_high") * 100,
        # As texts that end in Z: other moments would be shown in the time zone of this machine.
        until=pl.col("until").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        until_ms=pl.col("until").dt.timestamp("ms"),
    )
    width = pl.col("difference_high") - pl.col("difference_low")
    drawn = known.filter(width <= _WIDEST * width.last().over("arm"))
    # One axis of time: the arms of an experiment are compared at the same moments.
    ends = [min(drawn["until_ms"]), max(drawn["until_ms"])]
    scale = alt.Scale(type="utc", domain=ends, nice=False)
    x = alt.X("until:T", title=None, scale=scale, axis=time_axis(*ends))
    arms = drawn["arm"].unique(maintain_order=True)[:MOST_ARMS]
    return alt.vconcat(*(_over_time(drawn.filter(arm=arm), label(arm), x) for arm in arms), spacing=14)


def _over_time(rows: pl.DataFrame, title: str, x: alt.X) -> alt.LayerChart:
    y = alt.Y("difference_low:Q", title="percentage points", axis=alt.Axis(tickCount=5, minExtent=48))
    base = alt.Chart(inline(rows.select("until", "difference", "difference_low", "difference_high").to_dicts()))
    zero = alt.Chart(inline([{"zero": 0}])).mark_rule(color=INK, opacity=0.8).encode(y=alt.Y("zero:Q"))
    band = base.mark_area(color=BLUE, opacity=0.25).encode(x=x, y=y, y2=alt.Y2("difference_high:Q"))
    line = base.mark_line(color=BLUE, strokeWidth=2).encode(x=x, y=alt.Y("difference:Q"))
    # A look alone is no line.
    dot = base.mark_point(color=BLUE, filled=True, size=30, opacity=1 if rows.height == 1 else 0)
    return layered(zero, band, line, dot.encode(x=x, y=alt.Y("difference:Q")), width=780, height=150, title=title)
