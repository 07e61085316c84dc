"""Findings of a model as a table to be read, the same on a terminal, in a notebook and in a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from analytics import html
from analytics.html.numbers import NONE, estimate, p_value, ratio
from analytics.intent.findings import FINDING_MARKS, coverage_sentence

_SMALL: Final = 0.1
"""Below this two decimals are too few for an estimate and the ends of its interval."""


def finding_cells(findings: pl.DataFrame, level: float) -> pl.DataFrame:
    """Return findings as they are read: every cell a text, under the name of its column.

    Args:
        findings: Columns of :data:`analytics.intent.findings.FINDING_SCHEMA`.
        level: Confidence level of the intervals, between 0 and 1.

    Returns:
        One row per finding; the columns of the truth only where some true coefficient is known.
    """
    known = findings["true_coefficient"].is_not_null().any()
    rows = [
        {
            "group": row["group"],
            "signal": row["signal"],
            f"coefficient [{100 * level:g} %]": _with_interval(row),
            "odds ratio": ratio(row["odds_ratio"]),
            "p": p_value(row["p_value"]),
            "p adjusted": p_value(row["p_adjusted"]),
            "finding": f"{row['mark']} {row['finding']}",
            "truth": NONE if row["true_coefficient"] is None else estimate(row["true_coefficient"], sign=True),
            "against truth": row["against_truth"] or NONE,
        }
        for row in findings.to_dicts()
    ]
    cells = pl.DataFrame(rows)
    return cells if known or cells.is_empty() else cells.drop("truth", "against truth")


def _with_interval(row: dict[str, float | None]) -> str:
    """An estimate with its interval, all three to the same number of decimals unless they are small."""
    values = [row[name] for name in ("coefficient", "ci_low", "ci_high")]
    is_small = all(value is None or abs(value) < _SMALL for value in values)
    value, low, high = (estimate(each, sign=True) if is_small or each is None else f"{each:+.2f}" for each in values)
    return f"{value} [{NONE if row['ci_low'] is None else f'{low}, {high}'}]"


@dataclass(frozen=True, eq=False, repr=False)
class Summary:
    """A table of findings, between a headline and remarks; ``print`` it, or let a notebook show it.

    Args:
        headline: How the model was fitted, to what, and how well.
        findings: What it has found.
        remarks: What to know before using the numbers.
        level: Confidence level of the intervals, between 0 and 1.
    """

    headline: str
    findings: pl.DataFrame
    remarks: Sequence[str]
    level: float

    @property
    def _cells(self) -> pl.DataFrame:
        cells = finding_cells(self.findings, self.level)
        # A table of one's own has no groups.
        return cells if cells.is_empty() or cells["group"].n_unique() > 1 else cells.drop("group")

    @property
    def _notes(self) -> list[str]:
        covered = coverage_sentence(self.findings, self.level)
        return [*([covered] if covered else []), FINDING_MARKS, *self.remarks]

    def __repr__(self) -> str:
        with pl.Config(
            tbl_rows=-1,
            tbl_cols=-1,
            tbl_width_chars=200,
            fmt_str_lengths=60,
            tbl_hide_column_data_types=True,
            tbl_hide_dataframe_shape=True,
        ):
            table = str(html.shown_frame(self._cells))
        return "\n".join([html.as_line(self.headline), table, *map(html.as_line, self._notes)])

    def _repr_html_(self) -> str:
        return html.notebook_html(self.headline, frames=[self._cells], notes=self._notes, most_rows=-1)
