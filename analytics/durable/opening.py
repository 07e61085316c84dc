"""Opening the store in a folder, or creating one there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from analytics.durable.checkpoint import (
    CHECKPOINT_FILE,
    Checkpoint,
    keep_settings,
    read_checkpoint,
    read_settings,
    write_checkpoint,
)
from analytics.durable.durable_store import DurableStore
from analytics.durable.files import LOCK_FILE, WRITER_FILE, StoreLock, make_folder, writing
from analytics.durable.recovery import StorePaths
from analytics.durable.settings import StoreSettings
from analytics.errors import StoreCorruptError, StoreError, StoreFormatError, StoreWriteError
from analytics.store.event_store import EventStore

_DEFAULT_WINDOW_HOURS: Final = 24
_DEFAULT_SKEW_SECONDS: Final = 60.0


def open_store(folder: str | Path, settings: StoreSettings | None = None) -> DurableStore:
    """Open the store in a folder for writing, or create one; :func:`read_store` only reads.

    Args:
        folder: The folder; a new one, an empty one, or one with a store.
        settings: How the store is to be kept.

    Returns:
        The store; use it as a context manager, or close it.

    Raises:
        StoreLockedError: Another process writes to it.
        StoreFormatError: The folder holds something else, the store is of a newer version, or has another window.
        StoreCorruptError: A file is not what was written.
        StoreWriteError: The folder cannot be written to.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open_store(folder) as store:
    ...         _ = store.append_json(b'{"type": "page", "anonymousId": "a", "timestamp": "2026-03-03T10:30:00Z"}')
    ...     with open_store(folder) as store:
    ...         store.counts.accepted
    1
    """
    paths, settings = StorePaths(Path(folder)), settings or StoreSettings()
    with writing(paths.folder):
        make_folder(paths.folder)
        _refuse_foreign(paths.folder)
    # Before the store is read: another process might be changing it.
    lock = StoreLock(paths.folder)
    try:
        return _opened(paths, settings, lock)
    except BaseException as error:  # also a KeyboardInterrupt must not leave the folder locked
        lock.release()
        if isinstance(error, OSError) and not isinstance(error, StoreError):
            raise StoreWriteError(paths.folder, error) from error
        raise


def open_existing(folder: str | Path, settings: StoreSettings | None = None) -> DurableStore:
    """Open the store in a folder as :func:`open_store` does, but create none.

    Raises:
        StoreFormatError: There is no store.
        StoreError: As for :func:`open_store`.
    """
    if not Path(folder, CHECKPOINT_FILE).exists():
        raise StoreFormatError(f"{folder}: is not the folder of a store: there is no {CHECKPOINT_FILE} in it")
    return open_store(folder, settings)


def _opened(paths: StorePaths, settings: StoreSettings, lock: StoreLock) -> DurableStore:
    for folder in (paths.journal, paths.window, paths.archive.folder, paths.damaged, paths.spill):
        if folder.is_symlink():
            raise StoreFormatError(f"{folder}: is a link; a store writes, and removes, in folders of its own only")
    # A process that died leaves its temporary files behind.
    shutil.rmtree(paths.spill, ignore_errors=True)
    checkpoint = read_checkpoint(paths.folder) or _create(paths, settings)
    _refuse_another_window(paths, checkpoint, settings)
    if not checkpoint.privacy and (kept := read_settings(paths.folder)):
        # The first checkpoint after they were given has not been written.
        checkpoint = checkpoint.model_copy(update={"privacy": kept["privacy"]})
    store = DurableStore(paths, checkpoint, settings, lock)
    try:
        keep_settings(paths.folder, checkpoint, store.privacy.record)
        store.recover()
    except BaseException:
        store.release()
        raise
    return store


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder that holds something else."""
    names = {path.name for path in folder.iterdir()}
    # A crash while a store is created leaves some of these, and no checkpoint yet.
    begun = {LOCK_FILE, WRITER_FILE, "journal", "window", f".{CHECKPOINT_FILE}.new"}
    if CHECKPOINT_FILE not in names and {"journal", "window", WRITER_FILE} <= names and names - begun:
        raise StoreCorruptError(folder / CHECKPOINT_FILE, "is missing")
    if CHECKPOINT_FILE not in names and names - begun:
        raise StoreFormatError(f"{folder}: holds other things than a store; give a new or an empty folder")


def _create(paths: StorePaths, settings: StoreSettings) -> Checkpoint:
    """Create a store: write the checkpoint of an empty one."""
    make_folder(paths.journal)
    make_folder(paths.window)
    window_hours = settings.window_hours or _DEFAULT_WINDOW_HOURS
    skew_seconds = _DEFAULT_SKEW_SECONDS if settings.skew_seconds is None else settings.skew_seconds
    summary = EventStore(window_hours, skew_seconds).summary
    empty = Checkpoint(number=0, window_hours=window_hours, skew_seconds=skew_seconds, summary=summary, offsets={})
    write_checkpoint(paths.folder, empty)
    return empty


def _refuse_another_window(paths: StorePaths, checkpoint: Checkpoint, settings: StoreSettings) -> None:
    """Refuse settings that differ from those by which the store has judged so far."""
    for name in ("window_hours", "skew_seconds"):
        asked, has = getattr(settings, name), getattr(checkpoint, name)
        if asked is not None and asked != has:
            raise StoreFormatError(
                f"{paths.folder}: the store has {name}={has:g}, and {asked:g} is asked for; leave it out, or give "
                "another folder"
            )
