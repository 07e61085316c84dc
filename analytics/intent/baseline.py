"""The baseline of the hazard: how the odds of a request change with the number of the visit, or with time.

A baseline that is constant needs no term but the intercept. Otherwise it is a restricted cubic spline of the logarithm
of the visit number, or of the days since the visitor's first visit, whose columns are terms of the model like signals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import polars as pl

from analytics.errors import VisitTableError
from analytics.intent.own_tables import TableColumn
from analytics.logit.clusters import VISITOR_COLUMNS
from analytics.logit.matrix import Floats
from analytics.logit.splines import knots_of, restricted_cubic

BaselineKind = Literal["constant", "visit_number", "time"]
"""What the odds of a request change with, besides the signals.

``constant``: nothing. ``visit_number``: the logarithm of the visit number. ``time``: days since the first visit.
"""

BASELINE_COLUMNS: Final = ("visit", "started_at")
"""Columns of the visit table that the baseline, and curves and checks over visits and time, need."""

_NAMES: Final = {
    "constant": (),
    "visit_number": ("visit_number", "visit_number_nonlinear_1", "visit_number_nonlinear_2"),
    "time": ("days_since_first_visit", "days_since_first_visit_nonlinear_1", "days_since_first_visit_nonlinear_2"),
}
_MEANINGS: Final = {
    "visit_number": "the logarithm of the visit number",
    "days_since_first_visit": "days since the first visit",
}
_MS_PER_DAY: Final = 86_400_000
_COMMON: Final = 0.95
"""Share of the later visits between the outermost knots, beyond which the spline is straight."""


def baseline_names(kind: BaselineKind) -> tuple[str, ...]:
    """Return the names of the terms of a baseline; a fit has fewer of them where values are few.

    Args:
        kind: Kind of the baseline.

    >>> baseline_names("visit_number")
    ('visit_number', 'visit_number_nonlinear_1', 'visit_number_nonlinear_2')
    """
    return _NAMES[kind]


@dataclass(frozen=True)
class BaselineTerm(TableColumn):
    """A term of the baseline.

    Args:
        name: Name of the term.
        dtype: A float.
        expectation: That it belongs to the baseline.
    """

    expectation: Literal["context", "baseline"] = "baseline"

    @property
    def meaning(self) -> str:
        """Meaning of its value."""
        of, *bend = self.name.split("_nonlinear_")
        return f"bend {bend[0]} of the spline of {_MEANINGS[of]}" if bend else _MEANINGS[of]


@dataclass(frozen=True, eq=False)
class Baseline:
    """The baseline of a fit.

    Args:
        kind: What the odds change with.
        knots: Knots of the spline; None where it is linear, or the baseline constant.
        n_begun_before: Visitors whose first visit is not in the table, so that days count from a later one; always 0
            but for ``time``.
    """

    kind: BaselineKind = "constant"
    knots: Floats | None = None
    n_begun_before: int = 0

    @classmethod
    def of(cls, visits: pl.DataFrame, kind: BaselineKind) -> Baseline:
        """Choose the knots by the visits of a fit.

        Of the different values, the largest ones left out that have 5 % of the visits after the first, 4 or else 3
        knots lie at Harrell's quantiles (see :func:`analytics.logit.splines.knots_of`). There must be more different
        values than knots; otherwise the baseline is linear.

        Args:
            visits: Eligible visits.
            kind: Kind of the baseline.

        Raises:
            VisitTableError: A column is missing, or a visit has no number or time.

        >>> visits = pl.DataFrame({"visit": [1, 1, 1, 2, 2, 3]})
        >>> [term.name for term in Baseline.of(visits, "visit_number").terms]
        ['visit_number']
        """
        if kind == "constant":
            return cls()
        values = _values(visits, kind)
        later = values[values > 0]
        distinct = np.unique(values[values <= np.quantile(later, _COMMON, method="higher")]) if len(later) else later
        knots = next((knots_of(distinct, n) for n in (4, 3) if len(distinct) > n), None)
        return cls(kind, knots, _n_begun_before(visits) if kind == "time" else 0)

    @property
    def terms(self) -> tuple[BaselineTerm, ...]:
        """The terms: the linear one first."""
        n = 1 if self.knots is None else len(self.knots) - 1
        return tuple(BaselineTerm(name) for name in _NAMES[self.kind][:n])

    def added(self, visits: pl.DataFrame) -> pl.DataFrame:
        """Add the columns of the terms to a visit table.

        Args:
            visits: A visit table; for ``time``, with all visits of its visitors so far.

        Raises:
            VisitTableError: A column is missing, or a visit has no number or time.
        """
        if not self.terms:
            return visits
        values = _values(visits, self.kind)
        columns = values[:, np.newaxis] if self.knots is None else restricted_cubic(values, self.knots)
        return visits.with_columns(pl.Series(term.name, each) for term, each in zip(self.terms, columns.T, strict=True))

    @property
    def warnings(self) -> list[str]:
        """What to know before using it."""
        if not self.n_begun_before:
            return []
        n = f"{self.n_begun_before:,} visitors began before the visits of this table"
        return [f"{n}: their days count from the first visit here; visit_number as the baseline counts earlier ones"]


def visit_numbers(visits: pl.DataFrame) -> pl.Series:
    """Return the number of each visit, from 1.

    Args:
        visits: A table with the column ``visit``.

    Raises:
        VisitTableError: The column is missing, or a visit has no whole number from 1.
    """
    _require(visits, ["visit"])
    numbers = visits["visit"]
    if not numbers.dtype.is_integer() or not (numbers >= 1).fill_null(value=False).all():
        raise VisitTableError("visit: must be the number of each visit of its visitor, from 1, in every row")
    return numbers


def days_since_first(visits: pl.DataFrame) -> pl.Series:
    """Return the days of each visit since the first one of its visitor in the table.

    Args:
        visits: A table with visitors and the column ``started_at``.

    Raises:
        VisitTableError: A column is missing, or a visit has no time.
    """
    visitor = _visitor(visits)
    _require(visits, ["started_at"])
    began = pl.col("started_at")
    if not visits["started_at"].dtype.is_temporal() or visits["started_at"].null_count():
        raise VisitTableError("started_at: must be a time in every row, for the days since the first visit")
    since = (began - began.min().over(visitor)).dt.total_milliseconds() / _MS_PER_DAY
    return visits.select(since.alias("day")).to_series()


def _values(visits: pl.DataFrame, kind: BaselineKind) -> Floats:
    """The variable of the baseline, 0 at the first visit."""
    if kind == "visit_number":
        return np.asarray(np.log(visit_numbers(visits).to_numpy()), dtype=np.float64)
    return np.asarray(days_since_first(visits).to_numpy(), dtype=np.float64)


def _n_begun_before(visits: pl.DataFrame) -> int:
    first = visits.select(visit_numbers(visits).alias("visit"), _visitor(visits)).group_by(_visitor(visits))
    return int((first.agg(pl.col("visit").min())["visit"] > 1).sum())


def _visitor(visits: pl.DataFrame) -> str:
    """Column of the visitor."""
    found = next((name for name in VISITOR_COLUMNS if name in visits.columns), VISITOR_COLUMNS[0])
    _require(visits, [found])
    return found


def _require(visits: pl.DataFrame, names: Sequence[str]) -> None:
    if missing := [name for name in names if name not in visits.columns]:
        raise VisitTableError(
            f"the table has no column {', '.join(missing)}, which the hazard over visits or time needs; make it with "
            "analytics.visit_table()"
        )
