"""The chart of calibration by simulation: one small panel per term, its distribution of ranks inside a band or not.

Importing this module imports Altair.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import altair as alt
import numpy as np
import polars as pl

from analytics.chart_style import BLUE, GREY, INK, VERMILLION, distinct, inline, label, layered

__all__ = ["rank_chart"]

_ACROSS: Final = 4
_WIDTH: Final = 150
_HEIGHT: Final = 90


def rank_chart(table: pl.DataFrame, names: Mapping[str, str] | None = None) -> alt.ConcatChart:
    """Draw by how much the ranks of the truth differ from uniform ones, each term in a panel with its band.

    A line above 0 on the left and below it on the right tells of errors that are too small, the contrary of errors that
    are too large; above 0 throughout, of estimates that are too low, below of estimates that are too high. A panel
    whose line leaves the band is red, and says so in its title.

    Args:
        table: As of :func:`analytics.rank_calibration.calibration`.
        names: What to call the terms; as they are where not given.
    """
    panels = table.partition_by("term", maintain_order=True)
    titles = distinct(label((names or {}).get(panel["term"][0], panel["term"][0]), longest=26) for panel in panels)
    # The same heights everywhere: what is far off must look so.
    height = float(np.abs(table.select("difference", "low", "high").to_numpy()).max())
    charts = [_panel(panel, title, height) for panel, title in zip(panels, titles, strict=True)]
    return alt.concat(*charts, columns=_ACROSS, spacing=14)


def _panel(table: pl.DataFrame, title: str, height: float) -> alt.LayerChart:
    inside = bool(table["inside"].all())
    colour = BLUE if inside else VERMILLION
    rows = inline(table.select("rank", "difference", "low", "high").to_dicts())
    x = alt.X("rank:Q", title=None, axis=alt.Axis(values=[0, 0.5, 1], format="~g", grid=False))
    scale = alt.Scale(domain=[-height, height], nice=False)
    y = alt.Y("low:Q", title=None, scale=scale, axis=alt.Axis(tickCount=3, format="~g"))
    band = alt.Chart(rows).mark_area(color=GREY, opacity=0.25).encode(x=x, y=y, y2="high:Q")
    zero = alt.Chart(inline([{"y": 0}])).mark_rule(color=INK, opacity=0.4).encode(y="y:Q")
    line = alt.Chart(rows).mark_line(color=colour, strokeWidth=1.8).encode(x=x, y="difference:Q")
    heading = alt.TitleParams(title if inside else f"{title}: outside", fontSize=11, anchor="start")
    return layered(band, zero, line, width=_WIDTH, height=_HEIGHT, title=heading)
