"""How events come into a store: as a table, as NDJSON, or as a batch that is flattened already."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import polars as pl

from analytics.events.times import moment_ms
from analytics.io.flatten import Flattened
from analytics.io.ndjson import decode, read_ndjson
from analytics.io.position import SourcePosition
from analytics.io.row_validation import usable_events
from analytics.store.counts import Counts


class EventIntake(ABC):
    """The common input side of the store in memory and the one in a folder: tables and NDJSON become flat batches."""

    @abstractmethod
    def append_flattened(
        self,
        batch: Flattened,
        position: SourcePosition | None = None,
        *,
        arrived_at: datetime | None = None,
        file: Path | None = None,
    ) -> Counts:
        """Take a batch that :func:`analytics.io.flatten.flatten` or :mod:`analytics.io.ndjson` has made.

        Args:
            batch: The events and dead letters.
            position: Position of the batch's source after it, if the source can be resumed; see ``offsets``.
            arrived_at: When the batch arrived, as for :meth:`append`; the batch was flattened with it too.
            file: As for :meth:`append`.
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
