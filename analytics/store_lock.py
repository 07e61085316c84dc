"""The lock that lets one process at a time write to a store."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final

from analytics.errors import StoreLockedError, StoreWriteError

__all__ = ["LOCK_FILE", "StoreLock"]

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
                "folder. To read the store meanwhile, use `funnelsim stats` or EventStore.read()"
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
