"""One run on many workers: each hour's events are written to files, and collected as if one process had made them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from analytics.events.event_rows import KEYS, OTHERS, EventRows, Star
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.store.spill import write_temporary
from scenarios.files.digest import EventsDigest, HourDigest
from scenarios.files.event_files import EventRecord, FileThenForward, ParquetParts
from scenarios.run.pools import Pool
from scenarios.run.sinks import Batches
from simulator.model import Model
from simulator.replication.outcome import Outcome
from simulator.settings.class_identity import require_importable
from simulator.tracking.delivery import Delivery, Sink
from simulator.tracking.labels import LabelKeeper


@dataclass(frozen=True)
class RunSinks:
    """Everything that receives the output of a run.

    Attributes:
        store: The event store.
        digest: Computes the sha256 of the events.
        record: Keeps the events.
        labels: Keeps what happened to which event.
        sinks: Further sinks, such as a file.
    """

    store: Sink
    digest: EventsDigest
    record: EventRecord
    labels: LabelKeeper
    sinks: Sequence[Sink] = ()

    @property
    def together(self) -> Sink:
        """All sinks but the labels as one, for a run in one process."""
        others = [self.store, self.digest, *self.sinks]
        if isinstance(self.record, ParquetParts):
            return Batches([FileThenForward(self.record, others)])
        return Batches([self.record, *others])


def fan_out(model: Model, pool: Pool, outputs: RunSinks, progress: Callable[[float], None] | None = None) -> Outcome:
    """Run a simulation on a pool of workers.

    Args:
        model: The model.
        pool: The workers. They must see the folder for temporary files. Where the record is a :class:`ParquetParts`,
            they write the events into its folder themselves.
        outputs: What receives the events and labels.
        progress: Called now and then with the share of the clock that has passed, from 0 to 1.
    """
    if pool.is_remote:
        require_importable(model.classes)
    folder = outputs.record.folder if isinstance(outputs.record, ParquetParts) else None
    collecting = _CollectingSink(outputs)
    # In the record's folder if it has one, which all workers see; the system's temporary folder may be local.
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        plans, written = Path(temporary) / "plans", Path(temporary) / "hours"
        for each in (plans, written):
            each.mkdir()
        executor = pool.open()
        try:
            outcome = model.share(
                executor,
                HourWriter.in_folder(written, events=folder),
                collecting.take,
                n_workers=pool.n_workers,
                folder=plans,
                labels=outputs.labels,
                progress=progress,
            )
        finally:
            pool.close(executor)
    collecting.close()
    return outcome


class _CollectingSink:
    """Passes what the workers have written on to the sinks, in the order of the hours."""

    def __init__(self, outputs: RunSinks) -> None:
        self._outputs = outputs
        record = outputs.record
        self._parts = record if isinstance(record, ParquetParts) else None
        # The record of parts is no sink here: workers write the events into its folder, which need not be read back.
        self._sinks: list[Sink] = [Batches([outputs.store]), *outputs.sinks]
        if self._parts is None:
            self._sinks.append(record)

    def take(self, hour: HourParts) -> None:
        """Take an hour, and delete the files that are no longer needed.

        Args:
            hour: The files of the hour; hours come in order.
        """
        self._outputs.digest.add_hour(hour.digest)
        for file in hour.labels:
            self._outputs.labels.add(pl.read_parquet(file))
            # Deleted hour by hour, so that the disk holds the labels of one hour twice at most.
            file.unlink()
        # Parts stay until the run ends, but other sinks than the store may keep their events for longer.
        for delivery in hour.deliveries(by_keys=self._parts is not None and len(self._sinks) == 1):
            for sink in self._sinks:
                sink.write(delivery)
        for events, _ in hour.parts:
            if events is not None and self._parts is not None:
                self._parts.add(events)
            elif events is not None:
                events.unlink()

    def close(self) -> None:
        """Close all sinks but the record of parts, which the workers have written."""
        for sink in self._sinks:
            sink.close()


@dataclass(frozen=True)
class HourParts:
    """The files of one simulated hour.

    Attributes:
        digest: Sha256 of its events, 32 bytes; empty for no events.
        parts: Part by part the file of the events (None if there are none) and the broken lines.
        labels: Files of its labels.
    """

    digest: bytes
    parts: list[tuple[Path | None, pl.DataFrame]]
    labels: list[Path]

    def deliveries(self, *, by_keys: bool = False) -> Iterator[Delivery]:
        """The events and broken lines, part by part, without the labels.

        Args:
            by_keys: Whether columns other than the keys are read only when somebody asks, while the file is there.
        """
        for file, malformed in self.parts:
            if file is None:
                rows = EventRows(EVENT_SCHEMA.to_frame())
            else:
                rows = _rows_of(file) if by_keys else EventRows(pl.read_parquet(file))
            yield Delivery(rows, malformed, file=file)


@dataclass(frozen=True)
class HourWriter:
    """Writes the deliveries of an hour to files, in a worker.

    Args:
        events: Folder for the events; all workers must see it.
        labels: Folder for the labels; likewise.
    """

    events: Path
    labels: Path

    @classmethod
    def in_folder(cls, folder: Path, events: Path | None = None) -> HourWriter:
        """Return a writer with new folders within another; the events may go to a folder that exists.

        Args:
            folder: An empty folder that all workers see.
            events: Folder for the events; a new one in ``folder`` if None.
        """
        labels = folder / "labels"
        labels.mkdir()
        if events is None:
            events = folder / "events"
            events.mkdir()
        return cls(events, labels)

    def __call__(self, hour: int, deliveries: Iterable[Delivery]) -> HourParts:
        """Write an hour.

        Args:
            hour: Number of the hour, from 0 at the start of the clock.
            deliveries: What arrives in the hour, in order.
        """
        digest, parts, labels = HourDigest(), [], []
        for number, delivery in enumerate(deliveries):
            # Sorted by name, the parts of all hours are in order of arrival.
            name = f"{hour:06}-{number:03}.parquet"
            digest.update(delivery.rows)
            parts.append((_written(self.events / name, delivery.events), delivery.malformed))
            labels.append(_written(self.labels / name, delivery.labels))
        return HourParts(digest.digest(), parts, [path for path in labels if path is not None])


def _rows_of(file: Path) -> EventRows:
    """The events of a file by their keys: the other columns are read when somebody asks."""
    keys = pl.read_parquet(file, columns=list(KEYS)).select(KEYS)
    star = Star.of(lambda: pl.read_parquet(file, columns=list(OTHERS)))
    return EventRows(keys, [(star, np.arange(keys.height, dtype=np.uint32))])


def _written(path: Path, table: pl.DataFrame) -> Path | None:
    if table.is_empty():
        return None
    write_temporary(table, path)
    return path
