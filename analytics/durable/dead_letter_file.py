"""The file of dead letters: each event that a store could not use, once, with its bytes as they came."""

from __future__ import annotations

import base64
import json
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from analytics.durable.files import write_all, writing
from analytics.errors import StoreCorruptError
from analytics.events.dead_letters import DeadLetter, DeadLetterReason
from analytics.io.position import SourcePosition

_ADVICE: Final = "is shorter than it was; lines may be read, not removed"


def dead_letter_entry(letter: DeadLetter) -> dict[str, object]:
    """A dead letter as plain data; bytes that are not UTF-8 are in Base64, under ``raw_base64``."""
    entry: dict[str, object] = {
        "position": letter.position,
        "reason": str(letter.reason),
        "detail": letter.detail,
    }
    try:
        entry["raw"] = letter.raw.decode()
    except UnicodeDecodeError:
        entry["raw_base64"] = base64.b64encode(letter.raw).decode()
    return entry


def dead_letters_of(lines: Iterable[bytes]) -> list[DeadLetter]:
    """Parse lines of the file; the inverse of :func:`dead_letter_entry`."""
    letters = []
    for entry in map(json.loads, lines):
        raw = entry["raw"].encode() if "raw" in entry else base64.b64decode(entry["raw_base64"])
        letters.append(DeadLetter(raw, DeadLetterReason(entry["reason"]), entry["detail"], entry["position"]))
    return letters


def read_dead_letters(path: Path, begin: int, end: int) -> list[DeadLetter]:
    """Read the dead letters between two positions in the file, in bytes.

    Raises:
        StoreCorruptError: The file does not reach that far.
    """
    if begin == end:
        return []
    if not path.exists() or path.stat().st_size < end:
        raise StoreCorruptError(path, _ADVICE)
    with path.open("rb") as file:
        file.seek(begin)
        return dead_letters_of(file.read(end - begin).splitlines())


class DeadLetterFile:
    """The file of dead letters, open for adding.

    Dead letters since the last checkpoint are in the journal too, and replaying it adds them again. So after a crash
    the file must be cut back to where it was at the checkpoint.

    Args:
        path: The file; it is created if it is missing.
        tail: Where the letters begin that the store keeps in memory, in bytes.
        end: Where the file ended at the last checkpoint, in bytes.
        n_kept: Letters that the store keeps in memory.

    Raises:
        StoreCorruptError: The file is shorter than that.
        StoreWriteError: It cannot be written.
    """

    def __init__(self, path: Path, tail: int, end: int, n_kept: int) -> None:
        self._path = path
        with writing(path):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            # It may be longer, by the letters since the checkpoint; those are cut off later.
            if os.fstat(self._descriptor).st_size < end:
                raise StoreCorruptError(path, _ADVICE)
        # Positions only: the letters are in the memory of the store.
        self._begins = deque(_line_begins(path, tail, end), maxlen=n_kept)
        self.end = end

    @property
    def tail(self) -> int:
        """Where the lines begin that the store keeps in memory, in bytes."""
        return self._begins[0] if self._begins else self.end

    def cut(self) -> None:
        """Cut the file back to where it was at the checkpoint.

        Raises:
            StoreWriteError: It cannot be cut.
        """
        with writing(self._path):
            os.ftruncate(self._descriptor, self.end)

    def add(self, letters: Sequence[DeadLetter], position: SourcePosition | None) -> None:
        """Add dead letters.

        Args:
            letters: The letters.
            position: Position of their source after them, if it is known; its name is written with each.

        Raises:
            StoreWriteError: They cannot be written.
        """
        if not letters:
            return
        named = {} if position is None else {"source": position.source}
        lines = [
            json.dumps(named | dead_letter_entry(letter), ensure_ascii=False).encode() + b"\n" for letter in letters
        ]
        with writing(self._path):
            write_all(self._descriptor, b"".join(lines))
        for line in lines:
            self._begins.append(self.end)
            self.end += len(line)

    def sync(self) -> None:
        """Flush what was added to the disk.

        Raises:
            StoreWriteError: The disk does not take it.
        """
        with writing(self._path):
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _line_begins(path: Path, begin: int, end: int) -> Iterator[int]:
    with path.open("rb") as file:
        file.seek(begin)
        while begin < end:
            yield begin
            begin += len(file.readline())
