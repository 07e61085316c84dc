"""Events of which a few columns are known at once, and the others made when somebody asks for them.

A simulation knows which visit, page and campaign an event belongs to long before it writes their texts. As long as
nobody reads the texts, they need neither be gathered nor kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
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
"""Numbers of rows; shape (rows,)."""

Source = Callable[[Rows], pl.DataFrame]
"""Makes the columns :data:`OTHERS` of some of its rows."""


@dataclass(eq=False)
class EventRows:
    """Events in order of arrival: whole, or their keys and where the other columns come from.

    Args:
        keys: The events with all columns; with ``parts``, with those of :data:`KEYS` and any that a source does not
            make.
        parts: Sources and the rows of each, one after the other in the order of the events; none if the events are
            whole.

    >>> pages = EVENT_SCHEMA.to_frame().clear(2).with_columns(type=pl.lit("page"), name=pl.Series(["Home", "Prices"]))
    >>> rows = EventRows(pages.select(KEYS), [(pages.select(OTHERS).__getitem__, np.arange(2))])
    >>> rows.filter(np.array([False, True])).frame()["name"].to_list()
    ['Prices']
    """

    keys: pl.DataFrame
    parts: Sequence[tuple[Source, Rows]] = ()

    def __len__(self) -> int:
        return self.keys.height

    @classmethod
    def concat(cls, several: Sequence[EventRows]) -> EventRows:
        """Join events; all of the same columns, if all are whole."""
        if len(several) == 1:
            return several[0]
        by_keys = [each.keys.columns for each in several if each.parts]
        if not by_keys:
            return cls(pl.concat([each.keys for each in several]))
        keys = pl.concat([each.keys.select(by_keys[0]) for each in several])
        return cls(keys, [part for each in several for part in each.parts or [_as_part(each.keys)]])

    def filter(self, wanted: NDArray[np.bool_]) -> EventRows:
        """The events that are wanted; shape (events,)."""
        ends = list(accumulate(len(rows) for _, rows in self.parts))
        cut = np.split(wanted, ends[:-1]) if self.parts else []
        parts = [(source, rows[some]) for (source, rows), some in zip(self.parts, cut, strict=True)]
        return EventRows(self.keys.filter(wanted), parts)

    def slice(self, start: int, n: int) -> EventRows:
        """The ``n`` events from ``start`` on."""
        if n == len(self):
            return self
        if not self.parts:
            return EventRows(self.keys.slice(start, n))
        place = np.arange(len(self))
        return self.filter((place >= start) & (place < start + n))

    def frame(self) -> pl.DataFrame:
        """The events with all columns, which are made only once."""
        if self.parts:
            others = pl.concat([source(rows) for source, rows in self.parts])
            names = [*EVENT_SCHEMA, *(name for name in self.keys.columns if name not in EVENT_SCHEMA)]
            self.keys, self.parts = self.keys.hstack(others).select(names), ()
        return self.keys


def _as_part(whole: pl.DataFrame) -> tuple[Source, Rows]:
    return whole.select(OTHERS).__getitem__, np.arange(whole.height)
