"""Sorting any number of events by the hour in which they happened, with few of them in memory at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.events.clocks import DEVICE, IMPOSSIBLE_YEAR, bulk_span, judged
from analytics.events.event_time import KNOWN_ARRIVAL
from analytics.events.times import HOUR_MS
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.flatten import Flattened
from analytics.store.clock_guard import without_impossible
from analytics.store.deliveries import with_event_time
from analytics.store.spill import write_temporary

_RUN_ROWS: Final = 200_000
_PART_ROWS: Final = 100_000
_LONE_MS: Final = 183 * 24 * HOUR_MS


@dataclass(frozen=True, eq=False)
class _Run:
    """A file of sorted events: where each hour begins in it, and with how many."""

    path: Path
    places: dict[int, tuple[int, int]]


class HourSorter:
    """An external merge sort of events by hour.

    Events are collected, and sorted and written to a file a few hundred thousand at a time. To read them in order, the
    rows of the next hours are read from every file. Memory holds one such file's events, or one part of the result.

    Args:
        folder: Where the files go; it must exist, and is for the caller to delete.
        skew_ms: As for :func:`analytics.store.deliveries.with_event_time`.
    """

    def __init__(self, folder: Path, skew_ms: int) -> None:
        self._folder = folder
        self._skew_ms = skew_ms
        self._waiting: list[pl.DataFrame] = []
        self._runs: list[_Run] = []
        self._impossible_years, self._arrived = set[int](), set[int]()
        self._latest_arrival: datetime | None = None

    def add(self, events: pl.DataFrame) -> None:
        """Add flat events."""
        self._waiting.append(events)
        if sum(each.height for each in self._waiting) >= _RUN_ROWS:
            self._write()

    def parts(self) -> Iterator[Flattened]:
        """Yield all events by hour, and of one hour by arrival, where it is not too large to be sorted in memory.

        Impossible clocks, as judged by all events together, are dead letters. What is yielded depends only on the
        events and on their order.
        """
        self._write()
        impossible, n_rows = self._impossible_hours(), self._hours()
        group: list[int] = []
        for hour in sorted(n_rows):
            if group and sum(n_rows[each] for each in group) + n_rows[hour] > _PART_ROWS:
                yield from self._read(group, impossible)
                group = []
            group.append(hour)
        yield from self._read(group, impossible)

    @property
    def first_hour(self) -> int | None:
        """The earliest hour with an event of a possible time, in epoch milliseconds; None without events."""
        self._write()
        return min(self._hours().keys() - self._impossible_hours(), default=None)

    def _hours(self) -> Counter[int]:
        """Number of events in each hour."""
        hours = Counter[int]()
        for run in self._runs:
            hours.update({hour: n for hour, (_, n) in run.places.items()})
        return hours

    def _impossible_hours(self) -> set[int]:
        """The hours of impossible clocks, as of :mod:`analytics.events.clocks`."""
        n_events = {hour: n for hour, n in self._hours().items() if hour not in self._impossible_years}
        hours, counts = (pl.Series([*each], dtype=pl.Int64) for each in (n_events.keys(), n_events.values()))
        span = bulk_span(hours, self._latest_arrival, counts)
        is_far = span.is_far(hours)
        if not is_far.any():
            return self._impossible_years | self._lone_last_hours(sorted(n_events))
        far, near = set(hours.filter(is_far)), set(hours.filter(~is_far))
        n_far, n = int(counts.filter(is_far).sum()), int(counts.sum())
        side = judged(span, self._devices(far), self._devices(near), n_far, n).judged
        found = self._impossible_years | {"far": far, "near": near, "none": set[int]()}[side]
        return found | self._lone_last_hours(sorted(n_events.keys() - found))

    def _lone_last_hours(self, hours: list[int]) -> set[int]:
        """The last hours, if one device alone, and no arrival, claims them half a year after all others.

        They would move the window beyond all that is known. Where they are history, that cannot be known in time.
        """
        gaps = [place for place, (one, next_) in enumerate(pairwise(hours), 1) if next_ - one > _LONE_MS]
        if not gaps:
            return set()
        last, before = set(hours[gaps[-1] :]), set(hours[: gaps[-1]])
        devices = self._devices(last)
        counts, is_new = self._hours(), len(devices) == 1 and not np.isin(devices, self._devices(before)).any()
        n_last, n_before = (sum(counts[hour] for hour in each) for each in (last, before))
        return last if is_new and n_last < n_before and not last & self._arrived else set()

    def _devices(self, hours: set[int]) -> NDArray[np.uint64]:
        """Numbers of the devices with events in these hours, each once."""
        found = np.empty(0, dtype=np.uint64)
        for run in self._runs:
            wanted = [np.arange(start, start + n) for hour, (start, n) in run.places.items() if hour in hours]
            if wanted:
                devices = pl.scan_parquet(run.path, glob=False).select(DEVICE).collect().to_series()
                found = np.union1d(found, devices.gather(np.concatenate(wanted)).to_numpy())
        return found

    def _write(self) -> None:
        """Write what is waiting to a file."""
        if not self._waiting:
            return
        events = self._by_hour(pl.concat(self._waiting))
        self._waiting.clear()
        self._impossible_years.update(events.filter(IMPOSSIBLE_YEAR)["hour"])
        self._arrived.update(events.filter(KNOWN_ARRIVAL.is_not_null())["hour"].unique())
        arrivals = (self._latest_arrival, events.select(KNOWN_ARRIVAL.max()).item())
        self._latest_arrival = max((each for each in arrivals if each is not None), default=None)
        counts = events["hour"].rle().struct.unnest()
        starts = accumulate(counts["len"], initial=0)
        places = {hour: (start, n) for (n, hour), start in zip(counts.iter_rows(), starts, strict=False)}
        path = self._folder / f"run-{len(self._runs):06}.parquet"
        write_temporary(events.select(EVENT_SCHEMA.names()), path)
        self._runs.append(_Run(path, places))

    def _read(self, hours: list[int], impossible: set[int]) -> Iterator[Flattened]:
        """The events of successive hours: in one part, or several if it is one large hour."""
        tables = [table for run in self._runs for table in _slices(run, hours)]
        while tables:
            n_rows, n_tables = 0, 0
            while n_tables < len(tables) and (not n_rows or n_rows + tables[n_tables][1] <= _PART_ROWS):
                n_rows, n_tables = n_rows + tables[n_tables][1], n_tables + 1
            events = self._by_hour(pl.concat(lazy.collect() for lazy, _ in tables[:n_tables]))
            del tables[:n_tables]
            is_wrong = events["hour"].is_in([*impossible])
            yield without_impossible(Flattened(events.select(EVENT_SCHEMA.names())), is_wrong)

    def _by_hour(self, events: pl.DataFrame) -> pl.DataFrame:
        timed, _ = with_event_time(events, self._skew_ms)
        hour = pl.col("event_time").dt.truncate("1h").dt.epoch("ms").alias("hour")
        # Stable: of one moment, as they were read.
        return timed.with_columns(hour).sort("hour", "received_at", maintain_order=True)


def _slices(run: _Run, hours: list[int]) -> Iterator[tuple[pl.LazyFrame, int]]:
    """The rows of successive hours in a file, in pieces that are not too large, with their numbers."""
    places = [run.places[hour] for hour in hours if hour in run.places]
    if places:
        begin, end = places[0][0], places[-1][0] + places[-1][1]
        for start in range(begin, end, _PART_ROWS):
            n = min(_PART_ROWS, end - start)
            yield pl.scan_parquet(run.path, glob=False).slice(start, n), n
