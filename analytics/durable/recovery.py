"""How a store is recovered from its folder: its last checkpoint, then the journal since."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from analytics.durable.checkpoint import CHECKPOINT_FILE, Checkpoint, read_checkpoint, read_part
from analytics.durable.dead_letter_file import DeadLetterFile, read_dead_letters
from analytics.durable.journal_file import Record, Segment, read_segment, records_after, segments
from analytics.durable.records import RecordKind, read_batch, read_moment
from analytics.errors import StoreCorruptError, StoreFormatError
from analytics.events.enrichment import OwnNames
from analytics.events.times import moment
from analytics.store.deliveries import REDELIVERIES_SCHEMA
from analytics.store.event_store import EventStore
from analytics.store.snapshot import StoreSnapshot


class StorePaths:
    """The files and folders of a store.

    Args:
        folder: The store's folder.

    Attributes:
        journal: Folder of the journal.
        window: Folder of the window's events.
        archive: Folder of the hours that have left the window.
        spill: Folder of temporary files, which do not outlive the process.
        dead_letters: File of the events that could not be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self.journal: Final = folder / "journal"
        self.window: Final = folder / "window"
        self.archive: Final = folder / "archive"
        self.spill: Final = folder / "passing"
        self.dead_letters: Final = folder / "dead_letters.ndjson"


@dataclass(frozen=True)
class Recovery:
    """What was replayed from the journal to recover a store.

    Args:
        n_records: Records replayed.
        n_events: Events in them.
        n_bytes_cut: Length of the torn tail that was cut off the journal; it was never acknowledged.
    """

    n_records: int = 0
    n_events: int = 0
    n_bytes_cut: int = 0

    def __str__(self) -> str:
        if not self.n_records and not self.n_bytes_cut:
            return "nothing to recover"
        done = (
            f"replayed from the journal: {_counted(self.n_records, 'record')} with {_counted(self.n_events, 'event')}"
        )
        return f"{done}; torn tail cut off: {_counted(self.n_bytes_cut, 'byte')}" if self.n_bytes_cut else done


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def recover(
    store: EventStore, checkpoint: Checkpoint, paths: StorePaths, letters: DeadLetterFile | None = None
) -> tuple[Recovery, Segment | None]:
    """Bring a new store to the state of the one in a folder. All files are read and checked before anything changes.

    Args:
        store: The new store.
        checkpoint: The last checkpoint in the folder.
        paths: Where the files are.
        letters: The file of dead letters, if the folder is opened for writing; it is cut back to the checkpoint, and
            gets the dead letters since then again.

    Returns:
        What was replayed, and the last segment of the journal.

    Raises:
        StoreFormatError: A newer version has written a file.
        StoreCorruptError: A file is not what was written.
    """
    found = [read_segment(path) for path in segments(paths.journal)]
    records = list(records_after(found, checkpoint.number))
    store.restore(_snapshot(checkpoint, paths))
    if letters is not None:
        # The replay adds what is cut off again.
        letters.cut()
    n_events = sum(_replay(record, store, letters) for record in records)
    last = found[-1] if found else None
    return Recovery(len(records), n_events, last.n_torn if last else 0), last


def _snapshot(checkpoint: Checkpoint, paths: StorePaths) -> StoreSnapshot:
    redeliveries = REDELIVERIES_SCHEMA.to_frame()
    if checkpoint.redeliveries is not None:
        redeliveries = read_part(paths.window, checkpoint.redeliveries).select(REDELIVERIES_SCHEMA.names())
    return StoreSnapshot(
        summary=checkpoint.summary,
        redeliveries=redeliveries,
        # Read one at a time, so that a large window need not be in memory twice.
        events=(read_part(paths.window, part) for part in checkpoint.parts),
        dead_letters=read_dead_letters(paths.dead_letters, checkpoint.dead_letters_tail, checkpoint.dead_letters_end),
        offsets=checkpoint.offsets,
    )


def _replay(record: Record, store: EventStore, letters: DeadLetterFile | None) -> int:
    """Apply a record of the journal again, and return the number of events in it."""
    if record.kind == RecordKind.MOMENT:
        store.advance_to(moment(read_moment(record.payload)))
        return 0
    if record.kind == RecordKind.REPORT:
        # To report hours is what gives them their revisions.
        store.hourly()
        return 0
    batch, position, arrived_at = read_batch(record.payload)
    if letters is not None:
        letters.add(batch.dead_letters, position)
    store.append_flattened(batch, position, arrived_at=arrived_at)
    return batch.n_received


def read_store(folder: str | Path, own: OwnNames | None = None) -> EventStore:
    """Read the store in a folder into memory, even while another process writes to it; the folder is not changed.

    Args:
        folder: The folder of the store.
        own: Domains, bots and channels of one's own; see :class:`analytics.EventStore`.

    Raises:
        StoreFormatError: There is no store, or a newer version has written it.
        StoreCorruptError: A file is not what was written.
    """
    folder = Path(folder)
    paths, checkpoint = StorePaths(folder), read_checkpoint(folder)
    while checkpoint is not None:
        store = EventStore(checkpoint.window_hours, checkpoint.skew_seconds, own=own)
        try:
            recover(store, checkpoint, paths)
        except (StoreCorruptError, FileNotFoundError):
            # The next checkpoint removes files that this one needs; without a next one the store is damaged.
            before, checkpoint = checkpoint, read_checkpoint(folder)
            if checkpoint is None or checkpoint.number == before.number:
                raise
        else:
            return store
    raise StoreFormatError(f"{folder}: is not the folder of a store: there is no {CHECKPOINT_FILE} in it")
