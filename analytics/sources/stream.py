"""Streams of events, such as standard input and pipes, which can be read only once."""

from __future__ import annotations

import io
import os
import select
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import BinaryIO, Final, cast

from analytics.io.containers import HEAD
from analytics.io.lines import CHUNK, LINE_BYTES, Line, LineCutter, flatten_cut_lines, is_complete
from analytics.io.position import Offset, SourceBatch, SourcePosition
from analytics.io.reading import EventFormat, is_plain_head, read_events, unreadable
from analytics.sources.source import Now, Source

# Seconds without a line after which an incomplete batch is passed on.
_PATIENCE_S: Final = 0.1


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
        self._begun = b""
        self._cutter = LineCutter(self._name)
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
        lines = self._cutter.feed(self._begun)
        while not self._is_stopped():
            if self._is_at_end and self._cutter.n_begun:
                lines.append(self._cutter.finish())
            arrived_at = self._now() if self._now else None
            for begin in range(0, len(lines), self._n_lines):
                part = lines[begin : begin + self._n_lines]
                events = flatten_cut_lines(list(enumerate(part, n_lines + 1)), arrived_at)
                n_lines += len(part)
                yield SourceBatch(events, SourcePosition(self._name, {"lines": n_lines}), arrived_at)
            if self._is_at_end:
                return
            lines = self._ready_lines()

    def _is_plain(self) -> bool:
        """Whether the stream is NDJSON of the Segment Spec, by its first line, for which this waits.

        A broken first line tells nothing: then it waits for another, so that what comes late decides as if at once.
        """
        while not (self._is_stopped() or self._is_at_end or len(self._begun) >= HEAD or self._has_whole_line()):
            self._begun += self._piece(1 << 16)
        return is_plain_head(self._begun, self._form, is_live=self._now is not None)

    def _has_whole_line(self) -> bool:
        first, newline, rest = self._begun.partition(b"\n")
        return bool(newline) and (is_complete(first) or b"\n" in rest)

    def _piece(self, n_bytes: int) -> bytes:
        """The next bytes; none if there are none soon, or at the end."""
        try:
            if not select.select([self._descriptor], [], [], _PATIENCE_S)[0]:
                return b""
            if self._is_owned:
                # A pipe is opened without waiting for its first writer, who is there now.
                os.set_blocking(self._descriptor, True)
            piece = os.read(self._descriptor, n_bytes)
        except OSError as error:
            raise unreadable(self._name, error) from error
        self._is_at_end = not piece
        return piece

    def _other_batches(self, n_before: int) -> Iterator[SourceBatch]:
        """Yield batches of a stream of another shape, numbered as lines are."""
        stream = cast("BinaryIO", _Rest(self._begun, self._next_piece, self._name))
        with suppress(_StoppedError):
            for batch in read_events(stream, self._form, n_events=self._n_lines):
                n_before += batch.n_received
                yield SourceBatch(batch, SourcePosition(self._name, {"lines": n_before}))
        self._is_at_end = True

    def _next_piece(self, n_bytes: int) -> bytes:
        """Wait for the next bytes; none at the end.

        Raises:
            _StoppedError: The end was requested before.
        """
        piece = b""
        while not piece and not self._is_at_end:
            if self._is_stopped():
                raise _StoppedError
            piece = self._piece(n_bytes)
        return piece

    def close(self) -> None:
        """Close a pipe; standard input belongs to the caller, and stays open."""
        if self._is_owned:
            os.close(self._descriptor)

    def _ready_lines(self) -> list[Line]:
        """Wait for whole lines; return those that come without a pause, up to a batch."""
        lines: list[Line] = []
        n_bytes = 0
        while n_bytes < self._n_lines * LINE_BYTES and (piece := self._piece(CHUNK)):
            lines += self._cutter.feed(piece)
            n_bytes += len(piece)
        return lines


class _StoppedError(Exception):
    """Raised through the reader of a stream when the end is requested."""


class _Rest(io.RawIOBase):
    """What was read of a stream already, and the rest of it."""

    def __init__(self, begun: bytes, read: Callable[[int], bytes], name: str) -> None:
        self.name = name
        self._begun = begun
        self._read = read

    def readable(self) -> bool:
        return True

    def readinto(self, into: memoryview) -> int:  # type: ignore[override]
        piece = self._begun or self._read(len(into))
        part, self._begun = piece[: len(into)], piece[len(into) :]
        into[: len(part)] = part
        return len(part)
