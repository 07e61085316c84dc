"""Results of studies and comparisons, as the command line prints them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from scenarios.cli.text.tables import Parts, alert, digits, page, shortened, table
from scenarios.errors import InputError
from scenarios.output_analysis.results import StudyResults
from scenarios.output_analysis.sensitivity import index_remarks, ranked_indices
from scenarios.output_analysis.side_by_side import BIAS_MEANING, bias_cells
from scenarios.output_analysis.sobol import sobol_interactions


@page
def study_text(results: StudyResults, folder: Path) -> Parts:
    """Summarise a study: responses at each design point, quality of the estimates, failures, and the folder.

    Args:
        results: The results of the study.
        folder: Where they were written.
    """
    settings = results.plan.settings
    n = results.replications.select("point", "replication").n_unique()
    yield f"{settings.name}, seed {settings.seed}: {len(results.plan.points):,} design points, {n:,} replications"
    yield ""
    yield from map(alert, results.remarks)
    yield from _response_parts(results)
    yield from _estimate_parts(results)
    yield from _failure_lines(results)
    yield f"results: {folder}"


@page
def comparison_text(
    differences: pl.DataFrame,
    *,
    a: str,
    b: str,
    parts: Mapping[str, tuple[Any, Any]] | None = None,
    folder: Path | None = None,
    remark: str = "",
) -> Parts:
    """Show how two scenarios differ: both means, the difference with its interval, and the variance reduction.

    Args:
        differences: From :func:`scenarios.comparison.compare_scenarios`.
        a: Name of the first scenario.
        b: Name of the second scenario, from which the first is subtracted.
        parts: Settings of components that differ, from :func:`scenarios.comparison.differing_parts`.
        folder: Folder of the study, if it was kept.
        remark: What to know when the differences are read.
    """
    if parts:
        yield table([(path, *map(_setting, values)) for path, values in parts.items()], ("component settings", a, b))
        yield ""
    rows = [
        (
            row["response"],
            f"{row['n']:,}",
            *(digits(row[name]) for name in ("mean_a", "mean_b", "difference")),
            _interval(row),
            "–" if row["variance_saved"] is None else f"{row['variance_saved']:.0%}",
        )
        for row in differences.iter_rows(named=True)
    ]
    yield table(rows, ("response", "pairs", a, b, "difference", "95 % interval", "variance reduction"))
    yield ""
    yield f"difference: {b} minus {a}, replication by replication with common random numbers"
    yield from _constant_lines(differences)
    if remark:
        yield alert(remark)
    if folder is not None:
        yield ""
        yield f"report: {folder / 'report.html'}"


def _setting(value: object) -> str:
    return "–" if value is None else str(value)


def _response_parts(results: StudyResults) -> Parts:
    """Sensitivity indices of each response where the design is made for them, otherwise its means at the points.

    Args:
        results: The results of the study; responses that are estimates have a table of their own.
    """
    in_means = []
    for response in results.plan.settings.responses:
        try:
            indices = ranked_indices(results, response)
        except InputError as error:
            yield alert(f"{response}: no sensitivity indices: {error}")
            yield ""
            indices = None
        if indices is None:
            in_means.append(response)
        else:
            yield from _index_parts(results, response, indices)
    yield from _mean_parts(results, in_means)


def _mean_parts(results: StudyResults, names: Sequence[str]) -> Parts:
    """Mean and interval of responses, beside the values of the factors.

    Args:
        results: The results of the study.
        names: The responses.
    """
    factors = list(results.plan.settings.factors)
    summary = results.summary.filter(pl.col("response").is_in(names))
    if summary.is_empty():
        return
    design = results.design.with_columns(pl.col("point").cast(pl.UInt32))
    rows = summary.join(design, on="point", maintain_order="left").iter_rows(named=True)
    varied = [*(["scenario"] if len(results.plan.loaded.scenarios) > 1 else []), *factors]
    # The last part of a path is enough to know a factor by, and the whole would make the table too wide.
    header = ("response", *(path.rsplit(".", 1)[-1] for path in varied), "n", "mean", "95 % interval")
    yield from shortened([(r["response"], *_cells(r, varied), *_mean_cells(r)) for r in rows], header)
    yield from _constant_lines(summary)


def _constant_lines(table: pl.DataFrame) -> Iterator[str]:
    """Say why there is a dash for an interval although there are several replications.

    Args:
        table: Columns ``n`` and ``ci_low``.
    """
    # One replication has none anyway.
    if table.filter(pl.col("n") > 1, pl.col("ci_low").is_null()).height:
        yield "– for an interval: the number is the same in all replications; how rarely it is another is not known"


def _cells(row: dict[str, Any], names: Sequence[str]) -> Iterator[str]:
    return (digits(row[name]) if isinstance(row[name], float) else str(row[name]) for name in names)


def _mean_cells(row: dict[str, Any]) -> tuple[str, str, str]:
    return f"{row['n']:,}", digits(row["mean"]), _interval(row)


def _interval(row: dict[str, Any]) -> str:
    """Write the 95 % interval of a row; a dash where there is none, as of one replication or of values all the same.

    >>> _interval({"ci_low": 0.5, "ci_high": 1.25})
    '[0.5, 1.25]'
    """
    return "–" if row["ci_low"] is None else f"[{digits(row['ci_low'])}, {digits(row['ci_high'])}]"


def _decimals(value: float | None) -> str:
    # Rounded first: -0.0004 becomes 0.000, as a minus before zeros means nothing.
    return "–" if value is None else f"{round(value, 3) + 0.0:.3f}"


_SOBOL_COLUMNS: Final = {
    "factor": ("factor",),
    "S1": ("first", "first_low", "first_high"),
    "ST": ("total", "total_low", "total_high"),
}
_PAIR_COLUMNS: Final = {
    "factor": ("factor",),
    "with": ("with_factor",),
    "S2": ("second", "second_low", "second_high"),
}
_MORRIS_COLUMNS: Final = {
    "factor": ("factor",),
    "μ*": ("mean_absolute", "mean_absolute_low", "mean_absolute_high"),
    "σ": ("sd",),
    "noise floor": ("noise_floor",),
    "above": ("above_noise",),
    "unit": ("unit",),
    "μ per unit": ("mean_per_unit",),
}
_PAWN_COLUMNS: Final = {
    "factor": ("factor",),
    "median": ("median",),
    "maximum": ("maximum",),
    "noise floor": ("noise_floor",),
    "above": ("above_noise",),
}
_INDEX_TABLES: Final[Mapping[str, tuple[str, Mapping[str, tuple[str, ...]], Callable[[float | None], str]]]] = {
    "saltelli": ("Sobol indices, first-order (S1) and total (ST), with 95 % intervals", _SOBOL_COLUMNS, _decimals),
    "morris": ("elementary effects of a whole range (μ*, with 95 % interval)", _MORRIS_COLUMNS, digits),
    "latin-hypercube": ("PAWN indices", _PAWN_COLUMNS, _decimals),
    "sobol": ("PAWN indices", _PAWN_COLUMNS, _decimals),
}
"""Name, columns and number format of the indices of a design."""


def _index_parts(results: StudyResults, response: str, indices: pl.DataFrame) -> Parts:
    """Sensitivity indices of a response, the most important factor first, and what to know about them.

    Args:
        results: The results of the study.
        response: Name of the response.
        indices: Its indices.
    """
    design = results.plan.settings.design
    name, columns, number = _INDEX_TABLES[design.kind]
    yield f"{response}: {name}"
    yield from shortened(_index_rows(indices, columns, number), tuple(columns))
    if design.second_order:
        yield f"{response}: second-order Sobol indices (S2) of pairs of factors"
        pairs = sobol_interactions(results, response).sort("second", descending=True)
        yield from shortened(_index_rows(pairs, _PAIR_COLUMNS, number), tuple(_PAIR_COLUMNS))
    yield from index_remarks(indices)
    yield ""


def _index_rows(
    indices: pl.DataFrame, columns: Mapping[str, tuple[str, ...]], number: Callable[[float | None], str]
) -> list[tuple[str, ...]]:
    """Write the cells of indices: a value, or a value with the ends of its interval.

    Args:
        indices: The indices.
        columns: By the heading of each column, the names of those that it shows.
        number: Writes a number.
    """

    def cell(value: Any, *ends: float | None) -> str:  # noqa: ANN401 - a number, a text or a truth value
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, str):
            return value
        return number(value) + (f" [{number(ends[0])}, {number(ends[1])}]" if ends else "")

    rows = indices.with_columns(pl.selectors.float().fill_nan(None)).iter_rows(named=True)
    return [tuple(cell(*(row[name] for name in names)) for names in columns.values()) for row in rows]


_ESTIMATE_COLUMNS: Final = (
    "term",
    "truth",
    "bias",
    "empirical SE",
    "mean SE",
    "coverage",
    "bias-eliminated",
    "nonrobust",
    "rejected",
    "mean z",
)


def _estimate_parts(results: StudyResults) -> Parts:
    """Quality of the estimates, in one table for each design point.

    Args:
        results: The results of the study; without ``estimates`` there is nothing to show.
    """
    if not results.plan.loaded.terms:
        return
    if results.plan.settings.estimators:
        yield f"coefficients by several estimators: {BIAS_MEANING}"
        yield ""
        for term in results.plan.loaded.terms:
            cells = bias_cells(results, term)
            yield from shortened([tuple(row.values()) for row in cells], (term, *list(cells[0])[1:]))
            yield ""
        return
    for rows in results.estimates.partition_by("point", maintain_order=True):
        if len(results.plan.points) > 1:
            number = int(rows.item(0, "point"))
            yield f"point {number}: {_place(results, number)}"
        yield from shortened([_estimate(row) for row in rows.iter_rows(named=True)], _ESTIMATE_COLUMNS)
        yield (
            f"n = {max(rows['n'].to_list()):,}; ± is the Monte-Carlo standard error; 'bias-eliminated' is the coverage "
            "of the mean estimate (Morris et al. 2019); 'nonrobust' is the same for standard errors that treat all "
            "visits as independent; 'rejected' is the share of replications significant at 5 %"
        )
        yield ""


def _place(results: StudyResults, number: int) -> str:
    """Name a design point by its scenario and the values of the factors.

    Args:
        results: The results of the study.
        number: Number of the point.
    """
    row = results.design.row(number, named=True)
    return ", ".join(f"{name} {value}" for name, value in row.items() if name != "point")


def _estimate(row: dict[str, Any]) -> tuple[str, ...]:
    """Write the cells of a term under :data:`_ESTIMATE_COLUMNS`, with Monte-Carlo standard errors behind ±.

    Args:
        row: Performance of its estimates, as in :func:`scenarios.output_analysis.summary.estimates`.
    """

    def cell(name: str, form: str = "+.3f") -> str:
        return "–" if row[name] is None else format(row[name], form)

    def share(name: str) -> str:
        error = row[f"{name}_mcse"]
        return cell(name, ".3f") + ("" if error is None else f" ± {error:.3f}")

    return (
        row["term"],
        cell("true_coefficient"),
        f"{cell('bias')} ± {cell('bias_mcse', '.3f')}",
        cell("empirical_se", ".3f"),
        cell("mean_se", ".3f"),
        share("coverage"),
        share("bias_eliminated_coverage"),
        share("nonrobust_bias_eliminated_coverage"),
        share("rejected"),
        f"{cell('mean_z', '+.2f')} ± {cell('mean_z_mcse', '.2f')}",
    )


def _failure_lines(results: StudyResults) -> Parts:
    """Say how many replications failed, and show the first failure with the command that repeats it.

    Args:
        results: The results of the study; without failures there is nothing to show.
    """
    if not results.failures:
        return
    first = results.failures[0]
    if results.all_failed:
        yield alert("every replication failed: no response has a value")
    yield alert(f"{len(results.failures):,} failures, in failures.ndjson; the first, at point {first['point']}:")
    yield f"  {first['stage']}: {first['message'].splitlines()[0]}"
    # Results in memory only have no folder from which to run a replication again.
    if first["replay"]:
        yield f"  {first['replay']}"
    yield ""
