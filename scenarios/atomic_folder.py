"""Folders that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from scenarios.errors import OutputError

__all__ = ["MANIFEST", "new_folder"]

MANIFEST: Final = "manifest.json"
"""File by which a folder is known to be funnelsim's own, and so may be replaced."""


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Make a folder that appears under its name only when all is written.

    The work goes on in a hidden folder beside it, on the same file system, which takes the name at the end in one
    step. If anything fails, or the user interrupts, nothing is left of it and what stood there before still stands.

    Args:
        path: The folder to make. A folder of an earlier run (with a ``manifest.json``) or an empty one is replaced.

    Yields:
        The hidden folder to write into.

    Raises:
        OutputError: The place cannot be written to, or holds something that is not a funnelsim folder.
    """
    path = Path(os.path.realpath(path))  # of a link the target is replaced, and the link stays
    _refuse_foreign(path)
    made_parents = _make_parents(path)
    working = path.parent / f".{path.name}.{secrets.token_hex(4)}.partial"
    try:
        working.mkdir()
    except OSError as error:
        _remove_empty(made_parents)
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
    try:
        yield working
        _take_name(working, path)
    except BaseException:  # an interruption too must leave nothing behind
        shutil.rmtree(working, ignore_errors=True)
        _remove_empty(made_parents)
        raise


def _refuse_foreign(path: Path) -> None:
    """Refuse to replace what funnelsim did not make.

    Raises:
        OutputError: There is a file of this name, or a folder with other things in it.
    """
    try:
        if path.is_dir() and ((path / MANIFEST).is_file() or not any(path.iterdir())):
            return
        if not os.path.lexists(path):
            return
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror or error}") from None
    what = "is a folder that funnelsim did not make" if path.is_dir() else "is a file"
    raise OutputError(f"{path}: {what}; it is left as it is. Give another --out")


def _make_parents(path: Path) -> list[Path]:
    """Make the folders above; those that are new are returned, the innermost first."""
    missing = [parent for parent in path.parents if not parent.exists()]
    made: list[Path] = []
    try:
        for parent in reversed(missing):
            parent.mkdir(exist_ok=True)
            made.insert(0, parent)
    except OSError as error:
        _remove_empty(made)
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
    return made


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # somebody else may have put something there meanwhile
            folder.rmdir()


def _take_name(working: Path, path: Path) -> None:
    if not path.exists():
        working.rename(path)
        return
    # A folder that holds files cannot be replaced in one step: it steps aside, and back if its place is not taken.
    aside = working.with_suffix(".replaced")
    path.rename(aside)
    try:
        working.rename(path)
    except BaseException:
        aside.rename(path)
        raise
    shutil.rmtree(aside, ignore_errors=True)
