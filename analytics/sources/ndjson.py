"""NDJSON as a source: files that can be resumed, and streams such as standard input."""

from __future__ import annotations

import gzip
import io
import os
import select
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, cast

from analytics.errors import EventFileError
from analytics.io.batch_decoding import flatten_lines
from analytics.io.containers import HEAD
from analytics.io.flatten import Flattened
from analytics.io.ndjson import GZIP_MAGIC, READ_ERRORS, flatten_ahead
from analytics.io.position import Offset, SourceBatch, SourcePosition
from analytics.io.reading import EventFormat, is_plain_head, read_events
from analytics.sources.source import Now, Source, read_otherwise, replaced, unreadable

# Bytes at the beginning of a file by which it is recognised.
_HEAD: Final = 1024
# Mean bytes read for each line of a batch, at most: a batch of giant lines has fewer lines.
_LINE_BYTES: Final = 2048
# Seconds without a line after which an incomplete batch is passed on.
_PATIENCE_S: Final = 0.1

_Lines = list[tuple[int, bytes]]
_Read = tuple[_Lines, SourcePosition, datetime | None]


class NdjsonFile(Source):
    """A file of NDJSON, gzipped or not. Its offset is ``bytes`` and ``lines``, and a checksum of its ``head``.

    Args:
        path: The file.
        n_lines: Lines in a batch, at most.
        now: Returns the current time, if the source is live.
    """

    def __init__(self, path: Path, n_lines: int, now: Now | None = None) -> None:
        self._path = path
        self._name = str(path.resolve())
        self._n_lines = n_lines
        self._now = now
        with path.open("rb") as file:
            self._is_packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC

    @property
    def grows(self) -> bool:
        """Whether there may be more: not in a gzipped file, which would have to be unpacked from its beginning."""
        return not self._is_packed

    def batches(self, offsets: Mapping[str, Offset], *, follow: bool) -> Iterator[SourceBatch]:
        """Yield batches up to the end of the file.

        Args:
            offsets: How far sources have been read, by their names; a file is named by its resolved path.
            follow: Whether the file is still being written: its last line then counts only with a newline.

        Raises:
            EventFileError: It cannot be read, is shorter than what was read of it, or begins otherwise than then.
        """
        offset = offsets.get(self._name, {"bytes": 0, "lines": 0, "head": 0, "crc32": 0})
        if "bytes" not in offset:
            raise read_otherwise(self._path)
        try:
            with gzip.open(self._path) if self._is_packed else self._path.open("rb") as opened:
                file = cast("BinaryIO", opened)
                head = self._checked_head(file, offset)
                file.seek(offset["bytes"])
                yield from flatten_ahead(self._read(file, offset, head, follow=follow and self.grows), _batch)
        except READ_ERRORS as error:
            raise unreadable(self._path, error) from error

    def _checked_head(self, file: BinaryIO, offset: Offset) -> bytes:
        """Read the beginning of the file, and check that it is the same as when it was read before."""
        head = file.read(offset["head"])
        if len(head) < offset["head"] or zlib.crc32(head) != offset["crc32"]:
            raise replaced(self._path)
        if not self._is_packed and file.seek(0, os.SEEK_END) < offset["bytes"]:
            raise EventFileError(f"{self._path}: is shorter than what was read of it; was it truncated?")
        return head

    def _read(self, file: BinaryIO, offset: Offset, head: bytes, *, follow: bool) -> Iterator[_Read]:
        n_bytes, n_lines = offset["bytes"], offset["lines"]
        while lines := file.readlines(self._n_lines * _LINE_BYTES):
            # Its writer may be in the midst of the last line.
            is_cut = follow and not lines[-1].endswith(b"\n")
            whole = lines[:-1] if is_cut else lines
            arrived_at = self._now() if self._now else None
            for begin in range(0, len(whole), self._n_lines):
                part = whole[begin : begin + self._n_lines]
                numbered = list(enumerate(part, n_lines + 1))
                n_bytes, n_lines = n_bytes + sum(map(len, part)), n_lines + len(part)
                if len(head) < _HEAD:
                    head += b"".join(part)[: _HEAD - len(head)]
                checksum = {"head": len(head), "crc32": zlib.crc32(head)}
                position = SourcePosition(self._name, {"bytes": n_bytes, "lines": n_lines, **checksum})
                yield numbered, position, arrived_at
            if is_cut:
                return


class NdjsonStream(Source):
    """A stream of NDJSON, such as standard input, which can be read only once.

    Its offset is the number of ``lines`` of all such streams so far, by which dead letters are numbered.

    Args:
        descriptor: File descriptor of the open stream.
        n_lines: Lines in a batch, at most.
        is_stopped: Called regularly; returns whether to end.
        now: Returns the current time, if the source is live.
        pipe: Path of the pipe, which is closed with the source; without it the stream is standard input.
        form: What is known of the events beforehand.
    """

    def __init__(
        self,
        descriptor: int,
        n_lines: int,
        is_stopped: Callable[[], bool],
        now: Now | None = None,
        *,
        pipe: str | None = None,
        form: EventFormat | None = None,
    ) -> None:
        self._descriptor = descriptor
        self._n_lines = n_lines
        self._is_stopped = is_stopped
        self._now = now
        self._name = pipe or "standard input"
        self._is_owned = pipe is not None
        self._form = form or EventFormat()
        self._rest = b""
        self._is_at_end = False

    def batches(self, offsets: Mapping[str, Offset], *, follow: bool) -> Iterator[SourceBatch]:  # noqa: ARG002
        """Yield batches up to the end of the stream; a batch is passed on as soon as no more lines are ready.

        Args:
            offsets: How far sources have been read, by their names.
            follow: Of no effect: a stream ends when its writer closes it.

        Raises:
            EventFileError: It cannot be read.
        """
        n_lines = offsets.get(self._name, {"lines": 0})["lines"]
        if not self._is_plain():
            yield from self._other_batches(n_lines)
            return
        while not self._is_at_end and not self._is_stopped():
            lines = self._ready_lines()
            arrived_at = self._now() if self._now else None
            for begin in range(0, len(lines), self._n_lines):
                part = lines[begin : begin + self._n_lines]
                events = _events_of(list(enumerate(part, n_lines + 1)), arrived_at)
                n_lines += len(part)
                yield SourceBatch(events, SourcePosition(self._name, {"lines": n_lines}), arrived_at)

    def _is_plain(self) -> bool:
        """Whether the stream is NDJSON of the Segment Spec, by its first line, for which this waits."""
        try:
            while not self._is_stopped() and b"\n" not in self._rest and len(self._rest) < HEAD and not self._is_at_end:
                if select.select([self._descriptor], [], [], _PATIENCE_S)[0]:
                    piece = os.read(self._descriptor, 1 << 16)
                    self._rest += piece
                    self._is_at_end = not piece
        except OSError as error:
            raise unreadable(self._name, error) from error
        return is_plain_head(self._rest, self._form, is_live=self._now is not None)

    def _other_batches(self, n_before: int) -> Iterator[SourceBatch]:
        """Yield batches of a stream of another shape, numbered as lines are."""
        with io.FileIO(self._descriptor, closefd=False) as rest:
            stream = cast("BinaryIO", _Joined(self._rest, rest))
            for batch in read_events(stream, self._form, n_events=self._n_lines):
                n_before += batch.n_received
                yield SourceBatch(batch, SourcePosition(self._name, {"lines": n_before}))
        self._is_at_end = True

    def close(self) -> None:
        """Close a pipe; standard input belongs to the caller, and stays open."""
        if self._is_owned:
            os.close(self._descriptor)

    def _ready_lines(self) -> list[bytes]:
        """Wait for whole lines; return those that come without a pause, up to a batch."""
        pieces, n_bytes = [self._rest], 0
        try:
            while n_bytes < self._n_lines * _LINE_BYTES and select.select([self._descriptor], [], [], _PATIENCE_S)[0]:
                piece = os.read(self._descriptor, 1 << 20)
                self._is_at_end = not piece
                if self._is_at_end:
                    break
                pieces.append(piece)
                n_bytes += len(piece)
        except OSError as error:
            raise unreadable(self._name, error) from error
        lines = _split(b"".join(pieces))
        self._rest = b"" if self._is_at_end or not lines or lines[-1].endswith(b"\n") else lines.pop()
        return lines


class _Joined(io.RawIOBase):
    """What was read of a stream already, and the rest of it."""

    def __init__(self, begun: bytes, rest: io.FileIO) -> None:
        self._begun = begun
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, into: memoryview) -> int | None:  # type: ignore[override]
        if not self._begun:
            return self._rest.readinto(into)
        part, self._begun = self._begun[: len(into)], self._begun[len(into) :]
        into[: len(part)] = part
        return len(part)


def _split(data: bytes) -> list[bytes]:
    """Split at newlines only, each line with its newline.

    ``bytes.splitlines`` would also split at a carriage return, which a text within a line may hold.
    """
    lines = [line + b"\n" for line in data.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _events_of(numbered: _Lines, arrived_at: datetime | None) -> Flattened:
    """Flatten lines; blank ones are skipped, but have numbers too."""
    lines = [(number, line.rstrip(b"\r\n")) for number, line in numbered if not line.isspace()]
    return flatten_lines(lines, arrived_at=arrived_at)


def _batch(read: _Read) -> SourceBatch:
    numbered, position, arrived_at = read
    return SourceBatch(_events_of(numbered, arrived_at), position, arrived_at)
