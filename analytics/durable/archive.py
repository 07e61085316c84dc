"""The archive of a store: one Parquet file for each hour that has left the window, in Hive's layout.

``archive/date=2026-03-03/hour=07/events.parquet`` holds the accepted events of the hour from 7 to 8 UTC, enriched, in
order of event time and identifier. Polars, DuckDB and Spark read ``date`` and ``hour`` from the path. An hour that has
left the window gets no more events, so its file is written once; a replay of the journal replaces it by the same file.
Parquet has no checksums that its readers look at, so ``archive.ndjson`` has one for each file.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import polars as pl

from analytics.durable.checked_lines import add_line, read_lines
from analytics.durable.files import finish_file, make_folder, new_file, put_file, reading, remove_file, size_of, writing
from analytics.errors import Damage
from analytics.events.times import HOUR_MS, epoch_ms
from analytics.store.buckets import HourBucket

_FILE: Final = "events.parquet"
_HOUR: Final = re.compile(r"date=(\d{4}-\d\d-\d\d)/hour=(\d\d)/events\.parquet")
# Events of an hour that are in memory at once.
_AT_ONCE: Final = 100_000


def archive_path(folder: Path, hour: datetime) -> Path:
    """Path of the events of an hour.

    Args:
        folder: The archive.
        hour: Beginning of the hour, with a time zone.

    >>> archive_path(Path("archive"), datetime(2026, 3, 3, 7, tzinfo=UTC)).as_posix()
    'archive/date=2026-03-03/hour=07/events.parquet'
    """
    utc = hour.astimezone(UTC)
    return folder / f"date={utc.date().isoformat()}" / f"hour={utc:%H}" / _FILE


@dataclass(frozen=True)
class Archive:
    """The archive of a store.

    Args:
        folder: Its folder, which is created with its first hour.
        sums: File with the checksums of its files.
        temporary: Folder for temporary files.
    """

    folder: Path
    sums: Path
    temporary: Path

    def put(self, bucket: HourBucket) -> None:
        """Write an hour; it is on the disk when this returns.

        Args:
            bucket: The hour, which gets no more events.

        Raises:
            StoreWriteError: It cannot be written.
        """
        path = archive_path(self.folder, bucket.start)
        with writing(path):
            make_folder(path.parent)
            if bucket.n_events <= _AT_ONCE:
                file = io.BytesIO()
                _readable(bucket.events).write_parquet(file)
                put_file(path, file.getvalue())
            else:
                self._put_in_parts(path, bucket)
            add_line(self.sums, {"file": self._name(path), "n_events": bucket.n_events, "sha256": _sha256(path)})

    def hours(self) -> dict[int, Path]:
        """The files by the beginnings of their hours, in epoch milliseconds; oldest first."""
        files = {path: _HOUR.fullmatch(self._name(path)) for path in sorted(self.folder.glob(f"date=*/hour=*/{_FILE}"))}
        return {
            epoch_ms(datetime.fromisoformat(found[1]).replace(tzinfo=UTC)) + int(found[2]) * HOUR_MS: path
            for path, found in files.items()
            if found
        }

    def put_again(self, path: Path, events: pl.DataFrame) -> None:
        """Write an hour without those of its events that are to be forgotten, or remove it if none is left.

        Raises:
            OSError: It cannot be written.
        """
        file = io.BytesIO()
        _readable(events).write_parquet(file)
        before = self._recorded().get(self._name(path), {})
        n_before, n_forgotten = before.get("n_events", events.height), before.get("forgotten", 0)
        sha256 = None if events.is_empty() else hashlib.sha256(file.getvalue()).hexdigest()
        if not events.is_empty():
            put_file(path, file.getvalue())
        entry = {"file": self._name(path), "n_events": events.height, "sha256": sha256}
        add_line(self.sums, entry | {"forgotten": n_forgotten + n_before - events.height})
        if events.is_empty():
            remove_file(path)

    @property
    def sums_end(self) -> int:
        """Length of the file with the checksums, in bytes."""
        return size_of(self.sums)

    @property
    def n_forgotten(self) -> int:
        """Events that were ever forgotten in it."""
        return sum(entry.get("forgotten", 0) for entry in self._recorded().values())

    @property
    def n_recorded(self) -> dict[Path, int]:
        """How many events each hour has as was recorded last; none of earlier versions."""
        return {self.folder / name: entry["n_events"] for name, entry in self._recorded().items()}

    def remove(self, paths: Sequence[Path]) -> None:
        """Remove hours.

        Raises:
            OSError: One cannot be removed.
        """
        recorded = self._recorded() if paths else {}
        for path in paths:
            before = recorded.get(self._name(path), {})
            forgotten = {"forgotten": before["forgotten"]} if "forgotten" in before else {}
            # First: a process that dies in between leaves a file without a checksum, and not one that is missed.
            add_line(self.sums, {"file": self._name(path), "n_events": 0, "sha256": None} | forgotten)
            remove_file(path)
            with suppress(OSError):  # there are others beside it
                path.parent.rmdir()
                path.parent.parent.rmdir()

    def remove_from(self, ms: int) -> None:
        """Remove the hours from a moment on, which are in the window: a process died as it took them back.

        Raises:
            StoreWriteError: They cannot be removed.
        """
        with writing(self.folder):
            self.remove([path for hour, path in self.hours().items() if hour >= ms])

    def remove_before(self, ms: int) -> None:
        """Remove the hours that ended before a moment, in epoch milliseconds.

        Raises:
            StoreWriteError: They cannot be removed.
        """
        with writing(self.folder):
            self.remove([path for hour, path in self.hours().items() if hour + HOUR_MS <= ms])

    def damages(self) -> Iterator[Damage]:
        """What is not as it was written; files of earlier versions have no checksum, and are only read."""
        for number, entry in read_lines(self.sums):
            if entry is None:
                yield Damage(self.sums, f"line {number:,} is not what was written")
        recorded = self._recorded()
        found = {self._name(path): path for path in self.hours().values()}
        for name, entry in recorded.items():
            if entry.get("sha256") is not None and name not in found:
                yield Damage(self.folder / name, "is missing")
        for name, path in found.items():
            sha256 = recorded.get(name, {}).get("sha256")
            if sha256 is not None and sha256 != _sha256(path):
                yield Damage(path, "is not what was written: its checksum differs")
            elif sha256 is None and (fault := _unreadable(path)):
                yield Damage(path, fault)

    def _recorded(self) -> dict[str, dict[str, Any]]:
        """The last entry of each file."""
        return {entry["file"]: entry for _, entry in read_lines(self.sums) if entry is not None and "file" in entry}

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _put_in_parts(self, path: Path, bucket: HourBucket) -> None:
        """Write an hour that does not fit into memory."""
        self.temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.temporary) as place:
            parts = list[Path]()
            for part in bucket.parts(math.ceil(bucket.n_events / _AT_ONCE)):
                parts.append(Path(place, f"{len(parts)}.parquet"))
                _readable(part).write_parquet(parts[-1])
            new = new_file(path)
            pl.scan_parquet(parts, glob=False).sink_parquet(new)
        finish_file(new, path)


def _readable(events: pl.DataFrame) -> pl.DataFrame:
    """Other readers expect texts instead of categories; Parquet's dictionaries store each value once all the same."""
    return events.cast({pl.Categorical: pl.String})


def _sha256(path: Path) -> str:
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unreadable(path: Path) -> str:
    try:
        pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        return f"cannot be read: {str(error).splitlines()[0]}"
    return ""
