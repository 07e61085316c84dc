"""One run shared by many workers: what each hour leaves in files, gathered as if one process had made it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.store.spill import write_temporary
from scenarios.files.digest import EventsDigest, HourDigest
from scenarios.files.event_files import EventRecord, FileThenForward, ParquetParts
from scenarios.run.pools import Pool
from scenarios.run.sinks import Batches
from simulator.simulation import Outcome, Simulation
from simulator.tracking.delivery import Delivery, Sink
from simulator.tracking.labels import LabelKeeper

__all__ = ["HourParts", "HourWriter", "RunSinks", "share"]


@dataclass(frozen=True)
class RunSinks:
    """Who listens to a run.

    Attributes:
        store: Takes the events in.
        digest: Takes their fingerprint.
        record: Keeps the events.
        labels: Keeps what befell which event.
        sinks: Where else what is received goes.
    """

    store: Sink
    digest: EventsDigest
    record: EventRecord
    labels: LabelKeeper
    sinks: Sequence[Sink] = ()

    @property
    def together(self) -> Sink:
        """All of them as one, where one process makes the run."""
        others = [self.store, self.digest, *self.sinks]
        if isinstance(self.record, ParquetParts):
            return Batches([FileThenForward(self.record, others)])
        return Batches([self.record, *others])


def share(
    simulation: Simulation, pool: Pool, listeners: RunSinks, progress: Callable[[float], None] | None = None
) -> Outcome:
    """Run a simulation on a pool of workers.

    Args:
        simulation: What is run.
        pool: The workers. They must see the folder for temporary files; where the record is one of
            :class:`ParquetParts`, its folder, into which they write the events themselves.
        listeners: Who listens.
        progress: Told now and then which share of the clock has passed, from 0 to 1.
    """
    folder = listeners.record.folder if isinstance(listeners.record, ParquetParts) else None
    gathering = _CollectingSink(listeners)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        plans, written = Path(temporary) / "plans", Path(temporary) / "hours"
        for each in (plans, written):
            each.mkdir()
        executor = pool.open()
        try:
            outcome = simulation.share(
                executor,
                HourWriter.in_folder(written, events=folder),
                gathering.take,
                n_workers=pool.n_workers,
                folder=plans,
                labels=listeners.labels,
                progress=progress,
            )
        finally:
            pool.close(executor)
    gathering.close()
    return outcome


class _CollectingSink:
    """Tells those who listen what the workers have left."""

    def __init__(self, listeners: RunSinks) -> None:
        self._listeners = listeners
        record = listeners.record
        self._parts = record if isinstance(record, ParquetParts) else None
        self._sinks: list[Sink] = [Batches([listeners.store]), *listeners.sinks]
        if self._parts is None:
            self._sinks.append(record)

    def take(self, hour: HourParts) -> None:
        """Take an hour; files that nobody will ask for again are deleted."""
        self._listeners.digest.add_hour(hour.digest)
        for file in hour.labels:
            self._listeners.labels.add(pl.read_parquet(file))
            file.unlink()
        for delivery in hour.deliveries():
            for sink in self._sinks:
                sink.write(delivery)
        for events, _ in hour.parts:
            if events is not None and self._parts is not None:
                self._parts.add(events)
            elif events is not None:
                events.unlink()

    def close(self) -> None:
        """Tell that no more will come."""
        for sink in self._sinks:
            sink.close()


@dataclass(frozen=True)
class HourParts:
    """What an hour has left.

    Attributes:
        digest: Fingerprint of its events.
        parts: What was received, part by part: the file of the events (None if there are none) and the broken lines.
        labels: Files of its labels.
    """

    digest: bytes
    parts: list[tuple[Path | None, pl.DataFrame]]
    labels: list[Path]

    def deliveries(self) -> Iterator[Delivery]:
        """What was received, without the labels."""
        for file, malformed in self.parts:
            yield Delivery(EVENT_SCHEMA.to_frame() if file is None else pl.read_parquet(file), malformed, file=file)


@dataclass(frozen=True)
class HourWriter:
    """Writes what arrives in an hour to files.

    Args:
        events: Folder for the events; all workers must see it.
        labels: Folder for the labels; likewise.
    """

    events: Path
    labels: Path

    @classmethod
    def in_folder(cls, folder: Path, events: Path | None = None) -> HourWriter:
        """One that makes folders within another, also for the events unless they have a place already."""
        labels = folder / "labels"
        labels.mkdir()
        if events is None:
            events = folder / "events"
            events.mkdir()
        return cls(events, labels)

    def __call__(self, hour: int, deliveries: Iterable[Delivery]) -> HourParts:
        """Write an hour."""
        digest, parts, labels = HourDigest(), [], []
        for number, delivery in enumerate(deliveries):
            name = f"{hour:06}-{number:03}.parquet"
            digest.update(delivery.events)
            parts.append((_written(self.events / name, delivery.events), delivery.malformed))
            labels.append(_written(self.labels / name, delivery.labels))
        return HourParts(digest.digest(), parts, [path for path in labels if path is not None])


def _written(path: Path, table: pl.DataFrame) -> Path | None:
    if table.is_empty():
        return None
    write_temporary(table, path)
    return path
