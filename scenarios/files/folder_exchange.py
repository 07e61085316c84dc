"""A new folder or file takes the name of an earlier one in one step; what killed processes left beside it is swept.

A folder that is being written is locked. The system releases the lock when the process ends, however it ends, so a
folder of that kind without a lock is a leftover.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import secrets
import shutil
import sys
from pathlib import Path
from typing import Final

from analytics.store.spill import lock_folder

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2
_CANNOT: Final = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}
"""Errors of a system, or of a file system, that has no such call."""


def make_working_folder(path: Path) -> tuple[Path, int | None]:
    """Make a hidden folder beside a folder, to be written before it takes that name.

    Args:
        path: The folder whose name it will take.

    Returns:
        The new folder, and the descriptor of its lock, which the caller closes; None where folders cannot be locked.

    Raises:
        OSError: The folder cannot be made.
    """
    while True:
        # A random name lets two runs with one target work side by side; the last to finish wins.
        working = path.parent / f".{path.name}.{secrets.token_hex(4)}.partial"
        working.mkdir()
        try:
            return working, lock_folder(working)
        except (BlockingIOError, FileNotFoundError):
            # Another process has taken it for a leftover between the two calls, and is removing it.
            continue


def take_name(working: Path, path: Path) -> None:
    """Give a folder its name; an earlier folder of that name is removed.

    Args:
        working: The folder, complete and on the disk.
        path: Its new name; nothing, or a folder that may be replaced.

    Raises:
        OSError: It cannot be renamed; the earlier folder is there as before.
    """
    if _took_free_name(working, path):
        pass
    elif _exchanged(working, path):
        shutil.rmtree(working, ignore_errors=True)
    else:
        # Without an exchange the earlier folder is moved aside, and back if the rename fails. After a crash between
        # the two renames, `sweep` gives the name to the new folder, which is complete.
        aside = working.with_suffix(".replaced")
        path.rename(aside)
        try:
            working.rename(path)
        except BaseException:
            aside.rename(path)
            raise
        shutil.rmtree(aside, ignore_errors=True)
    sync(path.parent)


def _took_free_name(working: Path, path: Path) -> bool:
    """Rename a folder unless the name is taken, perhaps by another process since it was looked at."""
    if path.exists():
        return False
    try:
        working.rename(path)
    except OSError:
        if not path.exists():
            raise
        return False
    return True


def sweep(path: Path) -> list[str]:
    """Finish the exchange that a killed process has left half done, and remove what it has left.

    Args:
        path: The folder whose name was to be taken.

    Returns:
        What was done, one text for each folder. Folders of processes that live are left alone.
    """
    pattern = re.compile(rf"(\.{re.escape(path.name)}\.[0-9a-f]{{8}})\.(partial|replaced)")
    try:
        names = {match[1] for name in os.listdir(path.parent) if (match := pattern.fullmatch(name))}  # noqa: PTH208
    except OSError:
        return []
    return [text for name in sorted(names) for text in _swept(path, path.parent / name)]


def _swept(path: Path, left: Path) -> list[str]:
    """Sweep the folders of one process.

    Args:
        path: The folder whose name was to be taken.
        left: Name of the folders without its ending.
    """
    partial, replaced = left.with_name(f"{left.name}.partial"), left.with_name(f"{left.name}.replaced")
    lock, done = None, []
    if os.path.lexists(partial):
        try:
            lock = lock_folder(partial)
        except OSError:
            return []
        if lock is None:  # whether its process lives cannot be known
            return []
    try:
        if replaced.is_dir() and not os.path.lexists(path):
            complete = partial if lock is not None else replaced
            complete.rename(path)
            done.append(f"{path}: put in place; a process was killed while it replaced this folder")
        for folder in filter(os.path.lexists, (partial, replaced)):
            shutil.rmtree(folder, ignore_errors=True)
            done.append(f"{folder}: removed; a process that was killed has left it")
    except OSError:
        return done
    finally:
        if lock is not None:
            os.close(lock)
    return done


def replace_file(path: Path, content: bytes) -> None:
    """Write a file: a reader sees the earlier content or this one, also after a power failure.

    Args:
        path: The file.
        content: What it is to hold.

    Raises:
        OSError: It cannot be written; the earlier file is there as before, and nothing is beside it.
    """
    working = path.with_name(f".{path.name}.partial")
    # A folder made by somebody else may hold a link of this name, which must not be followed.
    descriptor = os.open(working, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        working.replace(path)
    except BaseException:
        working.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync_all(folder: Path) -> None:
    """Flush a folder to the disk, with all files and folders in it.

    Args:
        folder: The folder.
    """
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk.

    Args:
        path: The file or folder.
    """
    if os.name == "nt":  # which opens no folders, and flushes no file that is open for reading
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT:  # as folders on some network file systems
            raise
    finally:
        os.close(descriptor)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step.

    Args:
        one: A folder.
        other: Another one, on the same file system.

    Returns:
        False where the system cannot; nothing has changed then.

    Raises:
        OSError: The system can, but not these two.
    """
    if sys.platform != "linux":
        return False
    # Python has no name for this call; the C library has it since glibc 2.28.
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code), str(other))
