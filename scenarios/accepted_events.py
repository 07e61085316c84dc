"""All events that an event store has accepted, also those whose hours have left its window."""

from __future__ import annotations

import polars as pl

from analytics.event_store import EventStore, HourBucket

__all__ = ["AcceptedEvents"]


class AcceptedEvents:
    """An event store, and the hours that have left it: statistics are about all events, not the last 24 hours.

    Attributes:
        store: The store; append to it.
    """

    def __init__(self) -> None:
        # A folder should name every event that could not be used; the bound is against a file that is no events at all.
        self.store = EventStore(on_evict=self._keep, max_dead_letters=100_000)
        self._left: list[pl.DataFrame] = []

    def frame(self) -> pl.DataFrame:
        """Return all accepted events so far, enriched, in order of event time."""
        return pl.concat([*self._left, self.store.events()])

    def _keep(self, bucket: HourBucket) -> None:
        self._left.append(bucket.events)
