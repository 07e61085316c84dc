"""The bias of several estimators side by side, as text and for a chart."""

from __future__ import annotations

from typing import Final

import polars as pl

from analytics.html.numbers import NONE, decimal
from scenarios.output_analysis.results import StudyResults

BIAS_MEANING: Final = "bias ± its Monte-Carlo standard error, and in brackets the coverage of 95% intervals"
"""What the cells of each estimator are."""

_INTERVAL: Final = 1.96


def bias_cells(results: StudyResults, term: str) -> list[dict[str, str]]:
    """Write the bias and coverage of each estimator of a term: one row per design point, by the headings of columns.

    Args:
        results: The results of a study with several ``estimators``.
        term: The term.
    """
    rows: dict[int, dict[str, str]] = {}
    most = pl.col("n").max().over("point").alias("most")
    for row in results.estimates.filter(term=term).with_columns(most).iter_rows(named=True):
        cells = rows.setdefault(row["point"], {"point": results.point_names[row["point"]]})
        cell = _cell(row["bias"], row["bias_mcse"], row["coverage"])
        # Of fewer replications, which are not any: an estimator fails where the others have large estimates.
        cells[row["estimator"]] = cell if row["n"] == row["most"] else f"{cell}, n = {row['n']} of {row['most']}"
    return list(rows.values())


def bias_by_point(results: StudyResults, term: str) -> pl.DataFrame:
    """Return the bias of each estimator of a term at each design point, with an interval for chance.

    Args:
        results: The results of a study with several ``estimators``.
        term: The term.

    Returns:
        Columns ``point`` (its name), ``estimator``, ``bias``, ``low`` and ``high``.
    """
    half = _INTERVAL * pl.col("bias_mcse").fill_null(0.0)
    names = pl.col("point").replace_strict(results.point_names, return_dtype=pl.String)
    rows = results.estimates.filter(term=term).drop_nulls("bias")
    return rows.select(names, "estimator", "bias", low=pl.col("bias") - half, high=pl.col("bias") + half)


def _cell(bias: float | None, error: float | None, coverage: float | None) -> str:
    if bias is None:
        return NONE
    covered = NONE if coverage is None else f"{coverage:.0%}"
    return f"{decimal(bias, 3, sign=True)} ± {decimal(error, 3)} ({covered})"
