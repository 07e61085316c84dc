"""Mergeable counts: tables of counts that are combined by addition."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from functools import reduce
from typing import Any, Final, TypeVar

import polars as pl

from analytics.errors import AnalyticsError

_COUNT: Final = pl.UInt32()

Record = TypeVar("Record")


def add_up(parts: Sequence[Record]) -> Record:
    """Add up records of what was counted of different people: dataclasses of one class, at least one.

    Numbers and counters are added, sets united, and tables put one below the other; a truth value is true if any is.

    >>> from collections import Counter
    >>> from analytics.statistics.coverage import NameCounts
    >>> some, others = NameCounts(Counter({"Deal Won": 2})), NameCounts(Counter({"Deal Won": 1}), has_requests=True)
    >>> add_up([some, others])
    NameCounts(unknown=Counter({'Deal Won': 3}), has_requests=True)
    """
    # Any: what a dataclass is cannot be said of a type variable.
    first: Any = parts[0]
    if len(parts) == 1:
        return parts[0]
    added: Record = replace(
        first, **{each.name: _sum([getattr(part, each.name) for part in parts]) for each in fields(first)}
    )
    return added


def _sum(values: Sequence[Any]) -> object:
    first = values[0]
    if isinstance(first, pl.DataFrame):
        return pl.concat(values)
    if isinstance(first, bool | frozenset):
        return reduce(operator.or_, values)
    return add_up(values) if hasattr(first, "__dataclass_fields__") else reduce(operator.add, values)


class MergeableCounts:
    """Counts by keys such as hour and country.

    Addition is associative and commutative, with the empty table as zero. So counts can be made separately, by hour or
    by groups of visitors, and be combined in any order. This holds for counts to which each event or visitor
    contributes independently. *Distinct* visitors of two hours do not add up to those of both, unless each visitor is
    in one part only.

    Args:
        table: One row per item or group of items; rows with equal keys are added. Null is a key like others.
        keys: Columns to count by; possibly none.

    >>> hours = [MergeableCounts(pl.DataFrame({"country": ["DE", "FR"], "n": [1, n]}), ["country"]) for n in (2, 5)]
    >>> (hours[0] + hours[1]).table.sort("country")["n"].to_list()
    [2, 7]
    """

    def __init__(self, table: pl.DataFrame, keys: Sequence[str]) -> None:
        self._keys = tuple(keys)
        self._names = tuple(name for name in table.columns if name not in self._keys)
        counts = pl.col(self._names).sum().cast(_COUNT)
        self._table = table.group_by(self._keys).agg(counts) if self._keys else table.select(counts)

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the key columns."""
        return self._keys

    @property
    def table(self) -> pl.DataFrame:
        """One row per combination of keys that occurs, in any order; a single row without keys."""
        return self._table

    @classmethod
    def sum(cls, counts: Iterable[MergeableCounts]) -> MergeableCounts:
        """Return the sum of several counts.

        Args:
            counts: At least one, all with the same columns.

        Raises:
            AnalyticsError: Their columns differ.
        """
        parts = list(counts)
        if len(parts) == 1:
            return parts[0]
        if len({(part.keys, tuple(part.table.schema.items())) for part in parts}) != 1:
            raise AnalyticsError("these counts have different columns and cannot be added")
        return cls(pl.concat([part.table for part in parts]), parts[0].keys)

    def __add__(self, other: MergeableCounts) -> MergeableCounts:
        return MergeableCounts.sum([self, other])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MergeableCounts) or self.keys != other.keys:
            return False
        mine, others = (counts.table.sort(counts.keys) if counts.keys else counts.table for counts in (self, other))
        return mine.equals(others)

    def __hash__(self) -> int:
        return hash((self._keys, self._names))
