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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import polars as pl

from analytics.durable.checked_lines import add_line, read_lines
from analytics.durable.files import finish_file, make_folder, new_file, put_file, reading, remove_file, size_of, writing
from analytics.errors import Damage, StoreCorruptError
from analytics.events.times import DAY_MS, HOUR_MS, epoch_ms
from analytics.store.buckets import HourBucket

_FILE: Final = "events.parquet"
_HOUR: Final = re.compile(r"date=(\d{4}-\d\d-\d\d)/hour=(\d\d)/events\.parquet")
# Events of an hour that are in memory at once.
_AT_ONCE: Final = 100_000
_LEAP_DAYS: Final = 2


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
                new, _ = self._written(path, bucket.parts(math.ceil(bucket.n_events / _AT_ONCE)))
                finish_file(new, path)
            # An hour that had left before, and came back, was perhaps forgotten in part.
            n = self._forgotten.get(self._name(path))
            forgotten = {} if n is None else {"forgotten": n}
            entry = {"file": self._name(path), "n_events": bucket.n_events, "sha256": _sha256(path)}
            add_line(self.sums, entry | forgotten)

    def hours(self) -> dict[int, Path]:
        """The files by the beginnings of their hours, in epoch milliseconds; oldest first."""
        files = {path: _HOUR.fullmatch(self._name(path)) for path in sorted(self.folder.glob(f"date=*/hour=*/{_FILE}"))}
        return {
            epoch_ms(datetime.fromisoformat(found[1]).replace(tzinfo=UTC)) + int(found[2]) * HOUR_MS: path
            for path, found in files.items()
            if found
        }

    def read(self, path: Path, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """The events of an hour, in parts.

        Args:
            path: Its file.
            columns: Which columns; all unless given.

        Raises:
            StoreCorruptError: It is not what was written.
        """
        entry = self._recorded().get(self._name(path), {})
        # One of the two, if a process died amid :meth:`put_again`.
        known = {entry[name] for name in ("sha256", "instead_of") if entry.get(name)}
        if known and _sha256(path) not in known:
            raise StoreCorruptError(path, "is not what was written: its checksum differs")
        try:
            scan = pl.scan_parquet(path, glob=False)
            scan = scan if columns is None else scan.select(columns)
            for begin in range(0, scan.select(pl.len()).collect().item(), _AT_ONCE):
                yield scan.slice(begin, _AT_ONCE).collect()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise StoreCorruptError(path, f"cannot be read: {str(error).splitlines()[0]}") from error

    def believed_ms(self, stream_ms: int, hours: Collection[int]) -> int:
        """Stream time, or the end of the day before it where it has leapt: one wrong clock makes nothing old.

        A leap of more than two days is believed once there are events of another day after it.

        Args:
            stream_ms: Stream time, in epoch milliseconds.
            hours: Hours of the window that have events, likewise.
        """
        *earlier, last = sorted({stream_ms // DAY_MS, *(hour // DAY_MS for hour in hours)})
        if not earlier:
            earlier = sorted({hour // DAY_MS for hour in self.hours()} - {last})
        return (earlier[-1] + 1) * DAY_MS if earlier and last - earlier[-1] > _LEAP_DAYS else stream_ms

    def put_again(self, path: Path, parts: Iterable[pl.DataFrame]) -> None:
        """Write an hour without those of its events that are to be forgotten, or remove it if none is left.

        Args:
            path: Its file.
            parts: The events that stay.

        Raises:
            OSError: It cannot be written.
        """
        new, n_events = self._written(path, parts)
        before = self._recorded().get(self._name(path), {})
        n_before, n_forgotten = before.get("n_events", n_events), before.get("forgotten", 0)
        entry = {"file": self._name(path), "n_events": n_events, "sha256": _sha256(new) if n_events else None}
        # First: a process that dies in between leaves the file as it was, which the entry knows too.
        entry |= {"instead_of": _sha256(path), "forgotten": n_forgotten + n_before - n_events}
        add_line(self.sums, entry)
        if n_events:
            finish_file(new, path)
        else:
            remove_file(new)
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

    def record(self, path: Path) -> None:
        """Record an hour as it is: its entry is lost. One that is not there was removed.

        Raises:
            OSError: It cannot be recorded.
        """
        n_events = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item() if path.exists() else 0
        sha256 = _sha256(path) if path.exists() else None
        add_line(self.sums, {"file": self._name(path), "n_events": n_events, "sha256": sha256})

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
            elif sha256 is None and (fault := unreadable(path)):
                yield Damage(path, fault)

    def _recorded(self) -> Mapping[str, dict[str, Any]]:
        """The last entry of each file."""
        if not self.sums.exists():
            return {}
        found = self.sums.stat()
        return _entries(self.sums, (found.st_ino, found.st_size, found.st_mtime_ns))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _written(self, path: Path, parts: Iterable[pl.DataFrame]) -> tuple[Path, int]:
        """Write the new file of an hour, which need not fit into memory; return its temporary name and its rows."""
        self.temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
        n_events = 0
        with TemporaryDirectory(dir=self.temporary) as place:
            files = list[Path]()
            for part in parts:
                n_events += part.height
                files.append(Path(place, f"{len(files)}.parquet"))
                _readable(part).write_parquet(files[-1])
            new = new_file(path)
            pl.scan_parquet(files, glob=False).sink_parquet(new)
        return new, n_events

    @cached_property
    def _forgotten(self) -> dict[str, int]:
        """Events that were ever forgotten, by the names of the hours that had some."""
        return {name: entry["forgotten"] for name, entry in self._recorded().items() if entry.get("forgotten")}


@lru_cache(maxsize=2)
def _entries(sums: Path, state: tuple[int, int, int]) -> Mapping[str, dict[str, Any]]:  # noqa: ARG001 - when it was read
    """The last entry of each file of an archive; read once for all hours, of which there are 8,760 a year."""
    return {entry["file"]: entry for _, entry in read_lines(sums) if entry is not None and "file" in entry}


def _readable(events: pl.DataFrame) -> pl.DataFrame:
    """Other readers expect texts instead of categories; Parquet's dictionaries store each value once all the same."""
    return events.cast({pl.Categorical: pl.String})


def _sha256(path: Path) -> str:
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unreadable(path: Path) -> str:
    """Why a file of the archive cannot be read; empty if it can."""
    try:
        pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        return f"cannot be read: {str(error).splitlines()[0]}"
    return ""
