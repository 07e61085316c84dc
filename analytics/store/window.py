"""The running hour and the hours before it that a store holds, and the stream time that moves them on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.events.dimensions import Dimension
from analytics.events.times import HOUR_MS, moment
from analytics.store.buckets import HourBucket, HourReports, hourly_table
from analytics.store.hour import NO_EVENTS, HourEvents
from analytics.store.hourly_views import HourCounts
from analytics.store.spill import SpillFile, SpillFolder

__all__ = ["HourWindow"]

# Events of an hour that has passed which are worth a file of their own, where events go to files.
_WORTH_A_FILE: Final = 5_000


class HourWindow:
    """A window of hours, by their beginning in epoch milliseconds.

    Args:
        n_hours: Hours in the window, the running one included.
        on_evict: Called with each hour that leaves the window with events in it, oldest first. Should it fail, the hour
            is handed on again when the window next moves.
        spill: A folder to which the events of hours that are no longer the newest may go.

    Attributes:
        stream_ms: Stream time, the latest event time so far; None before the first event.
        reports: What readers have been told of each hour.
    """

    def __init__(self, n_hours: int, on_evict: Callable[[HourBucket], None] | None, spill: Path | None) -> None:
        self.stream_ms: int | None = None
        self._n_hours = n_hours
        self._on_evict = on_evict
        self._spill = None if spill is None else SpillFolder(spill)
        self._events_of_hour: dict[int, HourEvents] = {}
        self._counts = HourCounts()
        self.reports = HourReports()

    def __getstate__(self) -> dict[str, object]:
        if self._spill is not None:
            raise TypeError("a store whose events go to files cannot be copied: two would write to the same ones")
        return vars(self).copy()

    @property
    def hours(self) -> range:
        """The hours of the window; none before the first event."""
        return range(0) if self.stream_ms is None else self.hours_at(self.stream_ms)

    def hours_at(self, stream_ms: int) -> range:
        """The hours of the window when the stream stands at this time."""
        end = stream_ms - stream_ms % HOUR_MS + HOUR_MS
        return range(end - self._n_hours * HOUR_MS, end, HOUR_MS)

    def floors(self, stream_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """The oldest hour of the window at each of these times."""
        return np.asarray(stream_ms - stream_ms % HOUR_MS - (self._n_hours - 1) * HOUR_MS)

    def keep(self, accepted: pl.DataFrame, hours: NDArray[np.int64], file: Path | None = None) -> None:
        """Put events into their hours.

        Args:
            accepted: Flat events with their ``event_time``.
            hours: The hour of each.
            file: A Parquet file that holds just these events, and whose columns alone tell their times, if there is
                one.
        """
        if not len(hours):
            return
        in_one_hour = hours.min() == hours.max()
        for hour in [int(hours[0])] if in_one_hour else np.unique(hours).tolist():
            held = self._events_of_hour.get(hour, HourEvents())
            part = accepted if in_one_hour else accepted.filter(hours == hour)
            adopted = self._adopted(file, hour, held) if in_one_hour else None
            self._events_of_hour[hour] = held.plus(part) if adopted is None else held.plus_file(part, adopted)

    def find(self, message_ids: pl.Series, hours: NDArray[np.int64]) -> pl.DataFrame:
        """The events with these identifiers, row by row, in these hours; nulls where there is none."""
        found = [self._events_of_hour[hour].find(message_ids.filter(hours == hour)) for hour in np.unique(hours)]
        first = pl.concat([NO_EVENTS, *found])
        return message_ids.to_frame().join(first, on="message_id", how="left", maintain_order="left")

    def reach(self, stream_ms: int) -> bool:
        """Move stream time on, never back, and let go of the hours that have left.

        Returns:
            Whether the window has moved.
        """
        before = self.hours
        self.stream_ms = stream_ms if self.stream_ms is None else max(self.stream_ms, stream_ms)
        start = self.hours[0]
        for hour in sorted(hour for hour in self._events_of_hour if hour < start):
            self._evict(hour)
        if before == self.hours:
            return False
        self.reports.forget_before(start, start - self._n_hours * HOUR_MS)
        return True

    def spill_past_hours(self) -> None:
        """Let events go to files, where they may; the newest hour's stay.

        Raises:
            SpillError: They cannot be written, and stay in memory.
        """
        if self._spill is not None:
            for hour in self.hours[:-1]:
                held = self._events_of_hour.get(hour)
                if held is not None and held.n_in_memory >= _WORTH_A_FILE:
                    held.spill(self._spill, str(hour))

    def buckets(self) -> tuple[HourBucket, ...]:
        """Report the hours of the window, oldest first, also the empty ones."""
        return tuple(self._bucket(hour) for hour in self.hours)

    def left(self) -> tuple[HourBucket, ...]:
        """The last word on the hours before the window, as many as are in it."""
        before = (hour - self._n_hours * HOUR_MS for hour in self.hours)
        return tuple(self.reports.final(hour) or HourBucket(moment(hour), 0, 0, 0, final=True) for hour in before)

    def views(self, dimensions: tuple[Dimension, ...], *, include_bots: bool) -> pl.DataFrame:
        """Count page views by hour and segment; see :meth:`analytics.event_store.EventStore.views`."""
        counts = self._counts.views(self._events_of_hour, dimensions, include_bots=include_bots)
        state = hourly_table(self.buckets()).select("hour", "revision", "final")
        return counts.join(state, on="hour", how="left", maintain_order="left")

    def frames(self) -> Iterator[pl.DataFrame]:
        """The events of each hour that has some, enriched and in order."""
        return (self._events_of_hour[hour].events() for hour in self.hours if hour in self._events_of_hour)

    def flat(self, start: int | None = None) -> Iterator[pl.DataFrame]:
        """The events of each hour that has some, from this hour on, in order; flat, with their ``event_time``."""
        kept = (hour for hour in self.hours if hour in self._events_of_hour and (start is None or hour >= start))
        return (self._events_of_hour[hour].flat() for hour in kept)

    def _adopted(self, file: Path | None, hour: int, held: HourEvents) -> SpillFile | None:
        """The file as one of the store's own, if it is to have any; what is in memory must be the latest of an hour."""
        if file is None or self._spill is None or held.n_in_memory:
            return None
        return self._spill.adopt(file, str(hour))

    def _evict(self, hour: int) -> None:
        bucket = replace(self._bucket(hour), final=True)
        # First of all: should it fail, the hour is still here.
        if self._on_evict is not None:
            self._on_evict(bucket)
        del self._events_of_hour[hour]
        self._counts.forget(hour)
        self.reports.close(hour, bucket)

    def _bucket(self, hour: int) -> HourBucket:
        """The hour as it is reported now."""
        held = self._events_of_hour.get(hour, HourEvents())
        revision = self.reports.revision(hour, held.n_events)
        return HourBucket(moment(hour), held.n_events, held.n_page_views, held.n_demo_requests, revision, _held=held)
