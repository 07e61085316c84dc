"""The visits that can be fitted: at risk, completed, and with a number in every column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from analytics.errors import VisitTableError
from analytics.signals.definitions import VISIT_OUTCOME_COLUMNS

_BINARY_TYPES: Final = (pl.Boolean(), pl.Null())
"""Types besides numbers that a signal may have; a column without any value is refused as missing."""


_MOST: Final = 1e70
"""Largest value of a signal: the square of a product of two is a number, and so is its reciprocal."""


def eligible_visits(visits: pl.DataFrame, signals: Sequence[str]) -> pl.DataFrame:
    """Return the visits at risk and completed: a first request was possible, and the outcome is known.

    Args:
        visits: A visit table.
        signals: Names of the signals.

    Raises:
        VisitTableError: A column is missing, is not numeric, or has no finite value in an eligible visit; or an outcome
            column has values other than 0 and 1.
    """
    outcomes = list(VISIT_OUTCOME_COLUMNS)
    missing = [name for name in (*signals, *outcomes) if name not in visits.columns]
    if missing:
        raise VisitTableError(
            f"the visit table has no column {', '.join(missing)}; make it with analytics.visit_table()"
        )
    refuse_gaps(visits, outcomes)
    # Tables from elsewhere have 1 and 0 for true and false. Half a request would be fitted without an error.
    _refuse_other_than_binary(visits, outcomes)
    visits = visits.with_columns(pl.col(outcomes).cast(pl.Boolean))
    is_eligible = visits["at_risk"] & ~visits["censored"]
    # A table of eligible visits alone is not copied: it may be large.
    eligible = visits if is_eligible.all() else visits.filter(is_eligible)
    refuse_gaps(eligible, signals)
    return eligible


def refuse_gaps(visits: pl.DataFrame, names: Sequence[str]) -> None:
    """Refuse columns that are not numeric, have no finite value in some rows, or values of no reasonable unit.

    Args:
        visits: A table with these columns.
        names: Names of the columns.

    Raises:
        VisitTableError: One is so; the message names it and counts the rows.
    """
    types = {name: visits.schema[name] for name in names}
    others = [
        f"{name} ({dtype})" for name, dtype in types.items() if not (dtype.is_numeric() or dtype in _BINARY_TYPES)
    ]
    if others:
        raise VisitTableError(
            f"neither numeric nor boolean: {', '.join(others)}; make a separate signal of each value of interest"
        )
    finite = visits.select(pl.col(name).cast(pl.Float64).is_finite().fill_null(value=False) for name in names)
    faulty = [f"{name} ({visits.height - int(finite[name].sum())})" for name in names if not finite[name].all()]
    if faulty:
        raise VisitTableError(
            f"some rows have no value (null, NaN or infinite) in {', '.join(faulty)}; fill them or drop those visits"
        )
    largest = {name: abs(visits[name]).cast(pl.Float64).max() for name in names if types[name].is_numeric()}
    for name, value in largest.items():
        if isinstance(value, float) and value and not 1 / _MOST < value < _MOST:
            raise VisitTableError(f"{name}: its largest value is {value:g}; give it in a unit in which it is near 1")


def _refuse_other_than_binary(visits: pl.DataFrame, names: Sequence[str]) -> None:
    faulty = [name for name in names if not visits[name].cast(pl.Float64).is_in([0.0, 1.0]).all()]
    if faulty:
        raise VisitTableError(f"values other than 0 and 1 in some rows: {', '.join(faulty)}")
