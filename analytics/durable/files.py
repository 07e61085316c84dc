"""Files that survive a crash whole, and the lock that lets one process at a time write to a store.

Every change to the files that matter is a call of :mod:`os`, so that a test can stop the process before any of them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from analytics.errors import StoreError, StoreLockedError, StoreWriteError

if sys.platform != "win32":
    import fcntl


PRIVATE: Final = 0o600
"""Permissions of a store's files: events name persons, so only their owner reads them."""

NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
"""Flag of :func:`os.open` by which a link in place of a file is an error (not on Windows)."""

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an error of the operating system into one that names the file, and what to do.

    Args:
        path: The file or folder that is written to.

    Raises:
        StoreWriteError: The system could not do what was asked within the ``with`` block.

    >>> with writing(Path("journal")):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    analytics.errors.StoreWriteError: journal: cannot be written: No space left on device. All that was acknowledged ...
    """
    try:
        yield
    except OSError as error:
        raise StoreWriteError(path, error) from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an error of the operating system into one that names the file; a missing file stays what it is.

    Args:
        path: The file or folder that is read.

    Raises:
        StoreError: The system could not do what was asked within the ``with`` block.

    >>> with reading(Path("journal")):
    ...     raise OSError(5, "Input/output error")
    Traceback (most recent call last):
    analytics.errors.StoreError: journal: cannot be read: Input/output error. The disk may be failing; nothing was ...
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise StoreError(
            f"{path}: cannot be read: {reason}. The disk may be failing; nothing was changed, so try again, or put the "
            "folder back from a copy"
        ) from error


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of the bytes, however many calls it takes."""
    rest = memoryview(data)
    while rest:
        # A write may take only part of what it is given, on a full disk or after a signal.
        rest = rest[os.write(descriptor, rest) :]


def put_file(path: Path, data: bytes) -> None:
    """Write a file that appears whole under its name; it is on the disk when this returns.

    Args:
        path: The file; one of that name is replaced.
        data: Its content.

    Raises:
        OSError: It cannot be written. The file of that name is as it was before.
    """
    new = path.with_name(f".{path.name}.new")
    descriptor = _opened_new(new)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    _put_in_place(new, path)


def new_file(path: Path) -> Path:
    """An empty file to be written by others, and then to be put in place by :func:`finish_file`.

    Raises:
        OSError: It cannot be made.
    """
    new = path.with_name(f".{path.name}.new")
    os.close(_opened_new(new))
    return new


def finish_file(new: Path, path: Path) -> None:
    """Flush a file to the disk, and let it appear under its name.

    Raises:
        OSError: It cannot be flushed. The file of that name is as it was before.
    """
    descriptor = os.open(new, os.O_RDWR | NO_FOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    _put_in_place(new, path)


def _opened_new(new: Path) -> int:
    try:
        return os.open(new, _NEW, PRIVATE)
    except FileExistsError:
        # A crash has left it, or somebody has put a link there, which must not be followed.
        remove_file(new)
        return os.open(new, _NEW, PRIVATE)


def _put_in_place(new: Path, path: Path) -> None:
    # Atomic, and only now: a name must never lead to a file that is not yet whole on the disk.
    os.replace(new, path)  # noqa: PTH105 - see the module's docstring
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder's list of names to the disk; a new name is safe only then."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents, so that a crash does not undo it."""
    if not folder.is_dir():
        make_folder(folder.parent)
        os.mkdir(folder, 0o700)  # noqa: PTH102 - see the module's docstring
        sync_folder(folder.parent)


def remove_file(path: Path) -> None:
    """Remove a file; it may be gone already."""
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - see the module's docstring


def size_of(path: Path) -> int:
    """Length of a file in bytes; 0 if there is none."""
    return path.stat().st_size if path.exists() else 0


LOCK_FILE: Final = "lock"
"""Name of the locked file in the store's folder."""

WRITER_FILE: Final = "writer"
"""Name of the file with the number of the process that has, or last had, the lock.

It is not the locked file itself, whose content other processes cannot read on Windows.
"""


class StoreLock:
    """A lock on a folder. The system releases it when the process ends, however it ends.

    The folder itself is locked, as nobody deletes that by mistake, and a file in it, for systems that lock no folders.

    Args:
        folder: The store's folder, which exists.

    Raises:
        StoreLockedError: Another store object has it, in this process or another; the message says which process.
        StoreWriteError: The folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor = -1
        # Without the soft fallback: a mere marker file would outlive the death of its process. Not per thread: the
        # thread that closes a store may be another than the one that opened it.
        self._lock = FileLock(folder / LOCK_FILE, mode=PRIVATE, thread_local=False, fallback_to_soft=False)
        try:
            self._lock_folder()
            self._lock.acquire(blocking=False)
            self._write_process()
        except (Timeout, BlockingIOError) as error:
            self.release()
            writer = folder / WRITER_FILE
            process = (writer.read_text(encoding="ascii").strip() if writer.exists() else "") or "unknown"
            raise StoreLockedError(
                f"{folder}: process {process} writes to this store, and only one may; stop it first, or give another "
                "folder. To read the store meanwhile, use `funnelsim stats` or read_store()"
            ) from error
        except OSError as error:
            self.release()
            raise StoreWriteError(folder, error) from error

    def check(self) -> None:
        """Make sure that the folder is still the one that was locked.

        Raises:
            StoreError: It was removed or replaced.
        """
        try:
            is_same = self._descriptor < 0 or os.path.samestat(os.fstat(self._descriptor), self._folder.stat())
        except OSError:
            is_same = False
        if not is_same:
            raise StoreError(f"{self._folder}: the folder was removed or replaced while this store was open")

    def release(self) -> None:
        """Let other processes have it."""
        self._lock.release()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _lock_folder(self) -> None:
        if sys.platform == "win32":
            return
        self._descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Some network file systems lock files only.
            if isinstance(error, BlockingIOError):
                raise

    def _write_process(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NO_FOLLOW
        descriptor = os.open(self._folder / WRITER_FILE, flags, PRIVATE)
        try:
            write_all(descriptor, b"%d\n" % os.getpid())
        finally:
            os.close(descriptor)
