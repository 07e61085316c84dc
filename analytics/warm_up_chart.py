"""Welch's plot: how a count by hour settles, and the hours to leave out. Importing this module imports Altair."""

from __future__ import annotations

import altair as alt
import polars as pl

from analytics.chart_style import BLUE, GREY, VERMILLION, inline, label, layered

__all__ = ["welch_chart"]


def welch_chart(table: pl.DataFrame, counted: str, warm_up_hours: int | None) -> alt.LayerChart:
    """Draw a count by hour without its daily or weekly cycle, its moving average, and the hours to leave out.

    Args:
        table: Columns ``hour``, ``without_cycle`` and ``moving_average``.
        counted: What is counted.
        warm_up_hours: Hours to leave out; None where none can be named.
    """
    base = alt.Chart(inline(table.select("hour", "without_cycle", "moving_average").to_dicts())).encode(
        x=alt.X("hour:Q", title="hours since the start", axis=alt.Axis(tickCount=8), scale=alt.Scale(nice=False))
    )
    y = alt.Y("without_cycle:Q", title=f"{label(counted)} an hour", axis=alt.Axis(tickCount=5))
    layers = [
        base.mark_line(color=GREY, strokeWidth=1, opacity=0.8).encode(y=y),
        base.mark_line(color=BLUE, strokeWidth=2.5).encode(y="moving_average:Q"),
    ]
    if warm_up_hours:
        end = alt.Chart(inline([{"hour": warm_up_hours, "told": f"MSER-5: {warm_up_hours} hours"}]))
        layers += [
            end.mark_rule(color=VERMILLION, strokeWidth=2, strokeDash=[5, 3]).encode(x="hour:Q"),
            end.mark_text(color=VERMILLION, align="left", dx=6, fontSize=12).encode(
                x="hour:Q", y=alt.value(8), text="told:N"
            ),
        ]
    return layered(*layers, width=640, height=240)
