"""Folders that appear whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from scenarios.errors import OutputError
from scenarios.files.checksums import CHECKSUMS, write_checksums
from scenarios.files.folder_exchange import make_working_folder, sweep, sync_all, take_name

MANIFEST: Final = "manifest.json"
"""File by which a folder is known to be funnelsim's own, and so may be replaced."""

_KINDS: Final = frozenset({"run", "analysis", "export"})
_ENTRIES: Final = frozenset(
    {
        MANIFEST,
        CHECKSUMS,
        "scenario.yaml",
        "events.parquet",
        "events.ndjson",
        "dead_letters.ndjson",
        "truth.json",
        "labels.parquet",
        "people.parquet",
        "accounts.parquet",
        "statistics",
        "probes",
        "model.json",
        "report.html",
    }
)
"""Entries that funnelsim writes at the top of a folder, besides the ``files`` that the manifest names. Anything else is
the work of someone else, and protects the folder from being replaced."""


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Make a folder that appears under its name only when all is written.

    The files are written to a hidden folder beside it, on the same file system. At the end their checksums are written,
    all is flushed to the disk, and the folder takes its name in one step. If anything fails, or the user interrupts,
    the hidden folder is removed and an earlier folder stays. That of a killed process is removed by the next one.

    Args:
        path: The folder to make. An empty folder is replaced, and one that holds what funnelsim wrote and no more.

    Yields:
        The hidden folder to write into.

    Raises:
        OutputError: The place cannot be written to, or holds something that is not a funnelsim folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     with new_folder(Path(place) / "out") as working:
    ...         _ = (working / "a.txt").write_text("a")
    ...         before = (Path(place) / "out").exists()
    ...     (before, (Path(place) / "out" / "a.txt").exists())
    (False, True)
    """
    path = Path(os.path.realpath(path))  # a link stays, and its target is replaced
    sweep(path)
    _refuse_foreign(path)
    made_parents = _make_parents(path)
    try:
        working, lock = make_working_folder(path)
    except OSError as error:
        _remove_empty(made_parents)
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None
    try:
        yield working
        _finish(working, path)
    except BaseException:  # an interruption too must leave nothing behind
        shutil.rmtree(working, ignore_errors=True)
        _remove_empty(made_parents)
        raise
    finally:
        if lock is not None:
            os.close(lock)


def _finish(working: Path, path: Path) -> None:
    """Give a folder that is complete its checksums and its name."""
    try:
        write_checksums(working)
        sync_all(working)
        _refuse_foreign(path)  # others may have put something there meanwhile
        take_name(working, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from None


def _refuse_foreign(path: Path) -> None:
    """Refuse to replace what funnelsim did not make.

    Raises:
        OutputError: There is a file of this name, or a folder with other things in it.
    """
    if not os.path.lexists(path):
        return
    try:
        objection = _objection(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror or error}") from None
    if objection:
        raise OutputError(f"{path}: {objection}; it is left as it is. Give another --out")


def _objection(path: Path) -> str:
    """Explain why a path must not be replaced; empty when it may be.

    Args:
        path: A path at which something exists.

    Raises:
        OSError: The path cannot be read.
    """
    if not path.is_dir():
        return "is a file"
    entries = sorted(entry.name for entry in path.iterdir())
    if not entries:
        return ""
    manifest = _our_manifest(path / MANIFEST)
    if manifest is None:
        return "is a folder that funnelsim did not make"
    foreign = [name for name in entries if name not in _ENTRIES and name not in manifest.get("files", [])]
    return f"holds {foreign[0]!r}, which funnelsim did not write" if foreign else ""


def _our_manifest(path: Path) -> dict[str, Any] | None:
    """Read a manifest if it is one of ours: browsers' extensions and Python wheels have manifests too.

    Returns:
        None where there is no manifest, or one of another program.
    """
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    is_ours = isinstance(manifest, dict) and manifest.get("kind") in _KINDS and "versions" in manifest
    return manifest if is_ours else None


def _make_parents(path: Path) -> list[Path]:
    """Make the folders above; those that are new are returned, the innermost first."""
    # Remembered, so that a run that fails removes the folders it has made and no others.
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
        with suppress(OSError):  # another process may have written there meanwhile
            folder.rmdir()
