"""Where events go: anything that takes hourly batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import polars as pl

from analytics.events.tracking_plan import EVENT_SCHEMA
from simulator.tracking.faults import CORRUPTIONS
from simulator.tracking.labels import LABELS_SCHEMA

__all__ = ["MALFORMED_SCHEMA", "CollectingSink", "Delivery", "Sink", "n_page_views"]

MALFORMED_SCHEMA: Final = pl.Schema(
    {**EVENT_SCHEMA, "damage": pl.Enum(CORRUPTIONS), "place": pl.Float64(), "n_before": pl.UInt32()}
)
"""Columns of broken lines: the event that the line was to tell of, ``truncated`` or ``garbled``, where in the line
(from 0, its beginning, to 1, its end), and how many events of the same delivery arrived before it."""


@dataclass(frozen=True, eq=False)
class Delivery:
    """What the collector received in one hour, or in a part of it.

    Attributes:
        events: Rows of the flat event table, in the order in which they were received.
        malformed: Lines that arrived broken, in the same order; columns as in :data:`MALFORMED_SCHEMA`.
        labels: What befell the events that happened in that hour, whether and whenever they arrived; columns as in
            :data:`simulator.tracking.labels.LABELS_SCHEMA`.
        file: A Parquet file that holds just these events, where somebody has written one.
    """

    events: pl.DataFrame
    malformed: pl.DataFrame = field(default_factory=MALFORMED_SCHEMA.to_frame)
    labels: pl.DataFrame = field(default_factory=LABELS_SCHEMA.to_frame)
    file: Path | None = None

    @property
    def counts(self) -> dict[str, int]:
        """``events``, ``page_views`` and ``malformed_lines`` that were received."""
        return {
            "events": self.events.height,
            "page_views": n_page_views(self.events),
            "malformed_lines": self.malformed.height,
        }


def n_page_views(events: pl.DataFrame) -> int:
    """Page views among flat events."""
    return int((events["type"] == "page").sum())


class Sink(Protocol):
    """Takes what the collector receives, an hour at a time."""

    def write(self, delivery: Delivery) -> None:
        """Take one batch."""

    def close(self) -> None:
        """Learn that no more will come."""


class CollectingSink:
    """Keeps all that was received in memory."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []

    def write(self, delivery: Delivery) -> None:
        """Keep a batch."""
        self.deliveries.append(delivery)

    def close(self) -> None:
        """Nothing is left to do."""

    @property
    def events(self) -> pl.DataFrame:
        """All events so far, in the order in which they were received; without broken lines."""
        return pl.concat([EVENT_SCHEMA.to_frame(), *(delivery.events for delivery in self.deliveries)])

    @property
    def malformed(self) -> pl.DataFrame:
        """All broken lines so far, in the order in which they were received."""
        return pl.concat([MALFORMED_SCHEMA.to_frame(), *(delivery.malformed for delivery in self.deliveries)])
