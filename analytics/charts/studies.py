"""Charts of studies: responses as factors vary, sensitivity, power, rank calibration and Welch's plot.

Each takes a small table and returns an Altair chart. Importing this module imports Altair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import polars as pl

from analytics.charts.style import (
    BLUE,
    GREY,
    INK,
    PALE_BLUE,
    VERMILLION,
    Rows,
    distinct,
    inline,
    label,
    layered,
    zero_line,
)

_MOST_BARS: Final = 24

_NAMES: Final = alt.Y("name:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, minExtent=230))
"""Names of changes or factors, one below the other, in the order of the rows."""

_CLEAR_NAMES: Final = alt.Y(
    "name:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, minExtent=230, labelPadding=12)
)
"""The same, clear of dots at 0."""

_BIG: Final = 10_000

_COLOURS: Final = [BLUE, VERMILLION, "#009E73", "#CC79A7", GREY]
_SHAPES: Final = ["circle", "square", "diamond", "triangle-up", "cross"]
"""Colours and shapes of estimators: either tells them apart alone."""


def response_chart(curve: pl.DataFrame, factor: str, response: str) -> alt.LayerChart:
    """Draw the mean of a response at each value of one factor, with its interval.

    Args:
        curve: Columns ``x`` (numbers or texts), ``mean``, ``low`` and ``high``.
        factor: Name of the factor.
        response: Its name.
    """
    is_number = curve["x"].dtype.is_numeric()
    rows = [{**row, "x": row["x"] if is_number else label(row["x"])} for row in curve.drop_nulls("mean").to_dicts()]
    data = inline(rows)
    kind, axis = ("Q", alt.Axis(tickCount=6)) if is_number else ("N", alt.Axis(labelAngle=0))
    scale = alt.Scale(zero=False, nice=True) if is_number else alt.Undefined
    x = alt.X(f"x:{kind}", title=label(factor, longest=60), axis=axis, scale=scale, sort=None)
    # Not from 0, where a small effect of a large response would look flat.
    y = alt.Y("low:Q", title=label(response, longest=44), scale=alt.Scale(zero=False, nice=True))
    base = alt.Chart(data).encode(x=x)
    spread = [base.mark_rule(color=BLUE, strokeWidth=2.5, opacity=0.6).encode(y=y, y2=alt.Y2("high:Q"))]
    if is_number:
        spread = [
            base.mark_area(color=BLUE, opacity=0.2).encode(y=y, y2=alt.Y2("high:Q")),
            base.mark_line(color=BLUE, strokeWidth=2).encode(y=alt.Y("mean:Q")),
            *spread,
        ]
    dots = base.mark_point(color=BLUE, filled=True, size=70, opacity=1).encode(y=alt.Y("mean:Q"))
    return layered(*spread, dots, width=420, height=240)


def bias_chart(biases: pl.DataFrame) -> alt.LayerChart:
    """Draw the bias of several estimators at each design point, with intervals, one below the other.

    Args:
        biases: Columns ``point`` (its name), ``estimator``, ``bias``, ``low`` and ``high``.
    """
    estimators = biases["estimator"].unique(maintain_order=True).to_list()
    rows = [{**row, "name": label(row["point"])} for row in biases.to_dicts()]
    colours = alt.Scale(domain=estimators, range=_COLOURS[: len(estimators)])
    colour = alt.Color(
        "estimator:N", scale=colours, title=None, legend=alt.Legend(orient="top", labelLimit=0, labelColor=INK)
    )
    shape = alt.Shape("estimator:N", scale=alt.Scale(domain=estimators, range=_SHAPES[: len(estimators)]), title=None)
    offset = alt.YOffset("estimator:N", sort=estimators)
    base = alt.Chart(inline(rows)).encode(y=_CLEAR_NAMES, yOffset=offset)
    x = alt.X("low:Q", title="bias", axis=alt.Axis(tickCount=6))
    return layered(
        zero_line(),
        base.mark_rule(strokeWidth=2, opacity=0.6).encode(x=x, x2=alt.X2("high:Q"), color=colour),
        base.mark_point(filled=True, size=45, opacity=1).encode(x=alt.X("bias:Q"), color=colour, shape=shape),
        width=310,
        # Of each estimator of a point.
        height={"step": 11, "for": "offset"},
    )


def tornado_chart(bars: pl.DataFrame, response: str) -> alt.LayerChart:
    """Draw the change of a response by each change of a factor, the largest first, with intervals.

    Args:
        bars: Columns ``change`` (its name), ``difference``, ``low`` and ``high``.
        response: Name of the response.
    """
    size = pl.max_horizontal(pl.col("difference").abs(), pl.lit(0.0))
    drawn = bars.drop_nulls("difference").sort(size, descending=True, maintain_order=True).head(_MOST_BARS)
    rows = [row | {"colour": BLUE if row["difference"] >= 0 else VERMILLION} for row in _named(drawn, "change")]
    base = alt.Chart(inline(rows)).encode(y=_NAMES)
    x = alt.X("difference:Q", title=f"change of {label(response, longest=44)}", axis=alt.Axis(tickCount=5))
    return layered(
        base.mark_bar(height=14, opacity=0.75).encode(x=x, color=alt.Color("colour:N", scale=None)),
        base.mark_rule(color=INK, strokeWidth=1.5).encode(x=alt.X("low:Q"), x2=alt.X2("high:Q")),
        zero_line(),
        width=310,
        height=alt.Step(24),
    )


def change_chart(changes: pl.DataFrame) -> alt.LayerChart:
    """Draw changes of several responses on one axis, in percent, with intervals, in the order given.

    Args:
        changes: Columns ``change`` (its name), and ``percent``, ``low`` and ``high``.
    """
    base = alt.Chart(inline(_named(changes, "change"))).encode(y=_NAMES)
    x = alt.X("low:Q", title="change in percent", axis=alt.Axis(tickCount=6))
    return layered(
        zero_line(),
        base.mark_rule(color=BLUE, strokeWidth=2.5, opacity=0.6).encode(x=x, x2=alt.X2("high:Q")),
        base.mark_point(color=BLUE, filled=True, size=70, opacity=1).encode(x=alt.X("percent:Q")),
        width=310,
        height=alt.Step(24),
    )


def grid_chart(grid: pl.DataFrame, across: str, down: str, response: str) -> alt.LayerChart:
    """Draw the mean of a response at each pair of values of two factors: the darker, the higher.

    Args:
        grid: Columns ``x``, ``y`` and ``mean``.
        across: The factor of ``x``.
        down: The factor of ``y``.
        response: Its name.

    Pairs without a mean stay empty; each cell has its number, which no reader can take from a colour.
    """
    known = grid.drop_nulls("mean")
    low, high = (float(value) for value in (min(known["mean"], default=0.0), max(known["mean"], default=1.0)))
    columns, lines = (grid[name].unique().sort().to_list() for name in ("x", "y"))
    rows = [
        {
            "x": _written(row["x"]),
            "y": _written(row["y"]),
            "mean": row["mean"],
            "value": _written(row["mean"]),
            "ink": "#FFFFFF" if row["mean"] > low + 0.75 * (high - low) else "#111111",
        }
        for row in known.to_dicts()
    ]
    # The lowest value at the bottom, as on any axis.
    named = {"x": [_written(value) for value in columns], "y": [_written(value) for value in reversed(lines)]}
    base = alt.Chart(inline(rows)).encode(
        x=alt.X("x:N", sort=named["x"], title=label(across, longest=60), axis=alt.Axis(labelAngle=0)),
        y=alt.Y("y:N", sort=named["y"], title=label(down, longest=40)),
    )
    colour = alt.Color("mean:Q", scale=alt.Scale(domain=[low, high or 1.0], range=[PALE_BLUE, BLUE]), legend=None)
    cells = base.mark_rect().encode(color=colour)
    text = base.mark_text(fontSize=12).encode(text=alt.Text("value:N"), color=alt.Color("ink:N", scale=None))
    apart = alt.Resolve(scale=alt.ScaleResolveMap(color="independent"))
    title = f"mean of {label(response, longest=60)}"
    return layered(cells, text, width=alt.Step(78), height=alt.Step(34), resolve=apart, title=title)


def scatter_chart(points: pl.DataFrame, factors: Sequence[str], response: str) -> alt.HConcatChart | alt.VConcatChart:
    """Draw the mean of a response at each design point against each factor; influential ones show a slope or a bend.

    Args:
        points: A column for each factor, by its name, and ``mean``.
        factors: Names of the factors that are numbers.
        response: Its name.
    """
    # Two in a line share the title of the left one's axis.
    panels = [_scatter(points, factor, response, is_first=index % 2 == 0) for index, factor in enumerate(factors)]
    lines = [alt.hconcat(*panels[start : start + 2], spacing=24) for start in range(0, len(panels), 2)]
    return alt.vconcat(*lines, spacing=20)


def _scatter(points: pl.DataFrame, factor: str, response: str, *, is_first: bool) -> alt.Chart:
    rows = points.select(x=factor, mean="mean").drop_nulls().to_dicts()
    y = alt.Y("mean:Q", title=label(response, longest=36) if is_first else None, scale=alt.Scale(zero=False))
    x = alt.X("x:Q", title=label(factor, longest=44), scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    dots = alt.Chart(inline(rows)).mark_point(color=BLUE, filled=True, size=28, opacity=0.6)
    drawn: alt.Chart = dots.encode(x=x, y=y).properties(width=290, height=150)
    return drawn


def index_chart(indices: pl.DataFrame) -> alt.LayerChart:
    """Draw the first-order (S1) and total (ST) Sobol index of each factor with their intervals.

    Args:
        indices: As of ``scenarios.output_analysis.sobol.sobol_indices``.
    """
    rows = _named(indices.sort("total", descending=True, nulls_last=True), "factor")
    base = alt.Chart(inline(rows)).encode(y=_CLEAR_NAMES)
    layers: list[alt.Chart] = []
    # Above and below the middle of the row, where the two would hide each other.
    for kind, colour, shift in (("first", BLUE, -7), ("total", VERMILLION, 7)):
        x = alt.X(f"{kind}_low:Q", title="share of the variance", axis=alt.Axis(format="~%", tickCount=6))
        layers += [
            base.mark_rule(color=colour, strokeWidth=2.5, opacity=0.6, yOffset=shift).encode(x=x, x2=f"{kind}_high:Q"),
            base.mark_point(color=colour, filled=True, size=70, opacity=1, yOffset=shift).encode(x=f"{kind}:Q"),
        ]
    return layered(zero_line(), *layers, width=310, height=alt.Step(38))


def convergence_chart(table: pl.DataFrame, factors: Sequence[str]) -> alt.ConcatChart:
    """Draw first-order (S1) and total (ST) Sobol indices by the number of base samples, a panel for each factor.

    Args:
        table: As of ``scenarios.output_analysis.sobol.sobol_convergence``.
        factors: The factors that are drawn.
    """
    shown = table.filter(pl.col("factor").is_in(factors))
    ends = shown.select(pl.col("^(first|total).*$")).to_numpy()
    # One scale for all panels, so that wide intervals look wide.
    scale = alt.Scale(domain=[min(0.0, float(np.nanmin(ends))), max(0.0, float(np.nanmax(ends)))])
    titles = distinct(label(factor, longest=26) for factor in factors)
    panels = [
        _convergence(shown.filter(factor=factor), title, scale) for factor, title in zip(factors, titles, strict=True)
    ]
    return alt.concat(*panels, columns=_ACROSS, spacing=14)


def _convergence(table: pl.DataFrame, title: str, scale: alt.Scale) -> alt.LayerChart:
    base = alt.Chart(inline(table.to_dicts())).encode(x=alt.X("samples:O", title=None, axis=alt.Axis(labelAngle=0)))
    layers: list[alt.Chart] = []
    for kind, colour, shift in (("first", BLUE, -4), ("total", VERMILLION, 4)):
        y = alt.Y(f"{kind}_low:Q", title=None, scale=scale, axis=alt.Axis(tickCount=4, format="~%"))
        layers += [
            base.mark_rule(color=colour, strokeWidth=2.5, opacity=0.6, xOffset=shift).encode(y=y, y2=f"{kind}_high:Q"),
            base.mark_point(color=colour, filled=True, size=40, opacity=1, xOffset=shift).encode(y=f"{kind}:Q"),
        ]
    heading = alt.TitleParams(title, fontSize=11, anchor="start")
    return layered(*layers, width=_WIDTH, height=_HEIGHT, title=heading)


def screening_chart(effects: pl.DataFrame) -> alt.LayerChart:
    """Draw the mean absolute elementary effect of each factor (Morris's μ*) with its interval, and σ as a ring.

    A tick marks the noise floor, where it is known.

    Args:
        effects: As of ``scenarios.output_analysis.morris.morris_indices``.
    """
    ordered = effects.with_columns(pl.col("sd").fill_nan(None)).sort("mean_absolute", descending=True)
    base = alt.Chart(inline(_named(ordered, "factor"))).encode(y=_CLEAR_NAMES)
    x = alt.X("mean_absolute_low:Q", title="effect of the whole range", axis=alt.Axis(tickCount=6))
    return layered(
        base.mark_rule(color=BLUE, strokeWidth=2.5, opacity=0.6).encode(x=x, x2=alt.X2("mean_absolute_high:Q")),
        base.mark_point(color=BLUE, filled=True, size=80, opacity=1).encode(x=alt.X("mean_absolute:Q")),
        base.mark_point(color=GREY, filled=False, size=80, strokeWidth=2, opacity=1).encode(x=alt.X("sd:Q")),
        base.mark_tick(color=VERMILLION, thickness=2.5, size=18).encode(x=alt.X("noise_floor:Q")),
        width=310,
        height=alt.Step(28),
    )


def _named(table: pl.DataFrame, column: str) -> Rows:
    """The rows of a table, each with a short ``name`` of its own from a column."""
    names = distinct(label(value, longest=44) for value in table[column])
    return [{**row, "name": name} for name, row in zip(names, table.to_dicts(), strict=True)]


def _written(value: Any) -> str:  # noqa: ANN401 - whatever a factor may be
    if isinstance(value, bool) or not isinstance(value, int | float):
        return label(value, longest=24)
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) >= _BIG else f"{value:.4g}"


_ACROSS: Final = 4

_WIDTH: Final = 150

_HEIGHT: Final = 90


def rank_chart(table: pl.DataFrame, names: Mapping[str, str] | None = None) -> alt.ConcatChart:
    """Draw the difference of the ranks of the true values from uniform ones, a panel with a band for each term.

    A line above 0 on the left and below it on the right means standard errors that are too small, the opposite means
    errors that are too large; above 0 throughout, estimates are too low, below 0, too high. A panel whose line leaves
    the band is red, and its title says so.

    Args:
        table: As of :func:`scenarios.output_analysis.rank_calibration.calibration`.
        names: Names of the terms for a reader; the terms themselves where not given.
    """
    panels = table.partition_by("term", maintain_order=True)
    titles = distinct(label((names or {}).get(panel["term"][0], panel["term"][0]), longest=26) for panel in panels)
    # One scale for all panels, so that large differences look large.
    height = float(np.abs(table.select("difference", "low", "high").to_numpy()).max())
    charts = [_panel(panel, title, height) for panel, title in zip(panels, titles, strict=True)]
    return alt.concat(*charts, columns=_ACROSS, spacing=14)


def _panel(table: pl.DataFrame, title: str, height: float) -> alt.LayerChart:
    # Said by the title as well: colour alone does not reach every reader.
    inside = bool(table["inside"].all())
    colour = BLUE if inside else VERMILLION
    rows = inline(table.select("rank", "difference", "low", "high").to_dicts())
    x = alt.X("rank:Q", title=None, axis=alt.Axis(values=[0, 0.5, 1], format="~g", grid=False))
    scale = alt.Scale(domain=[-height, height], nice=False)
    y = alt.Y("low:Q", title=None, scale=scale, axis=alt.Axis(tickCount=3, format="~g"))
    band = alt.Chart(rows).mark_area(color=GREY, opacity=0.25).encode(x=x, y=y, y2=alt.Y2("high:Q"))
    zero = alt.Chart(inline([{"y": 0}])).mark_rule(color=INK, opacity=0.4).encode(y=alt.Y("y:Q"))
    line = alt.Chart(rows).mark_line(color=colour, strokeWidth=1.8).encode(x=x, y=alt.Y("difference:Q"))
    heading = alt.TitleParams(title if inside else f"{title}: outside", fontSize=11, anchor="start")
    return layered(band, zero, line, width=_WIDTH, height=_HEIGHT, title=heading)


def welch_chart(table: pl.DataFrame, counted: str, warm_up_hours: int | None) -> alt.LayerChart:
    """Draw a count by hour without its daily or weekly cycle, its moving average, and the end of the warm-up.

    Args:
        table: Columns ``hour``, ``without_cycle`` and ``moving_average``.
        counted: What is counted.
        warm_up_hours: Length of the warm-up; None where it is unknown.
    """
    base = alt.Chart(inline(table.select("hour", "without_cycle", "moving_average").to_dicts())).encode(
        x=alt.X("hour:Q", title="hours since the start", axis=alt.Axis(tickCount=8), scale=alt.Scale(nice=False))
    )
    y = alt.Y("without_cycle:Q", title=f"{label(counted)} an hour", axis=alt.Axis(tickCount=5))
    layers = [
        base.mark_line(color=GREY, strokeWidth=1, opacity=0.8).encode(y=y),
        base.mark_line(color=BLUE, strokeWidth=2.5).encode(y=alt.Y("moving_average:Q")),
    ]
    # Neither 0 nor None has an end to mark.
    if warm_up_hours:
        end = alt.Chart(inline([{"hour": warm_up_hours, "label": f"MSER-5: {warm_up_hours} hours"}]))
        layers += [
            end.mark_rule(color=VERMILLION, strokeWidth=2, strokeDash=[5, 3]).encode(x=alt.X("hour:Q")),
            end.mark_text(color=VERMILLION, align="left", dx=6, fontSize=12).encode(
                x=alt.X("hour:Q"), y=alt.value(8), text=alt.Text("label:N")
            ),
        ]
    return layered(*layers, width=640, height=240)
