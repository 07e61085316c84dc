"""Setting stream time back, by writing the files of a store anew.

The last checkpoint is replaced in one step, so that a death of the process leaves the one or the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from analytics.durable.checkpoint import Checkpoint
from analytics.durable.opening import open_existing
from analytics.durable.recovery import SideFiles, StorePaths
from analytics.durable.settings import StoreSettings
from analytics.durable.window_files import read_window, write_window
from analytics.errors import StoreError
from analytics.events.dead_letters import DeadLetter, DeadLetterReason
from analytics.events.times import moment, moment_ms, window_start
from analytics.io.ndjson import encode
from analytics.store.buckets import HourReports
from analytics.store.counts import Counts, StoreCounters
from analytics.store.hour import NO_TIMED_EVENTS

_MS = pl.col("event_time").dt.epoch("ms")


@dataclass(frozen=True)
class Rewound:
    """The result of :func:`rewind`.

    Args:
        stream_time: Stream time now.
        n_removed: Events after it, which are dead letters now.
        n_hours: Hours that came back from the archive into the window.
    """

    stream_time: datetime
    n_removed: int
    n_hours: int


def rewind(folder: str | Path, to: datetime, settings: StoreSettings | None = None) -> Rewound:
    """Set the stream time of a store back, after a wrong clock has moved it.

    Accepted events after that moment become dead letters, ``far_ahead``. The hours of the window at that moment come
    back from the archive. Late events can then be taken in again with :func:`analytics.durable.reprocess`. Revisions of
    hours begin anew.

    Args:
        folder: Folder of the store.
        to: The latest moment that events are believed to be of, with a time zone.
        settings: How the store is to be kept.

    Raises:
        StoreError: Stream time is not later than that, or no event is left.
        AnalyticsError: The moment has no time zone.

    >>> import tempfile
    >>> from analytics import open_store
    >>> page = b'{"type": "page", "messageId": "%d", "anonymousId": "a", "timestamp": "%d-03-03T10:00:00Z"}'
    >>> with tempfile.TemporaryDirectory() as place:
    ...     with open_store(place) as store:
    ...         _ = store.append_json(page % (1, 2026)), store.append_json(page % (2, 2031))
    ...     rewind(place, datetime.fromisoformat("2026-12-31T00:00:00Z")).stream_time.year
    2026
    """
    ms = moment_ms("to", to)
    with open_existing(folder, settings) as store:
        if store.stream_time is None or store.stream_time <= to:
            now = "not known yet" if store.stream_time is None else f"{store.stream_time:%Y-%m-%d %H:%M}"
            raise StoreError(f"{folder}: stream time is {now}, not after {to:%Y-%m-%d %H:%M}; nothing is changed")
        paths = StorePaths(Path(folder))
        work = _Rewinding(ms, paths)
        store.rewrite(work.rewritten)
        paths.archive.remove_from(work.start)
    return Rewound(moment(work.stream_ms), work.n_removed, work.n_hours)


class _Rewinding:
    """What :func:`rewind` makes of a checkpoint."""

    def __init__(self, to_ms: int, paths: StorePaths) -> None:
        self.stream_ms = self.start = 0
        self.n_removed = self.n_hours = 0
        self._to_ms = to_ms
        self._paths = paths
        self._removed_by_type: dict[str, int] = {}

    def rewritten(self, checkpoint: Checkpoint, number: int, files: SideFiles) -> Checkpoint:
        """The checkpoint at the earlier time, whose files are written."""
        self.stream_ms = self._reached(checkpoint)
        self.start = window_start(self.stream_ms, checkpoint.window_hours)
        parts = write_window(self._paths.window, number, self._kept(checkpoint, files))
        for file in files.both:
            file.sync()
        return checkpoint.model_copy(
            update={
                "number": number,
                "summary": self._summary(checkpoint.summary),
                "parts": parts,
                "dead_letters": files.dead_letters.next_state(self.stream_ms),
            }
        )

    def _kept(self, checkpoint: Checkpoint, files: SideFiles) -> Iterator[pl.DataFrame]:
        """The events of the window up to the moment; those after it become dead letters."""
        for table in self._tables(checkpoint, self.start):
            self._remove(table.filter(_MS.gt(self._to_ms)), files)
            yield table.filter(_MS.is_between(self.start, self._to_ms))

    def _reached(self, checkpoint: Checkpoint) -> int:
        """The latest event time up to the moment."""
        times = (table.filter(_MS.le(self._to_ms)).select(_MS.max()).item() for table in self._tables(checkpoint, 0))
        latest = [time for time in times if time is not None]
        if not latest:
            to = moment(self._to_ms)
            raise StoreError(f"{self._paths.folder}: no event is left up to {to:%Y-%m-%d %H:%M}; nothing is changed")
        return int(max(latest))

    def _tables(self, checkpoint: Checkpoint, start: int) -> Iterator[pl.DataFrame]:
        """The events of the window, and those of the archive from an hour on, or of its latest hour where that is 0."""
        for _, table in read_window(self._paths.window, checkpoint):
            yield table.select(NO_TIMED_EVENTS.columns)
        hours = self._paths.archive.hours()
        latest = max((hour for hour in hours if hour <= self._to_ms), default=0)
        for hour in (hour for hour in hours if (hour >= start if start else hour == latest)):
            self.n_hours += 0 < start <= hour <= self.stream_ms
            for part in self._paths.archive.read(hours[hour], NO_TIMED_EVENTS.columns):
                yield part.cast(NO_TIMED_EVENTS.schema)

    def _remove(self, events: pl.DataFrame, files: SideFiles) -> None:
        """Make dead letters of events."""
        detail = "it was accepted, and moved stream time to where it was set back from"
        letters = [DeadLetter(raw, DeadLetterReason.FAR_AHEAD, detail) for raw in encode(events).splitlines()]
        files.dead_letters.add(letters, None)
        self.n_removed += events.height
        for kind, n in events["type"].cast(pl.String).value_counts().iter_rows():
            self._removed_by_type[kind] = self._removed_by_type.get(kind, 0) + n

    def _summary(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        counters = StoreCounters.from_dict(summary["tallies"])
        # Where some were accepted only when they were taken in again, it was one of them, as a rule, that moved time.
        n_again = min(self.n_removed, counters.again.accepted)
        # Of a store that lost its checkpoint, counts know the events of its window only.
        n_first = min(self.n_removed - n_again, counters.counts.accepted)
        counters.counts += Counts(accepted=-n_first, invalid=n_first)
        counters.again += Counts(accepted=-n_again, invalid=n_again)
        counters.invalid_by_reason[DeadLetterReason.FAR_AHEAD] += n_first
        counters.accepted_by_type -= Counter(self._removed_by_type)
        reports = HourReports().to_dict()
        return {"stream_ms": self.stream_ms, "tallies": counters.to_dict(), "reports": reports}
