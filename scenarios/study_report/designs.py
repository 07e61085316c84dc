"""Each response in the form that suits the design: curve, tornado, Sobol indices, elementary effects, grid, scatter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import polars as pl

from analytics.charts.chart import Chart, chart_of
from analytics.charts.studies import (
    convergence_chart,
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
from scenarios.output_analysis.sensitivity import index_remarks, ranked_indices
from scenarios.output_analysis.sobol import sobol_convergence, sobol_interactions

if TYPE_CHECKING:
    from analytics.charts.style import AnyChart
    from scenarios.output_analysis.results import StudyResults

_MOST_SCATTERED: Final = 8
"""Factors with a panel of their own in a scatter plot."""


Form = Literal["curve", "tornado", "Sobol indices", "elementary effects", "grid", "scatter"]
"""Which form, and so which caption."""


Rows = Sequence[dict[str, Any]]


class Convergence(NamedTuple):
    """Sobol indices by the number of base samples, factor by factor: those of the chart, and the numbers of all."""

    chart: Chart
    rows: Rows


@dataclass(frozen=True)
class Finding:
    """A response in the form that suits the design.

    Args:
        kind: The form.
        chart: None where it cannot be drawn.
        problem: Why not.
        indices: Sensitivity indices, the most important factor first.
        pairs: Second-order Sobol indices, likewise.
        convergence: Sobol indices by the number of base samples; None where there are too few to compare.
        remarks: What to know about the indices, in sentences without their full stops.
    """

    kind: Form
    chart: Chart | None
    problem: str = ""
    indices: Rows = ()
    pairs: Rows = ()
    convergence: Convergence | None = None
    remarks: Sequence[str] = ()


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
    elif kind in _BY_INDICES:
        return _of_indices(results, response, name)
    elif kind == "one-at-a-time":
        form, drawn = "tornado", _tornado(results, response)
    elif kind == "full-factorial" and len(factors) == 2:  # noqa: PLR2004 - across and down
        form, drawn = "grid", _grid(means, factors, response)
    elif numeric:
        title = f"{response} at {means.height} points against {', '.join(numeric)}"
        form, drawn = "scatter", _Drawn(scatter_chart(means, numeric, response), title)
    else:
        return None
    found = Finding(form, chart_of(drawn.chart, name, drawn.title))
    return found if form != "scatter" else _with_pawn(found, results, response)


class _Drawn(NamedTuple):
    """A chart, and the text that stands for it where it cannot be seen."""

    chart: AnyChart
    title: str


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
    # The unchanged scenario is what the others are compared with, and no change.
    names = {point.number: results.point_names[point.number] for point in results.plan.points if point.values}
    gaps = results.differences.filter(pl.col("response") == response).with_columns(
        change=pl.col("point").replace_strict(names, return_dtype=pl.String, default=None)
    )
    bars = gaps.select("change", "difference", low="ci_low", high="ci_high").drop_nulls("change")
    changes = "; ".join(f"{row['change']}: {general(row['difference'], sign=True)}" for row in bars.to_dicts())
    return _Drawn(tornado_chart(bars, response), f"Changes of {response}: {changes}")


def _of_indices(results: StudyResults, response: str, name: str) -> Finding | None:
    """Draw Sobol indices or elementary effects, with the numbers for the table below the chart.

    Args:
        results: The results of the study.
        response: Name of the response.
        name: Name of the chart.
    """
    design = results.plan.settings.design
    form, draw, size, title, write = _BY_INDICES[design.kind]
    try:
        indices = ranked_indices(results, response)
    except InputError as error:
        return Finding(form, None, str(error))
    if indices is None:
        return None
    known = indices.with_columns(pl.selectors.float().fill_nan(None))
    rows = known.to_dicts()
    sizes = "; ".join(f"{row['factor']} {write(row[size])}" for row in rows)
    found = Finding(
        form,
        chart_of(draw(indices), name, f"{title}: {sizes}"),
        indices=rows,
        remarks=index_remarks(indices),
    )
    if form != "Sobol indices":
        return found
    pairs = (
        sobol_interactions(results, response).sort("second", descending=True).to_dicts() if design.second_order else ()
    )
    table = sobol_convergence(results, response)
    if table["samples"].n_unique() == 1 or rows[0]["total"] is None:
        return replace(found, pairs=pairs)
    most = [row["factor"] for row in rows[:_MOST_SCATTERED]]
    drawn = convergence_chart(table, most)
    title = f"Sobol indices of {', '.join(most)} by the number of base samples"
    by_factor = table.sort("factor", "samples").to_dicts()
    return replace(found, pairs=pairs, convergence=Convergence(chart_of(drawn, f"{name}n", title), by_factor))


def _with_pawn(found: Finding, results: StudyResults, response: str) -> Finding:
    """Add PAWN indices to a scatter plot, if the design is meant for them.

    Args:
        found: The scatter plot.
        results: The results of the study.
        response: Name of the response.
    """
    try:
        indices = ranked_indices(results, response)
    except InputError as error:
        return replace(found, remarks=[str(error)])
    if indices is None:
        return found
    return replace(found, indices=indices.to_dicts(), remarks=index_remarks(indices))


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


class _IndexForm(NamedTuple):
    """How the indices of a design are drawn, and which of them says how important a factor is."""

    form: Form
    draw: Callable[[pl.DataFrame], AnyChart]
    size: str
    title: str
    write: Callable[[float | None], str]


_BY_INDICES: Final[Mapping[str, _IndexForm]] = {
    "saltelli": _IndexForm("Sobol indices", index_chart, "total", "Total Sobol indices", share),
    "morris": _IndexForm("elementary effects", screening_chart, "mean_absolute", "Mean absolute effects", general),
}

_WITHOUT_METAMODEL: Final = {"one-at-a-time", *_BY_INDICES}


def metamodel(results: StudyResults, response: str) -> Metamodel | None:
    """Fit a polynomial to a response; None where the design is not meant for it or the points are too few.

    Args:
        results: The results of the study.
        response: Name of the response.
    """
    settings = results.plan.settings
    is_meant_for_it = settings.design.kind not in _WITHOUT_METAMODEL and len(results.plan.loaded.scenarios) == 1
    if not is_meant_for_it or len(settings.factors) < 2:  # noqa: PLR2004 - a curve says it
        return None
    try:
        model = fit_metamodel(results, response)
    except InputError:
        return None
    size = pl.col("coefficient").abs()
    # The intercept first, then the terms with the largest effects.
    terms = pl.concat([model.terms.head(1), model.terms.tail(-1).sort(size, descending=True)])
    return replace(model, terms=terms)
