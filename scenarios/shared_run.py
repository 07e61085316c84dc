"""A run that many workers share: what each hour leaves in files is gathered as if one process had made it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from scenarios.batches import Batches
from scenarios.digest import EventsDigest
from scenarios.event_files import EventRecord, ParquetParts
from scenarios.executors import Pool
from scenarios.hour_parts import HourParts, HourWriter
from simulator.labels import LabelKeeper
from simulator.simulation import Outcome, Simulation
from simulator.sinks import Sink

__all__ = ["share"]


def share(
    simulation: Simulation,
    pool: Pool,
    *,
    store: Batches,
    digest: EventsDigest,
    record: EventRecord,
    labels: LabelKeeper,
    sinks: Sequence[Sink] = (),
    progress: Callable[[float], None] | None = None,
) -> Outcome:
    """Run a simulation on a pool of workers.

    Args:
        simulation: What is run.
        pool: The workers; they must see the folder of the record, or of temporary files.
        store: Takes the events in.
        digest: Gets the fingerprints of the hours.
        record: Keeps the events; :class:`ParquetParts` as the workers have written them.
        labels: Keeps what befell which event.
        sinks: Where else what was received goes.
        progress: Told now and then which share of the clock has passed, from 0 to 1.
    """
    parts = record if isinstance(record, ParquetParts) else None
    listeners: list[Sink] = [store, *sinks] if parts is not None else [store, record, *sinks]

    def take(hour: HourParts) -> None:
        digest.add_hour(hour.digest)
        for file in hour.labels:
            labels.add(pl.read_parquet(file))
            file.unlink()
        for delivery in hour.deliveries():
            for listener in listeners:
                listener.write(delivery)
        for events, _ in hour.parts:
            if events is not None and parts is not None:
                parts.add(events)
            elif events is not None:
                events.unlink()

    with tempfile.TemporaryDirectory(dir=parts.folder if parts is not None else None) as temporary:
        plans, written = Path(temporary) / "plans", Path(temporary) / "hours"
        for folder in (plans, written):
            folder.mkdir()
        writer = HourWriter.in_folder(written, events=parts.folder if parts is not None else None)
        executor = pool.open()
        try:
            outcome = simulation.share(
                executor,
                writer,
                take,
                n_workers=pool.n_workers,
                folder=plans,
                labels=labels,
                progress=progress,
            )
        finally:
            pool.close(executor)
    for listener in listeners:
        listener.close()
    return outcome
