"""Names of sources: those that stand for one source, and folders and patterns, where files may still appear."""

from __future__ import annotations

import time
from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import Final

from analytics.errors import EventFileError
from analytics.io.containers import is_data_file
from analytics.io.reading import event_files
from analytics.sources.rotation import log_of

# Seconds between two looks for new files.
_PAUSE_S: Final = 1.0


class SourceNames:
    """Names as a user gives them, and the sources that they stand for.

    Args:
        names: Paths, addresses, ``-``, folders, and patterns such as ``logs/*.ndjson``, in which ``**`` stands for
            any folders. What exists under its name is no pattern.

    >>> SourceNames(["events.ndjson", "-"]).first(follow=False)
    ['events.ndjson', '-']
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._found: dict[str, None] = {}
        self._last_look = time.monotonic()

    @property
    def may_appear(self) -> bool:
        """Whether there may be more files later."""
        return any(_is_folder(name) or _is_pattern(name) for name in self._names)

    def is_found(self, source: str) -> bool:
        """Whether a source was found in a folder or by a pattern, and not given by its name."""
        return source not in self._names

    def first(self, *, follow: bool) -> list[str]:
        """The sources that there are now, each once.

        Args:
            follow: Whether more may appear, so that there need not be any yet.

        Raises:
            EventFileError: Nothing in a folder can be read, or no file matches a pattern.
        """
        for name in self._names:
            files = self._files(name)
            if not files and not follow:
                raise EventFileError(f"{name}: no file matches this pattern")
            self._found.update(dict.fromkeys(files))
        return list(self._found)

    def new(self) -> list[str]:
        """The files that have appeared since; an empty one counts once something is in it."""
        if not self.may_appear or time.monotonic() < self._last_look + _PAUSE_S:
            return []
        self._last_look = time.monotonic()
        files = (file for name in self._names if _is_folder(name) or _is_pattern(name) for file in _now(name))
        new = [file for file in dict.fromkeys(files) if file not in self._found]
        self._found.update(dict.fromkeys(new))
        return new

    def _files(self, name: str) -> list[str]:
        if _is_folder(name):
            return _in_order([str(file) for file in event_files(name)])
        return _in_order(_matches(name)) if _is_pattern(name) else [name]


def _in_order(files: list[str]) -> list[str]:
    """The files, rotated ones before their log, as its events came after theirs; the oldest first."""
    logs = {file: log for file in files if (log := log_of(Path(file), files)) is not None}
    rotated = sorted(logs, key=lambda file: Path(file).stat().st_mtime_ns)
    before = (older for log in files if log not in logs for older in (*(f for f in rotated if logs[f] == log), log))
    # What is named like a rotated file of a rotated file comes as it is.
    return list(dict.fromkeys([*before, *files]))


def _now(name: str) -> list[str]:
    """The files in a folder, or that match a pattern, and are not empty."""
    if _is_pattern(name):
        return [file for file in _matches(name) if _size(Path(file))]
    files = [each for each in sorted(Path(name).rglob("*")) if each.is_file() and _size(each)]
    return [str(file) for file in files if is_data_file(file.relative_to(name).as_posix())]


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # it was removed just now
        return 0


def _matches(pattern: str) -> list[str]:
    # Path.glob takes no absolute patterns.
    return [each for each in sorted(glob(pattern, recursive=True)) if Path(each).is_file()]  # noqa: PTH207


def _is_folder(name: str) -> bool:
    return _exists(name) and Path(name).is_dir()


def _is_pattern(name: str) -> bool:
    return has_magic(name) and "://" not in name and not _exists(name)


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # a name that is too long or has a NUL: whoever opens it says so
        return False
