"""Counts that add up: tables of what was counted apart, under the same keys, become one by adding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl

from analytics.errors import AnalyticsError

__all__ = ["MergeableCounts"]

_COUNT: Final = pl.UInt32()


class MergeableCounts:
    """How often what happened, by keys such as hour and country.

    Adding is associative and commutative, and the empty table changes nothing: so counts can be made wherever the
    events are, hour by hour or visitors by visitors, and be put together in any order. That holds of everything each
    event or each visitor is counted in by itself. *Distinct* visitors of two hours do not add up to those of both; they
    do where each visitor is in one part only.

    Args:
        table: One row per thing counted or group of them; rows of equal keys are added up. A missing key is a key.
        keys: Columns that say what is counted; possibly none.
    """

    def __init__(self, table: pl.DataFrame, keys: Sequence[str]) -> None:
        self._keys = tuple(keys)
        self._names = tuple(name for name in table.columns if name not in self._keys)
        counts = pl.col(self._names).sum().cast(_COUNT)
        self._table = table.group_by(self._keys).agg(counts) if self._keys else table.select(counts)

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the columns that say what is counted."""
        return self._keys

    @property
    def table(self) -> pl.DataFrame:
        """One row per combination of keys that occurs, in any order; a single row where there are no keys."""
        return self._table

    @classmethod
    def sum(cls, counts: Iterable[MergeableCounts]) -> MergeableCounts:
        """Add up, all at once.

        Args:
            counts: At least one, all with the same columns.

        Raises:
            AnalyticsError: They do not count the same things.
        """
        parts = list(counts)
        if len(parts) == 1:
            return parts[0]
        if len({(part.keys, tuple(part.table.schema.items())) for part in parts}) != 1:
            raise AnalyticsError("these counts count different things; only those of equal columns add up")
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
