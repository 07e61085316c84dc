"""All events that an event store has accepted, also those whose hours have left its window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from analytics.events.enrichment import with_derived
from analytics.store.buckets import HourBucket
from analytics.store.event_store import EventStore
from analytics.store.hour import NO_TIMED_EVENTS
from analytics.store.spill import temporary_folder, write_temporary


class EventHistory:
    """An event store and the hours that have left it, for statistics of all events instead of the last 24 hours.

    Args:
        on_disk: Whether past hours go to temporary files, which last as long as this object, so that little is in
            memory until all events are asked for.

    Attributes:
        store: The store; append to it.
    """

    def __init__(self, *, on_disk: bool = False) -> None:
        self._folder = temporary_folder(self) if on_disk else None
        # An object of its own: a callback that refers to this one would make a cycle, and keep the store in memory.
        self._left = _LeftHours(self._folder)
        # A report should list every event that could not be used; the bound is for a file that holds no events at all.
        self.store = EventStore(on_evict=self._left.keep, max_dead_letters=100_000, spill=self._folder)

    def frame(self) -> pl.DataFrame:
        """Return all accepted events so far, enriched, in order of event time."""
        # All hours together: deriving columns costs a quiet hour as much as its first thousand events.
        flat = pl.concat([NO_TIMED_EVENTS, *self._left.flat(), *self.store.snapshot().events])
        return with_derived(flat)

    def scan(self) -> list[pl.LazyFrame]:
        """All accepted events so far, flat with their ``event_time``, in tables to be read one after the other."""
        return [*self._left.scan(), *self.store.scan(), NO_TIMED_EVENTS.lazy()]


class _LeftHours:
    """The hours that have left a store.

    Args:
        folder: Where they are written; in memory without it.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._in_memory: list[HourBucket] = []
        self._files: list[Path] = []

    def flat(self) -> Iterator[pl.DataFrame]:
        """The events of each hour, oldest first; flat, with their ``event_time``."""
        yield from map(pl.read_parquet, self._files)
        yield from HourBucket.flat_of(self._in_memory)

    def scan(self) -> Iterator[pl.LazyFrame]:
        """The same, read when they are collected."""
        yield from map(pl.scan_parquet, self._files)
        yield from (events.lazy() for events in HourBucket.flat_of(self._in_memory))

    def keep(self, bucket: HourBucket) -> None:
        """Keep an hour."""
        if self._folder is None:
            self._in_memory.append(bucket)
            return
        path = self._folder / f"left-{len(self._files):06}.parquet"
        write_temporary(bucket.flat, path)
        self._files.append(path)
