"""The accepted events of one hour of a store: in memory, or in files once the hour is no longer the newest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import polars as pl

from analytics.events.enrichment import DERIVED_SCHEMA, enrich, event_times
from analytics.events.tracking_plan import EVENT_SCHEMA, UTC_MS, CallType, EventName
from analytics.store.spill import SpillFile, SpillFolder

__all__ = ["NO_EVENTS", "NO_TIMED_EVENTS", "STORED_SCHEMA", "HourEvents"]

STORED_SCHEMA: Final = pl.Schema({**EVENT_SCHEMA, **DERIVED_SCHEMA})
"""Columns of the events that a store keeps: flat and enriched."""

NO_EVENTS: Final = EVENT_SCHEMA.to_frame()
"""A table of flat events without any; made once, for that takes as long as to search an hour."""

NO_TIMED_EVENTS: Final = pl.Schema({**EVENT_SCHEMA, "event_time": UTC_MS}).to_frame()
"""A table of flat events with their event time without any."""

# Many small frames take far more room than one; small batches are put together now and then.
_MOST_PARTS: Final = 64
_FLAT: Final = NO_TIMED_EVENTS.columns
_IN_ORDER: Final = ("event_time", "message_id")
_IS_PAGE: Final = pl.col("type") == CallType.PAGE
_IS_DEMO: Final = (pl.col("type") == CallType.TRACK) & (pl.col("event") == EventName.DEMO_REQUESTED)


@dataclass(eq=False)
class HourEvents:
    """The events of one hour. They are enriched and brought into order when somebody asks for them.

    Which events they are never changes: what comes later makes :meth:`plus`, so that a bucket stays what it was.

    Args:
        n_events: Events of any kind.
        n_page_views: Of these, `page` calls.
        n_demo_requests: Of these, `track` calls named Demo Requested.
    """

    n_events: int = 0
    n_page_views: int = 0
    n_demo_requests: int = 0
    _files: list[SpillFile] = field(default_factory=list)
    _parts: list[pl.DataFrame] = field(default_factory=list)
    _new: list[pl.DataFrame] = field(default_factory=list)
    _n_in_order: int = 0

    def plus(self, part: pl.DataFrame) -> HourEvents:
        """These events and more: flat ones with their ``event_time``."""
        return self._plus(part, [*self._files], _in_few([*self._new, part]))

    def plus_file(self, part: pl.DataFrame, file: SpillFile) -> HourEvents:
        """These events and more, which a file holds already: flat ones whose event time their columns alone tell."""
        return self._plus(part, [*self._files, file], [*self._new])

    def _plus(self, part: pl.DataFrame, files: list[SpillFile], new: list[pl.DataFrame]) -> HourEvents:
        n_page_views, n_demo_requests = part.select(_IS_PAGE.sum(), demos=_IS_DEMO.sum()).row(0)
        return replace(
            self,
            n_events=self.n_events + part.height,
            n_page_views=self.n_page_views + n_page_views,
            n_demo_requests=self.n_demo_requests + n_demo_requests,
            _files=files,
            _parts=[*self._parts],
            _new=new,
        )

    def events(self) -> pl.DataFrame:
        """All events, in order of event time and identifier."""
        if self._files:
            return pl.concat([STORED_SCHEMA.to_frame(), *self._read()]).sort(_IN_ORDER)
        if self._n_in_order < self.n_events:
            self._parts = [pl.concat(self._enriched()).sort(_IN_ORDER)]
            self._n_in_order = self.n_events
        return self._parts[0] if self._parts else STORED_SCHEMA.to_frame()

    def since(self, n: int) -> list[pl.LazyFrame] | None:
        """The events that came after the first so many; None if that can no longer be told, and [] for none."""
        if n == self.n_events:
            return []
        if n == 0:
            return [part.lazy() for part in self._read()]
        wanted, found = self.n_events - n, list[pl.LazyFrame]()
        if n < self._n_in_order:
            return None
        for part in reversed(self._enriched()):
            if wanted <= 0:
                break
            found.append(part.tail(wanted).lazy())
            wanted -= part.height
        return found if wanted <= 0 else None

    def find(self, message_ids: pl.Series) -> pl.DataFrame:
        """Flat events with these identifiers, in no particular order."""
        wanted = pl.col("message_id").is_in(message_ids.unique().implode())
        # Parts are searched in one go: of an hour that comes in small ones, each would cost more than what is in it.
        held = [pl.concat(parts).lazy() for parts in (self._parts, self._new) if parts]
        sources = [*(pl.scan_parquet(file.path) for file in self._files), *held]
        found = [source.filter(wanted).select(EVENT_SCHEMA.names()).collect() for source in sources]
        return pl.concat([NO_EVENTS, *found])

    def flat(self) -> pl.DataFrame:
        """All events, in order, flat with their ``event_time``: quicker than with all that can be derived."""
        held = [part.select(_FLAT) for part in (*self._parts, *self._new)]
        read = (_flat(pl.read_parquet(file.path)) for file in self._files)
        return pl.concat([NO_TIMED_EVENTS, *read, *held]).sort(_IN_ORDER)

    def spill(self, folder: SpillFolder, name: str) -> None:
        """Move what is in memory to a new file.

        Args:
            folder: Where to.
            name: What the file's name begins with.

        Raises:
            SpillError: It cannot be written; then it is still in memory.
        """
        if self.n_in_memory:
            # Flat: of events that nobody asks for again, nothing need be worked out.
            flat = [part.select(_FLAT) for part in (*self._parts, *self._new)]
            self._files.append(folder.write(pl.concat(flat), name))
            self._parts, self._new, self._n_in_order = [], [], 0

    @property
    def n_in_memory(self) -> int:
        """Events that are in no file."""
        return sum(part.height for part in (*self._parts, *self._new))

    def _read(self) -> Iterator[pl.DataFrame]:
        yield from (_enriched(pl.read_parquet(file.path)) for file in self._files)
        yield from self._enriched()

    def _enriched(self) -> list[pl.DataFrame]:
        """The parts in memory with all derived columns, which are worked out once, for all that is new together."""
        if self._new:
            self._parts = _in_few([*self._parts, _enriched(pl.concat(self._new))])
            self._new = []
        return self._parts


def _in_few(parts: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """Join the later half of too many parts: so each event is copied a few times only, however many are to come."""
    half = _MOST_PARTS // 2
    return parts if len(parts) <= _MOST_PARTS else [*parts[:half], pl.concat(parts[half:], rechunk=True)]


def _flat(part: pl.DataFrame) -> pl.DataFrame:
    if "event_time" not in part.columns:
        part = part.with_columns(event_times(part))
    return part.select(_FLAT)


def _enriched(part: pl.DataFrame) -> pl.DataFrame:
    enriched = enrich(part)
    if "event_time" in part.columns:
        # The store knows better: it has looked at the arrival.
        enriched = enriched.with_columns(part["event_time"])
    return enriched.select(STORED_SCHEMA.names())
