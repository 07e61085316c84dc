"""Deliveries that a store counted and did not keep: duplicates and conflicts of what is in its window.

Stores that took parts of one stream each kept the first delivery that came to it. Which was the first of all is seen
when they are merged, and what the others then are, duplicates of it or conflicts, hangs on what each of them said.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from analytics.seen_ids import Hashes, Hours

__all__ = ["REPEATS_SCHEMA", "Repeats", "bodies"]

REPEATS_SCHEMA: Final = pl.Schema({"id": pl.UInt64(), "body": pl.UInt64(), "hour": pl.Int64(), "n": pl.UInt32()})
"""Columns of :meth:`Repeats.table`."""

_MOST_PARTS: Final = 64


def bodies(says: pl.DataFrame) -> pl.Series:
    """Hash of each delivery by what it says (:func:`analytics.deliveries.said`); equal ones are held to be the same."""
    return says.hash_rows().alias("body")


class Repeats:
    """How often which identifier was delivered again and what was said, for as long as its event is in the window.

    Args:
        table: Columns ``id`` and ``body`` (hashes), ``hour`` of the accepted event in epoch milliseconds, and ``n``.
    """

    def __init__(self, table: pl.DataFrame | None = None) -> None:
        self._parts = [REPEATS_SCHEMA.to_frame() if table is None else table]

    def add(self, ids: Hashes, said: pl.Series, hours: Hours) -> None:
        """Take in deliveries.

        Args:
            ids: Hash of each one's identifier.
            said: Hash of each one's body; see :func:`bodies`.
            hours: Hour of the accepted event that each one repeats.
        """
        part = pl.DataFrame({"id": ids, "body": said, "hour": hours}).with_columns(n=pl.lit(1, pl.UInt32()))
        self._parts.append(part)
        if len(self._parts) > _MOST_PARTS:
            self._parts = [self.table()]

    def forget_before(self, floor: int) -> None:
        """Let go of what repeats events that happened before this hour."""
        self._parts = [part.filter(pl.col("hour") >= floor) for part in self._parts]

    def since(self, start: int) -> pl.DataFrame:
        """The rows of :meth:`table` that repeat events of this hour or a later one."""
        return self.table().filter(pl.col("hour") >= start)

    def table(self) -> pl.DataFrame:
        """One row for each identifier and body, in that order."""
        keys = REPEATS_SCHEMA.names()[:-1]
        return pl.concat(self._parts).group_by(keys).agg(pl.col("n").sum()).sort(keys)
