"""Deliveries of events: their event times, whether two with one identifier agree, and how often each came again.

Stores that took parts of one stream each kept the first delivery that came to it. Which one was first of all is known
only when the stores are merged. Whether the others are then duplicates or conflicts depends on their contents, so a
hash of the content of every redelivery is kept.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.events.event_time import DELIVERY_LAG, EVENT_TIME, ORIGINAL_TIME
from analytics.events.times import EARLIEST, HOUR_MS
from analytics.events.tracking_plan import EVENT_SCHEMA, UTC_MS
from analytics.store.seen_ids import Hours, IdHashes, Verdict

CONTENT_COLUMNS: Final = tuple(name for name in EVENT_SCHEMA if name not in {"sent_at", "received_at", "timestamp"})
"""The columns that two deliveries of one event have in common; the others depend on when each was delivered."""


_NEVER: Final = int(np.iinfo(np.int64).max)
_LONGEST_REDELIVERY: Final = timedelta(days=30)
"""A clock that is wrong by more is no delivery of days later, but reset."""


def with_event_time(events: pl.DataFrame, skew_ms: int, arrived_at: datetime | None = None) -> tuple[pl.DataFrame, int]:
    """Add the column ``event_time``; impossible times are replaced by the arrival, and by the year 2 at the earliest.

    Args:
        events: Flat events.
        skew_ms: How far ahead of its arrival an event may claim to have happened, in milliseconds.
        arrived_at: When the batch arrived; an event's own claim of a later arrival is ignored.

    Returns:
        The events with their time, and how many claimed an impossible one.
    """
    claimed = events.with_columns(event_time=EVENT_TIME)
    arrival = pl.col("received_at")
    if arrived_at is not None:
        arrival = pl.min_horizontal(arrival, pl.lit(arrived_at, UTC_MS))
    future = pl.col("event_time") > arrival + pl.duration(milliseconds=skew_ms)
    n_future = int(claimed.select(future.sum()).item())
    time = pl.when(future).then(arrival).otherwise("event_time")
    return claimed.with_columns(event_time=pl.max_horizontal(time, pl.lit(EARLIEST, UTC_MS))), n_future


def redelivered_ms(events: pl.DataFrame, window_hours: int) -> NDArray[np.int64]:
    """Original times of deliveries that came so late that their identifiers may be forgotten; shape (events,).

    Args:
        events: Flat events.
        window_hours: Hours in which identifiers are remembered, the current one included.

    Returns:
        Epoch milliseconds; the largest number for all other deliveries.
    """
    shortest = timedelta(hours=max(window_hours - 1, 1))
    longest = (events["received_at"] - events["sent_at"]).max()
    # Nearly every batch, and found without a query.
    if not isinstance(longest, timedelta) or longest <= shortest:
        return np.full(events.height, _NEVER)
    wanted = DELIVERY_LAG.is_between(shortest, _LONGEST_REDELIVERY, closed="right")
    return events.select(pl.when(wanted).then(ORIGINAL_TIME.dt.epoch("ms")).fill_null(_NEVER)).to_series().to_numpy()


def event_times_ms(events: pl.DataFrame) -> NDArray[np.int64]:
    """The column ``event_time`` in epoch milliseconds; shape (events,)."""
    return events["event_time"].dt.epoch("ms").to_numpy()


def event_hours(events: pl.DataFrame) -> Hours:
    """The beginning of the hour of each event, by its ``event_time``, in epoch milliseconds; shape (events,)."""
    times = event_times_ms(events)
    return times - times % HOUR_MS


def id_hashes(events: pl.DataFrame) -> IdHashes:
    """Hash of each event's ``message_id``; the store remembers it instead of the text. Shape (events,)."""
    return events["message_id"].hash().to_numpy()


def contents(deliveries: pl.DataFrame) -> pl.DataFrame:
    """The content columns of deliveries, in a form that compares between processes.

    Categories become texts: their physical codes depend on the order in which a process first saw them.
    """
    return deliveries.select(CONTENT_COLUMNS).cast({pl.Categorical: pl.String})


def duplicate_or_conflict(again: pl.DataFrame, first: pl.DataFrame) -> NDArray[np.int8]:
    """Verdict on each redelivery, row by row: a duplicate of the accepted event, or a conflict with it.

    Args:
        again: :func:`contents` of the redeliveries.
        first: Contents of the accepted events with the same identifiers; nulls where none was found.
    """
    is_same = again.hstack(first.rename("first_{}".format)).select(_IS_SAME).to_series()
    return np.where(is_same.to_numpy(), Verdict.DUPLICATE, Verdict.CONFLICT).astype(np.int8)


# Built once: it has an expression for each content column.
_IS_SAME: Final = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"first_{name}")) for name in CONTENT_COLUMNS)


REDELIVERIES_SCHEMA: Final = pl.Schema({"id": pl.UInt64(), "body": pl.UInt64(), "hour": pl.Int64(), "n": pl.UInt32()})
"""Columns of :meth:`Redeliveries.table`; their names are part of the files of a store in a folder."""

_MAX_PARTS: Final = 64


def content_hashes(contents: pl.DataFrame) -> pl.Series:
    """Hash of each row of :func:`contents`, named ``body``; equal hashes mean equal contents."""
    return contents.hash_rows().alias("body")


class Redeliveries:
    """How often each identifier was delivered again and with which content, while its event is in the window.

    Args:
        table: Columns ``id`` and ``body`` (hashes of identifier and content), ``hour`` of the accepted event in epoch
            milliseconds, and ``n``, the number of redeliveries.
    """

    def __init__(self, table: pl.DataFrame | None = None) -> None:
        self._parts = [REDELIVERIES_SCHEMA.to_frame() if table is None else table]

    def add(self, ids: IdHashes, content_hashes: pl.Series, hours: Hours) -> None:
        """Count redeliveries.

        Args:
            ids: Hash of each one's identifier.
            content_hashes: Hash of each one's content; see :func:`content_hashes`.
            hours: Hour of the accepted event that each one repeats.
        """
        part = pl.DataFrame({"id": ids, "body": content_hashes, "hour": hours})
        self._parts.append(part.with_columns(n=pl.lit(1, pl.UInt32())))
        # Grouping at every batch would cost more than the batch itself.
        if len(self._parts) > _MAX_PARTS:
            self._parts = [self.table()]

    def forget_before(self, floor: int) -> None:
        """Drop redeliveries of events that happened before this hour."""
        self._parts = [part.filter(pl.col("hour") >= floor) for part in self._parts]

    def since(self, start: int) -> pl.DataFrame:
        """The rows of :meth:`table` that repeat events of this hour or a later one."""
        return self.table().filter(pl.col("hour") >= start)

    def table(self) -> pl.DataFrame:
        """One row for each identifier and content, sorted by them."""
        keys = REDELIVERIES_SCHEMA.names()[:-1]
        return pl.concat(self._parts).group_by(keys).agg(pl.col("n").sum()).sort(keys)
