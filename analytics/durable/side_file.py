"""A file beside the store with what it could not use: dead letters, or late events, each once and as it came.

Lines are only added to the current file. At a checkpoint it may become an *older* one, with a number in its name, and a
new one is begun; older files are removed as a whole, oldest first, when there are too many bytes or days of them.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from analytics.durable.dead_letter_lines import letter_line, read_letter
from analytics.durable.files import NO_FOLLOW, PRIVATE, reading, remove_file, size_of, sync_folder, write_all, writing
from analytics.events.dead_letters import DeadLetter
from analytics.events.times import DAY_MS
from analytics.io.position import SourcePosition

AGAIN: Final = "again:"
"""Beginning of the names under which a store keeps how far its own files were taken in again."""

LeftBehind = Literal["dead-letters", "late"]
"""What a store keeps beside it: the events that it could not use, or those that came too late."""

# The file becomes an older one when it has this part of all the bytes that are kept.
_PART: Final = 8


class OlderFile(BaseModel):
    """A file that gets no more lines.

    Args:
        name: Name of the file.
        n_bytes: Its length.
        n_lines: Its lines.
        last_ms: Stream time after its last line, in epoch milliseconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    n_bytes: int
    n_lines: int
    last_ms: int = 0


class SideFileState(BaseModel):
    """The state of the files at a checkpoint.

    Args:
        end: Length of the current file, in bytes.
        tail: Where the lines begin in it that the store keeps in memory, in bytes.
        n_lines: Its lines.
        last_ms: Stream time at the checkpoint, in epoch milliseconds.
        older: The older files, oldest first.
        n_files: Older files that there ever were; their numbers begin with 1.
        n_dropped: Lines of the older files that were removed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    end: int = 0
    tail: int = 0
    n_lines: int = 0
    last_ms: int = 0
    older: tuple[OlderFile, ...] = ()
    n_files: int = 0
    n_dropped: int = 0


@dataclass(frozen=True)
class Keeping:
    """How much is kept.

    Args:
        n_in_memory: Lines that the store keeps in memory.
        n_bytes: Bytes of all files together, roughly.
        days: Days of stream time; None for all.
    """

    n_in_memory: int = 0
    n_bytes: int = 1 << 30
    days: int | None = None


def remembered_letters(path: Path, state: SideFileState) -> list[DeadLetter]:
    """The letters that a store had in memory at a checkpoint; those that were damaged or removed since are left out."""
    lines = (line for _, line in _lines(path, state.tail, state.end)) if path.exists() else iter(())
    return [found[0] for found in map(read_letter, lines) if found is not None]


def found_state(path: Path) -> SideFileState:
    """The state that files are in, where no checkpoint tells it: all their lines are kept."""
    numbered = sorted(path.parent.glob(_older_names(path)))
    older = tuple(OlderFile(name=file.name, n_bytes=file.stat().st_size, n_lines=_n_lines(file)) for file in numbered)
    end = size_of(path)
    n_lines = _n_lines(path) if end else 0
    n_files = int(numbered[-1].stem.rpartition(".")[2]) if numbered else 0
    return SideFileState(end=end, tail=end, n_lines=n_lines, older=older, n_files=n_files)


def as_it_is(state: SideFileState, path: Path, end: int | None = None) -> SideFileState:
    """The state of files of which some were written anew, or may be missing or shorter.

    Args:
        state: The state at the last checkpoint.
        path: The current file.
        end: Length of the current file at the checkpoint, where lines before it were removed.
    """
    older = [file.model_copy(update={"n_bytes": size_of(path.with_name(file.name))}) for file in state.older]
    found = tuple(file for file in older if path.with_name(file.name).exists())
    length = min(state.end if end is None else end, size_of(path))
    return state.model_copy(update={"end": length, "tail": min(state.tail, length), "older": found})


def without_again(offsets: Mapping[str, Mapping[str, int]]) -> dict[str, Mapping[str, int]]:
    """Offsets without those of what is taken in again: files of letters that were written anew are read from the first.

    What was taken in before is a duplicate then.
    """
    return {name: offset for name, offset in offsets.items() if not name.startswith(AGAIN)}


def _older_names(path: Path) -> str:
    return f"{path.stem}.{'[0-9]' * 6}{path.suffix}"


def _n_lines(path: Path) -> int:
    with reading(path), path.open("rb") as file:
        return sum(1 for _ in file)


class SideFile:
    """The files of dead letters, or of late events, open for adding.

    Lines since the last checkpoint are in the journal too, and replaying it adds them again. So after a crash the file
    must be cut back to where it was at the checkpoint.

    Args:
        path: The current file; it is created if it is missing.
        state: The state at the last checkpoint. Where somebody has removed lines since, the file is shorter.
        keeping: How much is kept.

    Raises:
        StoreWriteError: It cannot be opened.
    """

    def __init__(self, path: Path, state: SideFileState, keeping: Keeping) -> None:
        self._path = path
        self._keeping = keeping
        self._state = state
        with writing(path):
            self._finish(state)
            self._descriptor = self._opened()
            end = self._end_of_line(min(state.end, os.fstat(self._descriptor).st_size))
        # Positions only: the letters are in the memory of the store.
        begins = (begin for begin, _ in _lines(path, state.tail, end))
        self._begins = deque(begins, maxlen=keeping.n_in_memory)
        self._end, self._n_lines = end, state.n_lines

    def cut(self) -> None:
        """Cut the file back to where it was at the checkpoint.

        Raises:
            StoreWriteError: It cannot be cut.
        """
        with writing(self._path):
            os.ftruncate(self._descriptor, self._end)

    def add(self, letters: Sequence[DeadLetter], position: SourcePosition | None) -> None:
        """Add letters.

        Args:
            letters: The letters.
            position: Position of their source after them, if it is known; its name is written with each.

        Raises:
            StoreWriteError: They cannot be written.
        """
        if not letters:
            return
        lines = [letter_line(letter, position.source if position else None) for letter in letters]
        with writing(self._path):
            write_all(self._descriptor, b"".join(lines))
        for line in lines:
            self._begins.append(self._end)
            self._end += len(line)
        self._n_lines += len(lines)

    def sync(self) -> None:
        """Flush what was added to the disk.

        Raises:
            StoreWriteError: The disk does not take it.
        """
        with writing(self._path):
            os.fsync(self._descriptor)

    def next_state(
        self, stream_ms: int, *, set_aside: bool = False, without: frozenset[str] = frozenset()
    ) -> SideFileState:
        """The state for the next checkpoint; see :meth:`settle`.

        Args:
            stream_ms: Stream time, in epoch milliseconds.
            set_aside: Whether the current file is to become an older one, however short it is.
            without: Names of older files to remove, whose lines were taken in.
        """
        older = [file for file in self._state.older if file.name not in without]
        n_files, is_new_day = self._state.n_files, stream_ms // DAY_MS > self._state.last_ms // DAY_MS
        is_due = set_aside or self._end * _PART >= self._keeping.n_bytes or (self._keeping.days and is_new_day)
        if self._end and is_due:
            n_files += 1
            name, n_bytes = f"{self._path.stem}.{n_files:06}{self._path.suffix}", os.fstat(self._descriptor).st_size
            older.append(OlderFile(name=name, n_bytes=n_bytes, n_lines=self._n_lines, last_ms=stream_ms))
        is_set_aside = n_files > self._state.n_files
        kept = self._kept(older, stream_ms)
        n_dropped = sum(file.n_lines for file in older) - sum(file.n_lines for file in kept)
        return SideFileState(
            end=0 if is_set_aside else self._end,
            tail=0 if is_set_aside else self._begins[0] if self._begins else self._end,
            n_lines=0 if is_set_aside else self._n_lines,
            last_ms=stream_ms,
            older=tuple(kept),
            n_files=n_files,
            n_dropped=self._state.n_dropped + n_dropped,
        )

    def settle(self, state: SideFileState) -> None:
        """Rename and remove files as the state says that is now in the checkpoint.

        Raises:
            StoreWriteError: That cannot be done.
        """
        is_set_aside, self._state = state.n_files > self._state.n_files, state
        with writing(self._path):
            self._finish(state)
            if is_set_aside:
                self.close()
                self._descriptor = self._opened()
                self._begins.clear()
                self._end, self._n_lines = 0, 0

    @property
    def older(self) -> tuple[Path, ...]:
        """The older files, oldest first."""
        return tuple(self._path.with_name(file.name) for file in self._state.older)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _end_of_line(self, end: int) -> int:
        """The end of the line that a position is in: where somebody has edited lines, it is no end of one any more."""
        size = os.fstat(self._descriptor).st_size
        while 0 < end < size and os.pread(self._descriptor, 1, end - 1) != b"\n":
            end += 1
        if end and end == size and os.pread(self._descriptor, 1, end - 1) != b"\n":
            write_all(self._descriptor, b"\n")
            end += 1
        return end

    def _opened(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | NO_FOLLOW, PRIVATE)

    def _kept(self, older: Sequence[OlderFile], stream_ms: int) -> list[OlderFile]:
        """The older files that are neither too old nor too many."""
        begin = None if self._keeping.days is None else stream_ms - self._keeping.days * DAY_MS
        kept, n_bytes = list[OlderFile](), 0
        for file in reversed(older):
            n_bytes += file.n_bytes
            # The newest stays, however large: it may not even have its name yet.
            if (kept and n_bytes > self._keeping.n_bytes) or (begin is not None and file.last_ms < begin):
                break
            kept.insert(0, file)
        return kept

    def _finish(self, state: SideFileState) -> None:
        """Do what the death of a process may have left undone after the checkpoint: rename one, remove others."""
        newest = state.older[-1] if state.older and state.end == 0 else None
        # Nothing is added between the checkpoint and this, so the length tells it from what came later.
        if newest is not None and size_of(self._path) == newest.n_bytes:
            renamed = self._path.with_name(newest.name)
            if not renamed.exists():
                os.replace(self._path, renamed)  # noqa: PTH105 - see analytics.durable.files
                sync_folder(self._path.parent)
        needed = {file.name for file in state.older}
        for path in self._path.parent.glob(_older_names(self._path)):
            if path.name not in needed:
                remove_file(path)


def _lines(path: Path, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Lines of a file between two positions, each with its own."""
    with reading(path), path.open("rb") as file:
        file.seek(begin)
        while begin < end and (line := file.readline()):
            yield begin, line
            begin += len(line)
