"""The accepted events of one hour of a store: in memory, or in files once the hour is no longer the newest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import polars as pl

from analytics.enrichment import DERIVED_SCHEMA, enrich
from analytics.events import EVENT_SCHEMA, CallType, EventName

__all__ = ["STORED_SCHEMA", "HourEvents"]

STORED_SCHEMA: Final = pl.Schema({**EVENT_SCHEMA, **DERIVED_SCHEMA})
"""Columns of the events that a store keeps: flat and enriched."""

# Many small frames take far more room than one; small batches are put together now and then.
_MOST_PARTS: Final = 64
_IN_ORDER: Final = ("event_time", "message_id")
_IS_PAGE: Final = pl.col("type") == CallType.PAGE
_IS_DEMO: Final = (pl.col("type") == CallType.TRACK) & (pl.col("event") == EventName.DEMO_REQUESTED)


@dataclass(eq=False)
class HourEvents:
    """The events of one hour. They are enriched and brought into order when somebody asks for them.

    Args:
        n_events: Events of any kind.
        n_page_views: Of these, `page` calls.
        n_demo_requests: Of these, `track` calls named Demo Requested.
    """

    n_events: int = 0
    n_page_views: int = 0
    n_demo_requests: int = 0
    _files: list[Path] = field(default_factory=list)
    _parts: list[pl.DataFrame] = field(default_factory=list)
    _n_in_order: int = 0

    def add(self, part: pl.DataFrame) -> None:
        """Add flat events with their ``event_time``."""
        n_page_views, n_demo_requests = part.select(_IS_PAGE.sum(), demos=_IS_DEMO.sum()).row(0)
        self.n_events += part.height
        self.n_page_views += n_page_views
        self.n_demo_requests += n_demo_requests
        self._parts.append(part)
        if len(self._parts) > _MOST_PARTS:
            self._parts = [pl.concat(self._enriched())]

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
            return [*(pl.scan_parquet(file) for file in self._files), *(part.lazy() for part in self._enriched())]
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
        found = [pl.scan_parquet(file).filter(wanted).collect() for file in self._files]
        parts = [part.filter(wanted) for part in self._parts]
        return pl.concat([EVENT_SCHEMA.to_frame(), *(each.select(EVENT_SCHEMA.names()) for each in (*found, *parts))])

    def spill(self, file: Path) -> None:
        """Move what is in memory to a new file."""
        if self._parts:
            # Files of a store that lives as long as its process: quick to write counts more than small.
            pl.concat(self._enriched()).write_parquet(file, compression="lz4")
            self._files.append(file)
            self._parts, self._n_in_order = [], 0

    @property
    def n_in_memory(self) -> int:
        """Events that are in no file."""
        return sum(part.height for part in self._parts)

    @property
    def n_files(self) -> int:
        """Files that hold events."""
        return len(self._files)

    def delete_files(self) -> None:
        """Delete the files: the hour has left the window."""
        for file in self._files:
            file.unlink(missing_ok=True)

    def _read(self) -> Iterator[pl.DataFrame]:
        yield from (pl.read_parquet(file) for file in self._files)
        yield from self._enriched()

    def _enriched(self) -> list[pl.DataFrame]:
        """The parts in memory with all derived columns, which are worked out once."""
        self._parts = [part if "is_bot" in part.columns else _enriched(part) for part in self._parts]
        return self._parts


def _enriched(part: pl.DataFrame) -> pl.DataFrame:
    # The store knows the event time better: it has looked at the arrival.
    return enrich(part).with_columns(part["event_time"]).select(STORED_SCHEMA.names())
