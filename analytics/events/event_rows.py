"""Events of which a few columns are known at once, and the others made when somebody asks for them.

A simulation knows which visit, page and campaign an event belongs to long before it writes their texts. As long as
nobody reads the texts, they need neither be gathered nor kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.events.tracking_plan import EVENT_SCHEMA, UTC_MS

KEYS: Final = ("type", "event", "message_id", *(name for name, dtype in EVENT_SCHEMA.items() if dtype == UTC_MS))
"""The columns by which a store judges and counts events."""

OTHERS: Final = tuple(name for name in EVENT_SCHEMA if name not in KEYS)
"""All other columns of the tracking plan."""

Rows = NDArray[np.integer[Any]]

Make = Callable[[Rows], pl.DataFrame]
"""Makes the columns :data:`OTHERS` of some rows of one source."""


class EventRows:
    """Events in order of arrival: whole, or only their keys and where the rest comes from.

    Args:
        keys: The events with all columns of the tracking plan, or, with parts, with those of :data:`KEYS` at least.
        parts: What makes the events, and their rows in it, one after the other.

    Attributes:
        keys: The columns that are known.

    >>> pages = EVENT_SCHEMA.to_frame().clear(2).with_columns(type=pl.lit("page"), name=pl.Series(["Home", "Prices"]))
    >>> rows = EventRows(pages.select(KEYS), [(pages.select(OTHERS).__getitem__, np.arange(2))])
    >>> rows.filter(np.array([False, True])).frame()["name"].to_list()
    ['Prices']
    """

    def __init__(self, keys: pl.DataFrame, parts: Sequence[tuple[Make, Rows]] = ()) -> None:
        self.keys = keys
        self._parts = parts

    @classmethod
    def concat(cls, several: Sequence[EventRows]) -> EventRows:
        """Several as one; at least one."""
        if len(several) == 1:
            return several[0]
        by_keys = [each for each in several if each._parts]
        if by_keys:
            names = by_keys[0].keys.columns
            keys = pl.concat([each.keys.select(names) for each in several])
            return cls(keys, [part for each in several for part in each._sources()])
        return cls(pl.concat([each.keys for each in several]))

    def __len__(self) -> int:
        return self.keys.height

    def with_keys(self, keys: pl.DataFrame) -> EventRows:
        """The same events with more columns that are known."""
        return EventRows(keys, self._parts)

    def filter(self, wanted: NDArray[np.bool_]) -> EventRows:
        """The events that are wanted; shape (events,)."""
        return EventRows(self.keys.filter(wanted), list(self._wanted(wanted)))

    def slice(self, start: int, n: int) -> EventRows:
        """The ``n`` events from ``start`` on."""
        if not self._parts:
            return EventRows(self.keys.slice(start, n))
        place = np.arange(len(self))
        return self if n >= len(self) else self.filter((place >= start) & (place < start + n))

    def frame(self) -> pl.DataFrame:
        """The events with all columns, which are made only once."""
        if self._parts:
            made = pl.concat([make(rows) for make, rows in self._parts])
            names = [*EVENT_SCHEMA, *(name for name in self.keys.columns if name not in EVENT_SCHEMA)]
            self.keys, self._parts = self.keys.hstack(made).select(names), ()
        return self.keys

    def _sources(self) -> Sequence[tuple[Make, Rows]]:
        return self._parts or [(self.keys.select(OTHERS).__getitem__, np.arange(len(self)))]

    def _wanted(self, wanted: NDArray[np.bool_]) -> Iterator[tuple[Make, Rows]]:
        begin = 0
        for make, rows in self._parts:
            yield make, rows[wanted[begin : begin + len(rows)]]
            begin += len(rows)
