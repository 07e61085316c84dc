"""Event files and label files of a run, which grow hour by hour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Protocol

import polars as pl

from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.ndjson import encode
from analytics.store.spill import write_temporary
from scenarios.errors import OutputError
from scenarios.files.delivered_lines import delivered_lines
from scenarios.files.run_folder import read_events
from simulator.tracking.delivery import Delivery, Sink
from simulator.tracking.labels import LABELS_ORDER, LABELS_SCHEMA

EventsFormat = Literal["parquet", "ndjson", "none"]
"""Form in which a run folder keeps the events."""


class EventRecord(Protocol):
    """A sink that keeps the events that were received; broken lines are no events and are not kept."""

    def write(self, delivery: Delivery) -> None:
        """Take a batch."""

    def close(self) -> None:
        """End the record."""

    @property
    def events(self) -> pl.DataFrame:
        """All events so far, in the order in which they came."""


class ParquetParts:
    """Record of events on disk, one small Parquet file a batch, so that memory holds one batch at a time.

    Polars cannot add row groups to a Parquet file, but it streams many files into one.

    Args:
        folder: An empty folder for the parts; the caller removes it.

    Attributes:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts: list[Path] = []
        self._moved = False
        self._saved: Path | None = None

    def write(self, delivery: Delivery) -> None:
        """Take a batch."""
        self.filed(delivery)

    def filed(self, delivery: Delivery) -> Delivery:
        """Write a batch and return it with the file that holds it.

        Args:
            delivery: Events, and broken lines, which are passed through.

        Returns:
            The delivery with its ``file``; as it was where it holds no events.
        """
        if delivery.events.is_empty():
            return delivery
        # Six digits keep the order of arrival when the files are listed by name.
        part = self.folder / f"{len(self._parts):06}.parquet"
        write_temporary(delivery.events, part)
        self._parts.append(part)
        return replace(delivery, file=part)

    def add(self, part: Path) -> None:
        """Add a batch that a worker has written into the folder.

        Args:
            part: A Parquet file of flat events; parts are added in order of arrival.
        """
        self._parts.append(part)

    def close(self) -> None:
        """Do nothing: each part is whole once written."""

    @property
    def events(self) -> pl.DataFrame:
        """All events so far, in the order in which they came.

        Raises:
            OutputError: The parts are gone and no file took their place.
        """
        if not self._moved:
            return self._scan().collect()
        if self._saved is None:
            raise OutputError("the events of this run were not kept; run it with events as parquet or ndjson")
        return read_events(self._saved)

    def moved_to(self, path: Path | None) -> None:
        """Read from now on from the Parquet or NDJSON file that replaces the parts; from none if None.

        Args:
            path: A file with all events, or None where none was kept.
        """
        self._moved, self._saved = True, path

    def save(self, path: Path) -> None:
        """Stream all parts into one Parquet file.

        Args:
            path: The file to write. Memory holds a few parts at a time.
        """
        # Arrival order is part of the data: the store's verdicts depend on it.
        self._scan().sink_parquet(path, compression="zstd", maintain_order=True)

    def _scan(self) -> pl.LazyFrame:
        if not self._parts:
            # Polars cannot scan an empty list of files.
            return pl.LazyFrame(schema=EVENT_SCHEMA)
        return pl.scan_parquet(self._parts)


class FileThenForward:
    """A sink that records a batch in a file and then passes it on with the path of that file.

    An event store that spills to disk links to the file instead of writing the events once more.

    Args:
        record: Keeps the events.
        sinks: Receive each batch after it is in its file.
    """

    def __init__(self, record: ParquetParts, sinks: Sequence[Sink]) -> None:
        self._record = record
        self._sinks = sinks

    def write(self, delivery: Delivery) -> None:
        """Record a batch and pass it on."""
        filed = self._record.filed(delivery)
        for sink in self._sinks:
            sink.write(filed)

    def close(self) -> None:
        """Close the record and the sinks."""
        for sink in (self._record, *self._sinks):
            sink.close()


class NdjsonFile:
    """Sink that writes what the collector received: one Segment-Spec JSON object a line, and broken lines in place.

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


def save_events(events: pl.DataFrame, folder: Path, form: EventsFormat) -> None:
    """Write flat events to ``events.parquet`` or ``events.ndjson`` of a run folder; nothing for ``none``.

    Args:
        events: All events, in order of arrival.
        folder: The run folder.
        form: Parquet, NDJSON or no file.
    """
    if form == "parquet":
        events.write_parquet(folder / "events.parquet", compression="zstd")
    elif form == "ndjson":
        (folder / "events.ndjson").write_bytes(encode(events))


def write_parts(path: Path, parts: Iterable[pl.DataFrame]) -> None:
    """Write a table that comes in parts, at least one, to a Parquet file; memory holds one part at a time.

    Args:
        path: The file to write.
        parts: Frames of one schema.
    """
    # Beside the target, so that both are on one file system and count against one quota.
    with TemporaryDirectory(dir=path.parent, prefix=".parts-") as folder:
        files = []
        for number, part in enumerate(parts):
            files.append(Path(folder) / f"{number:06}.parquet")
            write_temporary(part, files[-1])
        pl.scan_parquet(files).sink_parquet(path, compression="zstd", maintain_order=True)


class LabelParts:
    """Record of labels (what happened to which event) on disk, so that memory holds one hour of them at a time.

    Args:
        folder: An empty folder for the parts; the caller removes it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: list[Path] = []
        self._saved: Path | None = None

    def add(self, labels: pl.DataFrame) -> None:
        """Take the labels of an hour."""
        if labels.is_empty():
            return
        part = self._folder / f"{len(self._parts):06}.parquet"
        write_temporary(labels, part)
        self._parts.append(part)

    @property
    def labels(self) -> pl.DataFrame:
        """All labels so far, in order of true time."""
        if self._saved is not None:
            return pl.read_parquet(self._saved)
        return pl.concat([LABELS_SCHEMA.to_frame(), *map(pl.read_parquet, self._parts)]).sort(LABELS_ORDER)

    def moved_to(self, path: Path) -> None:
        """Read from now on from the file that replaces the parts.

        Args:
            path: A Parquet file with all labels.
        """
        self._saved = path
