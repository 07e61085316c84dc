"""A run that many workers share: what each hour leaves in files is gathered as if one process had made it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from scenarios.batches import Batches
from scenarios.executors import Pool
from scenarios.files.digest import EventsDigest
from scenarios.files.event_files import EventRecord, FiledFirst, ParquetParts
from scenarios.hour_parts import HourParts, HourWriter
from simulator.simulation import Outcome, Simulation
from simulator.tracking.delivery import Sink
from simulator.tracking.labels import LabelKeeper

__all__ = ["Listeners", "share"]


@dataclass(frozen=True)
class Listeners:
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
            return Batches([FiledFirst(self.record, others)])
        return Batches([self.record, *others])


def share(
    simulation: Simulation, pool: Pool, listeners: Listeners, progress: Callable[[float], None] | None = None
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
    gathering = _Gathering(listeners)
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


class _Gathering:
    """Tells those who listen what the workers have left."""

    def __init__(self, listeners: Listeners) -> None:
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
