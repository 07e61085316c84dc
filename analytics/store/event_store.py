"""The event store: the last 24 hours of events, in hour buckets by the time at which each happened.

How a delivery is judged, always as if deliveries came one by one, in whatever batches they come:

1. An event without a usable type, identity or time is *invalid* and becomes a dead letter.
2. Its event time is that of :func:`analytics.events.enrichment.enrich`. A time later than its own arrival plus
``skew`` is
   impossible and is replaced by the arrival, so that no device's clock can move the stream. The arrival is
   ``receivedAt``. Whoever reads a live stream says when a batch arrived (``arrived_at``): that is the arrival of events
   without ``receivedAt``, and bounds the one that others claim. In files of the past nobody knows it any more: there
   an event without ``receivedAt`` is taken to have arrived when its device sent it, and nothing else guards the window
   from that device's clock.
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
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.errors import AnalyticsError
from analytics.events.dead_letters import DeadLetter, DeadLetterReason
from analytics.events.dimensions import By, dimensions_of
from analytics.events.times import EARLIEST, HOUR_MS, epoch_ms, moment, moment_ms
from analytics.events.tracking_plan import CallType
from analytics.io.flatten import Flattened
from analytics.io.ndjson import decode, read_ndjson
from analytics.io.row_validation import usable_events
from analytics.io.strict_json import MAX_EVENT_BYTES
from analytics.store.buckets import HourBucket, hourly_table
from analytics.store.counts import Counts, Lateness, StoreCounters
from analytics.store.deliveries import BODY, Redeliveries, bodies, compared, hashes, ms, said, timed
from analytics.store.hour import NO_TIMED_EVENTS, STORED_SCHEMA
from analytics.store.merge import StoreContents, merge_contents, state_digest
from analytics.store.seen_ids import Hashes, SeenIds, Verdict
from analytics.store.window import HourWindow

__all__ = ["EventStore"]

_EARLIEST_MS: Final = epoch_ms(EARLIEST)


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
        self._hours = HourWindow(window_hours, on_evict, spill)
        self._seen = SeenIds()
        self._repeats = Redeliveries()
        self._tallies = StoreCounters()

    def append(self, events: pl.DataFrame, *, arrived_at: datetime | None = None, file: Path | None = None) -> Counts:
        """Take a batch of events and say what became of them; the state is as if they had come one by one.

        Args:
            events: Table of events in order of arrival; see :func:`analytics.events.enrichment.conform`. Rows without
                identifier get a fingerprint, rows of no use become dead letters.
            arrived_at: When the batch arrived, with a time zone, as whoever reads a live stream knows; see rule 2.
            file: A Parquet file that holds just these events, if there is one. A store whose events go to files need
                not write them once more; the file may be deleted, but not changed, as soon as this returns.

        Raises:
            EventFrameError: A column has a type that cannot hold what the tracking plan says.
        """
        _check_moment("arrived_at", arrived_at)
        usable = usable_events(events, arrived_at=arrived_at)
        return self.append_flattened(usable, arrived_at=arrived_at, file=file if usable.frame is events else None)

    def append_json(self, lines: bytes | BinaryIO | str | Path, *, arrived_at: datetime | None = None) -> Counts:
        """Take NDJSON, as bytes, open file or path, and say what became of its lines.

        Args:
            lines: The lines.
            arrived_at: When they arrived, as in :meth:`append`.

        Raises:
            EventFileError: The file cannot be read. What was read before stays.
        """
        _check_moment("arrived_at", arrived_at)
        if isinstance(lines, bytes):
            return self.append_flattened(decode(lines, arrived_at=arrived_at), arrived_at=arrived_at)
        batches = read_ndjson(lines, arrived_at=arrived_at)
        return sum((self.append_flattened(batch, arrived_at=arrived_at) for batch in batches), start=Counts())

    def append_flattened(
        self, batch: Flattened, *, arrived_at: datetime | None = None, file: Path | None = None
    ) -> Counts:
        """Take what :func:`analytics.io.flatten.flatten` or :mod:`analytics.io.ndjson` made of a batch.

        Args:
            batch: The events and dead letters.
            arrived_at: When they arrived, as in :meth:`append`; the batch was made with it too.
            file: As for :meth:`append`.

        Raises:
            SpillError: Past events cannot be written to a file. They stay in memory, and the batch has been taken.
        """
        _check_moment("arrived_at", arrived_at)
        n_invalid = self._record_dead_letters(batch.dead_letters)
        verdicts, stream_ms = np.empty(0, np.int8), None
        if batch.frame.height:
            verdicts, stream_ms = self._take(batch.frame, arrived_at, file)
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
        if stream_ms is not None:
            self._reach(stream_ms)
        self._hours.spill_past_hours()
        return counts

    def advance_to(self, now: datetime) -> None:
        """Let the stream reach this moment though no event says so; the past is not returned to.

        Args:
            now: A moment with a time zone.

        Raises:
            AnalyticsError: The moment has no time zone, or is in no year that events can be in.
        """
        self._reach(moment_ms("now", now))
        self._hours.spill_past_hours()

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
        return None if self._hours.stream_ms is None else moment(self._hours.stream_ms)

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """Beginning, included, and end, excluded, of the hours held; None before the first event."""
        hours = self._hours.hours
        return (moment(hours.start), moment(hours.stop)) if hours else None

    @property
    def buckets(self) -> tuple[HourBucket, ...]:
        """The hours of the window, oldest first, also the empty ones; none before the first event."""
        return self._hours.buckets()

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

    def hourly(self, *, evicted: bool = False) -> pl.DataFrame:
        """Count events, page views and demo requests in each hour of the window; empty hours have a row of zeros.

        Args:
            evicted: Begin with as many hours that have left the window: the last word on each of them.

        Returns:
            Table with the columns of :data:`analytics.store.buckets.HOURLY_SCHEMA`. ``revision`` counts the reports of
            an hour that said something else before; ``final`` is true of hours that have left.
        """
        return hourly_table((*(self._hours.left() if evicted else ()), *self._hours.buckets()))

    def views(self, by: By = None, *, include_bots: bool = False) -> pl.DataFrame:
        """Count page views by hour of the window and segment; an hour that has passed is counted once for all.

        A view counts for the value that it has itself, where :class:`analytics.statistics.funnel.FunnelStatistics`
        goes by what is first known of its visitor (for dimensions of touch ``first``).

        Args:
            by: Dimensions to cut each hour by, if any.
            include_bots: Count the page views of programs too.

        Returns:
            One row per ``hour`` (its start) and segment that occurs in it, in that order, with ``page_views``, and
            ``revision`` and ``final`` of the hour as :meth:`hourly` has them.

        Raises:
            DimensionError: A dimension is unknown or named twice.
        """
        return self._hours.views(dimensions_of(by), include_bots=include_bots)

    def events(self) -> pl.DataFrame:
        """Return the events of the window, enriched, in order of event time and, within that, of identifier."""
        return pl.concat([STORED_SCHEMA.to_frame(), *self._hours.frames()])

    def digest(self) -> str:
        """Fingerprint of the state, 64 hexadecimal digits: equal for equal settings, times, counts and events.

        It does not depend on how deliveries were cut into batches or which parts of the stream were merged, nor on the
        order in which different events came, as long as none of them was late. What readers have been told
        (revisions) and the dead letters' bytes are no part of it.
        """
        facts = {"window_hours": self._window_hours, "skew_ms": self._skew_ms, "stream_ms": self._hours.stream_ms}
        repeats = self._repeats.since(self._hours.hours.start)
        return state_digest(facts, self._tallies, repeats, self._hours.flat())

    def __or__(self, other: EventStore) -> EventStore:
        """Merge with a store that took another part of the same stream, into a new one in memory.

        Each store has judged its own part by its own stream time. The merged one stands at the later of the two; hours
        that have left its window are not in it, though counted. A ``messageId`` that both accepted counts once: the
        earlier arrival is kept, the other becomes a duplicate or a conflict. Merging is commutative. It is associative
        where no identifier is in two parts (a partition by visitor, as Kafka's by key, is such), and in any case among
        stores whose windows are the same: else what one merge lets go of cannot be compared in the next. Parts of a
        stream within lateness that is, merged, what a single store would be; see :meth:`digest`.

        Raises:
            AnalyticsError: The stores differ in window or skew.
        """
        if (self._window_hours, self._skew_ms) != (other._window_hours, other._skew_ms):
            raise AnalyticsError("stores of another window or skew judge by other rules, and cannot be merged")
        merged = EventStore(
            self._window_hours,
            self._skew_ms / 1000,
            max_dead_letters=max(each.dead_letters.maxlen or 0 for each in (self, other)),
        )
        for stream_ms in (self._hours.stream_ms, other._hours.stream_ms):
            if stream_ms is not None:
                merged._hours.reach(stream_ms)
        start = merged._hours.hours.start
        merged._adopt(merge_contents(self._held_since(start), other._held_since(start)), start)
        letters = sorted((*self.dead_letters, *other.dead_letters), key=lambda each: (each.position or 0, each.raw))
        merged.dead_letters.extend(letters)
        return merged

    def _held_since(self, start: int) -> StoreContents:
        events = pl.concat([NO_TIMED_EVENTS, *self._hours.flat(start)])
        return StoreContents(events, self._repeats.since(start), self._tallies)

    def _adopt(self, held: StoreContents, start: int) -> None:
        """Take over, while empty, what others have held and counted."""
        times = ms(held.events["event_time"])
        hours = times - times % HOUR_MS
        self._hours.keep(held.events, hours)
        self._seen.remember(hashes(held.events["message_id"]), hours, start)
        self._repeats, self._tallies = Redeliveries(held.repeats), held.tallies

    def _record_dead_letters(self, dead_letters: tuple[DeadLetter, ...]) -> int:
        for letter in dead_letters:
            self._tallies.invalid_by_reason[letter.reason] += 1
            # A line of many megabytes must not stay in memory a thousand times over.
            self.dead_letters.append(replace(letter, raw=letter.raw[:MAX_EVENT_BYTES]))
        return len(dead_letters)

    def _take(
        self, frame: pl.DataFrame, arrived_at: datetime | None, file: Path | None
    ) -> tuple[NDArray[np.int8], int]:
        """Judge usable events and keep the accepted ones; also say which time the stream has reached."""
        events, n_future = timed(frame, self._skew_ms, arrived_at)
        self._tallies.n_future += n_future
        times, reached = ms(events["event_time"]), self._hours.stream_ms
        if n_future or times.min() <= _EARLIEST_MS:
            file = None  # its columns do not tell the event times of the store
        stream = np.maximum.accumulate(times if reached is None else np.maximum(times, reached))
        hours = times - times % HOUR_MS
        floors = self._hours.floors(stream)
        verdicts = np.full(len(times), Verdict.LATE, np.int8)
        timely = hours >= floors
        ids = hashes(frame["message_id"])
        verdicts[timely] = self._judge(frame, np.flatnonzero(timely), ids, hours, floors)
        accepted = verdicts == Verdict.ACCEPTED
        self._tallies.count_late((stream - times)[~timely])
        if not accepted.all():
            events, hours, file = events.filter(accepted), hours[accepted], None
        self._tallies.accepted_by_type.update(dict(events["type"].value_counts().iter_rows()))
        self._hours.keep(events, hours, file)
        self._seen.remember(ids[accepted], hours, int(floors[-1]))
        return verdicts, int(stream[-1])

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
        # No body is found where two identifiers share a hash: a conflict, one in 10¹⁹ pairs.
        before = self._hours.find(deliveries["message_id"].tail(len(again)), earlier.hour[again])
        firsts = pl.concat([frame[rows[earlier.row[here]]].select(BODY), before.select(BODY)])
        says = said(deliveries)
        verdicts[np.concatenate([here, again])] = compared(says, said(firsts))
        hours_of_firsts = np.concatenate([hours[rows[earlier.row[here]]], earlier.hour[again]])
        self._repeats.add(ids[rows[np.concatenate([here, again])]], bodies(says), hours_of_firsts)
        return verdicts

    def _reach(self, stream_ms: int) -> None:
        """Move stream time on, and forget what repeats events that have left the window."""
        if self._hours.reach(stream_ms):
            self._repeats.forget_before(self._hours.hours.start)


def _check_moment(name: str, given: datetime | None) -> None:
    if given is not None:
        moment_ms(name, given)
