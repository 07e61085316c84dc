"""The report of a study: one HTML file that says what was varied, what came of it, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analytics.report_figures import figure
from analytics.report_html import Html, count, element, join, number_table, numbers, page
from analytics.study_charts import (
    grid_chart,
    index_chart,
    response_chart,
    scatter_chart,
    screening_chart,
    tornado_chart,
)
from scenarios.errors import InputError
from scenarios.meta_model import meta_model
from scenarios.sensitivity import morris_indices, sobol_indices
from scenarios.stress import stress_checklist
from scenarios.study_summary import change_names
from scenarios.versions import versions

if TYPE_CHECKING:
    from scenarios.study_results import StudyResults

__all__ = ["study_report"]

_MOST_ROWS: Final = 60
_MOST_SCATTERED: Final = 8
_MOST_POWERS: Final = 12
_NONE: Final = "–"
_INTERVAL: Final = "with its 95% t interval over replications"


def study_report(results: StudyResults) -> str:
    """Lay out a study as one HTML page. Equal results make equal bytes.

    Args:
        results: What the study found.
    """
    responses = [_response(results, name, f"r{index}") for index, name in enumerate(results.plan.settings.responses)]
    sections = [
        _headline(results),
        *responses,
        *_differences(results),
        *_estimates(results),
        *_failures(results),
        _stress(results),
        _provenance(results),
    ]
    return page(f"{results.plan.settings.name} – funnelsim study", element("main", *sections))


def _headline(results: StudyResults) -> Html:
    settings = results.plan.settings
    n = results.replications.select("point", "replication").n_unique()
    facts = [
        ("Design", settings.design.kind.replace("-", " ") if settings.factors else "no factors", ""),
        ("Design points", count(len(results.plan.points)), ""),
        ("Replications", count(n), "of all points together"),
        ("Failures", count(len(results.failures)), "in failures.ndjson" if results.failures else ""),
    ]
    luck = (
        "Replication r has the same luck at every point (common random numbers), so that differences are what the factors do."
        if settings.common_random_numbers
        else "Every run has luck of its own."
    )
    return join(
        [
            element("h1", element("bdi", settings.name)),
            element("p", settings.description),
            element("p", f"Seed {settings.seed}. {luck}", class_="soft"),
            element("dl", *(_fact(*fact) for fact in facts), class_="facts"),
            _factors(results),
        ]
    )


def _fact(name: str, value: str, note: str) -> Html:
    return element("div", element("dt", name), element("dd", value), element("dd", note, class_="note"))


def _factors(results: StudyResults) -> Html:
    rows = []
    for path, factor in results.plan.settings.factors.items():
        kind = next(name for name in ("choice", "real", "log", "integer") if getattr(factor, name) is not None)
        values = ", ".join(_cell(value) for value in getattr(factor, kind))
        rows.append((path, values if kind == "choice" else f"{kind}, from {values.replace(', ', ' to ')}"))
    if not rows:
        return Html("")
    return number_table(["factor", "values"], rows, "What is varied", n_texts=2)


def _response(results: StudyResults, response: str, name: str) -> Html:
    """One response: the picture that suits the design, and the numbers."""
    title = element("h2", response)
    expression = element("p", results.plan.settings.responses[response], class_="soft")
    table = _means(results, response)
    if table["mean"].null_count() == table.height:
        return join([title, expression, element("p", "No replication gave a number.", class_="notice")])
    return join([title, expression, *_pictures(results, response, table, name), _mean_table(results, response, table)])


def _means(results: StudyResults, response: str) -> pl.DataFrame:
    """Mean and interval of a response at each point, beside what the factors were set to."""
    found = results.summary.filter(pl.col("response") == response)
    return results.design.with_columns(pl.col("point").cast(pl.UInt32)).join(
        found, on="point", how="left", maintain_order="left"
    )


def _pictures(results: StudyResults, response: str, table: pl.DataFrame, name: str) -> Iterator[Html]:
    settings, factors = results.plan.settings, list(results.plan.settings.factors)
    kind, several = settings.design.kind, len(results.plan.loaded.scenarios) > 1
    if not factors:
        if several:
            yield _curve(table, "scenario", response, name)
    elif several:
        # Pictures of one scenario would be taken for those of all; the table has them.
        return
    elif len(factors) == 1:
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
    told = "; ".join(f"{row['x']}: {_number(row['mean'])}" for row in curve.to_dicts())
    caption = f"Mean of {response} by {factor}, {_INTERVAL}."
    return figure(response_chart(curve, factor, response), name, caption, f"{response} by {factor}: {told}", "middle")


def _tornado(results: StudyResults, response: str, name: str) -> Html:
    names = change_names(results.design, list(results.plan.settings.factors))
    gaps = results.differences.filter(pl.col("response") == response).with_columns(
        change=pl.col("point").replace_strict(names, return_dtype=pl.String, default=None)
    )
    bars = gaps.select("change", "difference", low="ci_low", high="ci_high").drop_nulls("change")
    told = "; ".join(f"{row['change']}: {_number(row['difference'], sign=True)}" for row in bars.to_dicts())
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
    noise = indices["noise"][0]
    caption = (
        "Sobol indices: share of the variance of the mean response that each factor explains alone (blue) and with all its "
        "interactions (orange), with 95% bootstrap intervals over the base points. "
        f"Of the variance between points {_percent(noise)} is chance that averaging has left."
    )
    rows = [
        (
            row["factor"],
            *(
                f"{_percent(row[kind])} [{_percent(row[f'{kind}_low'])}, {_percent(row[f'{kind}_high'])}]"
                for kind in ("first", "total")
            ),
        )
        for row in indices.sort("total", descending=True, nulls_last=True).to_dicts()
    ]
    told = "; ".join(f"{factor} {total}" for factor, _, total in rows)
    drawn = figure(index_chart(indices), name, caption, f"Total Sobol indices: {told}", "middle")
    return join([drawn, number_table(["factor", "alone", "with all interactions"], rows, "Sobol indices")])


def _screening(results: StudyResults, response: str, name: str) -> Html:
    try:
        effects = morris_indices(results, response)
    except InputError as error:
        return element("p", f"There are no elementary effects: {error}", class_="notice")
    caption = (
        f"Elementary effects on {response} of moving a factor over its whole range: mean size μ* (dot, with 95% bootstrap "
        "interval), and their spread σ (ring), which is large where a factor interacts or acts by bends."
    )
    ordered = effects.sort("mean_absolute", descending=True).to_dicts()
    told = "; ".join(f"{row['factor']} {_number(row['mean_absolute'])}" for row in ordered)
    return figure(screening_chart(effects), name, caption, f"Mean absolute effects: {told}", "middle")


def _of_many(
    table: pl.DataFrame, factors: Sequence[str], response: str, name: str, *, is_grid: bool
) -> Iterator[Html]:
    if is_grid and len(factors) == 2:  # noqa: PLR2004 - a plane has two directions
        grid = table.select(x=factors[0], y=factors[1], mean="mean")
        caption = f"Mean of {response} at each combination; the darker, the higher."
        best = table.drop_nulls("mean").sort("mean", descending=True).row(0, named=True)
        told = f"highest mean of {response}, {_number(best['mean'])}, at " + ", ".join(
            f"{path} {_cell(best[path])}" for path in factors
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
        model = meta_model(results, response)
    except InputError:
        return Html("")
    size = pl.col("coefficient").abs()
    ordered = pl.concat([model.terms.head(1), model.terms.tail(-1).sort(size, descending=True)]).head(_MOST_ROWS)
    rows = [
        (
            row["term"],
            _number(row["coefficient"], sign=True),
            f"[{_number(row['ci_low'])}, {_number(row['ci_high'])}]",
        )
        for row in ordered.to_dicts()
    ]
    caption = (
        f"A polynomial in place of the simulation ({model.degree}): what moving each factor from the middle of its range to "
        f"its end does to {response}. R² {model.r2:.3f}; of points left out in turn {model.r2_predicted:.3f}."
    )
    return number_table(["term", "coefficient", "95% interval"], rows, caption)


def _mean_table(results: StudyResults, response: str, table: pl.DataFrame) -> Html:
    told = [*(["scenario"] if len(results.plan.loaded.scenarios) > 1 else []), *results.plan.settings.factors]
    rows = [
        (
            str(row["point"]),
            *(_cell(row[name]) for name in told),
            count(row["n"]),
            _number(row["mean"]),
            _NONE if row["ci_low"] is None else f"[{_number(row['ci_low'])}, {_number(row['ci_high'])}]",
        )
        for row in table.head(_MOST_ROWS).to_dicts()
    ]
    cut = f", the first {_MOST_ROWS} points; summary.csv has all" if table.height > _MOST_ROWS else ""
    heads = ["point", *told, "n", "mean", "95% interval"]
    drawn = number_table(heads, rows, f"{response}{cut}", n_texts=1 + len(told))
    return drawn if table.height == 1 else numbers(drawn)


def _differences(results: StudyResults) -> Iterator[Html]:
    """Paired differences from the first point, where points are few enough to be looked at one by one."""
    if not 1 < len(results.plan.points) <= _MOST_ROWS or not results.plan.settings.responses:
        return
    gaps = results.differences.filter(pl.col("response").is_in(list(results.plan.settings.responses)))
    rows = [
        (
            row["response"],
            str(row["point"]),
            count(row["n"]),
            _number(row["difference"], sign=True),
            _NONE if row["ci_low"] is None else f"[{_number(row['ci_low'])}, {_number(row['ci_high'])}]",
            _NONE if row["variance_saved"] is None else _percent(row["variance_saved"]),
        )
        for row in gaps.sort("response", "point", maintain_order=True).head(4 * _MOST_ROWS).to_dicts()
    ]
    yield element("h2", "Differences from the first point")
    caption = (
        "Means of the differences, replication by replication, with their 95% intervals, and the share of their variance "
        "that the common luck saves against independent runs"
    )
    heads = ["response", "point", "pairs", "difference", "95% interval", "variance saved"]
    yield numbers(number_table(heads, rows, caption, n_texts=2))


def _estimates(results: StudyResults) -> Iterator[Html]:
    """How good the estimates of the intent model are, and how often each term is found."""
    if not results.plan.loaded.terms:
        return
    yield element("h2", "Estimates of the intent model")
    factors = list(results.plan.settings.factors)
    if len(factors) == 1 and len(results.plan.loaded.scenarios) == 1:
        yield element("div", *_powers(results, factors[0]), class_="pair")
    heads = ["point", "term", "n", "truth", "bias", "empirical SE", "mean SE", "coverage", "significant", "mean z"]
    rows = [
        (
            str(row["point"]),
            row["term"],
            count(row["n"]),
            *(_number(row[name], sign=True) for name in ("truth", "bias")),
            *(_number(row[name]) for name in ("empirical_se", "mean_se")),
            *(_share(row, name) for name in ("coverage", "rejected")),
            _number(row["mean_z"], sign=True),
        )
        for row in results.estimates.head(4 * _MOST_ROWS).to_dicts()
    ]
    caption = (
        "Of each term over the replications: bias, spread beside the stated standard error, share of the 95% intervals that "
        "hold the truth, and share of replications in which it is significant at 5%; ± is a Monte-Carlo standard error"
    )
    yield number_table(heads, rows, caption, n_texts=2)


def _powers(results: StudyResults, factor: str) -> Iterator[Html]:
    table = results.estimates.join(
        results.design.with_columns(pl.col("point").cast(pl.UInt32)), on="point", maintain_order="left"
    )
    for index, term in enumerate(results.plan.loaded.terms[:_MOST_POWERS]):
        rows = table.filter(pl.col("term") == term).drop_nulls("rejected")
        if rows.is_empty():
            continue
        half = 1.96 * pl.col("rejected_mcse")
        low, high = ((pl.col("rejected") + sign * half).clip(0, 1) for sign in (-1, 1))
        curve = rows.select(x=factor, mean="rejected", low=low, high=high)
        told = "; ".join(f"{row['x']}: {_percent(row['mean'])}" for row in curve.to_dicts())
        chart = response_chart(curve, factor, "share significant at 5%").properties(width=300, height=170)
        heading = element("h3", term)
        yield element("div", heading, figure(chart, f"power{index}", "", f"Share significant of {term}: {told}"))


def _share(row: dict[str, Any], name: str) -> str:
    return _NONE if row[name] is None else f"{row[name]:.3f} ± {row[f'{name}_mcse']:.3f}"


def _failures(results: StudyResults) -> Iterator[Html]:
    if not results.failures:
        return
    yield element("h2", "Failures")
    rows = [
        (
            f"{failure['point']}:{_NONE if failure['replication'] is None else failure['replication']}",
            failure["stage"],
            failure["message"].splitlines()[0] if failure["message"] else "",
            failure["replay"],
        )
        for failure in results.failures[:_MOST_ROWS]
    ]
    cut = f", the first {_MOST_ROWS}; failures.ndjson has all" if len(results.failures) > _MOST_ROWS else ""
    heads = ["point:replication", "stage", "what went wrong", "to see it again"]
    yield number_table(heads, rows, f"{count(len(results.failures))} failures{cut}", n_texts=4)


def _stress(results: StudyResults) -> Html:
    rows = [(row["item"], row["what"], row["answer"]) for row in stress_checklist(results.plan).to_dicts()]
    caption = "STRESS-DES checklist (Monks et al. 2019), filled in as far as the study knows"
    table = number_table(["item", "what", "answer"], rows, caption, n_texts=3)
    return join([element("h2", "For a paper"), element("details", element("summary", "The checklist"), table)])


def _provenance(results: StudyResults) -> Html:
    settings = results.plan.settings
    rows = [("study", settings.name), ("seed", str(settings.seed)), *versions().items()]
    table = number_table(["what", "value"], rows, "Where these numbers come from", n_texts=2, classes="mono")
    return join([element("h2", "Provenance"), table])


def _cell(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return _number(value)


def _number(value: float | None, *, sign: bool = False) -> str:
    """Write a number with four digits that count."""
    if value is None:
        return _NONE
    whole = float(value).is_integer() and abs(value) < 1e15  # noqa: PLR2004 - beyond, digits are not exact
    shown = f"{value:{'+' if sign and value else ''},.0f}" if whole else f"{value:{'+' if sign else ''}.4g}"
    return shown.replace("-", "\N{MINUS SIGN}")


def _percent(value: float | None) -> str:
    return _NONE if value is None else f"{100 * value:.0f}%".replace("-", "\N{MINUS SIGN}")
