"""The event store: the last 24 hours of events, in hour buckets by event time.

How a delivery is judged, always as if deliveries came one by one, in whatever batches they come:

1. An event without a usable type, identity or time is *invalid* and becomes a dead letter.
2. Its event time is that of :func:`analytics.events.event_time.event_times`. A time later than the event's own arrival
   plus ``skew`` is impossible and is replaced by the arrival, so that no device's clock can move the stream. The
   arrival is ``receivedAt``. The reader of a live stream passes when each batch arrived (``arrived_at``): that is the
   arrival of events without ``receivedAt``, and the latest that others may claim. In files of the past an event without
   ``receivedAt`` counts as arrived when its device sent it: only those who read them can doubt that device's clock.
3. Stream time is the latest event time so far. The window is its hour and the 23 before.
4. An event whose hour has left the window is *late*. Its lateness is stream time minus event time.
5. An event whose ``messageId`` is remembered is a *duplicate* if its content is the same (all columns but ``sent_at``,
   ``received_at`` and ``timestamp``, which differ between deliveries), else a *conflict*. An identifier is remembered
   for as long as its event is in the window.
6. A delivery that arrived more than 23 hours after its sending, and at most 30 days, is *late* too where its original
   time lies before the window: it may have been counted when it first came, and only its identifier, which is
   forgotten, could tell. Its lateness is stream time minus original time. (23 hours are the window without the current
   hour; the least is one.) An :class:`analytics.store.whole_history.WholeHistory` forgets none, and needs no such rule.
7. All others are *accepted*, those of bots and of unused calls too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.errors import AnalyticsError
from analytics.events.dead_letters import DeadLetter
from analytics.events.dimensions import By, dimensions_of
from analytics.events.enrichment import OwnNames
from analytics.events.event_rows import EventRows
from analytics.events.times import EARLIEST, HOUR_MS, epoch_ms, moment_ms
from analytics.io.flatten import Flattened
from analytics.io.position import SourcePosition
from analytics.io.strict_json import MAX_EVENT_BYTES
from analytics.store.buckets import HourBucket, HourReports, hourly_table, partly_seen
from analytics.store.counts import UNASKED, Counts, StoreCounters
from analytics.store.deliveries import (
    CONTENT_COLUMNS,
    Redeliveries,
    content_hashes,
    contents,
    duplicate_or_conflict,
    event_hours,
    event_times_ms,
    id_hashes,
    redelivered_ms,
    with_event_time,
)
from analytics.store.hour import NO_TIMED_EVENTS, STORED_SCHEMA
from analytics.store.intake import EventIntake
from analytics.store.merge import StoreContents, merge_contents, state_digest
from analytics.store.seen_ids import Hours, IdHashes, SeenIds, Verdict
from analytics.store.snapshot import StoreSnapshot
from analytics.store.window import HourWindow

_EARLIEST_MS: Final = epoch_ms(EARLIEST)


class EventStore(EventIntake):
    """An event store in memory: the events of the last hours, deduplicated.

    Args:
        window_hours: Hours in the window, the current one included.
        skew_seconds: How far ahead of its arrival an event may claim to have happened, in seconds.
        on_accept: Called with the accepted events of each batch, flat with their ``event_time``, if there are any.
        on_late: Called with the late events of each batch, flat, and how late each was, in milliseconds.
        on_evict: Called with each hour that leaves the window with events in it, oldest first.
        max_dead_letters: Dead letters kept; all are counted.
        spill: A folder for the events of hours that are no longer the newest, so that memory holds little more than
            their identifiers; several stores may share it. A file there is deleted when its hour has left the window
            and no bucket refers to it. Without a folder all events stay in memory.
        own: Domains, bots and channels of one's own, for the derived columns of events and the counts of
            :meth:`views`; those of settings are :attr:`analytics.settings.AnalyticsSettings.own_names`.

    Raises:
        AnalyticsError: A setting is out of range, or the folder cannot be used.

    >>> store = EventStore(window_hours=2)
    >>> store.append_json(b'{"type": "page", "anonymousId": "a", "timestamp": "2026-03-03T10:30:00Z"}').accepted
    1
    >>> store.hourly()["n_page_views"].to_list()
    [0, 1]
    """

    def __init__(
        self,
        window_hours: int = 24,
        skew_seconds: float = 60.0,
        *,
        on_accept: Callable[[pl.DataFrame], None] | None = None,
        on_late: Callable[[pl.DataFrame, NDArray[np.int64]], None] | None = None,
        on_evict: Callable[[HourBucket], None] | None = None,
        max_dead_letters: int = 1000,
        spill: Path | None = None,
        own: OwnNames | None = None,
    ) -> None:
        if window_hours < 1 or skew_seconds < 0 or max_dead_letters < 0:
            given = f"window_hours={window_hours}, skew_seconds={skew_seconds}, max_dead_letters={max_dead_letters}"
            raise AnalyticsError(f"a store needs at least one hour, and no negative skew or dead letters (got {given})")
        self.dead_letters = deque(maxlen=max_dead_letters)
        self.offsets = {}
        self._window_hours = window_hours
        # Whole milliseconds, like event times, so that comparisons are exact.
        self._skew_ms = round(skew_seconds * 1000)
        self._on_accept = on_accept
        self._on_late = on_late
        self._own = own
        self._hours = HourWindow(window_hours, on_evict, spill, own)
        self._seen = SeenIds()
        self._redeliveries = Redeliveries()
        self._counters = StoreCounters()

    def append_flattened(
        self,
        batch: Flattened,
        position: SourcePosition | None = None,
        *,
        arrived_at: datetime | None = None,
        file: Path | None = None,
        again: bool = False,
    ) -> Counts:
        """Take a flattened batch; see :meth:`analytics.store.intake.EventIntake.append_flattened`.

        Raises:
            AnalyticsError: The moment has no time zone, or is outside the years that events can be in.
            SpillError: Past events cannot be written to a file. They stay in memory, and the batch has been taken.
        """
        if arrived_at is not None:
            moment_ms("arrived_at", arrived_at)
        self._keep_dead_letters(batch.dead_letters)
        if not again:
            self._counters.invalid_by_reason.update(letter.reason for letter in batch.dead_letters)
        self._counters.ignored_times.update(batch.ignored_times)
        if position is not None:
            self.offsets.update({position.source: position.offset, **position.others})
        n_invalid = len(batch.dead_letters) - (position.offset.get(UNASKED, 0) if position else 0)
        return self._append(EventRows(batch.frame), n_invalid, arrived_at, file=file, again=again)

    def append_rows(self, events: EventRows, *, file: Path | None = None) -> Counts:
        """Take events, in order of arrival, whose texts are made when somebody reads them; see :meth:`append`."""
        return self._append(events, 0, None, file=file)

    def _append(
        self, events: EventRows, n_invalid: int, at: datetime | None, *, file: Path | None, again: bool = False
    ) -> Counts:
        verdicts, stream_ms = np.empty(0, np.int8), None
        if len(events):
            verdicts, stream_ms = self._take(events, at, file, again=again)
        counts = Counts.of(len(events) + n_invalid, verdicts, n_invalid)
        self._counters.count(counts, again=again)
        # Last of all: should it fail, the batch is in and counted.
        if stream_ms is not None:
            self._reach(stream_ms)
        self._hours.spill_past_hours()
        return counts

    def _counted(self) -> StoreCounters:
        return self._counters

    def _held(self) -> HourWindow:
        return self._hours

    def advance_to(self, now: datetime) -> None:
        """Move stream time to this moment without an event; an earlier moment than stream time has no effect.

        Args:
            now: A moment with a time zone.

        Raises:
            AnalyticsError: The moment has no time zone, or is outside the years that events can be in.
        """
        self._reach(moment_ms("now", now))
        self._hours.spill_past_hours()

    @property
    def buckets(self) -> tuple[HourBucket, ...]:
        """The hours of the window, oldest first, also the empty ones; none before the first event."""
        return self._hours.buckets()

    def hourly(self, *, evicted: bool = False) -> pl.DataFrame:
        """Count events, page views and demo requests in each hour of the window; empty hours have a row of zeros.

        Args:
            evicted: Begin with as many hours that have left the window, each with its final counts.

        Returns:
            Table with the columns of :data:`analytics.store.buckets.HOURLY_SCHEMA`. ``revision`` counts the earlier
            reports of the hour with other counts; ``final`` is true of hours that have left. ``partial`` is true of
            the current hour, until stream time is at its end, and, as long as the first event is among these hours
            or those that have left before, of its hour and those before it, when nobody was watching.
        """
        left, buckets = tuple(self._hours.left()), self._hours.buckets()
        partial = partly_seen((*left, *buckets), self._hours.stream_ms, self.n_accepted)
        return hourly_table((*(left if evicted else ()), *buckets), partial)

    def views(self, by: By = None, *, include_bots: bool = False) -> pl.DataFrame:
        """Count page views by hour of the window and segment; past hours are counted only once.

        Each view counts for its own values; :class:`analytics.statistics.funnel.FunnelStatistics` may use a visitor's.

        Args:
            by: Dimensions to cut each hour by, if any.
            include_bots: Count the page views of programs too.

        Returns:
            One row per ``hour`` (its start) and segment that occurs in it, in that order, with ``page_views``, and
            ``revision`` and ``final`` of the hour as in :meth:`hourly`.

        Raises:
            DimensionError: A dimension is unknown or named twice.
        """
        return self._hours.views(dimensions_of(by), include_bots=include_bots)

    def events(self) -> pl.DataFrame:
        """Return the events of the window, enriched, in order of event time and, within that, of identifier."""
        return pl.concat([STORED_SCHEMA.to_frame(), *self._hours.frames()])

    def scan(self) -> list[pl.LazyFrame]:
        """The events of the window in parts, flat with their ``event_time``, in no order; read when collected."""
        return self._hours.scan()

    def digest(self) -> str:
        """Fingerprint of the state, 64 hexadecimal digits: equal for equal settings, times, counts and events.

        It does not depend on how deliveries were cut into batches or which parts of the stream were merged, nor on the
        order in which different events came, as long as none of them was late. Revisions, offsets and the bytes of
        dead letters are no part of it.
        """
        facts = {"window_hours": self._window_hours, "skew_ms": self._skew_ms, "stream_ms": self._hours.stream_ms}
        redeliveries = self._redeliveries.since(self._hours.hours.start)
        return state_digest(facts, self._counters, redeliveries, self._hours.flat())

    @property
    def summary(self) -> dict[str, Any]:
        """Stream time, counts and revisions as plain data: all of :meth:`snapshot` that costs nothing to make."""
        return {
            "stream_ms": self._hours.stream_ms,
            "tallies": self._counters.to_dict(),
            "reports": self._hours.reports.to_dict(),
        }

    def snapshot(self) -> StoreSnapshot:
        """Return the state, for :meth:`restore`. Its tables of events are read when asked for, before the next batch.

        >>> store = EventStore()
        >>> _ = store.append_json(b'{"type": "page", "anonymousId": "a", "timestamp": "2026-03-03T10:30:00Z"}')
        >>> again = EventStore()
        >>> again.restore(store.snapshot())
        >>> again.digest() == store.digest()
        True
        """
        return StoreSnapshot(
            summary=self.summary,
            redeliveries=self._redeliveries.table(),
            events=self._hours.flat(),
            dead_letters=tuple(self.dead_letters),
            offsets=dict(self.offsets),
        )

    def restore(self, snapshot: StoreSnapshot) -> None:
        """Take over the state of another store with the same window and skew; for a new store only."""
        # Before the events: stream time decides which of them are in the window.
        self._hours.stream_ms = snapshot.summary["stream_ms"]
        self._hours.reports = HourReports.from_dict(snapshot.summary["reports"])
        self._counters = StoreCounters.from_dict(snapshot.summary["tallies"])
        self._redeliveries = Redeliveries(snapshot.redeliveries)
        self._restore_events(snapshot.events)
        self._keep_dead_letters(snapshot.dead_letters)
        self.offsets.update(snapshot.offsets)

    def __or__(self, other: EventStore) -> EventStore:
        """Merge with a store that took another part of the same stream, into a new one in memory.

        Each store has judged its own part by its own stream time. Stream time of the merged one is the later of the
        two; hours that have left its window are counted but not in it. A ``messageId`` that both accepted counts once:
        the earlier arrival is kept, the other becomes a duplicate or a conflict. Merging is commutative. It is
        associative where no identifier is in two parts (a partition by visitor, as Kafka's), and among stores of one
        window. Parts of a stream without late events merge to what a single store would be; see :meth:`digest`.

        Raises:
            AnalyticsError: The stores differ in window or skew.
        """
        if (self._window_hours, self._skew_ms) != (other._window_hours, other._skew_ms):
            raise AnalyticsError("stores of another window or skew judge by other rules, and cannot be merged")
        merged = EventStore(
            self._window_hours,
            self._skew_ms / 1000,
            max_dead_letters=max(each.dead_letters.maxlen or 0 for each in (self, other)),
            own=self._own,
        )
        for stream_ms in (self._hours.stream_ms, other._hours.stream_ms):
            if stream_ms is not None:
                merged._hours.reach(stream_ms)
        start = merged._hours.hours.start
        both = merge_contents(self._contents_since(start), other._contents_since(start))
        merged._counters, merged._redeliveries = both.counters, Redeliveries(both.redeliveries)
        merged._restore_events([both.events])
        # In an order of their own, so that merging is commutative.
        letters = sorted((*self.dead_letters, *other.dead_letters), key=lambda each: (each.position or 0, each.raw))
        merged.dead_letters.extend(letters)
        return merged

    def _contents_since(self, start: int) -> StoreContents:
        events = pl.concat([NO_TIMED_EVENTS, *self._hours.flat(start)])
        return StoreContents(events, self._redeliveries.since(start), self._counters)

    def _restore_events(self, tables: Iterable[pl.DataFrame]) -> None:
        """Hold events that were accepted before, as far as they are in the window: they are not counted again."""
        floor = self._hours.hours.start
        for table in tables:
            events = table.filter(event_hours(table) >= floor).select(NO_TIMED_EVENTS.columns)
            hours = event_hours(events)
            self._hours.keep(EventRows(events), hours)
            self._seen.remember(id_hashes(events), hours, floor)
            self._hours.spill_past_hours()

    def _keep_dead_letters(self, dead_letters: Iterable[DeadLetter]) -> None:
        # A line of many megabytes must not stay in memory a thousand times over.
        self.dead_letters.extend(replace(letter, raw=letter.raw[:MAX_EVENT_BYTES]) for letter in dead_letters)

    def _take(
        self, batch: EventRows, arrived_at: datetime | None, file: Path | None, *, again: bool
    ) -> tuple[NDArray[np.int8], int]:
        """Judge usable events and keep the accepted ones; return the verdicts and the stream time reached."""
        keys, n_future = with_event_time(batch.keys, self._skew_ms, arrived_at)
        events, is_in_file = batch.with_keys(keys), file is not None
        self._counters.n_future += n_future
        times, reached = event_times_ms(keys), self._hours.stream_ms
        if n_future or times.min() <= _EARLIEST_MS:
            is_in_file = False  # a reader of the file could not derive the corrected times from its columns
        # Stream time at the arrival of each event, as if they came one by one.
        stream = np.maximum.accumulate(times if reached is None else np.maximum(times, reached))
        hours = times - times % HOUR_MS
        floors = self._hours.floors(stream)
        # Late events are not looked up: identifiers of their hours are forgotten already.
        verdicts = np.full(len(times), Verdict.LATE, np.int8)
        timely = hours >= floors
        ids, originals = id_hashes(keys), redelivered_ms(keys, self._window_hours)
        stale = originals < floors
        verdicts[timely] = self._judge(batch, np.flatnonzero(timely), ids, hours, floors, stale=stale)
        accepted, late = verdicts == Verdict.ACCEPTED, verdicts == Verdict.LATE
        lateness_ms = (stream - np.where(timely, originals, times))[late]
        self._counters.count_late(lateness_ms[:0] if again else lateness_ms)
        if self._on_late is not None and len(lateness_ms):
            self._on_late(events.filter(late).frame(), lateness_ms)
        if not accepted.all():
            # With some events rejected, the file no longer holds just the accepted ones.
            events, hours, is_in_file = events.filter(accepted), hours[accepted], False
        self._counters.accepted_by_type.update(dict(events.keys["type"].value_counts().iter_rows()))
        # The file may be gone when this returns: what is not linked to is read now.
        if not self._hours.keep(events, hours, file if is_in_file else None) and file is not None:
            events.fetch()
        self._seen.remember(ids[accepted], hours, int(floors[-1]))
        # Last, so that a failing callback finds and leaves the state complete.
        if self._on_accept is not None and len(events):
            self._on_accept(events.frame())
        return verdicts, int(stream[-1])

    def _judge(
        self,
        batch: EventRows,
        rows: NDArray[np.intp],
        ids: IdHashes,
        hours: Hours,
        floors: Hours,
        *,
        stale: NDArray[np.bool_],
    ) -> NDArray[np.int8]:
        """Decide for each of these rows, all in the window, whether its identifier is new, or its content the same."""
        earlier = self._seen.find(ids[rows], hours[rows], floors[rows], stale[rows])
        verdicts = np.where(stale[rows], Verdict.LATE, Verdict.ACCEPTED).astype(np.int8)
        if earlier.is_new.all():
            return verdicts
        frame = batch.frame()
        here, again = np.flatnonzero(earlier.row >= 0), np.flatnonzero(earlier.is_remembered)
        places = np.concatenate([here, again])
        deliveries = frame[rows[places]]
        # No event is found where two identifiers share a hash: a conflict, one in 10¹⁹ pairs.
        before = self._hours.find(deliveries["message_id"].tail(len(again)), earlier.hour[again])
        firsts = pl.concat([frame[rows[earlier.row[here]]].select(CONTENT_COLUMNS), before.select(CONTENT_COLUMNS)])
        delivered = contents(deliveries)
        verdicts[places] = duplicate_or_conflict(delivered, contents(firsts))
        hours_of_firsts = np.concatenate([hours[rows[earlier.row[here]]], earlier.hour[again]])
        self._redeliveries.add(ids[rows[places]], content_hashes(delivered), hours_of_firsts)
        return verdicts

    def _reach(self, stream_ms: int) -> None:
        """Advance stream time, and drop redeliveries of events that have left the window."""
        if self._hours.reach(stream_ms):
            self._redeliveries.forget_before(self._hours.hours.start)
