"""Opening the store in a folder, or making one there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from analytics.durable.checkpoint import CHECKPOINT_FILE, Checkpoint, read_checkpoint, write_checkpoint
from analytics.durable.durable_store import DurableStore
from analytics.durable.files import LOCK_FILE, StoreLock, make_folder
from analytics.durable.recovery import StorePaths
from analytics.durable.settings import StoreSettings
from analytics.durable.snapshot import RestorableStore
from analytics.errors import StoreError, StoreFormatError, StoreWriteError

__all__ = ["open_store"]

_DEFAULT_WINDOW_HOURS: Final = 24
_DEFAULT_SKEW_SECONDS: Final = 60.0


def open_store(folder: str | Path, settings: StoreSettings | None = None) -> DurableStore:
    """Open the store in a folder, or make one.

    Args:
        folder: The folder; a new one, an empty one, or one with a store.
        settings: How the store is to be kept.

    Raises:
        StoreLockedError: Another process writes to it.
        StoreFormatError: The folder holds something else, the store is of a newer version, or has another window.
        StoreCorruptError: A file is not what was written.
        StoreWriteError: The folder cannot be written to.
    """
    paths, settings = StorePaths(Path(folder)), settings or StoreSettings()
    try:
        make_folder(paths.folder)
        _refuse_foreign(paths.folder)
    except OSError as error:
        raise StoreWriteError(paths.folder, error) from error
    lock = StoreLock(paths.folder)
    try:
        return _opened(paths, settings, lock)
    except BaseException as error:  # whatever it is, others may try
        lock.release()
        if isinstance(error, OSError) and not isinstance(error, StoreError):
            raise StoreWriteError(paths.folder, error) from error
        raise


def _opened(paths: StorePaths, settings: StoreSettings, lock: StoreLock) -> DurableStore:
    # A process that died may have left files that were not to outlive it.
    shutil.rmtree(paths.spill, ignore_errors=True)
    checkpoint = read_checkpoint(paths.folder) or _begin(paths, settings)
    _refuse_another_window(paths, checkpoint, settings)
    store = DurableStore(paths, checkpoint, settings, lock)
    try:
        store.recover(checkpoint)
    except BaseException:
        store.release()
        raise
    return store


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder in which somebody keeps other things."""
    names = {path.name for path in folder.iterdir()}
    # A crash while a store is made leaves some of these, and no checkpoint yet.
    begun = {LOCK_FILE, "journal", "window", f".{CHECKPOINT_FILE}.new"}
    if CHECKPOINT_FILE not in names and names - begun:
        raise StoreFormatError(f"{folder}: holds other things than a store; give a new or an empty folder")


def _begin(paths: StorePaths, settings: StoreSettings) -> Checkpoint:
    """Make the first checkpoint of a store, of one that knows nothing."""
    make_folder(paths.journal)
    make_folder(paths.window)
    window_hours = settings.window_hours or _DEFAULT_WINDOW_HOURS
    skew_seconds = _DEFAULT_SKEW_SECONDS if settings.skew_seconds is None else settings.skew_seconds
    summary = RestorableStore(window_hours, skew_seconds).summary
    nothing = Checkpoint(number=0, window_hours=window_hours, skew_seconds=skew_seconds, summary=summary, offsets={})
    write_checkpoint(paths.folder, nothing)
    return nothing


def _refuse_another_window(paths: StorePaths, checkpoint: Checkpoint, settings: StoreSettings) -> None:
    """Refuse to go on with other rules than those by which the store has judged so far."""
    for name in ("window_hours", "skew_seconds"):
        asked, has = getattr(settings, name), getattr(checkpoint, name)
        if asked is not None and asked != has:
            raise StoreFormatError(
                f"{paths.folder}: the store has {name}={has:g}, and {asked:g} is asked for; leave it out, or give "
                "another folder"
            )
