"""Files that a crash leaves whole: each is there with all that was written, or as it was before.

All that a store does to its files it does by calls of :mod:`os`, so that a test can stop the world before any of them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["make_folder", "put_file", "remove_file", "sync_folder", "write_all"]


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
