"""A Parquet file of events as a source that can be resumed."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from analytics.errors import EventFileError, EventFrameError
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.flatten import Flattened
from analytics.io.position import Offset, SourceBatch, SourcePosition
from analytics.io.reading import unconverted, unreadable
from analytics.io.row_validation import usable_events
from analytics.io.tables import whole_batches
from analytics.sources.source import Source, replaced

# Bytes at the end of a file by which it is recognised: Parquet's metadata are there.
_END: Final = 4096


class ParquetFile(Source):
    """A Parquet file of the flat table. Its offset is the number of ``rows``, and a checksum of its ``end``.

    Args:
        path: The file.
        n_rows: Rows in a batch, at most.
    """

    def __init__(self, path: Path, n_rows: int) -> None:
        self._path = path
        self._name = str(path.resolve())
        self._n_rows = n_rows

    def batches(self, offsets: Mapping[str, Offset], *, follow: bool) -> Iterator[SourceBatch]:  # noqa: ARG002
        """Yield batches up to the end of the file.

        Args:
            offsets: How far sources have been read, by their names; a file is named by its resolved path.
            follow: Of no effect: a Parquet file is complete once it can be read.

        Raises:
            EventFileError: It cannot be read, is another file than before, or has no column of the event table.
        """
        checksum = self._checksum()
        offset = offsets.get(self._name, {"rows": 0, "end": checksum})
        if offset["end"] != checksum:
            raise replaced(self._path)
        n_rows = offset["rows"]
        for table in self._tables(n_rows):
            try:
                events = _numbered_from(usable_events(table), n_rows)
            except EventFrameError as error:
                raise unconverted(self._path, error) from None
            n_rows += table.height
            yield SourceBatch(events, SourcePosition(self._name, {"rows": n_rows, "end": checksum}))

    def _tables(self, begin: int) -> Iterator[pl.DataFrame]:
        try:
            table = pl.scan_parquet(self._path, glob=False)
            columns = [column for column in table.collect_schema() if column in EVENT_SCHEMA]
            if not columns:
                raise EventFileError(f"{self._path}: has none of the columns of the event table")
            rest = table.select(columns).slice(begin)
            yield from whole_batches(rest, self._n_rows, self._path)
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise unreadable(self._path, error) from error

    def _checksum(self) -> int:
        """Checksum of the end of the file."""
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _END))
                return zlib.crc32(file.read())
        except OSError as error:
            raise unreadable(self._path, error) from error


def _numbered_from(events: Flattened, n_before: int) -> Flattened:
    letters = tuple(replace(letter, position=n_before + (letter.position or 0)) for letter in events.dead_letters)
    return replace(events, dead_letters=letters)
