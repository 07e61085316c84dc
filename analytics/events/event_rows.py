"""Events of which a few columns are known at once, and the others made when somebody asks for them.

A simulation knows which visit, page and campaign an event belongs to long before it writes their texts. As long as
nobody reads the texts, they need neither be gathered nor kept. Such a table is a star schema: each event has its keys,
and one row in each of a few smaller tables, the dimensions. Source: R. Kimball and M. Ross, The Data Warehouse Toolkit,
3rd ed. (2013), ch. 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, chain
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.events.tracking_plan import EVENT_SCHEMA, UTC_MS

KEYS: Final = ("type", "event", "message_id", *(name for name, dtype in EVENT_SCHEMA.items() if dtype == UTC_MS))
"""The columns by which a store judges and counts events."""

OTHERS: Final = tuple(name for name in EVENT_SCHEMA if name not in KEYS)
"""All other columns of the tracking plan."""

RowNumbers = NDArray[np.uint32]
"""Numbers of rows; shape (rows,)."""


class DimensionTable(NamedTuple):
    """A table of which each event has one row.

    Args:
        table: Some of the columns :data:`OTHERS`; or a star, whose rows have one row each in tables of their own.
        row: Its row of each event; shape (events,).
    """

    table: pl.DataFrame | Star
    row: RowNumbers


class Star:
    """Where the columns :data:`OTHERS` of events come from.

    Args:
        make: Returns the tables, which is done when somebody asks for the first time. No column is in two of them; one
            that is in none is null.

    >>> pages = pl.DataFrame({"name": ["Home", "Prices"]})
    >>> star = Star(lambda: [DimensionTable(pages, np.array([1, 0, 1], np.uint32))])
    >>> star.columns(["name"], np.array([0, 1], np.uint32))["name"].to_list()
    ['Prices', 'Home']
    """

    def __init__(self, make: Callable[[], Sequence[DimensionTable]]) -> None:
        self._make = make

    @classmethod
    def of(cls, make: Callable[[], pl.DataFrame]) -> Star:
        """One table with a row for each event, in their order."""

        def tables() -> list[DimensionTable]:
            whole = make()
            return [DimensionTable(whole, np.arange(whole.height, dtype=np.uint32))]

        return cls(tables)

    @cached_property
    def tables(self) -> Sequence[DimensionTable]:
        """The tables."""
        return self._make()

    def columns(self, names: Sequence[str], events: RowNumbers) -> pl.DataFrame:
        """Some columns of some events, by their numbers."""
        found = self._found(names, events)
        nothing = pl.Series([None]).new_from_index(0, len(events))
        return pl.DataFrame([found.get(name, nothing).cast(EVENT_SCHEMA[name]).alias(name) for name in names])

    def _found(self, names: Sequence[str], events: RowNumbers) -> dict[str, pl.Series]:
        """Those of the columns that are in a table."""
        found: dict[str, pl.Series] = {}
        for table, row in self.tables:
            if isinstance(table, Star):
                found |= table._found(names, row[events])  # noqa: SLF001 - of its own class
            elif wanted := [name for name in names if name in table.columns]:
                found |= table.select(wanted)[pl.Series(row[events])].to_dict()
        return found


@dataclass(eq=False)
class EventRows:
    """Events in order of arrival: whole, or their keys and where the other columns come from.

    Args:
        keys: The events with all columns; with ``parts``, with those of :data:`KEYS` and any others beside
            :data:`OTHERS`.
        parts: Stars, and the numbers of the events in each, one star after the other in the order of the events; none
            if the events are whole.

    >>> names = pl.DataFrame({"name": ["Home", "Prices"]})
    >>> views = EVENT_SCHEMA.to_frame().clear(2).select(KEYS).with_columns(type=pl.lit("page"))
    >>> rows = EventRows(views, [(Star.of(lambda: names), np.arange(2, dtype=np.uint32))])
    >>> rows.filter(np.array([False, True])).frame()["name"].to_list()
    ['Prices']
    """

    keys: pl.DataFrame
    parts: Sequence[tuple[Star, RowNumbers]] = ()
    _whole: pl.DataFrame | None = field(default=None, init=False)

    def __len__(self) -> int:
        return self.keys.height

    def __getstate__(self) -> dict[str, Any]:
        # A star may hold on to the whole simulation that made it.
        return {"keys": self.frame(), "parts": (), "_whole": None}

    @classmethod
    def concat(cls, several: Sequence[EventRows]) -> EventRows:
        """Join events, at least those of one; all of the same columns, if all are whole."""
        if len(several) == 1:
            return several[0]
        columns = [each.keys.columns for each in several if each.parts]
        if not columns:
            return cls(pl.concat([each.keys for each in several]))
        keys = pl.concat([each.keys.select(columns[0]) for each in several])
        parts: list[tuple[Star, RowNumbers]] = []
        for star, events in chain.from_iterable(each.parts or [_as_part(each.keys)] for each in several):
            # Hours that were made together and delivered apart are put together again.
            before = [parts.pop()[1]] if parts and parts[-1][0] is star else []
            parts.append((star, np.concatenate([*before, events])))
        return cls(keys, parts)

    @classmethod
    def make_whole(cls, several: Sequence[EventRows]) -> None:
        """Make all columns of several tables at once: where they have one star, it costs little more than for one."""
        if waiting := [each for each in several if each.parts and each._whole is None]:  # noqa: SLF001 - of its own class
            whole, begin = cls.concat(waiting).frame(), 0
            for each in waiting:
                each._whole, begin = whole.slice(begin, len(each)), begin + len(each)  # noqa: SLF001

    def with_keys(self, keys: pl.DataFrame) -> EventRows:
        """The same events with these keys, or with this table where they are whole."""
        return EventRows(keys, self.parts)

    def filter(self, wanted: NDArray[np.bool_]) -> EventRows:
        """The events that are wanted; shape (events,)."""
        parts = [(star, events[wanted[place]]) for place, (star, events) in self._places()]
        # One at least: without any, the keys would be the whole.
        filled = [part for part in parts if len(part[1])] or parts[:1]
        return EventRows(self.keys.filter(wanted), filled)

    def cut(self, start: int, n: int) -> EventRows:
        """The ``n`` events from ``start`` on."""
        if n == len(self):
            return self
        if not self.parts:
            return EventRows(self.keys.slice(start, n))
        wanted = np.zeros(len(self), dtype=np.bool_)
        wanted[start : start + n] = True
        return self.filter(wanted)

    def columns(self, names: Sequence[str]) -> pl.DataFrame:
        """Some columns of all events."""
        others = [name for name in names if name not in self.keys.columns]
        if not others:
            return self.keys.select(names)
        made = pl.concat([star.columns(others, events) for star, events in self.parts])
        return self.keys.hstack(made).select(names)

    def frame(self) -> pl.DataFrame:
        """The events with all columns, which are made only once."""
        if not self.parts:
            return self.keys
        if self._whole is None:
            further = (name for name in self.keys.columns if name not in EVENT_SCHEMA)
            self._whole = self.columns([*EVENT_SCHEMA, *further])
        return self._whole

    def fetch(self) -> None:
        """Make the tables of the stars now, while there still is what they are made from."""
        for star, _ in self.parts:
            _ = star.tables

    def _places(self) -> Iterator[tuple[slice, tuple[Star, RowNumbers]]]:
        """Each part with its place among the events."""
        ends = accumulate(len(events) for _, events in self.parts)
        return ((slice(end - len(part[1]), end), part) for end, part in zip(ends, self.parts, strict=True))


def _as_part(whole: pl.DataFrame) -> tuple[Star, RowNumbers]:
    return Star.of(lambda: whole.select(OTHERS)), np.arange(whole.height, dtype=np.uint32)
