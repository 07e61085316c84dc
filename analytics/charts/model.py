"""Charts of the intent model: coefficients, session length, time to a request and calibration.

Importing this module imports Altair.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import polars as pl

from analytics.charts.style import BLUE, GREY, INK, VERMILLION, distinct, inline, label, layered, zero_line
from analytics.html.numbers import SIGNIFICANT

_TICKS: Final = (0, 1, 2, 5, 10, 15, 30, 60, 120, 240)

_DASHES: Final = ([8, 3], [2, 3], [1, 5])

_LINE_HEIGHT: Final = 0.07
"""Height of a line of text as a share of the chart's."""

Ends = dict[str, tuple[float, str]]
"""Height at which a line ends, and its colour, by name."""


def session_length_chart(
    curve: pl.DataFrame, others: Mapping[str, pl.DataFrame] | None = None, name: str = "log1p"
) -> alt.LayerChart:
    """Draw the effect of session length with its pointwise band, other forms of it, and the true one where known.

    The axis of time is logarithmic, like the effect. Visits of a single moment are of another kind: a dot with its
    interval, apart from the curve. Lines are named at their ends, and the true one is dashed.

    Args:
        curve: As of ``SessionLengthComparison.curve()``: the one with a band, from ``low`` to ``high``, and with the
            true effect in ``truth`` if every row has it.
        others: Curves of other forms, by name, drawn as grey lines.
        name: Name of the curve with the band.
    """
    # At least a minute: an axis of length 0 cannot be drawn.
    x = _time(max([1.0, *curve["minutes"]]))
    lasting, moment = curve.filter(pl.col("minutes") > 0), curve.filter(pl.col("minutes") == 0)
    y = alt.Y("low:Q", title="log-odds of a request, against a median visit")
    ends: Ends = {name: (lasting["log_odds"][-1], BLUE)}
    band = alt.Chart(_rows(lasting)).mark_area(color=BLUE, opacity=0.2).encode(x=x, y=y, y2=alt.Y2("high:Q"))
    zero = alt.Chart(inline([{"x": 0}])).mark_rule(color=INK, opacity=0.5).encode(y=alt.Y("x:Q"))
    layers = [band, zero]
    for number, (form, table) in enumerate((others or {}).items()):
        known = table.filter(pl.col("minutes") > 0)
        layers.append(_line(known, "log_odds", x, color=GREY, strokeDash=_DASHES[number % len(_DASHES)]))
        ends[form] = (known["log_odds"][-1], GREY)
    layers += [
        _line(lasting, "log_odds", x, color=BLUE, strokeWidth=2.5),
        alt.Chart(_rows(moment))
        .mark_rule(color=BLUE, opacity=0.6, strokeWidth=2)
        .encode(x=x, y=y, y2=alt.Y2("high:Q")),
        alt.Chart(_rows(moment)).mark_point(color=BLUE, filled=True, size=60).encode(x=x, y=alt.Y("log_odds:Q")),
    ]
    if curve["truth"].is_not_null().all():
        layers.append(_line(curve, "truth", x, color=VERMILLION, strokeWidth=2, strokeDash=[5, 4]))
        ends["true effect"] = (curve["truth"][-1], VERMILLION)
    # The band has the highest and the lowest points, so distances between labels follow from it.
    heights = (curve["low"].min(), curve["high"].max())
    layers.append(_names(ends, heights, curve["minutes"][-1], x))
    return layered(*layers, width=460, height=260)


def _time(longest: float) -> alt.X:
    # With the constant 1 this is log(1 + minutes), the form that the model has; unlike log, it has a place for 0.
    scale = alt.Scale(type="symlog", constant=1, domain=[0, longest], nice=False)
    axis = alt.Axis(values=[tick for tick in _TICKS if tick <= longest], format="d")
    return alt.X("minutes:Q", title="minutes from the first to the last page view", scale=scale, axis=axis)


def _rows(table: pl.DataFrame) -> alt.InlineData:
    return inline(table.select("minutes", "low", "high", "log_odds").to_dicts())


def _line(table: pl.DataFrame, column: str, x: alt.X, **style: Any) -> alt.Chart:  # noqa: ANN401 - Altair's own
    rows = inline(table.select("minutes", value=column).to_dicts())
    line: alt.Chart = alt.Chart(rows).mark_line(**style).encode(x=x, y=alt.Y("value:Q"))
    return line


def _names(ends: Ends, heights: tuple[Any, Any], minutes: float, x: alt.X) -> alt.Chart:
    """Name the lines at their right ends, one above the other where they would lie on each other."""
    low, high = heights
    # A flat band would leave no distance between labels.
    least = _LINE_HEIGHT * max(high - low, 1e-9)
    rows, below = [], -math.inf
    for name, (height, colour) in sorted(ends.items(), key=lambda item: item[1][0]):
        # Upwards only: in rising order no label then meets the one before it.
        below = max(height, below + least)
        rows.append({"minutes": minutes, "value": below, "name": name, "colour": colour})
    text = alt.Chart(inline(rows)).mark_text(align="left", dx=6, fontSize=12)
    named: alt.Chart = text.encode(
        x=x, y=alt.Y("value:Q"), text=alt.Text("name:N"), color=alt.Color("colour:N", scale=None)
    )
    return named


_MOST_LOG_ODDS: Final = 5.0

_LOG_ODDS: Final = "log-odds of a demo request: less likely left of 0, more likely right of it"


def coefficient_chart(
    groups: Mapping[str, pl.DataFrame], names: Mapping[str, str], *, narrow: bool = False
) -> alt.VConcatChart:
    """Draw the coefficients of the intent model as a forest plot: estimate and interval in log-odds, 0 is no effect.

    A filled dot is significant after adjustment for the number of signals, a hollow one is not; a diamond is the true
    value, where it is known. Values beyond ±5 are drawn at the edge.

    Args:
        groups: Rows of ``IntentResults.coefficients`` under the heading of each group, in order.
        names: Name of each term; a term without one is named by itself.
        narrow: Draw it for a phone.

    Returns:
        One panel per group with rows, on a common axis.
    """
    filled = {title: table for title, table in groups.items() if table.height}
    every = pl.concat(filled.values())
    ends = every.select("ci_low", "ci_high", "true_coefficient").unpivot()["value"].drop_nulls().drop_nans()
    # At least ±0.1, so that estimates close to 0 do not look large.
    bounds = [_clamped(value) for value in (min([-0.1, *ends]), max([0.1, *ends]))]
    # Panels share one axis, which is labelled below the last of them only.
    last = list(filled)[-1]
    panels = [
        _forest(title, table, names, bounds, is_last=title == last, narrow=narrow) for title, table in filled.items()
    ]
    return alt.vconcat(*panels, spacing=12)


def _forest(
    title: str,
    table: pl.DataFrame,
    names: Mapping[str, str],
    bounds: Sequence[float | None],
    *,
    is_last: bool,
    narrow: bool,
) -> alt.LayerChart:
    longest, names_px, width = (22, 136, 186) if narrow else (36, 200, 310)
    called = distinct(label(names.get(term, term), longest=longest) for term in table["signal"])
    data = inline([_estimate(row, name) for row, name in zip(table.to_dicts(), called, strict=True)])
    x_scale = alt.Scale(domain=list(bounds), nice=True)
    # A fixed extent for names, or the panels would not begin at the same place.
    names_axis = alt.Axis(ticks=False, domain=False, minExtent=names_px, maxExtent=names_px)
    y = alt.Y("signal:N", sort=None, title=None, axis=names_axis)
    colour = alt.Color("colour:N", scale=None)
    base = alt.Chart(data).encode(y=y)
    axis = alt.Axis(tickCount=4 if narrow else 6, labels=is_last, ticks=is_last)
    interval = base.mark_rule(strokeWidth=2.5).encode(
        x=alt.X(
            "low:Q",
            title=("log-odds of a demo request" if narrow else _LOG_ODDS) if is_last else None,
            scale=x_scale,
            axis=axis,
        ),
        x2=alt.X2("high:Q"),
        color=colour,
    )
    # Fill and stroke apart: a coefficient that is not significant is a ring.
    dots = base.mark_point(size=90, strokeWidth=2, opacity=1).encode(
        x=alt.X("coefficient:Q"), fill=alt.Fill("fill:N", scale=None), stroke=alt.Stroke("colour:N", scale=None)
    )
    truth = (
        base.transform_filter("isValid(datum.true_coefficient)")
        .mark_point(shape="diamond", size=90, filled=False, strokeWidth=2, color=VERMILLION, opacity=1)
        .encode(x=alt.X("true_coefficient:Q"))
    )
    return layered(zero_line(), interval, dots, truth, width=width, height=alt.Step(22), title=title)


def _estimate(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    significant = row["p_adjusted"] is not None and row["p_adjusted"] < SIGNIFICANT
    places = {key: _clamped(row[key]) for key in ("coefficient", "true_coefficient")}
    ends = {"low": _clamped(row["ci_low"]), "high": _clamped(row["ci_high"])}
    colour = BLUE if significant else GREY
    return {"signal": name, **places, **ends, "colour": colour, "fill": colour if significant else "transparent"}


def _clamped(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else min(max(value, -_MOST_LOG_ODDS), _MOST_LOG_ODDS)


def request_curve_chart(curves: pl.DataFrame) -> alt.LayerChart:
    """Draw the share of visitors without a request by visit or day: observed dots, and the model's line, with bands.

    Args:
        curves: As of ``IntentResults.request_curves``.
    """
    of, title = ("day", "days since the first visit") if "day" in curves.columns else ("visit", "visits so far")
    x = alt.X(f"{of}:Q", title=title, axis=alt.Axis(format="d", tickMinStep=1), scale=alt.Scale(zero=False))
    y = alt.Y("low:Q", title="share without a request", axis=alt.Axis(format="%"), scale=alt.Scale(zero=False))
    columns = [(of, name, f"{name}_low", f"{name}_high") for name in ("fitted", "observed")]
    tables = [
        curves.select(each).rename(dict(zip(each[1:], ("share", "low", "high"), strict=True))) for each in columns
    ]
    fitted, observed = (alt.Chart(inline(table.to_dicts())).encode(x=x) for table in tables)
    return layered(
        fitted.mark_area(color=BLUE, opacity=0.2).encode(y=y, y2=alt.Y2("high:Q")),
        observed.mark_rule(color=INK, opacity=0.6).encode(y=y, y2=alt.Y2("high:Q")),
        fitted.mark_line(color=BLUE, strokeWidth=2.5).encode(y=alt.Y("share:Q")),
        observed.mark_point(color=INK, filled=True, size=60, opacity=1).encode(y=alt.Y("share:Q")),
        width=460,
        height=260,
    )


_LEAST: Final = 1e-4


def calibration_chart(calibration: pl.DataFrame) -> alt.LayerChart:
    """Draw the observed share of visits that ended in a request against the predicted one, by groups, with intervals.

    Both axes have a square-root scale, because most predictions are close to 0. On the dashed line both agree; below
    it, predictions are too high.

    Args:
        calibration: As of :func:`analytics.intent.validation.calibration_table`.
    """
    rows = calibration.select("predicted", "share", low="share_low", high="share_high").to_dicts()
    # All predictions may be 0, and an axis still needs a length.
    most = max([_LEAST, *calibration["predicted"], *calibration["share_high"]])
    scale = alt.Scale(type="sqrt", domain=[0, most], nice=False)
    axis = alt.Axis(format="~%", tickCount=6)
    x = alt.X("predicted:Q", title="predicted probability, out-of-fold", scale=scale, axis=axis)
    y = alt.Y("low:Q", title="observed share", scale=scale, axis=axis)
    # Both axes have the same scale, so the line of equal values is straight although it is no linear one.
    agreed = alt.Chart(inline([{"predicted": each, "low": each} for each in (0, most)]))
    base = alt.Chart(inline(rows)).encode(x=x)
    return layered(
        agreed.mark_line(color=INK, strokeDash=[4, 4], opacity=0.7, strokeWidth=1.5).encode(x=x, y=y),
        base.mark_rule(color=BLUE, strokeWidth=2.5, opacity=0.6).encode(y=y, y2=alt.Y2("high:Q")),
        base.mark_point(color=BLUE, filled=True, size=80, opacity=1).encode(y=alt.Y("share:Q")),
        width=300,
        height=260,
    )
