"""Lines of a stream of bytes, of which none costs more memory than :data:`MAX_LINE_BYTES`.

The bytes come in pieces of any length, as a file, a pipe or a decompressor has them. The rest of a line that is too
long is discarded while it is read: only its beginning, its length and its checksum are kept.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, BinaryIO, Final

from analytics.errors import EventFileError
from analytics.events.dead_letters import DeadLetter, DeadLetterReason
from analytics.io.batch_decoding import flatten_lines
from analytics.io.flatten import Flattened
from analytics.io.strict_json import MAX_EVENT_BYTES

MAX_LINE_BYTES: Final = 1 << 20
"""Longest line that is read, in bytes: the body of a batch; Segment's limit for one is 500 KB."""

CHUNK: Final = 1 << 20
"""Bytes that are read at once."""

LINE_BYTES: Final = 2048
"""Mean bytes read for each line of a batch, at most: a batch of giant lines has fewer lines."""

KEPT: Final = 1024
"""Bytes that are kept of the beginning of a line that is too long."""

# After so many bytes without a newline nobody can expect one: a device such as /dev/zero never ends.
_ENDLESS: Final = 1 << 31
_DECODER: Final = json.JSONDecoder()
_BEFORE: Final = " \t\r,\x1e"
_BETWEEN: Final = re.compile(r"[\s,\x1e]*")


@dataclass(frozen=True)
class LongLine:
    """What is kept of a line that is too long to be read.

    Args:
        head: Its beginning.
        n_bytes: Its length, without the newline.
        sha256: Its checksum, by which whoever has the line can find it.
    """

    head: bytes
    n_bytes: int
    sha256: str

    def __len__(self) -> int:
        return self.n_bytes

    def letter(self, position: int) -> DeadLetter:
        """The dead letter of the line.

        Args:
            position: Its number.
        """
        detail = (
            f"{self.n_bytes} bytes; at most {MAX_EVENT_BYTES} are accepted; only the first {len(self.head)} are kept; "
            f"SHA-256 of the line: {self.sha256}"
        )
        return DeadLetter(self.head, DeadLetterReason.TOO_LARGE, detail, position)


Line = bytes | LongLine
"""A line without its newline."""


class LineCutter:
    r"""Cuts pieces of bytes into lines; how they are cut into pieces makes no difference.

    Lines end at newlines only: a carriage return stays in the line, as a text within it may hold one.

    Args:
        name: Name of the source, for errors.

    >>> cutter = LineCutter("events.ndjson")
    >>> cutter.feed(b"one\ntw"), cutter.feed(b"o\nthree"), cutter.n_begun, cutter.finish()
    ([b'one'], [b'two'], 5, b'three')
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._begun = bytearray()
        self._hash: Any = None
        self.n_begun = 0

    def feed(self, piece: bytes) -> list[Line]:
        """The lines that end in a piece.

        Raises:
            EventFileError: A line has no end.
        """
        first, *others = piece.split(b"\n")
        self._begin(first)
        if not others:
            return []
        lines = [self._end(), *others]
        self._begin(others[-1])
        lines.pop()
        # Only a large piece can hold a whole line that is too long.
        return lines if len(piece) <= MAX_LINE_BYTES else [*map(shortened_line, lines)]

    @property
    def begun(self) -> bytes | None:
        """The line that has not ended, without bytes at the end of the last piece; None if it is too long."""
        return None if self._hash is not None else bytes(self._begun)

    def finish(self) -> Line:
        """End the line that has no newline."""
        return self._end()

    def _begin(self, piece: bytes) -> None:
        """Add to the line that has not ended."""
        self.n_begun += len(piece)
        if self.n_begun > _ENDLESS:
            raise EventFileError(
                f"{self._name}: a line has no end within {_ENDLESS:,} bytes; these are no lines of events"
            )
        if self._hash is None:
            self._begun += piece
            if self.n_begun > MAX_LINE_BYTES:
                self._hash = hashlib.sha256(self._begun)
                del self._begun[KEPT:]
        else:
            self._hash.update(piece)

    def _end(self) -> Line:
        line = (
            bytes(self._begun)
            if self._hash is None
            else LongLine(bytes(self._begun), self.n_begun, self._hash.hexdigest())
        )
        self._begun, self._hash, self.n_begun = bytearray(), None, 0
        return line


def shortened_line(line: Line) -> Line:
    """The line, or what is kept of it.

    >>> shortened_line(b"short"), len(shortened_line(bytes(MAX_LINE_BYTES + 1)).head)
    (b'short', 1024)
    """
    if isinstance(line, LongLine) or len(line) <= MAX_LINE_BYTES:
        return line
    return LongLine(line[:KEPT], len(line), hashlib.sha256(line).hexdigest())


def piece_reader(file: BinaryIO) -> Callable[[int], bytes]:
    """What reads a piece of a file; before an error in its midst, what can be read.

    Args:
        file: The open file.
    """
    read: Callable[[int], bytes] = getattr(file, "read1", file.read)
    return read


def blocks_of_lines(file: BinaryIO, name: str) -> Iterator[list[Line]]:
    """Read the lines of an open file, many at once; the last one counts, with a newline or not.

    Args:
        file: The file.
        name: Its name, for errors.

    Raises:
        EventFileError: A line has no end.
    """
    cutter, read = LineCutter(name), piece_reader(file)
    while piece := read(CHUNK):
        yield cutter.feed(piece)
    if cutter.n_begun:
        yield [cutter.finish()]


def lines_of(file: BinaryIO, name: str) -> Iterator[Line]:
    """Read the lines of an open file; see :func:`blocks_of_lines`."""
    return (line for block in blocks_of_lines(file, name) for line in block)


def batches_of_lines(blocks: Iterable[list[Line]], n_lines: int) -> Iterator[list[Line]]:
    """Cut blocks of lines into batches.

    Args:
        blocks: The lines.
        n_lines: Lines in a batch, at most; fewer where they are longer than usual.

    >>> list(batches_of_lines([[b"1", b"2", b"3"], [b"4"]], 2))
    [[b'1', b'2'], [b'3', b'4']]
    """
    held: list[Line] = []
    n_bytes = 0
    for block in blocks:
        held += block
        begin = 0
        while len(held) - begin >= n_lines:
            yield held[begin : begin + n_lines]
            begin += n_lines
        held = held[begin:]
        n_bytes = sum(map(len, held)) if begin else n_bytes + sum(map(len, block))
        if held and n_bytes >= n_lines * LINE_BYTES:
            yield held
            held, n_bytes = [], 0
    if held:
        yield held


def flatten_cut_lines(numbered: Sequence[tuple[int, Line]], arrived_at: datetime | None = None) -> Flattened:
    """Flatten lines as :func:`analytics.io.batch_decoding.flatten_lines` does; what is too long is a dead letter.

    Blank lines are skipped.

    Args:
        numbered: Lines, each with its number.
        arrived_at: When they arrived, for those without ``receivedAt``.

    >>> batch = flatten_cut_lines([(1, b" "), (2, b"broken"), (3, shortened_line(b"x" * (MAX_LINE_BYTES + 1)))])
    >>> [(letter.position, letter.reason.value) for letter in batch.dead_letters]
    [(2, 'not_json'), (3, 'too_large')]
    """
    whole = [
        (number, line.rstrip(b"\r")) for number, line in numbered if type(line) is bytes and line and not line.isspace()
    ]
    flat = flatten_lines(whole, arrived_at=arrived_at)
    long = [line.letter(number) for number, line in numbered if isinstance(line, LongLine)]
    if not long:
        return flat
    letters = sorted([*flat.dead_letters, *long], key=lambda letter: letter.position or 0)
    return replace(flat, dead_letters=tuple(letters))


def is_complete(line: bytes) -> bool:
    """Whether a line without a newline is complete: objects or arrays, one or several, which nothing can continue.

    >>> is_complete(b'{"type": "page"}'), is_complete(b'{"type": "pa'), is_complete(b"12")
    (True, False, False)
    """
    at = 0
    try:
        text = line.decode("utf-8-sig").strip(_BEFORE)
        while at < len(text):
            value, at = _DECODER.raw_decode(text, at)
            if not isinstance(value, dict | list):
                return False
            at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]
    except (ValueError, RecursionError):
        return False
    return True


def begins_json(line: bytes) -> bool:
    """Whether a line begins as an object or an array does.

    >>> begins_json(b' {"type": "pa'), begins_json(b"nonsense")
    (True, False)
    """
    return line.decode("utf-8-sig", "replace").lstrip(_BEFORE).startswith(("{", "["))
