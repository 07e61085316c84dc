"""Deliveries of events: when each happened, whether two with one identifier agree, and those that were not kept.

Stores that took parts of one stream each kept the first delivery that came to it. Which was the first of all is seen
when they are merged; whether the others are then duplicates of it or conflicts depends on what each of them said.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.events.enrichment import event_times
from analytics.events.times import EARLIEST
from analytics.events.tracking_plan import EVENT_SCHEMA, UTC_MS
from analytics.store.seen_ids import Hashes, Hours, Verdict

__all__ = ["BODY", "REPEATS_SCHEMA", "Redeliveries", "bodies", "compared", "hashes", "ms", "said", "timed"]

BODY: Final = tuple(name for name in EVENT_SCHEMA if name not in {"sent_at", "received_at", "timestamp"})
"""What an event says: the columns that two deliveries of it have in common."""


def timed(events: pl.DataFrame, skew_ms: int, arrived_at: datetime | None = None) -> tuple[pl.DataFrame, int]:
    """Add ``event_time``: the arrival where it is later than it can be, the year 2 where it is before that.

    Args:
        events: Flat events.
        skew_ms: How far ahead of its arrival an event may claim to have happened, in milliseconds.
        arrived_at: When they arrived at the latest; an arrival that they claim after it is not believed.

    Returns:
        The events with their time, and how many claimed an impossible one.
    """
    claimed = events.with_columns(event_times(events))
    arrival = pl.col("received_at")
    if arrived_at is not None:
        arrival = pl.min_horizontal(arrival, pl.lit(arrived_at, UTC_MS))
    future = pl.col("event_time") > arrival + pl.duration(milliseconds=skew_ms)
    n_future = int(claimed.select(future.sum()).item())
    time = pl.when(future).then(arrival).otherwise("event_time")
    return claimed.with_columns(event_time=pl.max_horizontal(time, pl.lit(EARLIEST, UTC_MS))), n_future


def hashes(identifiers: pl.Series) -> Hashes:
    """Hash of each identifier, by which it is remembered."""
    return identifiers.hash().to_numpy()


def said(deliveries: pl.DataFrame) -> pl.DataFrame:
    """What deliveries say, in a form that can be compared: words instead of the codes of one process's vocabularies."""
    return deliveries.select(BODY).cast({pl.Categorical: pl.String})


def compared(one: pl.DataFrame, other: pl.DataFrame) -> NDArray[np.int8]:
    """Whether each delivery is a duplicate of the first one with its identifier or a conflict with it, row by row.

    Args:
        one: What the deliveries say; see :func:`said`.
        other: What the first ones say.
    """
    is_same = one.hstack(other.rename("first_{}".format)).select(_IS_SAME).to_series()
    return np.where(is_same.to_numpy(), Verdict.DUPLICATE, Verdict.CONFLICT).astype(np.int8)


_IS_SAME: Final = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"first_{name}")) for name in BODY)


def ms(times: pl.Series) -> NDArray[np.int64]:
    """Times as epoch milliseconds."""
    return times.dt.epoch("ms").to_numpy()


REPEATS_SCHEMA: Final = pl.Schema({"id": pl.UInt64(), "body": pl.UInt64(), "hour": pl.Int64(), "n": pl.UInt32()})
"""Columns of :meth:`Redeliveries.table`."""

_MOST_PARTS: Final = 64


def bodies(says: pl.DataFrame) -> pl.Series:
    """Hash of each delivery by what it says (see :func:`said`); equal hashes mean equal contents."""
    return says.hash_rows().alias("body")


class Redeliveries:
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
