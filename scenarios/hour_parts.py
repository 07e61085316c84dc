"""Parts of a large run: what each hour leaves in files, written by whoever has told of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.store.spill import write_passing
from scenarios.files.digest import HourDigest
from simulator.tracking.delivery import Delivery

__all__ = ["HourParts", "HourWriter"]


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
    write_passing(table, path)
    return path
