"""Labels that are kept in files while a run goes on."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from analytics.store.spill import write_passing
from simulator.tracking.labels import LABELS_ORDER, LABELS_SCHEMA

__all__ = ["LabelParts"]


class LabelParts:
    """Keeps what befell which event on disk, so that memory holds the labels of one hour at a time.

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
        write_passing(labels, part)
        self._parts.append(part)

    @property
    def labels(self) -> pl.DataFrame:
        """All labels so far, in order of true time."""
        if self._saved is not None:
            return pl.read_parquet(self._saved)
        return pl.concat([LABELS_SCHEMA.to_frame(), *map(pl.read_parquet, self._parts)]).sort(LABELS_ORDER)

    def moved_to(self, path: Path) -> None:
        """Learn that the parts are gone, and which file took their place."""
        self._saved = path
