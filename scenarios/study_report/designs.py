"""Each response in the form that suits the design: curve, tornado, Sobol indices, elementary effects, grid, scatter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import polars as pl

from analytics.charts.chart import Chart, chart_of
from analytics.charts.studies import (
    grid_chart,
    index_chart,
    response_chart,
    scatter_chart,
    screening_chart,
    tornado_chart,
)
from analytics.html.numbers import general, setting, share
from scenarios.errors import InputError
from scenarios.output_analysis.metamodel import Metamodel, fit_metamodel
from scenarios.output_analysis.sensitivity import morris_indices, sobol_indices

if TYPE_CHECKING:
    from analytics.charts.style import AnyChart
    from scenarios.output_analysis.results import StudyResults

_MOST_SCATTERED: Final = 8
"""Factors with a panel of their own in a scatter plot."""


Form = Literal["curve", "tornado", "Sobol indices", "elementary effects", "grid", "scatter"]
"""Which form, and so which caption."""


@dataclass(frozen=True)
class Finding:
    """A response in the form that suits the design.

    Args:
        kind: The form.
        chart: None where it cannot be drawn.
        problem: Why not.
        indices: Sobol indices.
    """

    kind: Form
    chart: Chart | None
    problem: str = ""
    indices: Sequence[dict[str, Any]] = ()


def finding(results: StudyResults, response: str, means: pl.DataFrame, name: str) -> Finding | None:
    """Draw a response in the form that suits the design of the study; None where the table of means says it all.

    Args:
        results: The results of the study.
        response: Name of the response.
        means: Its mean and interval at each point, beside the values of the factors.
        name: Name of the chart.
    """
    factors, kind = list(results.plan.settings.factors), results.plan.settings.design.kind
    if not factors or len(results.plan.loaded.scenarios) > 1:
        return None  # a chart of one scenario would be taken for that of all
    numeric = [path for path in factors if means[path].dtype.is_numeric()][:_MOST_SCATTERED]
    form: Form
    if len(factors) == 1:
        form, drawn = "curve", _curve(means, factors[0], response)
    elif kind in _BY_DESIGN:
        form, draw = _BY_DESIGN[kind]
        try:
            drawn = draw(results, response)
        except InputError as error:
            return Finding(form, None, str(error))
    elif kind == "full-factorial" and len(factors) == 2:  # noqa: PLR2004 - across and down
        form, drawn = "grid", _grid(means, factors, response)
    elif numeric:
        title = f"{response} at {means.height} points against {', '.join(numeric)}"
        form, drawn = "scatter", _Drawn(scatter_chart(means, numeric, response), title)
    else:
        return None
    return Finding(form, chart_of(drawn.chart, name, drawn.title), "", drawn.indices)


class _Drawn(NamedTuple):
    """A chart, the text that stands for it where it cannot be seen, and Sobol indices."""

    chart: AnyChart
    title: str
    indices: Sequence[dict[str, Any]] = ()


def _curve(means: pl.DataFrame, factor: str, response: str) -> _Drawn:
    """Draw a response by the one factor there is.

    Args:
        means: Mean and interval at each point, beside the value of the factor.
        factor: Dotted path of the factor.
        response: Name of the response.
    """
    # A single replication has no interval: its point is drawn without one.
    curve = means.select(x=factor, mean="mean", low="ci_low", high="ci_high").with_columns(
        pl.col("low", "high").fill_null(pl.col("mean"))
    )
    points = "; ".join(f"{setting(row['x'])}: {general(row['mean'])}" for row in curve.to_dicts())
    return _Drawn(response_chart(curve, factor, response), f"{response} by {factor}: {points}")


def _tornado(results: StudyResults, response: str) -> _Drawn:
    """Draw the change of a response by each change of one factor alone, as a tornado.

    Args:
        results: The results of a one-at-a-time study.
        response: Name of the response.
    """
    names = {
        point.number: ", ".join(f"{path.rsplit('.', 1)[-1]} = {setting(each)}" for path, each in point.values.items())
        for point in results.plan.points
        # The unchanged scenario is what the others are compared with, and no change.
        if point.values
    }
    gaps = results.differences.filter(pl.col("response") == response).with_columns(
        change=pl.col("point").replace_strict(names, return_dtype=pl.String, default=None)
    )
    bars = gaps.select("change", "difference", low="ci_low", high="ci_high").drop_nulls("change")
    changes = "; ".join(f"{row['change']}: {general(row['difference'], sign=True)}" for row in bars.to_dicts())
    return _Drawn(tornado_chart(bars, response), f"Changes of {response}: {changes}")


def _sobol(results: StudyResults, response: str) -> _Drawn:
    """Draw Sobol indices, with the numbers for the table below the chart.

    Raises:
        InputError: A point has no number.
    """
    found = sobol_indices(results, response)
    ranked = found.sort("total", descending=True, nulls_last=True)
    # Without replications the Monte-Carlo variance is unknown.
    indices = ranked.with_columns(pl.col("noise").fill_nan(None)).to_dicts()
    totals = "; ".join(f"{row['factor']} {share(row['total'])}" for row in indices)
    return _Drawn(index_chart(found), f"Total Sobol indices: {totals}", indices)


def _screening(results: StudyResults, response: str) -> _Drawn:
    """Draw the elementary effects of a Morris design.

    Raises:
        InputError: A point has no number.
    """
    effects = morris_indices(results, response)
    ordered = effects.sort("mean_absolute", descending=True).to_dicts()
    sizes = "; ".join(f"{row['factor']} {general(row['mean_absolute'])}" for row in ordered)
    return _Drawn(screening_chart(effects), f"Mean absolute effects: {sizes}")


def _grid(means: pl.DataFrame, factors: Sequence[str], response: str) -> _Drawn:
    """Draw a response over all combinations of two factors.

    Args:
        means: Mean at each point, beside the values of the factors.
        factors: Dotted paths of the two.
        response: Name of the response.
    """
    across, down = factors
    # A point without a number has a cell, but cannot be the best.
    best = means.drop_nulls("mean").sort("mean", descending=True).row(0, named=True)
    where = ", ".join(f"{path} {setting(best[path])}" for path in factors)
    grid = grid_chart(means.select(x=across, y=down, mean="mean"), across, down, response)
    return _Drawn(grid, f"highest mean of {response}, {general(best['mean'])}, at {where}")


_BY_DESIGN: Final[Mapping[str, tuple[Form, Callable[[StudyResults, str], _Drawn]]]] = {
    "one-at-a-time": ("tornado", _tornado),
    "saltelli": ("Sobol indices", _sobol),
    "morris": ("elementary effects", _screening),
}


def metamodel(results: StudyResults, response: str) -> Metamodel | None:
    """Fit a polynomial to a response; None where the design is not meant for it or the points are too few.

    Args:
        results: The results of the study.
        response: Name of the response.
    """
    settings = results.plan.settings
    if settings.design.kind in _BY_DESIGN or len(settings.factors) < 2 or len(results.plan.loaded.scenarios) > 1:  # noqa: PLR2004 - a curve says it
        return None
    try:
        model = fit_metamodel(results, response)
    except InputError:
        return None
    size = pl.col("coefficient").abs()
    # The intercept first, then the terms with the largest effects.
    terms = pl.concat([model.terms.head(1), model.terms.tail(-1).sort(size, descending=True)])
    return replace(model, terms=terms)
