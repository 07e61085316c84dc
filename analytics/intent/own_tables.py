"""Tables of the user's own, whose columns are signals, outcome, account and weights under any names.

One row is one observation with an outcome of 0 or 1: a visit, a trial, a customer. Here it is checked and brought into
the shape of a visit table, which :meth:`analytics.IntentModel.fit` can fit: text columns become one signal for each
level but the reference, and a row that stands for several is repeated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from analytics.errors import OneOutcomeError, VisitTableError
from analytics.events.identifiers import identifiers
from analytics.intent.table_columns import advice_on, identifier_warnings, kind_of
from analytics.logit.design import INTERCEPT
from analytics.signals.definitions import interaction_parts

_RESERVED: Final = frozenset({INTERCEPT, "requested_demo", "account", "anonymous_id"})
"""Names that a visit table has columns of, and so signals may not have."""

_NAMELESS: Final = re.compile(r"\s*(?:Unnamed: \d+)?")
"""Name of an index that pandas saved in a CSV, and the one by which it reads that again."""

_MOST_LEVELS: Final = 100
_MOST_ROWS: Final = 20_000_000
"""Rows that frequency weights may expand a table to; a column then takes 160 MB."""

Categories = Mapping[str, str | None] | Sequence[str]
"""Text columns and their reference levels; without one it is the first level in the order of text."""


@dataclass(frozen=True)
class TableColumn:
    """A signal that is a column of a table; unlike the others, it is not computed from events.

    Args:
        name: Name of the column.
        dtype: Boolean where it has the values 0 and 1 only, else a float.
        expectation: What an analyst would expect of it, of which nothing is known; or that it is of the baseline.
    """

    name: str
    dtype: pl.DataType = field(default_factory=pl.Float64)
    expectation: Literal["context", "baseline"] = "context"

    @property
    def meaning(self) -> str:
        """Meaning of its value, of which no more is known than the name."""
        return self.name


@dataclass(frozen=True, eq=False)
class OwnTable:
    """A table of the user's own as a visit table.

    Args:
        visits: Signals, ``requested_demo`` (the outcome), ``anonymous_id`` (a number for each row) and, where given,
            ``account``; rows without a value are left out, and those with a weight are repeated.
        signals: The columns that are signals.
        interactions: Products of signals.
        levels: Levels of each text column, the reference first.
        warnings: What was left out, and why.
    """

    visits: pl.DataFrame
    signals: tuple[TableColumn, ...]
    interactions: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    warnings: tuple[str, ...]


def own_table(
    table: Any,  # noqa: ANN401 - whatever Polars reads as a frame
    terms: Sequence[str] | None,
    outcome: str,
    *,
    account: str | None = None,
    weights: str | None = None,
    categories: Categories | None = None,
) -> OwnTable:
    """Check a table, and bring it into the shape of a visit table.

    Args:
        table: A Polars or pandas frame, or what Polars makes a frame of; one row per observation.
        terms: Columns that are signals, and products of them as ``a:b``; all columns with numbers but the other ones
            named here unless given.
        outcome: Column of 0 and 1, or of false and true.
        account: Column of the account, for clustered standard errors. A row without one (null, NaN, or a text that
            stands for nobody; see :func:`analytics.events.identifiers.identifier`) is a cluster of its own.
        weights: Column of frequency weights: how many equal rows a row stands for.
        categories: Text columns with their reference levels.

    Raises:
        VisitTableError: A column cannot be used; the message names it.
        OneOutcomeError: All rows have the same outcome.

    >>> table = {"a": [1, 2, None], "plan": ["pro", "free", "pro"], "y": [1, 0, 1]}
    >>> own = own_table(table, None, "y", categories=["plan"])
    >>> own.visits.columns, own.warnings
    (['a', 'plan=pro', 'requested_demo', 'anonymous_id'], ('1 of 3 rows is left out: no value in a (1)',))
    """
    others = {name for name in (outcome, account, weights) if name is not None}
    frame = _frame(table)
    references = categories if isinstance(categories, Mapping) else dict.fromkeys(categories or ())
    ignored = [] if terms is not None else _unused(frame, others, references)
    wanted = terms if terms is not None else [name for name in frame.columns if name not in {*others, *ignored}]
    names = [name for name in wanted if name in frame.columns or ":" not in name]
    _refuse_names(frame, names, others, references)
    complete, warnings = _complete(frame, [*names, outcome, *([weights] if weights else [])])
    warnings += _unused_warnings(frame, ignored)
    warnings += identifier_warnings(complete[name] for name in names if name not in references)
    encoded = {name: _levels(complete[name], references[name]) for name in names if name in references}
    columns = {name: _expanded(complete[name], encoded.get(name)) for name in names}
    rows = complete.select(
        *(each for expanded in columns.values() for each in expanded),
        _outcome(complete[outcome]).alias("requested_demo"),
        *([] if account is None else [_accounts(complete[account], warnings)]),
    )
    if weights is not None:
        rows = rows[np.repeat(np.arange(rows.height), _frequencies(complete[weights]))]
    _refuse_constant(rows, columns)
    return OwnTable(
        visits=rows.with_columns(anonymous_id=pl.int_range(pl.len()).cast(pl.String)),
        signals=tuple(TableColumn(each.name, each.dtype) for expanded in columns.values() for each in expanded),
        interactions=tuple(_products([term for term in wanted if term not in names], columns)),
        levels=encoded,
        warnings=tuple(warnings),
    )


def with_levels(frame: pl.DataFrame, levels: Mapping[str, tuple[str, ...]]) -> pl.DataFrame:
    """Add the signals of text columns to a frame, to predict its rows.

    Args:
        frame: A table with the text columns.
        levels: Levels of each text column, the reference first.

    Raises:
        VisitTableError: A row has a level that the fit had not.
    """
    for name, known in levels.items():
        if name in frame.columns:
            if unknown := sorted(set(frame[name].cast(pl.String).drop_nulls()) - set(known)):
                raise VisitTableError(f"{name}: the fit had no rows with {', '.join(map(repr, unknown))}")
            frame = frame.with_columns(_expanded(frame[name], known))
    return frame


def _frame(table: Any) -> pl.DataFrame:  # noqa: ANN401
    if isinstance(table, pl.LazyFrame):
        return table.collect()
    if isinstance(table, str | Path):
        raise VisitTableError(f"{table}: is a path, not a table; read the file first, as by polars.read_csv")
    try:
        return pl.DataFrame(table)
    except ImportError:
        # Polars needs pyarrow for text in a pandas frame, where a missing value is a NaN.
        listed = {name: [None if v != v else v for v in values] for name, values in table.to_dict("list").items()}  # noqa: PLR0124
        return pl.DataFrame(listed, strict=False)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise VisitTableError(f"not a table that Polars can read: {error}") from None


def _unused(frame: pl.DataFrame, others: set[str], references: Mapping[str, Any]) -> list[str]:
    """Columns that are no signals by themselves."""
    return [
        name
        for name, dtype in frame.schema.items()
        if name not in others
        and name not in references
        and (_NAMELESS.fullmatch(name) or not (dtype.is_numeric() or dtype == pl.Boolean))
    ]


def _unused_warnings(frame: pl.DataFrame, names: Sequence[str]) -> list[str]:
    kinds = {name: kind_of(frame[name]) for name in names if not _NAMELESS.fullmatch(name)}
    texts = ", ".join(f"{name}, which holds {kind}" if kind else name for name, kind in kinds.items())
    warnings = [f"not among the signals, as they are not numbers: {texts}; categories would use them"] if texts else []
    if any(map(_NAMELESS.fullmatch, names)):
        warnings.append("not among the signals: a column without a name, such as an index saved with the table")
    return warnings


def _refuse_names(frame: pl.DataFrame, names: list[str], others: set[str], references: Mapping[str, Any]) -> None:
    """Refuse columns that are missing, are named twice, or cannot be signals."""
    if missing := [name for name in dict.fromkeys((*names, *sorted(others), *references)) if name not in frame.columns]:
        raise VisitTableError(
            f"the table has no column {', '.join(map(repr, missing))}; its columns are {', '.join(frame.columns)}"
        )
    if not names:
        raise VisitTableError("signals: name at least one column")
    for name in names:
        if names.count(name) > 1 or name in others:
            raise VisitTableError(f"{name}: is given twice, as signal and as outcome, account, weights or signal")
        if name in _RESERVED or ":" in name:
            why = "a colon joins the signals of a product" if ":" in name else "the model has something of this name"
            raise VisitTableError(f"{name}: {why}; rename the column")
        dtype = frame.schema[name]
        if name not in references and not (dtype.is_numeric() or dtype == pl.Boolean):
            raise VisitTableError(f"{name}: is of type {dtype}, neither a number nor boolean; {advice_on(frame[name])}")
    if unused := [name for name in references if name not in names]:
        raise VisitTableError(f"categories: {', '.join(unused)} is not among the signals")


def _complete(frame: pl.DataFrame, used: Sequence[str]) -> tuple[pl.DataFrame, list[str]]:
    """The rows with a value in all these columns, and how many others there are."""
    has_value = frame.select(
        (pl.col(name).is_not_null() & pl.col(name).is_finite().fill_null(value=False))
        if frame.schema[name].is_float()
        else pl.col(name).is_not_null()
        for name in dict.fromkeys(used)
    )
    complete = has_value.select(pl.all_horizontal(pl.all())).to_series()
    n_missing = frame.height - int(complete.sum())
    reasons = ", ".join(f"{name} ({n:,})" for name in has_value.columns if (n := int((~has_value[name]).sum())))
    if n_missing == frame.height:
        raise VisitTableError(
            f"no row has a value in every column; without one are {reasons or 'all: there is no row'}"
        )
    verb = "is" if n_missing == 1 else "are"
    left_out = f"{n_missing:,} of {frame.height:,} rows {verb} left out: no value in {reasons}"
    return frame.filter(complete), [left_out] if n_missing else []


def _outcome(values: pl.Series) -> pl.Series:
    distinct = values.unique().sort()
    if not _is_flag(values):
        shown = ", ".join(map(repr, distinct.head(5)))
        raise VisitTableError(f"{values.name}: an outcome must be 0 or 1, or false or true, in every row (got {shown})")
    if len(distinct) < 2:  # noqa: PLR2004 - 0 and 1
        raise OneOutcomeError(
            f"{values.name}: is {int(distinct[0])} in all {len(values):,} rows, so no coefficient can be estimated"
        )
    return values.cast(pl.Boolean)


def _is_flag(values: pl.Series) -> bool:
    """Whether a column has the values 0 and 1 only, or false and true."""
    is_number = values.dtype == pl.Boolean or values.dtype.is_numeric()
    return is_number and values.cast(pl.Float64).is_in([0.0, 1.0]).all()


def _accounts(values: pl.Series, warnings: list[str]) -> pl.Series:
    """The accounts, null where the value stands for nobody: such rows are no colleagues of each other."""
    given = values.alias("account")
    if given.dtype.is_float():
        return given.fill_nan(None)
    if given.dtype not in {pl.String, pl.Categorical, pl.Enum}:
        return given
    texts = given.cast(pl.String)
    known = texts.to_frame().select(identifiers("account")).to_series()
    nobody = texts.filter(known.is_null()).drop_nulls()
    if not nobody.is_empty():
        shown = ", ".join(map(repr, nobody.unique().sort().head(3)))
        rows = "row has" if len(nobody) == 1 else "rows have"
        warnings.append(
            f"{values.name}: {len(nobody):,} {rows} a text that stands for no "
            f"account ({shown}); each such row is a cluster of its own"
        )
    return known


def _frequencies(values: pl.Series) -> np.ndarray:
    weights = values.cast(pl.Float64, strict=False)
    if not values.dtype.is_numeric() or not ((weights >= 0) & (weights == weights.floor())).all():
        raise VisitTableError(
            f"{values.name}: weights are frequency weights, whole numbers of equal rows that a row stands for"
        )
    if (total := weights.sum()) > _MOST_ROWS:
        raise VisitTableError(
            f"{values.name}: stands for {total:,.0f} rows, more than the {_MOST_ROWS:,} that fit in memory"
        )
    return weights.cast(pl.Int64).to_numpy()


def _levels(values: pl.Series, reference: str | None) -> tuple[str, ...]:
    """The levels of a text column, the reference first."""
    levels = values.cast(pl.String).unique().sort().to_list()
    shown = ", ".join(map(repr, levels[:10]))
    if len(levels) > _MOST_LEVELS:
        raise VisitTableError(f"{values.name}: has {len(levels):,} levels ({shown}, …), more than {_MOST_LEVELS}")
    if reference is not None and str(reference) not in levels:
        raise VisitTableError(f"{values.name}: no row has the reference level {reference!r}; its levels are {shown}")
    if colons := [level for level in levels if ":" in level]:
        raise VisitTableError(f"{values.name}: a colon joins the signals of a product; rename the level {colons[0]!r}")
    first = levels[0] if reference is None else str(reference)
    return (first, *(level for level in levels if level != first))


def _expanded(values: pl.Series, levels: Sequence[str] | None) -> list[pl.Series]:
    """The signals of a column: one for each level but the reference, else the column itself."""
    if levels is not None:
        text = values.cast(pl.String)
        return [(text == level).alias(f"{values.name}={level}") for level in levels[1:]]
    # Whole numbers stay what they are, so that rows of equal values can be collapsed.
    return [
        values.cast(pl.Boolean)
        if _is_flag(values)
        else values
        if values.dtype.is_integer()
        else values.cast(pl.Float64)
    ]


def _refuse_constant(rows: pl.DataFrame, columns: Mapping[str, Sequence[pl.Series]]) -> None:
    """Refuse a table of which no signal varies; the model itself drops single ones."""
    if rows.is_empty() or all(rows[each.name].n_unique() == 1 for expanded in columns.values() for each in expanded):
        raise VisitTableError(f"constant, so that nothing can be estimated: {', '.join(columns)}")


def _products(products: Sequence[str], columns: Mapping[str, Sequence[pl.Series]]) -> list[str]:
    """The products of the signals of columns."""
    terms = []
    for term in products:
        if absent := [part for part in interaction_parts(term) if part not in columns]:
            raise VisitTableError(f"{term}: {', '.join(absent)} is not among the signals")
        factors = [[each.name for each in columns[part]] for part in interaction_parts(term)]
        terms += [":".join(parts) for parts in product(*factors)]
    return terms
