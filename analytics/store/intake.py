"""What all event stores have in common: what was counted of the events, and how they come in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import polars as pl

from analytics.events.dead_letters import DeadLetter, DeadLetterReason
from analytics.events.times import moment, moment_ms
from analytics.events.tracking_plan import CallType
from analytics.io.flatten import Flattened
from analytics.io.ndjson import decode, read_ndjson
from analytics.io.position import Offset, SourcePosition
from analytics.io.row_validation import usable_events
from analytics.store.counts import Counts, Lateness, StoreCounters
from analytics.store.window import HourWindow


class JudgedEvents(ABC):
    """The counts of events that were judged, and the dead letters among them.

    Attributes:
        dead_letters: The latest dead letters, oldest first; ``dead_letter_counts`` has all.
    """

    dead_letters: deque[DeadLetter]

    @abstractmethod
    def _counted(self) -> StoreCounters:
        """The counts of the whole stream so far."""

    @property
    def counts(self) -> Counts:
        """What became of all events so far."""
        return self._counted().counts

    @property
    def counts_again(self) -> Counts:
        """What became of the events that were taken in again after they had been invalid or late."""
        return self._counted().again

    @property
    def n_accepted(self) -> int:
        """Accepted events, those that were taken in again included."""
        return self.counts.accepted + self.counts_again.accepted

    @property
    def n_forgotten(self) -> int:
        """Accepted events that were removed later, with the person they are of."""
        return self._counted().forgotten

    @property
    def n_future(self) -> int:
        """Events whose claimed time was impossible."""
        return self._counted().n_future

    @property
    def ignored_times(self) -> Mapping[str, int]:
        """Times that could not be read, by their keys, of events that have others."""
        return dict(self._counted().ignored_times)

    @property
    def lateness(self) -> Lateness:
        """How late the late events were, over the whole stream."""
        return self._counted().lateness

    @property
    def counts_by_type(self) -> Mapping[str, int]:
        """Accepted events of each of the six calls, over the whole stream."""
        return {call.value: self._counted().accepted_by_type[call.value] for call in CallType}

    @property
    def dead_letter_counts(self) -> Mapping[DeadLetterReason, int]:
        """Dead letters by reason, also of those no longer kept."""
        return dict(self._counted().invalid_by_reason)


class EventIntake(JudgedEvents):
    """What the store in memory and the one in a folder have in common.

    Tables and NDJSON become flat batches, which each store takes in its own way; the counts of both are those of a
    store in memory.

    Attributes:
        offsets: How far each source has been read, by its name; empty in a merged store.
    """

    offsets: dict[str, Offset]

    @abstractmethod
    def _held(self) -> HourWindow:
        """The hours in memory."""

    @property
    def stream_time(self) -> datetime | None:
        """The latest event time so far, which never falls; None before the first event."""
        stream_ms = self._held().stream_ms
        return None if stream_ms is None else moment(stream_ms)

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """Beginning, included, and end, excluded, of the hours in the window; None before the first event."""
        hours = self._held().hours
        return (moment(hours.start), moment(hours.stop)) if hours else None

    @abstractmethod
    def append_flattened(
        self,
        batch: Flattened,
        position: SourcePosition | None = None,
        *,
        arrived_at: datetime | None = None,
        file: Path | None = None,
        again: bool = False,
    ) -> Counts:
        """Take a batch that :func:`analytics.io.flatten.flatten` or :mod:`analytics.io.ndjson` has made.

        Args:
            batch: The events and dead letters.
            position: Position of the batch's source after it, if the source can be resumed; see ``offsets``.
            arrived_at: When the batch arrived, as for :meth:`append`; the batch was flattened with it too.
            file: As for :meth:`append`.
            again: Whether its events came before and could not be used then; they are counted apart.
        """

    def append(self, events: pl.DataFrame, *, arrived_at: datetime | None = None, file: Path | None = None) -> Counts:
        """Take a table of events; the state is as if its rows had come one by one.

        Args:
            events: Table of events in order of arrival; see :func:`analytics.events.enrichment.conform`. Rows without
                identifier get a fingerprint, unusable rows become dead letters.
            arrived_at: When the batch arrived, with a time zone, if the stream is live; see rule 2 of
                :mod:`analytics.store.event_store`.
            file: A Parquet file that holds just these events, if there is one. A store that spills to files then need
                not write them again; the file may be deleted, but not changed, as soon as this returns.

        Returns:
            What became of the rows.

        Raises:
            EventFrameError: A column has a type that cannot hold what the tracking plan says.
            AnalyticsError: The moment has no time zone, or is outside the years that events can be in.
        """
        _check_moment(arrived_at)
        usable = usable_events(events, arrived_at=arrived_at)
        # A file with other rows than those of use is not the batch.
        return self.append_flattened(usable, arrived_at=arrived_at, file=file if usable.frame is events else None)

    def append_json(self, lines: bytes | BinaryIO | str | Path, *, arrived_at: datetime | None = None) -> Counts:
        r"""Take NDJSON: bytes, an open file, or a path.

        Args:
            lines: The lines, one event each.
            arrived_at: When they arrived, as for :meth:`append`.

        Returns:
            What became of the lines.

        Raises:
            EventFileError: The file cannot be read. Batches read before the error stay in the store.
            AnalyticsError: As for :meth:`append`.

        >>> from analytics import EventStore
        >>> page = b'{"type": "page", "messageId": "1", "anonymousId": "a", "timestamp": "2026-03-03T10:00:00Z"}\n'
        >>> counts = EventStore().append_json(page + page + b"broken\n")
        >>> counts.accepted, counts.duplicate, counts.invalid
        (1, 1, 1)
        """
        _check_moment(arrived_at)
        batches = (
            [decode(lines, arrived_at=arrived_at)]
            if isinstance(lines, bytes)
            else read_ndjson(lines, arrived_at=arrived_at)
        )
        return sum((self.append_flattened(batch, arrived_at=arrived_at) for batch in batches), start=Counts())


def _check_moment(arrived_at: datetime | None) -> None:
    if arrived_at is not None:
        moment_ms("arrived_at", arrived_at)
