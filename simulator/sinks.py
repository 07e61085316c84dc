"""Where events go: anything that takes hourly batches."""

from __future__ import annotations

from typing import Protocol

import polars as pl

from analytics.events import EVENT_SCHEMA

__all__ = ["CollectingSink", "Sink"]


class Sink(Protocol):
    """Takes the events of a simulation, an hour at a time."""

    def write(self, events: pl.DataFrame) -> None:
        """Take one batch: rows of the flat event table, in the order in which they were received."""

    def close(self) -> None:
        """Learn that no more will come."""


class CollectingSink:
    """Keeps all events in memory."""

    def __init__(self) -> None:
        self._batches: list[pl.DataFrame] = []

    def write(self, events: pl.DataFrame) -> None:
        """Keep a batch."""
        self._batches.append(events)

    def close(self) -> None:
        """Nothing is left to do."""

    @property
    def events(self) -> pl.DataFrame:
        """All events so far, in the order in which they were received."""
        return pl.concat(self._batches) if self._batches else pl.DataFrame(schema=EVENT_SCHEMA)
