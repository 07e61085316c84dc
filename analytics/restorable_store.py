"""A store that can say what it knows, and be told it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.dead_letters import DeadLetter, DeadLetterReason
from analytics.event_store import Counts, EventStore, HourBucket
from analytics.events import EVENT_SCHEMA
from analytics.journal_records import RecordKind, read_batch, read_moment
from analytics.journal_segments import Record
from analytics.source_position import Offset, SourcePosition
from analytics.tracking import Flattened

__all__ = ["KEPT", "RestorableStore", "hours_of"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_MS: Final = 3_600_000
KEPT: Final = [*EVENT_SCHEMA.names(), "event_time"]
"""Columns of the events that a store must be told to be brought back."""


def hours_of(events: pl.DataFrame) -> NDArray[np.int64]:
    """The hour in which each event happened, in epoch milliseconds; by the column ``event_time``."""
    times: NDArray[np.int64] = events["event_time"].dt.epoch("ms").to_numpy()
    return times - times % _HOUR_MS


class RestorableStore(EventStore):
    """An event store whose knowledge is a tally, the accepted events of the window, and the last dead letters.

    The tally is plain data: counts and stream time. Which identifiers are remembered follows from the events.

    Args:
        window_hours: Hours in the window.
        skew_seconds: How far ahead of its arrival an event may claim to have happened, in seconds.
        max_dead_letters: Dead letters kept.
        on_evict: Called with each hour that leaves the window with events in it.

    Attributes:
        offsets: How far each source has been read, by its name.
    """

    def __init__(
        self,
        window_hours: int,
        skew_seconds: float,
        *,
        max_dead_letters: int = 1000,
        on_evict: Callable[[HourBucket], None] | None = None,
    ) -> None:
        super().__init__(window_hours, skew_seconds, max_dead_letters=max_dead_letters, on_evict=on_evict)
        self.offsets: dict[str, Offset] = {}

    @property
    def tally(self) -> dict[str, Any]:
        """What the store has counted so far, and stream time, as plain data."""
        return {
            "stream_ms": self._stream_ms,
            "counts": asdict(self.counts),
            "n_future": self.n_future,
            "accepted_by_type": dict(self._accepted_by_type),
            "invalid_by_reason": {str(reason): n for reason, n in self._invalid_by_reason.items()},
            "late_ms_sum": self._late_ms_sum,
            "late_ms_max": self._late_ms_max,
        }

    def restore(self, tally: Mapping[str, Any], events: Iterable[pl.DataFrame], letters: Iterable[DeadLetter]) -> None:
        """Tell a new store what another one knew.

        Args:
            tally: What it had counted.
            events: Its accepted events, flat and with their ``event_time``, in any order and number of tables; those
                that have left the window are left out.
            letters: The last of its dead letters, as long as they may be.
        """
        self._stream_ms = tally["stream_ms"]
        floor = self._hours()[0] if self._stream_ms is not None else 0
        for table in events:
            self._take_back(table.filter(hours_of(table) >= floor), floor)
        super()._bury(tuple(letters))
        self.counts = Counts(**tally["counts"])
        self.n_future = tally["n_future"]
        self._accepted_by_type = Counter(tally["accepted_by_type"])
        by_reason = {DeadLetterReason(reason): n for reason, n in tally["invalid_by_reason"].items()}
        self._invalid_by_reason = Counter(by_reason)
        self._late_ms_sum = tally["late_ms_sum"]
        self._late_ms_max = tally["late_ms_max"]

    def replay(self, record: Record) -> int:
        """Do again what a record of the journal says, and return the number of events in it."""
        if record.kind == RecordKind.MOMENT:
            super().advance_to(_EPOCH + timedelta(milliseconds=read_moment(record.payload)))
            return 0
        batch, position = read_batch(record.payload)
        self.apply(batch, position)
        return batch.n_received

    def apply(self, batch: Flattened, position: SourcePosition | None) -> Counts:
        """Take a batch in memory, and note where its source stands after it."""
        counts = super().append_flattened(batch)
        if position is not None:
            self.offsets[position.source] = position.offset
        return counts

    def _take_back(self, events: pl.DataFrame, floor: int) -> None:
        """Hold events again that were accepted before."""
        if events.height:
            hours = hours_of(events)
            # Not that of a subclass: what is taken back is not new to one that writes down what is.
            super()._keep(events.select(KEPT), hours)
            self._seen.remember(events["message_id"].hash().to_numpy(), hours, floor)
            self._spill_past_hours()
