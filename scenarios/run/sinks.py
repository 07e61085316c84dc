"""Where a run's events go: small deliveries are joined into batches, and batches go into an event store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import polars as pl

from analytics.events.event_rows import EventRows
from analytics.io.flatten import flatten_numbered
from analytics.store.event_store import EventStore
from scenarios.files.delivered_lines import broken_lines
from simulator.tracking.delivery import Delivery, Sink

_LEAST: Final = 20_000
"""Events that a batch holds, unless it is the last."""


class Batches:
    """A sink that joins deliveries into batches and passes these to other sinks.

    The digest and the store cost the same for a call with ten events as for one with thousands.

    Args:
        sinks: Receive the batches; events and broken lines keep their order of arrival.
        least: Events and broken lines that a batch holds at least, the last one excepted.
    """

    joins_hours: ClassVar[bool] = True

    def __init__(self, sinks: Sequence[Sink], least: int = _LEAST) -> None:
        self._sinks = sinks
        self._least = least
        self._waiting: list[Delivery] = []

    def write(self, delivery: Delivery) -> None:
        """Take a delivery.

        Args:
            delivery: Events and broken lines; it is passed on when the batch is large enough.
        """
        self._waiting.append(delivery)
        if sum(len(each.rows) + each.malformed.height for each in self._waiting) >= self._least:
            self._flush()

    def close(self) -> None:
        """Pass on the last batch and close the other sinks."""
        if self._waiting:
            self._flush()
        for sink in self._sinks:
            sink.close()

    def _flush(self) -> None:
        batch, self._waiting = _joined(self._waiting), []
        for sink in self._sinks:
            sink.write(batch)


def _joined(deliveries: Sequence[Delivery]) -> Delivery:
    """Several deliveries as one: broken lines keep their places among the events.

    Args:
        deliveries: At least one, in order of arrival.
    """
    if len(deliveries) == 1:
        return deliveries[0]
    malformed, n_before = [], 0
    for delivery in deliveries:
        # A broken line counts the events before it in its own delivery; those of earlier deliveries are added.
        malformed.append(delivery.malformed.with_columns((pl.col("n_before") + n_before).cast(pl.UInt32)))
        n_before += len(delivery.rows)
        # The files may soon be gone, and the joined delivery does not name them.
        if delivery.file is not None:
            delivery.rows.fetch()
    return Delivery(EventRows.concat([delivery.rows for delivery in deliveries]), pl.concat(malformed))


class StoreSink:
    """Appends deliveries to an event store; broken lines get the positions they have in a file of all lines.

    Args:
        store: The store. It stays open, because it is read after the run.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._n_lines = 0

    def write(self, delivery: Delivery) -> None:
        """Take a batch."""
        self._store.append_rows(delivery.rows, file=delivery.file)
        malformed = delivery.malformed
        # Positions as in events.ndjson, in which broken lines are lines like any other.
        positions = (n + self._n_lines + place for place, n in enumerate(malformed["n_before"], 1))
        self._store.append_flattened(flatten_numbered(zip(positions, broken_lines(malformed), strict=True)))
        self._n_lines += len(delivery.rows) + malformed.height

    def close(self) -> None:
        """Leave the store open."""
