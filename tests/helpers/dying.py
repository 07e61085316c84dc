"""Processes that die, or whose disk fails, between any two things that they do to the files of a store.

The death is simulated in one process: a call of the operating system raises what nothing catches, after it has done
half of its work or none of it. What a dying process leaves behind is what such a call leaves behind.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from analytics.durable import checked_lines, files, journal, side_file
from analytics.durable.files import StoreLock
from analytics.durable.upkeep import salvaging

WRITERS = (checked_lines, side_file, journal, files, salvaging)
CALLS = ("write", "fsync", "replace", "ftruncate", "unlink", "open", "mkdir")


class Death(BaseException):
    """The end of the process."""


class FaultyOS:
    """Stands in for :mod:`os`: counts the calls that change files, and fails at one of them.

    Args:
        fatal: Number of the call that fails, from 1.
        way: ``before`` or ``half``: the process dies before or in the midst of it; ``full``: the disk is full, and
            takes half of what is written.
    """

    def __init__(self, fatal: int | None = None, way: str = "before") -> None:
        self.n_calls = 0
        self._fatal = fatal
        self._way = way

    def __getattr__(self, name: str) -> Any:
        return self._counted(name) if name in CALLS else getattr(os, name)

    def _counted(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.n_calls += 1
            if self.n_calls != self._fatal:
                return getattr(os, name)(*arguments)
            if name == "write" and self._way != "before":
                os.write(arguments[0], arguments[1][: len(arguments[1]) // 2])
            elif self._way == "half":
                getattr(os, name)(*arguments)
            if self._way == "full":
                raise OSError(errno.ENOSPC, "No space left on device")
            raise Death

        return call


@contextmanager
def instead_of_os(faulty: FaultyOS) -> Iterator[None]:
    """Let the modules that write files use it."""
    with pytest.MonkeyPatch.context() as patch:
        for module in WRITERS:
            patch.setattr(module, "os", faulty)
        yield


@contextmanager
def with_released_locks() -> Iterator[None]:
    """Release the locks that are taken meanwhile, as the system does with those of a dead process."""
    locks: list[StoreLock] = []
    with pytest.MonkeyPatch.context() as patch:
        initialise = StoreLock.__init__

        def remembered(lock: StoreLock, folder: Path) -> None:
            locks.append(lock)
            initialise(lock, folder)

        patch.setattr(StoreLock, "__init__", remembered)
        try:
            yield
        finally:
            for lock in locks:
                lock.release()
