"""Batches: small deliveries gathered into larger ones, because taking a batch costs much the same whatever its size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from simulator.tracking.delivery import Delivery, Sink

__all__ = ["Batches"]

_LEAST: Final = 20_000
"""Events that a batch holds, unless it is the last."""


class Batches:
    """A sink that hands what it takes on to others, some thousands of events at a time.

    Args:
        sinks: Who takes the batches, in the order in which events and broken lines were received.
        least: Events and broken lines that a batch holds at least, the last one excepted.
    """

    def __init__(self, sinks: Sequence[Sink], least: int = _LEAST) -> None:
        self._sinks = sinks
        self._least = least
        self._waiting: list[Delivery] = []

    def write(self, delivery: Delivery) -> None:
        """Take a delivery."""
        self._waiting.append(delivery)
        if sum(each.events.height + each.malformed.height for each in self._waiting) >= self._least:
            self._hand_on()

    def close(self) -> None:
        """Hand on what is left, and tell the others that no more will come."""
        if self._waiting:
            self._hand_on()
        for sink in self._sinks:
            sink.close()

    def _hand_on(self) -> None:
        batch, self._waiting = _joined(self._waiting), []
        for sink in self._sinks:
            sink.write(batch)


def _joined(deliveries: Sequence[Delivery]) -> Delivery:
    """Several deliveries as one: broken lines keep their places among the events."""
    if len(deliveries) == 1:
        return deliveries[0]
    malformed, n_before = [], 0
    for delivery in deliveries:
        malformed.append(delivery.malformed.with_columns((pl.col("n_before") + n_before).cast(pl.UInt32)))
        n_before += delivery.events.height
    return Delivery(pl.concat([delivery.events for delivery in deliveries]), pl.concat(malformed))
