"""Delivery of events to sinks, in hourly batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final, Protocol

import polars as pl

from analytics.events.event_rows import EventRows
from analytics.events.tracking_plan import EVENT_SCHEMA
from simulator.tracking.faults import CORRUPTIONS
from simulator.tracking.labels import NO_LABELS

MALFORMED_SCHEMA: Final = pl.Schema(
    {**EVENT_SCHEMA, "damage": pl.Enum(CORRUPTIONS), "place": pl.Float64(), "n_before": pl.UInt32()}
)
"""Columns of malformed lines: the intended event, the corruption (``truncated`` or ``garbled``), its relative position
in the line (from 0, the start, to 1, the end), and the number of events that arrived before it in the same delivery.
"""
# Made once: an empty frame of so many columns takes longer than the sums of a quiet hour.
_NOTHING_MALFORMED: Final = MALFORMED_SCHEMA.to_frame()


@dataclass(frozen=True, eq=False)
class Delivery:
    """The events and malformed lines that the collector received in an hour, or in part of one.

    Attributes:
        rows: The events in order of arrival, whole or by their keys.
        malformed: Lines that arrived corrupted, in order of arrival; columns as in :data:`MALFORMED_SCHEMA`.
        labels: Faults of events of that hour or of a few from it on, whether or not they arrived in it; columns as in
            :data:`simulator.tracking.labels.LABELS_SCHEMA`.
        file: Parquet file with exactly these events, if one has been written.
    """

    rows: EventRows
    malformed: pl.DataFrame = field(default_factory=lambda: _NOTHING_MALFORMED)
    labels: pl.DataFrame = field(default_factory=lambda: NO_LABELS)
    file: Path | None = None

    @property
    def events(self) -> pl.DataFrame:
        """Rows of the flat event table, in order of arrival."""
        return self.rows.frame()

    @property
    def counts(self) -> dict[str, int]:
        """``events``, ``page_views`` and ``malformed_lines`` received."""
        return {
            "events": len(self.rows),
            "page_views": n_page_views(self.rows.keys),
            "malformed_lines": self.malformed.height,
        }


def n_page_views(events: pl.DataFrame) -> int:
    """Number of page views among flat events."""
    return int((events["type"] == "page").sum())


class Sink(Protocol):
    """Receives deliveries, an hour at a time, each as soon as the hour is over.

    A sink with a true attribute ``joins_hours`` may get quiet hours up to a day later, when the model stops at the
    latest: a run is faster so.
    """

    def write(self, delivery: Delivery) -> None:
        """Receive a batch."""

    def close(self) -> None:
        """Finish; no further batch follows."""


class CollectingSink:
    """A sink that stores all deliveries in memory; those of quiet hours come when the model stops at the latest.

    Attributes:
        deliveries: All batches so far.

    >>> sink = CollectingSink()
    >>> sink.write(Delivery(EventRows(EVENT_SCHEMA.to_frame())))
    >>> sink.events.height
    0
    """

    joins_hours: ClassVar[bool] = True

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []

    def write(self, delivery: Delivery) -> None:
        """Keep a batch."""
        self.deliveries.append(delivery)

    def close(self) -> None:
        """Do nothing."""

    @property
    def events(self) -> pl.DataFrame:
        """All events so far, in order of arrival, without malformed lines."""
        nothing = EventRows(EVENT_SCHEMA.to_frame())
        return EventRows.concat([nothing, *(delivery.rows for delivery in self.deliveries)]).frame()

    @property
    def malformed(self) -> pl.DataFrame:
        """All malformed lines so far, in order of arrival."""
        return pl.concat([_NOTHING_MALFORMED, *(delivery.malformed for delivery in self.deliveries)])
