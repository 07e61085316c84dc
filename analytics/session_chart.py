"""The chart of how session length tells of a demo request: estimated curves, the band of one, and the truth.

Importing this module imports Altair.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import altair as alt
import polars as pl

from analytics.chart_style import BLUE, GREY, INK, VERMILLION, inline, layered

__all__ = ["session_length_chart"]

_TICKS: Final = (0, 1, 2, 5, 10, 15, 30, 60, 120, 240)
_DASHES: Final = ([8, 3], [2, 3], [1, 5])
_LINE_HEIGHT: Final = 0.07
"""Height of a line of text as a share of the picture's."""

Ends = dict[str, tuple[float, str]]
"""Height at which a line ends, and its colour, by name."""


def session_length_chart(
    curve: pl.DataFrame, others: Mapping[str, pl.DataFrame] | None = None, name: str = "log1p"
) -> alt.LayerChart:
    """Draw the curve of session length with its pointwise band, other forms of it, and the truth where it is known.

    Time runs as its logarithm, as it counts. Visits of a single moment are of another kind: they are a dot with its
    interval, apart from the curve. Lines are named at their ends, and the truth is dashed.

    Args:
        curve: As of ``SessionLengthComparison.curve()``: the one with a band.
        others: Curves of other forms, by name, drawn as grey lines.
        name: What to call the curve with the band.
    """
    x = _time(max([1.0, *curve["minutes"]]))
    lasting, moment = curve.filter(pl.col("minutes") > 0), curve.filter(pl.col("minutes") == 0)
    y = alt.Y("low:Q", title="log-odds of a request, against a median visit")
    ends: Ends = {name: (lasting["log_odds"][-1], BLUE)}
    band = alt.Chart(_rows(lasting)).mark_area(color=BLUE, opacity=0.2).encode(x=x, y=y, y2="high:Q")
    zero = alt.Chart(inline([{"x": 0}])).mark_rule(color=INK, opacity=0.5).encode(y="x:Q")
    layers = [band, zero]
    for number, (form, table) in enumerate((others or {}).items()):
        known = table.filter(pl.col("minutes") > 0)
        layers.append(_line(known, "log_odds", x, color=GREY, strokeDash=_DASHES[number % len(_DASHES)]))
        ends[form] = (known["log_odds"][-1], GREY)
    layers += [
        _line(lasting, "log_odds", x, color=BLUE, strokeWidth=2.5),
        alt.Chart(_rows(moment)).mark_rule(color=BLUE, opacity=0.6, strokeWidth=2).encode(x=x, y=y, y2="high:Q"),
        alt.Chart(_rows(moment)).mark_point(color=BLUE, filled=True, size=60).encode(x=x, y="log_odds:Q"),
    ]
    if curve["truth"].is_not_null().all():
        layers.append(_line(curve, "truth", x, color=VERMILLION, strokeWidth=2, strokeDash=[5, 4]))
        ends["the truth"] = (curve["truth"][-1], VERMILLION)
    heights = (curve["low"].min(), curve["high"].max())
    layers.append(_names(ends, heights, curve["minutes"][-1], x))
    return layered(*layers, width=460, height=260)


def _time(longest: float) -> alt.X:
    scale = alt.Scale(type="symlog", constant=1, domain=[0, longest], nice=False)
    axis = alt.Axis(values=[tick for tick in _TICKS if tick <= longest], format="d")
    return alt.X("minutes:Q", title="minutes from the first to the last page view", scale=scale, axis=axis)


def _rows(table: pl.DataFrame) -> alt.InlineData:
    return inline(table.select("minutes", "low", "high", "log_odds").to_dicts())


def _line(table: pl.DataFrame, column: str, x: alt.X, **style: Any) -> alt.Chart:  # noqa: ANN401 - Altair's own
    rows = inline(table.select("minutes", value=column).to_dicts())
    line: alt.Chart = alt.Chart(rows).mark_line(**style).encode(x=x, y="value:Q")
    return line


def _names(ends: Ends, heights: tuple[Any, Any], minutes: float, x: alt.X) -> alt.Chart:
    """Name the lines at their right ends, one above the other where they would lie on each other."""
    low, high = heights
    least = _LINE_HEIGHT * max(high - low, 1e-9)
    rows, below = [], -math.inf
    for name, (height, colour) in sorted(ends.items(), key=lambda item: item[1][0]):
        below = max(height, below + least)
        rows.append({"minutes": minutes, "value": below, "name": name, "colour": colour})
    text = alt.Chart(inline(rows)).mark_text(align="left", dx=6, fontSize=12)
    named: alt.Chart = text.encode(x=x, y="value:Q", text="name:N", color=alt.Color("colour:N", scale=None))
    return named
