"""How a store on disk is brought back: its last checkpoint, and the journal since."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from analytics.durable.checkpoint import CHECKPOINT_FILE, Checkpoint, read_checkpoint, read_part
from analytics.durable.dead_letter_file import read_dead_letters
from analytics.durable.journal_file import Segment, read_segment, records_after, segments
from analytics.durable.snapshot import RestorableStore
from analytics.errors import StoreCorruptError, StoreFormatError
from analytics.store.deliveries import REPEATS_SCHEMA

__all__ = ["Recovery", "StorePaths", "read_store", "recover"]


@dataclass(frozen=True)
class StorePaths:
    """What stands where in the folder of a store.

    Args:
        folder: The folder.
    """

    folder: Path

    @property
    def journal(self) -> Path:
        """Folder of the journal."""
        return self.folder / "journal"

    @property
    def window(self) -> Path:
        """Folder of the window's events."""
        return self.folder / "window"

    @property
    def archive(self) -> Path:
        """Folder of the hours that have left the window."""
        return self.folder / "archive"

    @property
    def spill(self) -> Path:
        """Folder of files that do not outlive the process."""
        return self.folder / "passing"

    @property
    def dead_letters(self) -> Path:
        """File of the events that could not be used."""
        return self.folder / "dead_letters.ndjson"


@dataclass(frozen=True)
class Recovery:
    """What it took to bring a store back.

    Args:
        n_records: Records of the journal that were done again.
        n_events: Events in them.
        n_bytes_cut: Length of the torn tail that was cut off the journal, which nobody had been told was safe.
    """

    n_records: int = 0
    n_events: int = 0
    n_bytes_cut: int = 0

    def __str__(self) -> str:
        if not self.n_records and not self.n_bytes_cut:
            return "nothing to recover"
        done = f"taken from the journal: {_counted(self.n_records, 'record')} with {_counted(self.n_events, 'event')}"
        return f"{done}; torn tail cut off: {_counted(self.n_bytes_cut, 'byte')}" if self.n_bytes_cut else done


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def recover(store: RestorableStore, checkpoint: Checkpoint, paths: StorePaths) -> tuple[Recovery, Segment | None]:
    """Tell a new store what one on disk knows. All files are read and checked before anything else is done.

    Args:
        store: The new store.
        checkpoint: The last checkpoint of that on disk.
        paths: Where the files are.

    Returns:
        What it took, and the last segment of the journal.

    Raises:
        StoreFormatError: A newer version has written a file.
        StoreCorruptError: A file is not what was written.
    """
    found = [read_segment(path) for path in segments(paths.journal)]
    records = list(records_after(found, checkpoint.number))
    letters = read_dead_letters(paths.dead_letters, checkpoint.dead_letters_tail, checkpoint.dead_letters_end)
    store.offsets.update(checkpoint.offsets)
    events = (read_part(paths.window, part) for part in checkpoint.parts)
    store.restore(checkpoint.summary, _repeats(paths, checkpoint), events, letters)
    n_events = sum(store.replay(record) for record in records)
    last = found[-1] if found else None
    return Recovery(len(records), n_events, last.n_torn if last else 0), last


def _repeats(paths: StorePaths, checkpoint: Checkpoint) -> pl.DataFrame | None:
    if checkpoint.repeats is None:
        return None
    return read_part(paths.window, checkpoint.repeats).select(REPEATS_SCHEMA.names())


def read_store(folder: str | Path) -> RestorableStore:
    """Read the store in a folder as it stands, though another process may be writing to it; nothing is changed there.

    Args:
        folder: The folder of the store.

    Raises:
        StoreFormatError: There is no store, or a newer version has written it.
        StoreCorruptError: A file is not what was written.
    """
    folder = Path(folder)
    paths, checkpoint = StorePaths(folder), read_checkpoint(folder)
    while checkpoint is not None:
        store = RestorableStore(checkpoint.window_hours, checkpoint.skew_seconds)
        try:
            recover(store, checkpoint, paths)
        except (StoreCorruptError, FileNotFoundError):
            # Files that this checkpoint needs are gone once there is another; if there is none, something is wrong.
            before, checkpoint = checkpoint, read_checkpoint(folder)
            if checkpoint is None or checkpoint.number == before.number:
                raise
        else:
            return store
    raise StoreFormatError(f"{folder}: is not the folder of a store: there is no {CHECKPOINT_FILE} in it")
