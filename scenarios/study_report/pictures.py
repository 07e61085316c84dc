"""The pictures of a study's report: each response drawn in the way that suits the design."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import polars as pl

from analytics.charts.studies import (
    grid_chart,
    index_chart,
    response_chart,
    scatter_chart,
    screening_chart,
    tornado_chart,
)
from analytics.report.html import Html, element, figure, join, number_table
from scenarios.errors import InputError
from scenarios.output_analysis.metamodel import fit_metamodel
from scenarios.output_analysis.sensitivity import morris_indices, sobol_indices
from scenarios.study_report.numbers import cell, interval, number, share

if TYPE_CHECKING:
    from scenarios.output_analysis.results import StudyResults

__all__ = ["pictures"]

_MOST_SCATTERED: Final = 8
_MOST_TERMS: Final = 40
_INTERVAL: Final = "with its 95% t interval over replications"


def pictures(results: StudyResults, response: str, table: pl.DataFrame, name: str) -> Iterator[Html]:
    """Draw a response in the way that suits the design of the study.

    Args:
        results: What the study found.
        response: Name of the response.
        table: Its mean and interval at each point, beside what the factors were set to.
        name: Prefix of the names of the drawings.
    """
    settings, factors = results.plan.settings, list(results.plan.settings.factors)
    kind, several = settings.design.kind, len(results.plan.loaded.scenarios) > 1
    if not factors or several:
        # Pictures of one scenario would be taken for those of all; the table has them.
        return
    if len(factors) == 1:
        yield _curve(table, factors[0], response, name)
    elif kind == "one-at-a-time":
        yield _tornado(results, response, name)
    elif kind == "saltelli":
        yield _indices(results, response, name)
    elif kind == "morris":
        yield _screening(results, response, name)
    else:
        yield from _of_many(table, factors, response, name, is_grid=kind == "full-factorial")
        yield _polynomial(results, response)


def _curve(table: pl.DataFrame, factor: str, response: str, name: str) -> Html:
    curve = table.select(x=factor, mean="mean", low="ci_low", high="ci_high").with_columns(
        pl.col("low", "high").fill_null(pl.col("mean"))
    )
    told = "; ".join(f"{cell(row['x'])}: {number(row['mean'])}" for row in curve.to_dicts())
    caption = f"Mean of {response} by {factor}, {_INTERVAL}."
    return figure(response_chart(curve, factor, response), name, caption, f"{response} by {factor}: {told}", "middle")


def _tornado(results: StudyResults, response: str, name: str) -> Html:
    names = {
        point.number: ", ".join(f"{path.rsplit('.', 1)[-1]} = {cell(value)}" for path, value in point.values.items())
        for point in results.plan.points
        if point.values
    }
    gaps = results.differences.filter(pl.col("response") == response).with_columns(
        change=pl.col("point").replace_strict(names, return_dtype=pl.String, default=None)
    )
    bars = gaps.select("change", "difference", low="ci_low", high="ci_high").drop_nulls("change")
    told = "; ".join(f"{row['change']}: {number(row['difference'], sign=True)}" for row in bars.to_dicts())
    caption = (
        f"By how much each change alone moves the mean of {response}, the largest first, with the paired 95% interval. "
        "Blue: upwards; orange: downwards."
    )
    return figure(tornado_chart(bars, response), name, caption, f"Changes of {response}: {told}", "middle")


def _indices(results: StudyResults, response: str, name: str) -> Html:
    try:
        indices = sobol_indices(results, response)
    except InputError as error:
        return element("p", f"There are no Sobol indices: {error}", class_="notice")
    caption = (
        "Sobol indices: share of the variance of the mean response that each factor explains alone (blue) and with all "
        "its interactions (orange), with 95% bootstrap intervals over the base points. " + _noise(indices["noise"][0])
    )
    rows = [
        (
            row["factor"],
            *(
                f"{share(row[kind])} [{share(row[f'{kind}_low'])}, {share(row[f'{kind}_high'])}]"
                for kind in ("first", "total")
            ),
        )
        for row in indices.sort("total", descending=True, nulls_last=True).to_dicts()
    ]
    told = "; ".join(f"{factor} {total}" for factor, _, total in rows)
    drawn = figure(index_chart(indices), name, caption, f"Total Sobol indices: {told}", "middle")
    return join([drawn, number_table(["factor", "alone", "with all interactions"], rows, "Sobol indices")])


def _noise(noise: float) -> str:
    if math.isnan(noise):
        return "How much of the variance between points is chance one replication cannot tell."
    return f"Of the variance between points {share(noise)} is chance that averaging has left."


def _screening(results: StudyResults, response: str, name: str) -> Html:
    try:
        effects = morris_indices(results, response)
    except InputError as error:
        return element("p", f"There are no elementary effects: {error}", class_="notice")
    caption = (
        f"Elementary effects on {response} of moving a factor over its whole range: mean size μ* (dot, with 95% "
        "bootstrap interval), and their spread σ (ring), which is large where a factor interacts or acts by bends."
    )
    ordered = effects.sort("mean_absolute", descending=True).to_dicts()
    told = "; ".join(f"{row['factor']} {number(row['mean_absolute'])}" for row in ordered)
    return figure(screening_chart(effects), name, caption, f"Mean absolute effects: {told}", "middle")


def _of_many(table: pl.DataFrame, factors: Sequence[str], response: str, name: str, *, is_grid: bool) -> Iterator[Html]:
    if is_grid and len(factors) == 2:  # noqa: PLR2004 - a plane has two directions
        grid = table.select(x=factors[0], y=factors[1], mean="mean")
        caption = f"Mean of {response} at each combination; the darker, the higher."
        best = table.drop_nulls("mean").sort("mean", descending=True).row(0, named=True)
        told = f"highest mean of {response}, {number(best['mean'])}, at " + ", ".join(
            f"{path} {cell(best[path])}" for path in factors
        )
        yield figure(grid_chart(grid, factors[0], factors[1], response), name, caption, told, "wide")
        return
    scattered = [path for path in factors if table[path].dtype.is_numeric()][:_MOST_SCATTERED]
    if scattered:
        caption = f"Mean of {response} at each design point against each factor: what matters shows a slope or a bend."
        told = f"{table.height} points against {', '.join(scattered)}"
        yield figure(scatter_chart(table, scattered, response), name, caption, told, "wide")


def _polynomial(results: StudyResults, response: str) -> Html:
    try:
        model = fit_metamodel(results, response)
    except InputError:
        return Html("")
    size = pl.col("coefficient").abs()
    ordered = pl.concat([model.terms.head(1), model.terms.tail(-1).sort(size, descending=True)]).head(_MOST_TERMS)
    rows = [
        (
            row["term"],
            number(row["coefficient"], sign=True),
            interval(row),
        )
        for row in ordered.to_dicts()
    ]
    caption = (
        f"Metamodel ({model.degree}): change of {response} when a factor moves from the centre of its range to its "
        f"upper end. R² {model.r2:.3f}; predicted R² (PRESS) {model.r2_predicted:.3f}."
    )
    return number_table(["term", "coefficient", "95% interval"], rows, caption)
