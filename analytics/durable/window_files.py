"""The files of the window: accepted events, as Arrow streams, in parts that are few and seldom copied."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import polars as pl

from analytics.durable.checkpoint import Checkpoint, Part
from analytics.durable.files import put_file, reading, remove_file, writing
from analytics.durable.records import read_table, table_bytes
from analytics.errors import StoreCorruptError
from analytics.events.times import window_start
from analytics.store.deliveries import event_hours
from analytics.store.hour import NO_TIMED_EVENTS


class WindowFiles:
    """The folder of the window's files, open for writing.

    Args:
        folder: The folder.
        longest: Events in a part from which on it is never copied.
    """

    def __init__(self, folder: Path, longest: int) -> None:
        self._folder = folder
        self._longest = longest

    def write(self, number: int, parts: Sequence[Part], new: Sequence[pl.DataFrame], floor: int) -> tuple[Part, ...]:
        """Write what was accepted since the last checkpoint, and return all parts of the window.

        Args:
            number: Number of the checkpoint.
            parts: Those of the last one.
            new: Events since then.
            floor: The oldest hour of the window, in epoch milliseconds.

        Raises:
            OSError: They cannot be written.
        """
        kept = [part for part in parts if part.last_hour >= floor]
        tables, n_events = [*new], sum(table.height for table in new)
        # Joining only parts that are not much longer keeps the copying small, and full ones are never copied.
        while n_events and kept and kept[-1].n_events < min(2 * n_events, self._longest):
            tables.append(read_part(self._folder, kept[-1]))
            n_events += kept.pop().n_events
        in_window = (table.filter(event_hours(table) >= floor).select(NO_TIMED_EVENTS.columns) for table in tables)
        events = pl.concat([NO_TIMED_EVENTS, *in_window])
        if events.is_empty():
            return tuple(kept)
        return (*kept, _write_part(self._folder, f"{number:020}.arrow", events, int(event_hours(events).max())))

    def write_redeliveries(self, number: int, redeliveries: pl.DataFrame) -> Part | None:
        """Write the redeliveries, if there are any.

        Raises:
            OSError: They cannot be written.
        """
        if redeliveries.is_empty():
            return None
        last_hour = redeliveries.select(pl.col("hour").max()).item()
        return _write_part(self._folder, f"{number:020}.repeats.arrow", redeliveries, int(last_hour))

    def remove_unneeded(self, checkpoint: Checkpoint) -> None:
        """Remove the files that a checkpoint does not name.

        Raises:
            StoreWriteError: They cannot be removed.
        """
        needed = {part.name for part in (*checkpoint.parts, checkpoint.redeliveries) if part is not None}
        with writing(self._folder):
            for path in self._folder.iterdir():
                if path.name not in needed:
                    remove_file(path)


def write_window(folder: Path, number: int, tables: Iterable[pl.DataFrame]) -> tuple[Part, ...]:
    """Write the events of a window anew, a part for each table that has some.

    Args:
        folder: Folder of the parts.
        number: Number of the checkpoint.
        tables: Events, one table after the other.

    Raises:
        OSError: They cannot be written.
    """
    some = (table for table in tables if not table.is_empty())
    return tuple(
        _write_part(folder, f"{number:020}-{k:04}.arrow", table, int(event_hours(table).max()))
        for k, table in enumerate(some)
    )


def read_window(folder: Path, checkpoint: Checkpoint) -> Iterator[tuple[Part, pl.DataFrame]]:
    """Read the events of the window, part by part: a part may have hours too that have left it, for the archive.

    Raises:
        StoreCorruptError: A file is not what was written.
    """
    start = window_start(checkpoint.summary["stream_ms"] or 0, checkpoint.window_hours)
    for part in checkpoint.parts:
        table = read_part(folder, part)
        yield part, table.filter(event_hours(table) >= start)


def read_part(folder: Path, part: Part) -> pl.DataFrame:
    """Read a part; columns of the tracking plan that are not in it are empty.

    Raises:
        StoreCorruptError: The file is not what was written.
    """
    path = folder / part.name
    if not path.exists():
        raise StoreCorruptError(path, "is missing")
    with reading(path):
        data = path.read_bytes()
    if zlib.crc32(data) != part.crc32:
        raise StoreCorruptError(path, "is not what was written: its checksum differs")
    return read_table(data)


def _write_part(folder: Path, name: str, table: pl.DataFrame, last_hour: int) -> Part:
    data = table_bytes(table)
    put_file(folder / name, data)
    return Part(name=name, n_events=table.height, last_hour=last_hour, crc32=zlib.crc32(data))
