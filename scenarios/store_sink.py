"""The way from the collector into an event store."""

from __future__ import annotations

from analytics.io.flatten import flatten_numbered
from analytics.store.event_store import EventStore
from scenarios.files.delivered_lines import broken_lines
from simulator.tracking.delivery import Delivery

__all__ = ["StoreSink"]


class StoreSink:
    """Hands the stream to an event store, its broken lines too, with the positions they have in a file of all lines.

    Args:
        store: The store; it is left open: it is asked questions after the run.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._n_lines = 0

    def write(self, delivery: Delivery) -> None:
        """Take a batch."""
        self._store.append(delivery.events, file=delivery.file)
        malformed = delivery.malformed
        positions = (n + self._n_lines + place for place, n in enumerate(malformed["n_before"], 1))
        self._store.append_flattened(flatten_numbered(zip(positions, broken_lines(malformed), strict=True)))
        self._n_lines += delivery.events.height + malformed.height

    def close(self) -> None:
        """Leave the store open."""
