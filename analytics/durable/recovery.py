"""How a store is recovered from its folder: its last checkpoint, then the journal since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.durable.archive import Archive
from analytics.durable.checkpoint import CHECKPOINT_FILE, SETTINGS_FILE, Checkpoint, read_checkpoint
from analytics.durable.journal_file import Record, Segment, read_segment, records_after, segments
from analytics.durable.records import RecordKind, read_batch, read_moment
from analytics.durable.settings import StoreSettings
from analytics.durable.side_file import Keeping, LeftBehind, SideFile, remembered_letters
from analytics.durable.window_files import read_part
from analytics.errors import StoreCorruptError, StoreFormatError
from analytics.events.dead_letters import DeadLetter, DeadLetterReason
from analytics.events.enrichment import OwnNames
from analytics.events.times import HOUR_MS, moment
from analytics.io.ndjson import encode
from analytics.io.position import SourcePosition
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
        spill: Folder of temporary files, which do not outlive the process.
        archive: The hours that have left the window.
        settings: File with the settings of the store, which its checkpoint has too.
        dead_letters: File of the events that could not be used.
        late: File of the late events.
        damaged: Folder of what was cut off the journal.
        forgetting: File with the identifiers of a person who is being forgotten.
    """

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self.journal: Final = folder / "journal"
        self.window: Final = folder / "window"
        self.spill: Final = folder / "passing"
        self.archive: Final = Archive(folder / "archive", folder / "archive.ndjson", self.spill)
        self.settings: Final = folder / SETTINGS_FILE
        self.dead_letters: Final = folder / "dead_letters.ndjson"
        self.late: Final = folder / "late.ndjson"
        self.damaged: Final = folder / "damaged"
        self.forgetting: Final = folder / "forgetting.json"

    def letter_files(self) -> list[Path]:
        """The files of dead letters and of late events, older ones too."""
        return [
            file for path in (self.dead_letters, self.late) for file in sorted(path.parent.glob(f"{path.stem}*.ndjson"))
        ]


@dataclass(frozen=True)
class Recovery:
    """What was replayed from the journal to recover a store.

    Args:
        n_records: Records replayed.
        n_events: Events in them.
        n_bytes_cut: Length of the torn tail that was cut off the journal; it was never acknowledged.
        n_bytes_doubtful: Length of what was cut off it from a hole on that a power cut may have made; it is kept in the
            folder ``damaged``, as it may have been acknowledged.
        n_kept_aside: Files in that folder from earlier on.
    """

    n_records: int = 0
    n_events: int = 0
    n_bytes_cut: int = 0
    n_bytes_doubtful: int = 0
    n_kept_aside: int = 0

    def __str__(self) -> str:
        if not self.n_records and not self.n_bytes_cut:
            return "nothing to recover"
        done = (
            f"replayed from the journal: {_counted(self.n_records, 'record')} with {_counted(self.n_events, 'event')}"
        )
        return f"{done}; torn tail cut off: {_counted(self.n_bytes_cut, 'byte')}" if self.n_bytes_cut else done

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for a reader of the counts."""
        found = []
        if self.n_bytes_doubtful:
            found.append(
                f"the journal is damaged after its last whole record: the events in {self.n_bytes_doubtful:,} bytes "
                "are not in the store. A power cut does this to what was not yet on the disk, and sources are read "
                "again from there; `funnelsim recover` takes in what is whole of it"
            )
        if self.n_kept_aside:
            found.append(
                f"the store was damaged: {_counted(self.n_kept_aside, 'file')} of it, in the folder damaged, may have "
                "events that it has lost, and counts may have them still; remove the folder once that is settled"
            )
        return tuple(found)


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


@dataclass(frozen=True)
class SideFiles:
    """What a store could not use, as files beside it.

    Args:
        dead_letters: Events that could not be used.
        late: Events that came too late.
        newly_late: Late events of the batch that was judged last.
    """

    dead_letters: SideFile
    late: SideFile
    newly_late: list[DeadLetter]

    def of(self, kind: LeftBehind) -> SideFile:
        """The file of this kind."""
        return self.dead_letters if kind == "dead-letters" else self.late

    @classmethod
    def opened(cls, paths: StorePaths, checkpoint: Checkpoint, settings: StoreSettings) -> Self:
        """The files of a store, open for adding.

        Raises:
            StoreWriteError: They cannot be opened.
        """
        n_bytes, days = round(settings.side_files_mib * (1 << 20)), settings.privacy.dead_letters_days
        keeping = Keeping(settings.max_dead_letters, n_bytes, days)
        dead_letters = SideFile(paths.dead_letters, checkpoint.dead_letters, keeping)
        return cls(dead_letters, SideFile(paths.late, checkpoint.late, keeping), newly_late=[])

    @property
    def both(self) -> tuple[SideFile, SideFile]:
        """Both files."""
        return self.dead_letters, self.late

    def note_late(self, events: pl.DataFrame, lateness_ms: NDArray[np.int64]) -> None:
        """Note the late events of a batch, and how late each was in milliseconds, until they are added."""
        for raw, ms in zip(encode(events).splitlines(), lateness_ms.tolist(), strict=True):
            detail = f"{ms / HOUR_MS:,.1f} hours behind the stream"
            self.newly_late.append(DeadLetter(raw, DeadLetterReason.LATE, detail))

    def add(self, dead_letters: Sequence[DeadLetter], position: SourcePosition | None) -> None:
        """Add the dead letters of a batch, and the late events that were found in it.

        Raises:
            StoreWriteError: They cannot be written.
        """
        self.dead_letters.add(dead_letters, position)
        late, self.newly_late[:] = tuple(self.newly_late), ()
        self.late.add(late, position)


def recover(
    store: EventStore, checkpoint: Checkpoint, paths: StorePaths, files: SideFiles | None = None
) -> tuple[Recovery, Segment | None]:
    """Bring a new store to the state of the one in a folder. All files are read and checked before anything changes.

    Args:
        store: The new store.
        checkpoint: The last checkpoint in the folder.
        paths: Where the files are.
        files: Dead letters and late events, if the folder is opened for writing; they are cut back to the checkpoint,
            and get those since then again.

    Returns:
        What was replayed, and the last segment of the journal.

    Raises:
        StoreFormatError: A newer version has written a file.
        StoreCorruptError: A file is not what was written.
    """
    found = [read_segment(path) for path in segments(paths.journal)]
    if not found and checkpoint.number:
        # A checkpoint begins a new segment before it removes the old ones.
        raise StoreCorruptError(paths.journal, "has no segment, so that what came after the checkpoint is missing")
    records = list(records_after(found, checkpoint.number))
    store.restore(snapshot_of(checkpoint, paths))
    if files is not None:
        # The replay adds what is cut off again.
        for file in files.both:
            file.cut()
    n_events = sum(replay(record, store, files) for record in records)
    last = found[-1] if found else None
    n_torn, n_doubtful = (last.n_torn, len(last.doubtful)) if last else (0, 0)
    n_kept_aside = sum(1 for _ in paths.damaged.glob("*"))
    return Recovery(len(records), n_events, n_torn, n_doubtful, n_kept_aside), last


def snapshot_of(checkpoint: Checkpoint, paths: StorePaths) -> StoreSnapshot:
    """The state of a store at a checkpoint.

    Raises:
        StoreCorruptError: A file of the window is not what was written; raised where its events are read.
    """
    redeliveries = REDELIVERIES_SCHEMA.to_frame()
    if checkpoint.redeliveries is not None:
        redeliveries = read_part(paths.window, checkpoint.redeliveries).select(REDELIVERIES_SCHEMA.names())
    return StoreSnapshot(
        summary=checkpoint.summary,
        redeliveries=redeliveries,
        # Read one at a time, so that a large window need not be in memory twice.
        events=(read_part(paths.window, part) for part in checkpoint.parts),
        dead_letters=remembered_letters(paths.dead_letters, checkpoint.dead_letters),
        offsets=checkpoint.offsets,
    )


def replay(record: Record, store: EventStore, files: SideFiles | None = None) -> int:
    """Apply a record of the journal again, and return the number of events in it."""
    if record.kind == RecordKind.MOMENT:
        store.advance_to(moment(read_moment(record.payload)))
        return 0
    if record.kind == RecordKind.REPORT:
        # To report hours is what gives them their revisions.
        store.hourly()
        return 0
    batch = read_batch(record.payload)
    store.append_flattened(batch.events, batch.position, arrived_at=batch.arrived_at, again=batch.again)
    if files is not None:
        files.add(batch.events.dead_letters, batch.position)
    return batch.events.n_received


def read_store(folder: str | Path, own: OwnNames | None = None) -> EventStore:
    """Read the store in a folder into memory, even while another process writes to it; the folder is not changed.

    Args:
        folder: The folder of the store.
        own: Domains, bots and channels of one's own; see :class:`analytics.EventStore`.

    Raises:
        StoreFormatError: There is no store, or a newer version has written it.
        StoreCorruptError: A file is not what was written.
    """
    return read_recovered(folder, own)[0]


def read_recovered(folder: str | Path, own: OwnNames | None = None) -> tuple[EventStore, Recovery]:
    """Read the store in a folder, as :func:`read_store` does, and say what was replayed."""
    folder = Path(folder)
    paths, checkpoint = StorePaths(folder), read_checkpoint(folder)
    while checkpoint is not None:
        store, failure = EventStore(checkpoint.window_hours, checkpoint.skew_seconds, own=own), None
        try:
            recovery, _ = recover(store, checkpoint, paths)
        except (StoreCorruptError, FileNotFoundError) as error:
            failure = error
        # The next checkpoint removes files that this one needs, and the journal then begins after it: what was read
        # before and after it must not be taken together. Without a next one the store is damaged.
        before, checkpoint = checkpoint, read_checkpoint(folder)
        if checkpoint is not None and checkpoint.number == before.number:
            if failure is not None:
                raise failure
            return store, recovery
    raise StoreFormatError(f"{folder}: is not the folder of a store: there is no {CHECKPOINT_FILE} in it")
