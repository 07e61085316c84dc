"""Where the events of a run go: memory, or files that grow hour by hour."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

import polars as pl

from analytics.events import EVENT_SCHEMA
from scenarios.delivered_lines import delivered_lines
from simulator.sinks import Delivery

__all__ = ["EventRecord", "EventsFormat", "EventsInMemory", "NdjsonFile", "ParquetParts"]

EventsFormat = Literal["parquet", "ndjson", "none"]
"""Form in which a run folder keeps the events."""


class EventRecord(Protocol):
    """A sink that can give back the events that were received; not the broken lines, which are no events."""

    def write(self, delivery: Delivery) -> None:
        """Take a batch."""

    def close(self) -> None:
        """Take note that there will be no more."""

    def frame(self) -> pl.DataFrame:
        """Return all events so far, in the order in which they came."""


class EventsInMemory:
    """Keeps the events in memory, for notebooks and tests."""

    def __init__(self) -> None:
        self._batches: list[pl.DataFrame] = []

    def write(self, delivery: Delivery) -> None:
        """Take a batch."""
        self._batches.append(delivery.events)

    def close(self) -> None:
        """Do nothing."""

    def frame(self) -> pl.DataFrame:
        """Return all events so far, in the order in which they came."""
        if len(self._batches) > 1:
            self._batches = [pl.concat(self._batches, rechunk=True)]
        return self._batches[0] if self._batches else pl.DataFrame(schema=EVENT_SCHEMA)


class ParquetParts:
    """Keeps the events on disk, one small Parquet file a batch, so that memory holds one batch at a time.

    Polars cannot add row groups to a Parquet file, but it streams many files into one.

    Args:
        folder: An empty folder for the parts; the caller removes it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: list[Path] = []

    def write(self, delivery: Delivery) -> None:
        """Take a batch."""
        if delivery.events.is_empty():
            return
        part = self._folder / f"{len(self._parts):06}.parquet"
        # The parts live for a moment: quick to write counts more than small.
        delivery.events.write_parquet(part, compression="lz4")
        self._parts.append(part)

    def close(self) -> None:
        """Do nothing: each part is whole once written."""

    def frame(self) -> pl.DataFrame:
        """Return all events so far, in the order in which they came."""
        return self._scan().collect()

    def save(self, path: Path) -> None:
        """Stream all parts into one Parquet file."""
        self._scan().sink_parquet(path, compression="zstd", maintain_order=True)

    def _scan(self) -> pl.LazyFrame:
        if not self._parts:
            return pl.LazyFrame(schema=EVENT_SCHEMA)
        return pl.scan_parquet(self._parts)


class NdjsonFile:
    """Writes what the collector received: one Segment-Spec JSON object a line, and broken lines where they arrived.

    Args:
        path: File to create.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, delivery: Delivery) -> None:
        """Write a batch."""
        self._file.write(delivered_lines(delivery))

    def close(self) -> None:
        """Close the file."""
        self._file.close()
