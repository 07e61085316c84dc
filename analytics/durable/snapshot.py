"""A store that can say what it knows, and be told it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.durable.journal_file import Record
from analytics.durable.records import RecordKind, read_batch, read_moment
from analytics.events.dead_letters import DeadLetter
from analytics.events.times import HOUR_MS, moment
from analytics.io.flatten import Flattened
from analytics.io.position import Offset, SourcePosition
from analytics.store.buckets import HourReports
from analytics.store.counts import Counts, StoreCounters
from analytics.store.deliveries import Redeliveries, hashes, ms
from analytics.store.event_store import EventStore
from analytics.store.hour import NO_TIMED_EVENTS
from analytics.store.window import HourWindow

__all__ = ["RestorableStore", "hours_of"]


def hours_of(events: pl.DataFrame) -> NDArray[np.int64]:
    """The hour in which each event happened, in epoch milliseconds; by the column ``event_time``."""
    times = ms(events["event_time"])
    return times - times % HOUR_MS


class RestorableStore(EventStore):
    """An event store whose knowledge is a summary, what was repeated, the window's events, and the last dead letters.

    The summary is plain data: counts, stream time, and what readers have been told. Which identifiers are remembered
    follows from the events.

    Args:
        window_hours: Hours in the window.
        skew_seconds: How far ahead of its arrival an event may claim to have happened, in seconds.
        max_dead_letters: Dead letters kept.

    Attributes:
        offsets: How far each source has been read, by its name.
    """

    def __init__(self, window_hours: int, skew_seconds: float, *, max_dead_letters: int = 1000) -> None:
        super().__init__(window_hours, skew_seconds, max_dead_letters=max_dead_letters)
        self.offsets: dict[str, Offset] = {}

    @property
    def summary(self) -> dict[str, Any]:
        """Counts, stream time and what readers have been told, as plain data."""
        return {
            "stream_ms": self._hours.stream_ms,
            "tallies": self._tallies.to_dict(),
            "reports": self._hours.reports.to_dict(),
        }

    @property
    def repeats(self) -> pl.DataFrame:
        """What was delivered again; see :meth:`analytics.repeats.Redeliveries.table`."""
        return self._repeats.table()

    def restore(
        self,
        summary: Mapping[str, Any],
        repeats: pl.DataFrame | None,
        events: Iterable[pl.DataFrame],
        letters: Iterable[DeadLetter],
    ) -> None:
        """Tell a new store what another one knew.

        Args:
            summary: Its summary.
            repeats: What was delivered to it again, if anything was.
            events: Its accepted events, flat and with their ``event_time``, in any order and number of tables; those
                that have left the window are left out.
            letters: The last of its dead letters, as long as they may be.
        """
        self._hours.stream_ms = summary["stream_ms"]
        floor = next(iter(self._hours.hours), 0)
        for table in events:
            self._take_back(table.filter(hours_of(table) >= floor).select(NO_TIMED_EVENTS.columns), floor)
        super()._record_dead_letters(tuple(letters))
        self._repeats = Redeliveries(repeats)
        self._tallies = StoreCounters.from_dict(summary["tallies"])
        self._hours.reports = HourReports.from_dict(summary["reports"])

    def replay(self, record: Record) -> int:
        """Do again what a record of the journal says, and return the number of events in it."""
        if record.kind == RecordKind.MOMENT:
            super().advance_to(moment(read_moment(record.payload)))
            return 0
        if record.kind == RecordKind.REPORT:
            self._hours.buckets()
            return 0
        batch, position, arrived_at = read_batch(record.payload)
        self.apply(batch, position, arrived_at)
        return batch.n_received

    def apply(self, batch: Flattened, position: SourcePosition | None, arrived_at: datetime | None) -> Counts:
        """Take a batch in memory, and note where its source stands after it."""
        counts = super().append_flattened(batch, arrived_at=arrived_at)
        if position is not None:
            self.offsets[position.source] = position.offset
        return counts

    def _take_back(self, events: pl.DataFrame, floor: int) -> None:
        """Hold events again that were accepted before."""
        if events.height:
            hours = hours_of(events)
            # Not as a subclass may have it: what is taken back is not new to one that writes down what is.
            HourWindow.keep(self._hours, events, hours)
            self._seen.remember(hashes(events["message_id"]), hours, floor)
            self._hours.spill_past_hours()
