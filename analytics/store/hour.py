"""The accepted events of one hour: in memory, or in files once the hour is no longer the newest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, TypeVar

import polars as pl

from analytics.events.enrichment import DERIVED_SCHEMA, OwnNames, with_derived
from analytics.events.event_rows import EventRows
from analytics.events.event_time import EVENT_TIME, event_times
from analytics.events.tracking_plan import EVENT_SCHEMA, UTC_MS, CallType, EventName
from analytics.store.spill import SpillFile, SpillFolder

STORED_SCHEMA: Final = pl.Schema({**EVENT_SCHEMA, **DERIVED_SCHEMA})
"""Columns of the events that a store keeps: flat and enriched."""

NO_EVENTS: Final = EVENT_SCHEMA.to_frame()
"""An empty table of flat events; made once, because that takes as long as to search an hour."""

NO_TIMED_EVENTS: Final = pl.Schema({**EVENT_SCHEMA, "event_time": UTC_MS}).to_frame()
"""An empty table of flat events with their event time."""

T = TypeVar("T")

# Many small tables take far more memory than one; small batches are joined now and then.
_MAX_PARTS: Final = 64
_FLAT: Final = NO_TIMED_EVENTS.columns
IN_ORDER: Final = ("event_time", "message_id")
"""The order in which a store gives its events."""

_TIME: Final = pl.col("event_time")
_IS_PAGE: Final = pl.col("type") == CallType.PAGE
_IS_DEMO: Final = (pl.col("type") == CallType.TRACK) & (pl.col("event") == EventName.DEMO_REQUESTED)


@dataclass(eq=False)
class HourEvents:
    """The events of one hour, enriched and sorted when they are first read.

    The set of events never changes: :meth:`plus` returns another object, so that a bucket given to a reader stays as it
    was.

    Args:
        n_events: Events of any kind.
        n_page_views: Of these, `page` calls.
        n_demo_requests: Of these, `track` calls named Demo Requested.
        _own: Names of one's own, for the derived columns.
    """

    n_events: int = 0
    n_page_views: int = 0
    n_demo_requests: int = 0
    _files: list[SpillFile] = field(default_factory=list)
    _parts: list[pl.DataFrame] = field(default_factory=list)
    _new: list[EventRows] = field(default_factory=list)
    _n_in_order: int = 0
    _own: OwnNames = field(default_factory=OwnNames)

    def plus(self, part: EventRows) -> HourEvents:
        """These events and more, with their ``event_time``."""
        return self._plus(part, [*self._files], _in_few([*self._new, part], EventRows.concat))

    def plus_file(self, part: EventRows, file: SpillFile) -> HourEvents:
        """These events and those of a file, from whose columns the event times follow."""
        return self._plus(part, [*self._files, file], [*self._new])

    def _plus(self, part: EventRows, files: list[SpillFile], new: list[EventRows]) -> HourEvents:
        n_page_views, n_demo_requests = part.keys.select(_IS_PAGE.sum(), demos=_IS_DEMO.sum()).row(0)
        return replace(
            self,
            n_events=self.n_events + len(part),
            n_page_views=self.n_page_views + n_page_views,
            n_demo_requests=self.n_demo_requests + n_demo_requests,
            _files=files,
            # Copies: this object must not change with the new one.
            _parts=[*self._parts],
            _new=new,
        )

    def events(self) -> pl.DataFrame:
        """All events, in order of event time and identifier."""
        if self._files:
            return pl.concat([STORED_SCHEMA.to_frame(), *self._read()]).sort(IN_ORDER)
        if self._n_in_order < self.n_events:
            self._parts = [pl.concat(self._enriched()).sort(IN_ORDER)]
            self._n_in_order = self.n_events
        return self._parts[0] if self._parts else STORED_SCHEMA.to_frame()

    def parts(self, n: int) -> Iterator[pl.DataFrame]:
        """The same in so many parts of its time, of which one is in memory at a time."""
        sources = self.scan()
        spans = [source.select(first=_TIME.min(), last=_TIME.max()).collect().row(0) for source in sources]
        first, last = min(span[0] for span in spans), max(span[1] for span in spans)
        edges = [first + (last - first) * number / n for number in range(n)]
        for begin, end in zip(edges, [*edges[1:], last + timedelta(milliseconds=1)], strict=True):
            # Most files hold a short span of the hour, so that few of them are read for a part.
            near = [source for source, span in zip(sources, spans, strict=True) if span[0] < end and begin <= span[1]]
            found = [source.filter(_TIME.is_between(begin, end, closed="left")).collect() for source in near]
            if found:
                yield with_derived(pl.concat(found), self._own).select(STORED_SCHEMA.names()).sort(IN_ORDER)

    def since(self, n: int) -> list[pl.LazyFrame] | None:
        """The events after the first ``n`` to arrive; None if their order of arrival is lost, and [] for none."""
        if n == self.n_events:
            return []
        if n == 0:
            return [part.lazy() for part in self._read()]
        wanted, found = self.n_events - n, list[pl.LazyFrame]()
        # Sorting by time has lost the order of arrival.
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
        # Parts are joined first: one query for each of many small parts would take longer.
        in_memory = [pl.concat(parts).lazy() for parts in (self._parts, self._new_frames()) if parts]
        sources = [*(pl.scan_parquet(file.path) for file in self._files), *in_memory]
        found = [source.filter(wanted).select(EVENT_SCHEMA.names()).collect() for source in sources]
        return pl.concat([NO_EVENTS, *found])

    def flat(self) -> pl.DataFrame:
        """All events, in order, flat with their ``event_time``; quicker than :meth:`events`."""
        read = (_flat(pl.read_parquet(file.path)) for file in self._files)
        return pl.concat([NO_TIMED_EVENTS, *read, *self._in_memory()]).sort(IN_ORDER)

    def scan(self) -> list[pl.LazyFrame]:
        """All events, flat with their ``event_time``, in no order; read when they are collected."""
        in_files = [_timed(pl.scan_parquet(file.path)) for file in self._files]
        return [*(part.select(_FLAT) for part in in_files), *(part.lazy() for part in self._in_memory())]

    def spill(self, folder: SpillFolder, name: str) -> None:
        """Move what is in memory to a new file.

        Args:
            folder: Folder of the file.
            name: Beginning of the file's name.

        Raises:
            SpillError: It cannot be written, and stays in memory.
        """
        if self.n_in_memory:
            # Flat: most past hours are never read again, so nothing is derived for them.
            self._files.append(folder.write(pl.concat(self._in_memory()), name))
            self._parts, self._new, self._n_in_order = [], [], 0

    @classmethod
    def make_whole(cls, hours: Iterable[HourEvents]) -> None:
        """Make the columns of all events in memory, which costs less for many hours together than for each."""
        EventRows.make_whole([rows for hour in hours for rows in hour._new])  # noqa: SLF001 - of its own class

    @property
    def n_in_memory(self) -> int:
        """Number of events that are in no file."""
        return sum(part.height for part in self._parts) + sum(map(len, self._new))

    def _read(self) -> Iterator[pl.DataFrame]:
        yield from (with_derived(pl.read_parquet(file.path), self._own) for file in self._files)
        yield from self._enriched()

    def _in_memory(self) -> list[pl.DataFrame]:
        return [part.select(_FLAT) for part in (*self._parts, *self._new_frames())]

    def _new_frames(self) -> list[pl.DataFrame]:
        return [part.frame() for part in self._new]

    def _enriched(self) -> list[pl.DataFrame]:
        """The parts in memory with all derived columns, which are computed once for all new parts together."""
        if self._new:
            self._parts = _in_few([*self._parts, with_derived(pl.concat(self._new_frames()), self._own)], _joined)
            self._new = []
        return self._parts


def _in_few(parts: list[T], join: Callable[[list[T]], T]) -> list[T]:
    """Join the later half of too many parts, so that each event is copied only a few times however many follow."""
    half = _MAX_PARTS // 2
    return parts if len(parts) <= _MAX_PARTS else [*parts[:half], join(parts[half:])]


def _joined(parts: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(parts, rechunk=True)


def _timed(events: pl.LazyFrame) -> pl.LazyFrame:
    # The times in a file of the store's own may have been corrected by the arrival.
    is_timed = "event_time" in events.collect_schema()
    return events if is_timed else events.with_columns(event_time=EVENT_TIME)


def _flat(part: pl.DataFrame) -> pl.DataFrame:
    # A file that the caller wrote has no event times.
    if "event_time" not in part.columns:
        part = part.with_columns(event_times(part))
    return part.select(_FLAT)
