"""Temporary files for a store's past events, each deleted when nothing refers to it any more."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from analytics.errors import AnalyticsError


class SpillError(AnalyticsError):
    """Past events cannot be written to a file."""


class SpillFolder:
    """A new folder within another, for one store; deleted when neither the store nor a file refers to it.

    Args:
        parent: The folder in which to create it; created too if need be.

    Raises:
        SpillError: It cannot be made.
    """

    def __init__(self, parent: Path) -> None:
        try:
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A unique name, so that several stores may share the parent folder.
            self._path = Path(tempfile.mkdtemp(prefix="store-", dir=parent))
        except OSError as error:
            raise SpillError(f"{parent}: no folder for past events can be made there: {error.strerror}") from error
        self._n_files = 0
        # A finalizer instead of `__del__`: it also runs when the interpreter exits.
        weakref.finalize(self, shutil.rmtree, self._path, ignore_errors=True)

    def write(self, events: pl.DataFrame, name: str) -> SpillFile:
        """Write events to a new file, whose name begins with ``name``.

        Raises:
            SpillError: They cannot be written.
        """
        file = self._new_file(name)
        try:
            write_temporary(events, file.path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise SpillError(f"{file.path}: past events cannot be written, and stay in memory: {error}") from error
        return file

    def adopt(self, path: Path, name: str) -> SpillFile | None:
        """Take over a file that already exists and may be deleted by its owner; None where that is impossible.

        It gets a second name in this folder (a hard link), which costs nothing, or else is copied.
        """
        file = self._new_file(name)
        with suppress(OSError):  # on another file system, or on one without hard links
            os.link(path, file.path)
            return file
        with suppress(OSError):
            shutil.copyfile(path, file.path)
            return file
        return None

    def _new_file(self, name: str) -> SpillFile:
        self._n_files += 1
        return SpillFile(self._path / f"{name}-{self._n_files:06}.parquet", self)


@dataclass(frozen=True, eq=False)
class SpillFile:
    """A Parquet file of past events; deleted with the last bucket that reads it.

    Args:
        path: Where it is.
        folder: Its folder, which must last as long as the file.
    """

    path: Path
    folder: SpillFolder

    def __post_init__(self) -> None:
        weakref.finalize(self, self.path.unlink, missing_ok=True)


def write_temporary(table: pl.DataFrame, path: Path) -> None:
    """Write a Parquet file that does not outlive the process, where speed counts more than size.

    Args:
        table: Its content.
        path: The file.
    """
    table.write_parquet(path, compression="uncompressed", statistics=False)


def write_part(table: pl.DataFrame, path: Path) -> None:
    """Write a part of events that do not fit into memory to the folder for temporary files.

    Args:
        table: Its content.
        path: The file.

    Raises:
        SpillError: It cannot be written.
    """
    try:
        table.write_parquet(path, compression="lz4", statistics=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SpillError(
            f"{path.parent}: events that do not fit into memory cannot be written there: {error}; the environment "
            "variable TMPDIR names another folder for temporary files"
        ) from error


_PREFIX: Final = "funnelsim-spill-"
_HAS_NO_LOCKS: Final = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}


def temporary_folder(owner: object, parent: str | Path | None = None) -> Path:
    """Make a folder for temporary files; those that killed processes have left are removed.

    Args:
        owner: The folder is removed when this object is, or when the process ends.
        parent: Where it is made; in the system's folder for temporary files unless given.
    """
    place = Path(parent or tempfile.gettempdir())
    for left in place.glob(f"{_PREFIX}*"):
        # One that another process has locked is in use.
        with suppress(OSError):
            if (lock := lock_folder(left)) is not None:
                _remove(left, lock)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        try:
            lock = lock_folder(folder)
        except (BlockingIOError, FileNotFoundError):
            continue  # another process has taken it for a leftover between the two calls
        weakref.finalize(owner, _remove, folder, lock)
        return folder


def lock_folder(folder: Path) -> int | None:
    """Lock a folder until the descriptor is closed; the system closes it when the process ends, however it ends.

    Args:
        folder: The folder.

    Returns:
        The descriptor; None where folders cannot be locked.

    Raises:
        BlockingIOError: Another process has locked it.
        FileNotFoundError: It is gone.
        OSError: It is no folder.
    """
    try:
        import fcntl  # noqa: PLC0415 - not on every system
    except ImportError:
        return None
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_there = os.path.samestat(folder.stat(), os.fstat(descriptor))
    except OSError as error:
        os.close(descriptor)
        # Some network file systems have no locks.
        if error.errno in _HAS_NO_LOCKS:
            return None
        raise
    if not is_there:
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    return descriptor


def _remove(folder: Path, lock: int | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        os.close(lock)
