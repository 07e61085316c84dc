"""Parts of a large run: what each hour leaves in files, written by whoever has told of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import polars as pl

from analytics.events import EVENT_SCHEMA
from scenarios.delivered_lines import delivered_lines
from scenarios.digest import hour_digest
from simulator.sinks import Delivery

__all__ = ["HourParts", "HourWriter"]

_EVENTS: Final = "events"
_LABELS: Final = "labels"
_LINES: Final = "lines"


@dataclass(frozen=True)
class HourParts:
    """What an hour has left.

    Attributes:
        digest: Fingerprint of its events.
        malformed: Its broken lines.
        events: File of its events; None if there are none.
        labels: File of its labels; None if there are none.
        lines: File of all that was received, as lines of JSON; None unless asked for.
    """

    digest: bytes
    malformed: pl.DataFrame
    events: Path | None
    labels: Path | None
    lines: Path | None

    def delivery(self) -> Delivery:
        """What was received, without the labels."""
        events = EVENT_SCHEMA.to_frame() if self.events is None else pl.read_parquet(self.events)
        return Delivery(events, self.malformed)


@dataclass(frozen=True)
class HourWriter:
    """Writes what arrives in an hour to files in folders of its own, which must exist.

    Args:
        folder: Where they are, for all workers to see.
        compression: Of the Parquet files.
        lines: Whether lines of JSON are asked for.
    """

    folder: Path
    compression: Literal["lz4", "zstd"] = "lz4"
    lines: bool = False

    @classmethod
    def prepare(cls, folder: Path) -> None:
        """Make the folders."""
        for name in (_EVENTS, _LABELS, _LINES):
            (folder / name).mkdir()

    @property
    def events_folder(self) -> Path:
        """Where the events are."""
        return self.folder / _EVENTS

    def __call__(self, hour: int, delivery: Delivery) -> HourParts:
        """Write an hour."""
        return HourParts(
            hour_digest(delivery.events),
            delivery.malformed,
            self._parquet(_EVENTS, hour, delivery.events),
            self._parquet(_LABELS, hour, delivery.labels),
            self._lines(hour, delivery) if self.lines else None,
        )

    def _parquet(self, name: str, hour: int, table: pl.DataFrame) -> Path | None:
        if table.is_empty():
            return None
        path = self.folder / name / f"{hour:06}.parquet"
        table.write_parquet(path, compression=self.compression)
        return path

    def _lines(self, hour: int, delivery: Delivery) -> Path:
        path = self.folder / _LINES / f"{hour:06}.ndjson"
        path.write_bytes(delivered_lines(delivery))
        return path
