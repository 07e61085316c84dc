"""The event store in a folder: whatever it has acknowledged survives the death of the process.

A batch is written to the journal before the store in memory judges it. To recover, the journal is read and every batch
judged again. The verdicts are the same, because they depend only on the batches and their order. A checkpoint now and
then writes the state of the store, so that the journal stays short.

Which file is written when, so that a crash between any two steps leaves everything counted once:

* A batch: journal; then the file of dead letters, memory, and the archive if hours leave the window. After a crash the
  file of dead letters is cut back to the checkpoint, and the batches since add theirs again; an hour of the archive is
  replaced by the same.
* A checkpoint: the journal and the dead letters are flushed to the disk, then the new part of the window, then the
  checkpoint itself, in one step; then a new journal is begun, and files no longer needed are removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

import polars as pl

from analytics.durable.checkpoint import Checkpoint, refuse_another, write_checkpoint
from analytics.durable.files import StoreLock, make_folder, put_file, writing
from analytics.durable.journal import Journal
from analytics.durable.journal_file import FORMAT
from analytics.durable.privacy import Privacy, privacy_of
from analytics.durable.records import BatchRecord, RecordKind, batch_payload, moment_payload
from analytics.durable.recovery import Recovery, SideFiles, StorePaths, recover
from analytics.durable.settings import StoreSettings
from analytics.durable.side_file import LeftBehind
from analytics.durable.window_files import WindowFiles
from analytics.errors import StoreError, StoreWriteError
from analytics.events.dimensions import By
from analytics.events.times import DAY_MS, epoch_ms, moment, moment_ms
from analytics.io.flatten import Flattened
from analytics.io.position import SourcePosition
from analytics.store.buckets import HourBucket
from analytics.store.counts import Counts, StoreCounters
from analytics.store.event_store import EventStore
from analytics.store.intake import EventIntake
from analytics.store.window import HourWindow

_MIB: Final = 1 << 20


class DurableStore(EventIntake):
    """An event store in a folder; :func:`open_store` opens it.

    It holds an :class:`analytics.EventStore` and answers every question from it. The return of a method that takes
    something in is an acknowledgement. Where it raises :class:`analytics.errors.StoreWriteError`, the batch was not
    acknowledged: either it is not in the store, or the store must be opened again, and its ``offsets`` and ``counts``
    then show whether it is.

    Args:
        paths: Where the files are.
        checkpoint: The last checkpoint.
        settings: How the store is to be kept.
        lock: The lock on the folder, which the store releases when it is closed.

    Attributes:
        recovery: What was replayed when the store was opened.
    """

    def __init__(self, paths: StorePaths, checkpoint: Checkpoint, settings: StoreSettings, lock: StoreLock) -> None:
        # Accepted events since the last checkpoint.
        self._pending: list[pl.DataFrame] = []
        self._privacy = privacy_of(checkpoint.privacy, settings.privacy, paths.folder)
        self._files = SideFiles.opened(paths, checkpoint, settings)
        self._store = EventStore(
            checkpoint.window_hours,
            checkpoint.skew_seconds,
            on_accept=self._pending.append,
            on_late=self._files.note_late,
            on_evict=paths.archive.put,
            max_dead_letters=settings.max_dead_letters,
            spill=paths.spill,
        )
        # The same objects, not copies: what the store in memory records is seen here.
        self.dead_letters, self.offsets = self._store.dead_letters, self._store.offsets
        self.recovery = Recovery()
        self._paths = paths
        self._settings = settings
        self._checkpoint = checkpoint
        # False while something is in the journal and not yet in memory, and after the store is closed.
        self._is_whole = False
        self._lock = lock
        self._journal = Journal(paths.journal, settings.fsync)
        self._window_files = WindowFiles(paths.window, settings.checkpoint_events // 2)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an error the journal decides what is in the store, not a checkpoint of a doubtful state.
        if kind is None:
            self.close()
        else:
            self.release()

    def __getstate__(self) -> dict[str, object]:
        raise TypeError("a store on disk cannot be copied: two would write to the same files")

    def append_flattened(
        self,
        batch: Flattened,
        position: SourcePosition | None = None,
        *,
        arrived_at: datetime | None = None,
        file: Path | None = None,
        again: bool = False,
    ) -> Counts:
        """Take a flattened batch; see :meth:`analytics.store.intake.EventIntake.append_flattened`.

        When this returns, the batch and the position are safe.

        Raises:
            StoreWriteError: It cannot be written.
            StoreError: The store must be opened again first.
        """
        if not batch.n_received and position is None:
            return Counts()
        self._checkpoint_if_due()
        given, batch = batch, self._privacy.applied(batch)
        # A file of the caller's may have what the store must not keep.
        file = file if batch is given else None
        # The journal holds milliseconds: judged by more, the batch might get other verdicts when it is replayed.
        arrived_ms = None if arrived_at is None else moment_ms("arrived_at", arrived_at)
        arrived_at = None if arrived_ms is None else moment(arrived_ms)
        self._write_record(RecordKind.BATCH, batch_payload(BatchRecord(batch, position, arrived_at, again)))
        counts = self._store.append_flattened(batch, position, arrived_at=arrived_at, file=file, again=again)
        self._files.add(batch.dead_letters, position)
        self._is_whole = True
        return counts

    def advance_to(self, now: datetime) -> None:
        """Move stream time to this moment without an event; when this returns, that is safe.

        Raises:
            AnalyticsError: The moment has no time zone, or is outside the years that events can be in.
            StoreWriteError: It cannot be written.
        """
        now_ms = moment_ms("now", now)
        self._checkpoint_if_due()
        self._write_record(RecordKind.MOMENT, moment_payload(now_ms))
        self._store.advance_to(moment(now_ms))
        self._is_whole = True

    @property
    def skew_ms(self) -> int:
        """How far ahead of its arrival an event may claim to have happened, in milliseconds."""
        return round(self._checkpoint.skew_seconds * 1000)

    @property
    def window_hours(self) -> int:
        """Hours in the window, the current one included."""
        return self._checkpoint.window_hours

    @property
    def privacy(self) -> Privacy:
        """What the store does to personal data."""
        return self._privacy

    @property
    def temporary_folder(self) -> Path:
        """A folder for temporary files, which is emptied when the store is opened again; it need not exist."""
        return self._paths.spill

    def _counted(self) -> StoreCounters:
        return self._store._counted()  # noqa: SLF001 - of one kind with this one

    def _held(self) -> HourWindow:
        return self._store._held()  # noqa: SLF001 - of one kind with this one

    @property
    def buckets(self) -> tuple[HourBucket, ...]:
        """The hours of the window, oldest first, also the empty ones; none before the first event."""
        with self._reporting():
            return self._store.buckets

    def hourly(self, *, evicted: bool = False) -> pl.DataFrame:
        """Count by hour; see :meth:`analytics.EventStore.hourly`."""
        with self._reporting():
            return self._store.hourly(evicted=evicted)

    def views(self, by: By = None, *, include_bots: bool = False) -> pl.DataFrame:
        """Count page views by hour and segment; see :meth:`analytics.EventStore.views`."""
        with self._reporting():
            return self._store.views(by, include_bots=include_bots)

    def events(self) -> pl.DataFrame:
        """Return the events of the window; see :meth:`analytics.EventStore.events`."""
        return self._store.events()

    def digest(self) -> str:
        """Fingerprint of the state; see :meth:`analytics.EventStore.digest`."""
        return self._store.digest()

    def __or__(self, other: DurableStore) -> EventStore:
        """Merge with another store into one in memory; see :class:`analytics.EventStore`."""
        return self._store | other._store

    def sync(self) -> None:
        """Flush all that was acknowledged to the disk, whatever the policy.

        Raises:
            StoreWriteError: The disk does not take it.
        """
        self._journal.sync()

    def checkpoint(self) -> None:
        """Write the state of the store, so that it opens quickly, and begin a new journal.

        Raises:
            StoreWriteError: It cannot be written. The last checkpoint and the journal are as before.
        """
        self._refuse_if_broken()
        if self._journal.last_number != self._checkpoint.number:
            self._write_checkpoint()

    def _write_checkpoint(self, changes: Mapping[LeftBehind, Mapping[str, Any]] = MappingProxyType({})) -> None:
        self._refuse_if_broken()
        self._refuse_another_writer()
        number = self._journal.last_number
        self._journal.sync()
        self._sync_side_files()
        with writing(self._paths.folder):
            checkpoint = self._next_checkpoint(number, changes)
            write_checkpoint(self._paths.folder, checkpoint)
        # From here on the journal must be a new one: records that came after a gap would be refused.
        self._is_whole = False
        self._checkpoint = checkpoint
        self._pending.clear()
        self._settle(number)
        self._is_whole = True

    def _settle(self, number: int) -> None:
        """Begin a new journal after a checkpoint, and remove what is no longer needed."""
        self._files.dead_letters.settle(self._checkpoint.dead_letters)
        self._files.late.settle(self._checkpoint.late)
        self._journal.begin(number)
        self._window_files.remove_unneeded(self._checkpoint)
        if (days := self._settings.privacy.archive_days) is not None:
            self._paths.archive.remove_before(self._believed_ms() - days * DAY_MS)

    def _believed_ms(self) -> int:
        return self._paths.archive.believed_ms(self._held().stream_ms or 0, self._held().filled_hours)

    def set_aside(self, kind: LeftBehind) -> None:
        """Let the letters so far be an older file, so that later ones are in another."""
        self._write_checkpoint({kind: {"set_aside": True}})

    def kept(self, kind: LeftBehind) -> tuple[Path, ...]:
        """The older files of letters, oldest first."""
        return self._files.of(kind).older

    def remove_kept(self, kind: LeftBehind) -> None:
        """Remove the older files of letters, whose events were taken in again."""
        self._write_checkpoint({kind: {"without": frozenset(path.name for path in self.kept(kind))}})

    def rewrite(self, rewritten: Callable[[Checkpoint, int, SideFiles], Checkpoint]) -> None:
        """Replace the state by another than that which the batches have led to; then the store must be opened again.

        Args:
            rewritten: Makes the new checkpoint of the last one, its number and the files of letters; it has written
                all files of the window that the new one names.
        """
        self.checkpoint()
        # As if there were one more record, so that readers see that there is another state.
        number = self._journal.last_number + 1
        self._is_whole = False
        with writing(self._paths.folder):
            self._checkpoint = rewritten(self._checkpoint, number, self._files)
            write_checkpoint(self._paths.folder, self._checkpoint)
        self._settle(number)

    def close(self) -> None:
        """Make a checkpoint and release the folder.

        Raises:
            StoreWriteError: The checkpoint cannot be written; the folder is released all the same.
        """
        try:
            if self._is_whole:
                self.checkpoint()
        finally:
            self.release()

    def release(self) -> None:
        """Release the folder without a checkpoint, as the death of the process would."""
        self._is_whole = False
        self._journal.close()
        for file in self._files.both:
            file.close()
        self._lock.release()

    def recover(self) -> None:
        """Bring the store to its state before, from checkpoint and journal; done once, by :func:`open_store`.

        Raises:
            StoreError: The files cannot be read, or not be written to.
        """
        covered = self._checkpoint.number
        self.recovery, last = recover(self._store, self._checkpoint, self._paths, self._files)
        # The last segment is older than the checkpoint if the process died between the two.
        number = max(covered, last.records[-1].number if last and last.records else 0)
        if last is not None and last.doubtful:
            with writing(self._paths.damaged):
                make_folder(self._paths.damaged)
                put_file(self._paths.damaged / f"{last.path.stem}-{last.end}.journal", last.doubtful)
        if last is not None and last.version == FORMAT:
            self._journal.resume(last, number)
            self._window_files.remove_unneeded(self._checkpoint)
        elif number == covered:
            self._journal.begin(covered)
            self._window_files.remove_unneeded(self._checkpoint)
        else:
            # A segment of an earlier format gets no more records.
            self._journal.last_number = number
            self._is_whole = True
            self.checkpoint()
        if (reached := self.window) is not None:
            self._paths.archive.remove_from(epoch_ms(reached[0]))
        self._is_whole = True

    def _write_record(self, kind: RecordKind, payload: bytes) -> None:
        """Add to the journal; the store is not whole until memory has followed."""
        self._is_whole = False
        try:
            self._journal.append(kind, payload)
        except StoreWriteError:
            self._is_whole = not self._journal.is_faulty
            raise

    def _refuse_if_broken(self) -> None:
        if not self._is_whole:
            raise StoreError(
                f"{self._paths.folder}: the store is closed, or a write to it was interrupted; open it again to "
                "continue. All that was acknowledged is safe"
            )

    def _refuse_another_writer(self) -> None:
        """Stop before another writer's files are overwritten, however it came past the lock."""
        self._is_whole = False
        self._lock.check()
        refuse_another(self._paths.folder, self._checkpoint)
        self._is_whole = True

    @property
    def _n_pending(self) -> int:
        return sum(table.height for table in self._pending)

    def _checkpoint_if_due(self) -> None:
        self._refuse_if_broken()
        # Called before the next batch, not after the last: were a checkpoint to fail there, its batch would be in the
        # store and yet refused.
        is_long = self._journal.n_bytes >= self._settings.checkpoint_mib * _MIB
        if is_long or self._n_pending >= self._settings.checkpoint_events:
            self.checkpoint()

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Write to the journal that hours are reported, where that changes the revisions of later reports."""
        before = self._store.summary
        yield
        if self._is_whole and self._store.summary != before:
            self._write_record(RecordKind.REPORT, b"")
            self._is_whole = True

    def _sync_side_files(self) -> None:
        # After a failed flush the system may have dropped the bytes: only the journal can write them again.
        self._is_whole = False
        for file in self._files.both:
            file.sync()
        self._is_whole = True

    def _next_checkpoint(self, number: int, changes: Mapping[LeftBehind, Mapping[str, Any]]) -> Checkpoint:
        """Write the parts that a checkpoint up to this record needs, and return it."""
        floor = 0 if self.window is None else epoch_ms(self.window[0])
        parts = self._window_files.write(number, self._checkpoint.parts, self._pending, floor)
        snapshot, believed = self._store.snapshot(), self._believed_ms()
        return self._checkpoint.model_copy(
            update={
                "number": number,
                "summary": snapshot.summary,
                "offsets": snapshot.offsets,
                "parts": parts,
                "redeliveries": self._window_files.write_redeliveries(number, snapshot.redeliveries),
                "dead_letters": self._files.dead_letters.next_state(believed, **changes.get("dead-letters", {})),
                "late": self._files.late.next_state(believed, **changes.get("late", {})),
                "privacy": self._privacy.record,
                "archive_sums_end": self._paths.archive.sums_end,
            }
        )
