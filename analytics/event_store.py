"""The event store: the last 24 hours of events, in hour buckets by the time at which each happened.

How a delivery is judged, always as if deliveries came one by one, in whatever batches they come:

1. An event without a usable type, identity or time is *invalid* and becomes a dead letter.
2. Its event time is that of :func:`analytics.enrichment.enrich`. A time later than its own arrival plus ``skew`` is
   impossible and is replaced by the arrival, so that no device's clock can move the stream.
3. Stream time is the latest event time so far. The window is the hour in which it stands and the 23 before.
4. An event whose hour has left the window is *late*. Its lateness is stream time minus event time.
5. An event whose ``messageId`` is remembered is a *duplicate* if it says the same (the columns but ``sent_at``,
   ``received_at`` and ``timestamp``, which differ between deliveries), else a *conflict*. An identifier is remembered
   for as long as its event is in the window.
6. All others are *accepted*, those of bots and of unused calls too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.dead_letters import DeadLetter, DeadLetterReason
from analytics.deliveries import BODY, compared, hashes, ms, timed
from analytics.dimensions import By, dimensions_of
from analytics.enrichment import conform
from analytics.errors import AnalyticsError
from analytics.events import UTC_MS, CallType
from analytics.hour_bucket import HourBucket
from analytics.hour_counts import HourCounts
from analytics.hour_events import NO_EVENTS, STORED_SCHEMA, HourEvents
from analytics.ndjson import decode, read_ndjson
from analytics.seen_ids import Hashes, SeenIds, Verdict
from analytics.spill_files import SpillFolder
from analytics.store_counts import Counts, Lateness, Tallies
from analytics.strict_json import MAX_EVENT_BYTES
from analytics.tracking import EARLIEST, LATEST, Flattened
from analytics.usable_rows import usable_rows

__all__ = ["HOURLY_SCHEMA", "EventStore"]

HOURLY_SCHEMA: Final = pl.Schema(
    {"hour": UTC_MS, "n_events": pl.UInt32(), "n_page_views": pl.UInt32(), "n_demo_requests": pl.UInt32()}
)
"""Columns of :meth:`EventStore.hourly`."""

_HOUR_MS: Final = 3_600_000
# Events of an hour that has passed which are worth a file of their own, where events go to files.
_WORTH_A_FILE: Final = 5_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class EventStore:
    """The events of the last hours, in memory, each counted once.

    Args:
        window_hours: Hours in the window, the running one included.
        skew_seconds: How far ahead of its arrival an event may claim to have happened, in seconds.
        on_evict: Called with each hour that leaves the window with events in it, oldest first.
        max_dead_letters: Dead letters kept; all are counted.
        spill: A folder to which the events of hours that are no longer the newest may go, so that memory holds little
            more than their identifiers; several stores may share it. A file there is deleted when its hour has left
            the window and no bucket is left to read it. All events stay in memory unless given.

    Raises:
        AnalyticsError: A setting is out of range, or the folder cannot be used.
    """

    def __init__(
        self,
        window_hours: int = 24,
        skew_seconds: float = 60.0,
        *,
        on_evict: Callable[[HourBucket], None] | None = None,
        max_dead_letters: int = 1000,
        spill: Path | None = None,
    ) -> None:
        if window_hours < 1 or skew_seconds < 0 or max_dead_letters < 0:
            given = f"window_hours={window_hours}, skew_seconds={skew_seconds}, max_dead_letters={max_dead_letters}"
            raise AnalyticsError(f"a store needs at least one hour, and no negative skew or dead letters (got {given})")
        self.dead_letters: deque[DeadLetter] = deque(maxlen=max_dead_letters)
        self._window_hours = window_hours
        self._skew_ms = round(skew_seconds * 1000)
        self._on_evict = on_evict
        self._stream_ms: int | None = None
        self._seen = SeenIds()
        self._spill = None if spill is None else SpillFolder(spill)
        self._events_of_hour: dict[int, HourEvents] = {}
        self._hour_counts = HourCounts()
        self._tallies = Tallies()

    def __getstate__(self) -> dict[str, object]:
        if self._spill is not None:
            raise TypeError("a store whose events go to files cannot be copied: two would write to the same ones")
        return vars(self).copy()

    def append(self, events: pl.DataFrame) -> Counts:
        """Take a batch of events and say what became of them; the state is as if they had come one by one.

        Args:
            events: Table of events in order of arrival; see :func:`analytics.enrichment.conform`. Rows without
                identifier get a fingerprint, rows of no use become dead letters.

        Raises:
            EventFrameError: A column has a type that cannot hold what the tracking plan says.
        """
        return self.append_flattened(usable_rows(conform(events)))

    def append_json(self, lines: bytes | BinaryIO | str | Path) -> Counts:
        """Take NDJSON, as bytes, open file or path, and say what became of its lines.

        Raises:
            EventFileError: The file cannot be read. What was read before stays.
        """
        if isinstance(lines, bytes):
            return self.append_flattened(decode(lines))
        return sum((self.append_flattened(batch) for batch in read_ndjson(lines)), start=Counts())

    def append_flattened(self, batch: Flattened) -> Counts:
        """Take what :func:`analytics.tracking.flatten` or :mod:`analytics.ndjson` made of a batch.

        Raises:
            SpillError: Past events cannot be written to a file. They stay in memory, and the batch has been taken.
        """
        n_invalid = self._bury(batch.dead_letters)
        verdicts = self._take(batch.frame) if batch.frame.height else np.empty(0, np.int8)
        n_of = np.bincount(verdicts, minlength=len(Verdict)).tolist()
        counts = Counts(
            received=batch.n_received,
            accepted=n_of[Verdict.ACCEPTED],
            duplicate=n_of[Verdict.DUPLICATE],
            conflict=n_of[Verdict.CONFLICT],
            late=n_of[Verdict.LATE],
            invalid=n_invalid,
        )
        self._tallies.counts += counts
        # Last of all: should it fail, the batch is in and accounted for.
        self._spill_past_hours()
        return counts

    def advance_to(self, now: datetime) -> None:
        """Let the stream reach this moment though no event says so; the past is not returned to.

        Args:
            now: A moment with a time zone.

        Raises:
            AnalyticsError: The moment has no time zone, or is in no year that events can be in.
        """
        if now.tzinfo is None or not EARLIEST <= now <= LATEST:
            raise AnalyticsError(f"now must have a time zone, and a year from 2 to 9998 (got {now.isoformat()})")
        self._reach((now - _EPOCH) // timedelta(milliseconds=1))
        self._spill_past_hours()

    @property
    def counts(self) -> Counts:
        """What became of all events so far."""
        return self._tallies.counts

    @property
    def n_future(self) -> int:
        """Events whose claimed time was impossible."""
        return self._tallies.n_future

    @property
    def stream_time(self) -> datetime | None:
        """The latest event time so far, which never falls; None before the first event."""
        return None if self._stream_ms is None else _utc(self._stream_ms)

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """Beginning, included, and end, excluded, of the hours held; None before the first event."""
        hours = self._hours()
        return (_utc(hours[0]), _utc(hours[-1] + _HOUR_MS)) if hours else None

    @property
    def buckets(self) -> tuple[HourBucket, ...]:
        """The hours of the window, oldest first, also the empty ones; none before the first event."""
        return tuple(self._bucket(hour) for hour in self._hours())

    @property
    def lateness(self) -> Lateness:
        """How late the late events were, over all that the store has seen."""
        return self._tallies.lateness

    @property
    def counts_by_type(self) -> Mapping[str, int]:
        """Accepted events of each of the six calls, over all that the store has seen."""
        return {call.value: self._tallies.accepted_by_type[call.value] for call in CallType}

    @property
    def dead_letter_counts(self) -> Mapping[DeadLetterReason, int]:
        """Dead letters by reason, also of those no longer kept."""
        return dict(self._tallies.invalid_by_reason)

    def hourly(self) -> pl.DataFrame:
        """Count events, page views and demo requests in each hour of the window; empty hours have a row of zeros."""
        rows = [(bucket.start, bucket.n_events, bucket.n_page_views, bucket.n_demo_requests) for bucket in self.buckets]
        return pl.DataFrame(rows, schema=HOURLY_SCHEMA, orient="row")

    def views(self, by: By = None, *, include_bots: bool = False) -> pl.DataFrame:
        """Count page views by hour of the window and segment; an hour that has passed is counted once for all.

        A view counts for the value that it has itself, where :class:`analytics.statistics.FunnelStatistics` goes by
        what is first known of its visitor (for dimensions of touch ``first``).

        Args:
            by: Dimensions to cut each hour by, if any.
            include_bots: Count the page views of programs too.

        Returns:
            One row per ``hour`` (its start) and segment that occurs in it, in that order, with ``page_views``.

        Raises:
            DimensionError: A dimension is unknown or named twice.
        """
        return self._hour_counts.views(self._events_of_hour, dimensions_of(by), include_bots=include_bots)

    def events(self) -> pl.DataFrame:
        """Return the events of the window, enriched, in order of event time and, within that, of identifier."""
        held = (self._events_of_hour[hour].events() for hour in self._hours() if hour in self._events_of_hour)
        return pl.concat([STORED_SCHEMA.to_frame(), *held])

    def _bury(self, dead_letters: tuple[DeadLetter, ...]) -> int:
        for letter in dead_letters:
            self._tallies.invalid_by_reason[letter.reason] += 1
            # A line of many megabytes must not stay in memory a thousand times over.
            self.dead_letters.append(replace(letter, raw=letter.raw[:MAX_EVENT_BYTES]))
        return len(dead_letters)

    def _take(self, frame: pl.DataFrame) -> NDArray[np.int8]:
        """Judge usable events, keep the accepted ones and let the window move on."""
        events, n_future = timed(frame, self._skew_ms)
        self._tallies.n_future += n_future
        times = ms(events["event_time"])
        stream = np.maximum.accumulate(times if self._stream_ms is None else np.maximum(times, self._stream_ms))
        hours = times - times % _HOUR_MS
        floors = stream - stream % _HOUR_MS - (self._window_hours - 1) * _HOUR_MS
        verdicts = np.full(len(times), Verdict.LATE, np.int8)
        timely = hours >= floors
        ids = hashes(frame["message_id"])
        verdicts[timely] = self._judge(frame, np.flatnonzero(timely), ids, hours, floors)
        accepted = verdicts == Verdict.ACCEPTED
        self._tallies.count_late((stream - times)[~timely])
        self._keep(events if accepted.all() else events.filter(accepted), hours[accepted])
        self._seen.remember(ids[accepted], hours[accepted], int(floors[-1]))
        self._reach(int(stream[-1]))
        return verdicts

    def _judge(
        self,
        frame: pl.DataFrame,
        rows: NDArray[np.intp],
        ids: Hashes,
        hours: NDArray[np.int64],
        floors: NDArray[np.int64],
    ) -> NDArray[np.int8]:
        """Decide for each of these rows, which are not late, whether its identifier is new, or its body the same."""
        earlier = self._seen.find(ids[rows], hours[rows], floors[rows])
        verdicts = np.full(len(rows), Verdict.ACCEPTED, np.int8)
        if earlier.is_new.all():
            return verdicts
        here, again = np.flatnonzero(earlier.row >= 0), np.flatnonzero(earlier.is_remembered)
        deliveries = frame[rows[np.concatenate([here, again])]]
        before = self._first_of(deliveries["message_id"].tail(len(again)), earlier.hour[again])
        firsts = pl.concat([frame[rows[earlier.row[here]]].select(BODY), before.select(BODY)])
        verdicts[np.concatenate([here, again])] = compared(deliveries, firsts)
        return verdicts

    def _first_of(self, message_ids: pl.Series, hours: NDArray[np.int64]) -> pl.DataFrame:
        """The accepted events with these identifiers, row by row, which are remembered in these hours."""
        found = [self._events_of_hour[hour].find(message_ids.filter(hours == hour)) for hour in np.unique(hours)]
        # No body is found where two identifiers share a hash: a conflict, one in 10¹⁹ pairs.
        first = pl.concat([NO_EVENTS, *found])
        return message_ids.to_frame().join(first, on="message_id", how="left", maintain_order="left")

    def _keep(self, accepted: pl.DataFrame, hours: NDArray[np.int64]) -> None:
        self._tallies.accepted_by_type.update(dict(accepted["type"].value_counts().iter_rows()))
        if not len(hours):
            return
        in_one_hour = hours.min() == hours.max()
        for hour in [int(hours[0])] if in_one_hour else np.unique(hours).tolist():
            part = accepted if in_one_hour else accepted.filter(hours == hour)
            self._events_of_hour[hour] = self._events_of_hour.get(hour, HourEvents()).plus(part)

    def _reach(self, stream_ms: int) -> None:
        """Move stream time on, never back, and let go of the hours that have left the window."""
        self._stream_ms = stream_ms if self._stream_ms is None else max(self._stream_ms, stream_ms)
        hours = self._hours()
        for hour in sorted(hour for hour in self._events_of_hour if hour < hours[0]):
            bucket = self._bucket(hour)
            del self._events_of_hour[hour]
            self._hour_counts.forget(hour)
            if self._on_evict is not None:
                self._on_evict(bucket)

    def _spill_past_hours(self) -> None:
        """Let events go to files, where they may; the newest hour's stay."""
        if self._spill is not None:
            for hour in self._hours()[:-1]:
                held = self._events_of_hour.get(hour)
                if held is not None and held.n_in_memory >= _WORTH_A_FILE:
                    held.spill(self._spill, str(hour))

    def _hours(self) -> range:
        """Beginnings of the window's hours, in epoch milliseconds."""
        if self._stream_ms is None:
            return range(0)
        end = self._stream_ms - self._stream_ms % _HOUR_MS + _HOUR_MS
        return range(end - self._window_hours * _HOUR_MS, end, _HOUR_MS)

    def _bucket(self, hour: int) -> HourBucket:
        held = self._events_of_hour.get(hour, HourEvents())
        return HourBucket(_utc(hour), held.n_events, held.n_page_views, held.n_demo_requests, held)


def _utc(ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=ms)
