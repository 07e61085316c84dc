"""Files that survive a crash whole, and the lock that lets one process at a time write to a store.

Every change that a store makes to its files is a call of :mod:`os`, so that a test can stop the process before any of
them.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from analytics.errors import StoreLockedError, StoreWriteError

__all__ = ["LOCK_FILE", "StoreLock", "make_folder", "put_file", "remove_file", "sync_folder", "write_all"]


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of the bytes, however many calls it takes."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def put_file(path: Path, data: bytes) -> None:
    """Write a file that appears whole under its name, and is on the disk when this returns.

    Args:
        path: The file; one of that name is replaced.
        data: What it shall hold.

    Raises:
        OSError: It cannot be written. What stood there before still stands.
    """
    passing = path.with_name(f".{path.name}.new")
    descriptor = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(passing, path)  # noqa: PTH105 - see the module's docstring
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's list of names to the disk; a new name is safe only then."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing, so that a crash does not take them back."""
    if not folder.is_dir():
        make_folder(folder.parent)
        os.mkdir(folder)  # noqa: PTH102 - see the module's docstring
        sync_folder(folder.parent)


def remove_file(path: Path) -> None:
    """Remove a file that nobody needs any more; it may be gone already."""
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - see the module's docstring


LOCK_FILE: Final = "lock"
"""Name of the file in the store's folder; it holds the number of the process that has, or last had, the lock."""


class StoreLock:
    """A lock on a folder. The system lets go of it when the process ends, however it ends.

    Args:
        folder: The store's folder, which exists.

    Raises:
        StoreLockedError: Another one has it; the message says which process.
        StoreWriteError: The folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK_FILE
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreWriteError(path, error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._descriptor, 20).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise StoreLockedError(
                f"{folder}: process {holder} writes to this store, and only one may; stop it first, or give another "
                "folder. To read the store meanwhile, use `funnelsim stats` or read_store()"
            ) from error
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            self.release()
            raise StoreWriteError(path, error) from error

    def release(self) -> None:
        """Let others have it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
