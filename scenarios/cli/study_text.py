"""What a study found, in plain text, as the command line shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from scenarios.cli.output import Page, aligned
from scenarios.output_analysis.results import StudyResults
from scenarios.power import SampleSize

__all__ = ["comparison_text", "power_text", "study_text"]

_MOST_ROWS: Final = 60
"""Rows of a table that are shown; the files have them all."""


def study_text(results: StudyResults, folder: Path) -> Page:
    """Summarise a study: the responses at each point, how good the estimates are, what failed, where to read on."""
    settings = results.plan.settings
    n = results.replications.select("point", "replication").n_unique()
    lines = [
        f"{settings.name}, seed {settings.seed}: {len(results.plan.points):,} design points, {n:,} replications",
        "",
        *_response_lines(results),
        *_estimate_lines(results),
        *_failure_lines(results),
        f"results: {folder}",
    ]
    return Page.of(lines)


def comparison_text(table: pl.DataFrame, *, a: str, b: str, folder: Path | None = None) -> Page:
    """Show how two scenarios differ: both means, the difference with its interval, and what the pairing saves."""
    left = [] if folder is None else ["", f"report: {folder / 'report.html'}"]
    header = ("response", "pairs", a, b, "difference", "95 % interval", "variance saved")
    rows = [
        (
            row["response"],
            f"{row['n']:,}",
            *(_digits(row[name]) for name in ("mean_a", "mean_b", "difference")),
            _interval(row),
            "–" if row["variance_saved"] is None else f"{row['variance_saved']:.0%}",
        )
        for row in table.iter_rows(named=True)
    ]
    return Page.of(
        [
            *aligned([header, *rows], header=True),
            "",
            f"difference: {b} less {a}, run by run with the same luck (common random numbers)",
            *left,
        ]
    )


def power_text(found: SampleSize) -> Page:
    """Summarise how much traffic it takes until a signal is found, with the power curve."""
    high = "no bound" if found.high is None else f"{found.high:,.0f}"
    header = (found.unit, "replications", "found", "power", "95 % interval", "curve")
    rows = [
        (
            f"{row['size']:,.0f}",
            f"{row['n']:,}",
            f"{row['found']:,}",
            f"{row['power']:.3f}",
            f"[{row['ci_low']:.3f}, {row['ci_high']:.3f}]",
            f"{row['fitted']:.3f}",
        )
        for row in found.curve.iter_rows(named=True)
    ]
    answer = f"{found.needed:,.0f} {found.unit} on, 95 % interval [{found.low:,.0f}, {high}]"
    lines = [
        f"{found.signal} is found (p < {found.alpha:g}) with a power of {found.power:g} from {answer}",
        "",
        *aligned([header, *rows], header=True),
        "",
        "curve: probit regression of what was found on the square root of the size; interval by Fieller's theorem",
    ]
    return Page.of(lines)


def _response_lines(results: StudyResults) -> Iterator[str]:
    """Mean and interval of each response, beside what the factors were set to."""
    names, factors = list(results.plan.settings.responses), list(results.plan.settings.factors)
    table = results.summary.filter(pl.col("response").is_in(names))
    if table.is_empty():
        return
    design = results.design.with_columns(pl.col("point").cast(pl.UInt32))
    rows = table.join(design, on="point", maintain_order="left").iter_rows(named=True)
    told = ["scenario"] if len(results.plan.loaded.scenarios) > 1 else []
    header = ("response", *told, *(path.rsplit(".", 1)[-1] for path in factors), "n", "mean", "95 % interval")
    yield from _table(header, [(r["response"], *_cells(r, [*told, *factors]), *_mean_cells(r)) for r in rows])


def _cells(row: dict[str, Any], names: Sequence[str]) -> Iterator[str]:
    return (_digits(row[name]) if isinstance(row[name], float) else str(row[name]) for name in names)


def _mean_cells(row: dict[str, Any]) -> tuple[str, str, str]:
    return f"{row['n']:,}", _digits(row["mean"]), _interval(row)


def _digits(value: float | None) -> str:
    """Write four digits that count, or all those before the point: numbers are copied from here, so without commas."""
    if value is None:
        return "–"
    return f"{value:.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.4g}"  # noqa: PLR2004 - has four digits


def _interval(row: dict[str, Any]) -> str:
    return "–" if row["ci_low"] is None else f"[{_digits(row['ci_low'])}, {_digits(row['ci_high'])}]"


def _estimate_lines(results: StudyResults) -> Iterator[str]:
    """How good the estimates are, a table for each point."""
    if not results.plan.loaded.terms:
        return
    header = (
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
    for rows in results.estimates.partition_by("point", maintain_order=True):
        if len(results.plan.points) > 1:
            number = int(rows.item(0, "point"))
            yield f"point {number}: {_place(results, number)}"
        yield from _table(header, [_estimate(row) for row in rows.iter_rows(named=True)])
        n = max(rows["n"].to_list())
        yield (
            f"of {n:,} replications; ± is a Monte-Carlo standard error. 'bias-eliminated' is bias-eliminated coverage "
            "(Morris et al. 2019): that of the mean estimate; 'nonrobust' is the same by nonrobust standard errors"
        )
        yield ""


def _place(results: StudyResults, number: int) -> str:
    row = results.design.row(number, named=True)
    return ", ".join(f"{name} {value}" for name, value in row.items() if name != "point")


def _estimate(row: dict[str, Any]) -> tuple[str, ...]:
    def cell(name: str, form: str = "+.3f") -> str:
        return "–" if row[name] is None else format(row[name], form)

    def share(name: str) -> str:
        return "–" if row[name] is None else f"{row[name]:.3f} ± {row[f'{name}_mcse']:.3f}"

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


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield from aligned([header, *rows[:_MOST_ROWS]], header=True)
    if len(rows) > _MOST_ROWS:
        yield f"  … and {len(rows) - _MOST_ROWS:,} more"
    yield ""


def _failure_lines(results: StudyResults) -> Iterator[str]:
    if not results.failures:
        return
    first = results.failures[0]
    yield f"{len(results.failures):,} failures, in failures.ndjson; the first, at point {first['point']}:"
    yield f"  {first['stage']}: {first['message'].splitlines()[0]}"
    if first["replay"]:
        yield f"  {first['replay']}"
    yield ""
