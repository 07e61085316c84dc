"""Files of NDJSON as a source: resumed, followed while they grow, and through the rotation of logs."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from analytics.errors import EventFileError
from analytics.io.lines import (
    CHUNK,
    Line,
    LineCutter,
    LongLine,
    batches_of_lines,
    begins_json,
    flatten_cut_lines,
    is_complete,
    piece_reader,
)
from analytics.io.ndjson import READ_ERRORS, flatten_ahead
from analytics.io.position import Offset, SourceBatch, SourcePosition
from analytics.io.reading import unreadable
from analytics.sources.rotation import KNOWN, is_same, later, log_of, open_log, rotated
from analytics.sources.source import Now, Source, read_otherwise, replaced

_START: Final[Offset] = {"bytes": 0, "lines": 0, "head": 0, "crc32": 0}
# How often a renamed log is looked at before it counts as complete: its writer may not know yet that it was renamed.
_LAST_LOOKS: Final = 5

_Read = tuple[Sequence[tuple[int, Line]], SourcePosition, datetime | None]


class NdjsonFile(Source):
    """A file of NDJSON, gzipped or not, such as a log that is rotated.

    Its offset is ``bytes`` and ``lines``, its ``inode``, and checksums of its ``head`` and of the ``tail`` before the
    offset. By these it is found beside its name after it was rotated; then its rest is read, and what followed it.

    Args:
        path: The file.
        n_lines: Lines in a batch, at most.
        now: Returns the current time, if the source is live.
        is_found: Whether it was found and not named: a rotated file of a log that is known is read with the log.

    Raises:
        EventFileError: It cannot be read.
    """

    def __init__(self, path: Path, n_lines: int, now: Now | None = None, *, is_found: bool = False) -> None:
        self._is_found = is_found
        self._path = path
        self._name = str(path.resolve())
        self._n_lines = n_lines
        self._now = now
        # Of a followed file: what is open between two looks, and the offset up to which it has been read.
        self._log: _Log | None = None
        self._reached: Offset | None = None
        self._n_looks = 0
        # When the last rotated file was written that was read, in nanoseconds: later ones have not been.
        self._after: int | None = None
        self._notes: list[str] = []
        self._n_begun = 0
        try:
            with open_log(path) as file:
                self._is_packed = isinstance(file, gzip.GzipFile)
        except OSError as error:
            raise unreadable(path, error) from error

    @property
    def grows(self) -> bool:
        """Whether there may be more: not in a gzipped file, which would have to be unpacked from its beginning."""
        return not self._is_packed

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the counts should know: what was lost, and a last line that is not complete."""
        if not self._n_begun:
            return tuple(self._notes)
        begun = (
            f"the last line ({self._n_begun:,} bytes) is not complete yet; it will be read once it ends with a newline"
        )
        return (*self._notes, f"{self._path}: {begun}")

    def batches(self, offsets: Mapping[str, Offset], *, follow: bool) -> Iterator[SourceBatch]:
        """Yield batches up to the end of the file.

        A last line without a newline counts if it is complete JSON, and is left for the next time otherwise.

        Args:
            offsets: How far sources have been read, by their names; a file is named by its resolved path.
            follow: Whether the file is still being written: its last line then counts only with a newline. It stays
                open until the source is closed.

        Raises:
            EventFileError: It cannot be read, or is not the one that was read before, which is not beside it either.
        """
        offset = offsets.get(self._name)
        if offset is not None and "bytes" not in offset:
            raise read_otherwise(self._path)
        if offset is None and self._is_found and (log := log_of(Path(self._name), offsets)):
            what = f"left out, as a rotated file of {Path(log).name}, with which it is read; else ingest it by its name"
            self._notes = [f"{self._path}: {what}"]
            return
        try:
            yield from flatten_ahead(self._read(offset, follow=follow and self.grows), _batch)
        except READ_ERRORS as error:
            raise unreadable(self._path, error) from error
        finally:
            if not follow:
                self.close()

    def close(self) -> None:
        """Close the file."""
        if self._log is not None:
            self._log.close()
        self._log = None

    def _read(self, offset: Offset | None, *, follow: bool) -> Iterator[_Read]:
        if self._log is None or offset != self._reached:
            self._reached = offset
            yield from self._resume(offset, follow=follow)
        elif self._log.is_rewritten():
            if self._after is None or (offset or _START)["bytes"]:
                yield from self._after_rotation(self._rotated())
            else:
                yield self._begin(self._path)
        if not (self._reached or _START)["bytes"] and not self._open_log.is_renamed(self._path):
            yield from self._unread_before()
        log, before = self._open_log, self._reached
        yield from self._rest(log, is_final=self._is_packed, follow=follow)
        if not follow or not log.is_renamed(self._path):
            return
        self._n_looks = 1 if self._reached != before else self._n_looks + 1
        if self._n_looks >= _LAST_LOOKS:
            yield from self._rest(log, is_final=True)
            yield from self._after_rotation(self._rotated(), is_read=True)

    @property
    def _open_log(self) -> _Log:
        if self._log is None:
            raise EventFileError(f"{self._path}: is closed")
        return self._log

    def _resume(self, offset: Offset | None, *, follow: bool) -> Iterator[_Read]:
        """Open the file at its offset, or find the one to which the offset belongs."""
        if offset is not None:
            self._after = offset.get("after")
        elif follow:
            self._after = max(later(Path(self._name), 0).values(), default=0)
        offset = offset or _START
        log, inode = self._open(self._path, offset), offset.get("inode")
        if log.is_at_offset and (self._is_packed or inode in {None, log.inode}):
            return
        old = None if self._is_packed else rotated(Path(self._name), offset)
        # A copy put back from elsewhere is the file itself, unless that is still there under another name.
        if log.is_at_offset and (old is None or old.stat().st_ino != inode):
            return
        if old is None and not follow:
            is_short = not self._is_packed and self._path.stat().st_size < offset["bytes"]
            raise shorter(self._path) if is_short else replaced(self._path, is_log=self.grows)
        yield from self._after_rotation(old)

    def _rotated(self) -> Path | None:
        """The file beside the log to which the offset that was reached belongs."""
        return None if self._reached is None else rotated(Path(self._name), self._reached)

    def _after_rotation(self, old: Path | None, *, is_read: bool = False) -> Iterator[_Read]:
        """Read the rest of a rotated file and those that followed it, and begin with the log that has the name now."""
        n_bytes = (self._reached or _START)["bytes"]
        if old is None and not is_read and n_bytes:
            what = f"was replaced or truncated; what had been added to it after byte {n_bytes:,} may not have been read"
            self._notes.append(f"{self._path}: {what}")
        if old is not None:
            yield from self._rest(self._open(old, self._reached or _START), is_final=True)
            self._after = old.stat().st_mtime_ns
            yield from self._whole(later(Path(self._name), old))
        yield self._begin(self._path)

    def _unread_before(self) -> Iterator[_Read]:
        """Read what was in the log before any of it was read: it was copied and truncated since."""
        copies = {} if self._after is None else later(Path(self._name), self._after)
        if copies:
            yield from self._whole(copies)
            yield self._begin(self._path)

    def _whole(self, files: Mapping[Path, int]) -> Iterator[_Read]:
        """Read rotated files from their beginnings to their ends."""
        for each, written_ns in files.items():
            yield self._begin(each)
            yield from self._rest(self._open_log, is_final=True)
            self._after = written_ns

    def _begin(self, path: Path) -> _Read:
        """Begin with another file, and let the store know that."""
        self._n_looks = 0
        if path == self._path:
            # A symbolic link may lead to another file by now.
            self._name = str(path.resolve())
        after = {} if self._after is None else {"after": self._after}
        offset = self._reached = {**self._open(path, _START).offset, **after}
        return [], SourcePosition(self._name, offset), self._now() if self._now else None

    def _open(self, path: Path, offset: Offset) -> _Log:
        self.close()
        self._log = _Log(path, offset)
        return self._log

    def _rest(self, log: _Log, *, is_final: bool, follow: bool = False) -> Iterator[_Read]:
        """Read a file up to its present end.

        Args:
            log: The file.
            is_final: Whether nothing more will be added to it, so that its last line counts in any case.
            follow: Whether its last line counts only with a newline.
        """
        for lines in batches_of_lines(log.blocks(), self._n_lines):
            yield self._taken(log, lines)
        if log.n_begun and (is_final or (not follow and log.is_complete)):
            yield self._taken(log, [log.finish()], has_end=False)
        self._n_begun = log.n_begun

    def _taken(self, log: _Log, lines: list[Line], *, has_end: bool = True) -> _Read:
        numbered = log.take(lines, has_end=has_end)
        self._reached = log.offset
        return numbered, SourcePosition(self._name, log.offset), self._now() if self._now else None


class _Log:
    """An open file of lines, and how far it was read.

    Args:
        path: The file.
        offset: Where to begin.
    """

    def __init__(self, path: Path, offset: Offset) -> None:
        self._cutter = LineCutter(str(path))
        self._file = open_log(path)
        try:
            self._stat = os.fstat(self._file.fileno())
            self.inode = self._stat.st_ino
            self.is_at_offset = is_same(self._file, offset)
            self._n_bytes, self._n_lines = offset["bytes"], offset["lines"]
            self._file.seek(0)
            self._head = self._file.read(offset["head"])
            n_tail = min(KNOWN, self._n_bytes)
            self._file.seek(self._n_bytes - n_tail)
            self._tail = self._file.read(n_tail)
        except BaseException:
            self._file.close()
            raise
        # A last line that was complete without its newline: what follows is no new line.
        self._is_in_line = self._n_bytes > 0 and not self._tail.endswith(b"\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def offset(self) -> Offset:
        """How far it was read."""
        tail = {"tail": len(self._tail), "tail_crc32": zlib.crc32(self._tail), "inode": self.inode}
        head = {"head": len(self._head), "crc32": zlib.crc32(self._head)}
        return {"bytes": self._n_bytes, "lines": self._n_lines, **head, **tail}

    @property
    def n_begun(self) -> int:
        """Bytes of the last line, if that has no newline."""
        return self._cutter.n_begun

    @property
    def is_complete(self) -> bool:
        """Whether the last line is complete without its newline; so is a file of one line that is no JSON at all."""
        begun = self._cutter.begun
        return begun is not None and (is_complete(begun) or (self._n_bytes == 0 and not begins_json(begun)))

    def finish(self) -> Line:
        """End the last line."""
        return self._cutter.finish()

    def blocks(self) -> Iterator[list[Line]]:
        """Read the lines up to the present end."""
        read = piece_reader(self._file)
        while piece := read(CHUNK):
            yield self._cutter.feed(piece)

    def take(self, lines: list[Line], *, has_end: bool) -> Sequence[tuple[int, Line]]:
        """Move the offset past some lines, and return them with their numbers.

        Args:
            lines: The next lines.
            has_end: Whether the last one had a newline.
        """
        first = self._n_lines + (not self._is_in_line)
        self._n_lines = first + len(lines) - 1
        self._n_bytes += sum(map(len, lines)) + len(lines) - (not has_end)
        self._is_in_line = not has_end
        end = b"\n" if has_end else b""
        self._head = _first_bytes(self._head, lines, end)
        self._tail = _last_bytes(self._tail, lines, end)
        return list(enumerate(lines, first))

    def is_rewritten(self) -> bool:
        """Whether the file was truncated, or has other content, since it was last looked at."""
        before, self._stat = self._stat, os.fstat(self._file.fileno())
        if (before.st_size, before.st_mtime_ns) == (self._stat.st_size, self._stat.st_mtime_ns):
            return False
        if self._stat.st_size < self._n_bytes + self.n_begun:
            return True
        tail = os.pread(self._file.fileno(), len(self._tail), self._n_bytes - len(self._tail))
        return tail != self._tail or os.pread(self._file.fileno(), len(self._head), 0) != self._head

    def is_renamed(self, path: Path) -> bool:
        """Whether another file has its name; not if none has it, as one may soon.

        Args:
            path: Its name.
        """
        try:
            stat = path.stat()
        except FileNotFoundError:
            return False
        return (stat.st_ino, stat.st_dev) != (self._stat.st_ino, self._stat.st_dev)


def shorter(path: Path) -> EventFileError:
    """The error for a file that has lost its end.

    Args:
        path: The file.
    """
    return EventFileError(
        f"{path}: is shorter than what was read of it; was it truncated? If it was rotated, --follow begins anew"
    )


def _first_bytes(before: bytes, lines: Sequence[Line], end: bytes) -> bytes:
    """The first bytes of a file after some more lines of it."""
    head = before
    for number, line in enumerate(lines, 1):
        if len(head) >= KNOWN:
            break
        head += (line.head if isinstance(line, LongLine) else line) + (b"\n" if number < len(lines) else end)
    return head[:KNOWN]


def _last_bytes(before: bytes, lines: Sequence[Line], end: bytes) -> bytes:
    """The last bytes of a file after some more lines of it; fewer after a line whose bytes were discarded."""
    last: list[bytes] = []
    n_bytes = 0
    for line in reversed(lines):
        if isinstance(line, LongLine) or n_bytes >= KNOWN:
            before = b""
            break
        last.append(line)
        n_bytes += len(line) + 1
    return (before + b"\n".join(reversed(last)) + end)[-KNOWN:]


def _batch(read: _Read) -> SourceBatch:
    numbered, position, arrived_at = read
    return SourceBatch(flatten_cut_lines(numbered, arrived_at), position, arrived_at)
