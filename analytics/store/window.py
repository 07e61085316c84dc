"""The window of a store: the current hour and the hours before it, which stream time advances."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.events.dimensions import Dimension
from analytics.events.enrichment import OwnNames
from analytics.events.event_rows import EventRows
from analytics.events.times import HOUR_MS, moment, window_start
from analytics.store.buckets import HourBucket, HourReports, hourly_table
from analytics.store.hour import NO_EVENTS, HourEvents
from analytics.store.hourly_views import HourCounts
from analytics.store.spill import SpillFile, SpillFolder

# Fewer events of a past hour than these stay in memory: a file costs more than they take.
_WORTH_A_FILE: Final = 5_000
# As many of the newest hour are moved too: an hour may have any number of events.
_TOO_MANY: Final = 200_000


class HourWindow:
    """A window of hours, by their beginning in epoch milliseconds.

    Args:
        n_hours: Hours in the window, the current one included.
        on_evict: Called with each hour that leaves the window with events in it, oldest first. Should it fail, the hour
            is passed again when the window next moves.
        spill: A folder for the events of hours that are no longer the newest; without one they stay in memory.
        own: Names of one's own, for the derived columns.

    Attributes:
        stream_ms: Stream time, the latest event time so far; None before the first event.
        reports: The latest report of each hour.
    """

    def __init__(
        self,
        n_hours: int,
        on_evict: Callable[[HourBucket], None] | None,
        spill: Path | None,
        own: OwnNames | None = None,
    ) -> None:
        self.stream_ms: int | None = None
        self._n_hours = n_hours
        self._on_evict = on_evict
        self._spill = None if spill is None else SpillFolder(spill)
        self._events_of_hour: dict[int, HourEvents] = {}
        self._empty = HourEvents(_own=own or OwnNames())
        self._counts = HourCounts()
        self.reports = HourReports()

    def __getstate__(self) -> dict[str, object]:
        if self._spill is not None:
            raise TypeError("a store whose events go to files cannot be copied: two would write to the same files")
        return vars(self).copy()

    @property
    def hours(self) -> range:
        """The hours of the window; none before the first event."""
        return range(0) if self.stream_ms is None else self.hours_at(self.stream_ms)

    @property
    def filled_hours(self) -> list[int]:
        """Those of the hours that have events."""
        return list(self._events_of_hour)

    def hours_at(self, stream_ms: int) -> range:
        """The hours of the window at this stream time."""
        start = window_start(stream_ms, self._n_hours)
        return range(start, start + self._n_hours * HOUR_MS, HOUR_MS)

    def floors(self, stream_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """The oldest hour of the window at each of these stream times."""
        return window_start(stream_ms, self._n_hours)

    def keep(self, accepted: EventRows, hours: NDArray[np.int64], file: Path | None = None) -> bool:
        """Put events into their hours.

        Args:
            accepted: Events with their ``event_time``.
            hours: The hour of each.
            file: A Parquet file with just these events, if there is one, from whose columns their times follow.

        Returns:
            Whether the window has linked to the file instead of keeping the events in memory.
        """
        if not len(hours):
            return False
        adopted = None
        # Nearly every batch of a live stream is: it then need not be filtered, which copies it.
        in_one_hour = hours.min() == hours.max()
        for hour in [int(hours[0])] if in_one_hour else np.unique(hours).tolist():
            events = self._events_of_hour.get(hour, self._empty)
            part = accepted if in_one_hour else accepted.filter(hours == hour)
            adopted = self._adopted(file, hour, events) if in_one_hour else None
            self._events_of_hour[hour] = events.plus(part) if adopted is None else events.plus_file(part, adopted)
        return adopted is not None

    def find(self, message_ids: pl.Series, hours: NDArray[np.int64]) -> pl.DataFrame:
        """The events with these identifiers in these hours, row by row; nulls where there is none."""
        found = [self._events_of_hour[hour].find(message_ids.filter(hours == hour)) for hour in np.unique(hours)]
        first = pl.concat([NO_EVENTS, *found])
        return message_ids.to_frame().join(first, on="message_id", how="left", maintain_order="left")

    def reach(self, stream_ms: int) -> bool:
        """Advance stream time, never back, and evict the hours that have left the window.

        Returns:
            Whether the window has moved.
        """
        before = self.hours
        self.stream_ms = stream_ms if self.stream_ms is None else max(self.stream_ms, stream_ms)
        start = self.hours[0]
        # Oldest first, as `on_evict` promises.
        for hour in sorted(hour for hour in self._events_of_hour if hour < start):
            self._evict(hour)
        if before == self.hours:
            return False
        # Final reports outlive their hours by one window, for `left`.
        self.reports.forget_before(start, start - self._n_hours * HOUR_MS)
        return True

    def spill_past_hours(self) -> None:
        """Move the events of all hours but the newest to files, and many of that too, if there is a folder for them.

        Raises:
            SpillError: They cannot be written, and stay in memory.
        """
        if self._spill is not None:
            for hour in self.hours:
                events = self._events_of_hour.get(hour)
                fewest = _WORTH_A_FILE if hour < self.hours[-1] else _TOO_MANY
                if events is not None and events.n_in_memory >= fewest:
                    events.spill(self._spill, str(hour))

    def buckets(self) -> tuple[HourBucket, ...]:
        """Report the hours of the window, oldest first, also the empty ones."""
        # Also empty hours: a report of zero events is revised too when events come.
        return tuple(self._bucket(hour) for hour in self.hours)

    def left(self) -> tuple[HourBucket, ...]:
        """The final report of as many hours before the window as are in it."""
        before = (hour - self._n_hours * HOUR_MS for hour in self.hours)
        return tuple(self.reports.final(hour) or HourBucket(moment(hour), 0, 0, 0, final=True) for hour in before)

    def views(self, dimensions: tuple[Dimension, ...], *, include_bots: bool) -> pl.DataFrame:
        """Count page views by hour and segment; see :meth:`analytics.EventStore.views`."""
        counts = self._counts.views(self._events_of_hour, dimensions, include_bots=include_bots)
        state = hourly_table(self.buckets()).select("hour", "revision", "final")
        return counts.join(state, on="hour", how="left", maintain_order="left")

    def frames(self) -> Iterator[pl.DataFrame]:
        """The events of each hour that has some, enriched and in order."""
        return (self._events_of_hour[hour].events() for hour in self.hours if hour in self._events_of_hour)

    def flat(self, start: int | None = None) -> Iterator[pl.DataFrame]:
        """The events of each hour that has some, from this hour on, in order; flat, with their ``event_time``."""
        for events in self._whole_hours(start):
            yield events.flat()

    def scan(self) -> list[pl.LazyFrame]:
        """The events of all hours, flat with their ``event_time``, in no order; read when they are collected."""
        return [part for events in self._whole_hours() for part in events.scan()]

    def _whole_hours(self, start: int | None = None) -> list[HourEvents]:
        """The hours that have events, from this hour on, with all columns of the events in memory."""
        kept = (hour for hour in self.hours if start is None or hour >= start)
        found = [self._events_of_hour[hour] for hour in kept if hour in self._events_of_hour]
        HourEvents.make_whole(found)
        return found

    def _adopted(self, file: Path | None, hour: int, events: HourEvents) -> SpillFile | None:
        """The file as one of the store's own, if it has any."""
        # What is in memory must be the latest of an hour, so a file cannot come after it.
        if file is None or self._spill is None or events.n_in_memory:
            return None
        return self._spill.adopt(file, str(hour))

    def _evict(self, hour: int) -> None:
        bucket = replace(self._bucket(hour), final=True)
        # First of all: should it fail, the hour is still in the window.
        if self._on_evict is not None:
            self._on_evict(bucket)
        del self._events_of_hour[hour]
        self._counts.forget(hour)
        self.reports.close(hour, bucket)

    def _bucket(self, hour: int) -> HourBucket:
        """The hour as it is reported now, which numbers its revision."""
        events = self._events_of_hour.get(hour, self._empty)
        # Not free of effects: to report an hour is what gives later reports their revisions.
        revision = self.reports.revision(hour, events.n_events)
        counts = events.n_events, events.n_page_views, events.n_demo_requests
        return HourBucket(moment(hour), *counts, revision, _hour=events)
