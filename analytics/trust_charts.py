"""Charts of how far to trust the model: what it foretells beside what happens.

Importing this module imports Altair.
"""

from __future__ import annotations

from typing import Final

import altair as alt
import polars as pl

from analytics.chart_style import BLUE, INK, inline, layered

__all__ = ["calibration_chart"]

_LEAST: Final = 1e-4


def calibration_chart(calibration: pl.DataFrame) -> alt.LayerChart:
    """Draw the share of visits that ended in a request against the share foretold, by groups, with intervals.

    The axes run as square roots, for most visits are foretold next to nothing. On the dashed line the two agree.

    Args:
        calibration: As of :func:`analytics.predictive_quality.calibration_table`.
    """
    rows = calibration.select("predicted", "share", low="share_low", high="share_high").to_dicts()
    most = max([_LEAST, *calibration["predicted"], *calibration["share_high"]])
    scale = alt.Scale(type="sqrt", domain=[0, most], nice=False)
    axis = alt.Axis(format="~%", tickCount=6)
    x = alt.X("predicted:Q", title="share foretold, out of fold", scale=scale, axis=axis)
    y = alt.Y("low:Q", title="share that asked for a demo", scale=scale, axis=axis)
    agreed = alt.Chart(inline([{"predicted": each, "low": each} for each in (0, most)]))
    base = alt.Chart(inline(rows)).encode(x=x)
    return layered(
        agreed.mark_line(color=INK, strokeDash=[4, 4], opacity=0.7, strokeWidth=1.5).encode(x=x, y=y),
        base.mark_rule(color=BLUE, strokeWidth=2.5, opacity=0.6).encode(y=y, y2="high:Q"),
        base.mark_point(color=BLUE, filled=True, size=80, opacity=1).encode(y="share:Q"),
        width=300,
        height=260,
    )
