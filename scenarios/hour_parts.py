"""Parts of a large run: what each hour leaves in files, written by whoever has told of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from analytics.events import EVENT_SCHEMA
from scenarios.digest import hour_digest
from simulator.sinks import Delivery

__all__ = ["HourParts", "HourWriter"]


@dataclass(frozen=True)
class HourParts:
    """What an hour has left.

    Attributes:
        digest: Fingerprint of its events.
        malformed: Its broken lines.
        events: File of its events; None if there are none.
        labels: File of its labels; None if there are none.
    """

    digest: bytes
    malformed: pl.DataFrame
    events: Path | None
    labels: Path | None

    def delivery(self) -> Delivery:
        """What was received, without the labels."""
        events = EVENT_SCHEMA.to_frame() if self.events is None else pl.read_parquet(self.events)
        return Delivery(events, self.malformed)


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

    def __call__(self, hour: int, delivery: Delivery) -> HourParts:
        """Write an hour."""
        return HourParts(
            hour_digest(delivery.events),
            delivery.malformed,
            _written(self.events, hour, delivery.events),
            _written(self.labels, hour, delivery.labels),
        )


def _written(folder: Path, hour: int, table: pl.DataFrame) -> Path | None:
    if table.is_empty():
        return None
    path = folder / f"{hour:06}.parquet"
    # Much of what is written lives for a moment: quick to write counts more than small.
    table.write_parquet(path, compression="lz4")
    return path
