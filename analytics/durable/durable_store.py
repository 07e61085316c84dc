"""The event store on disk: whatever it has acknowledged survives the death of the process.

A batch is written to the journal before it is judged. To bring the store back, the journal is read and every batch
judged again, which gives the same verdicts: they depend on nothing but the batches and their order. So that the journal
stays short, a checkpoint now and then writes down what the store knows.

Which file is written when, so that a crash between any two steps leaves everything counted once:

* A batch: journal; then memory, the file of dead letters, and the archive if hours leave the window. After a crash the
  file of dead letters is cut back to the checkpoint, and the batches since add theirs again; an hour of the archive is
  replaced by the same.
* A checkpoint: the journal and the dead letters go to the disk, then the new part of the window, then the checkpoint
  itself, in one step; then a new journal is begun, and what is no longer needed is removed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.durable.archive import HourArchive
from analytics.durable.checkpoint import Checkpoint, Part, read_part, write_checkpoint, write_part
from analytics.durable.dead_letter_file import DeadLetterFile
from analytics.durable.files import StoreLock, remove_file
from analytics.durable.journal import Journal
from analytics.durable.records import RecordKind, batch_payload, moment_payload
from analytics.durable.recovery import Recovery, StorePaths, recover
from analytics.durable.settings import StoreSettings
from analytics.durable.snapshot import RestorableStore, hours_of
from analytics.errors import StoreError, StoreWriteError
from analytics.events.dead_letters import DeadLetter
from analytics.events.dimensions import By
from analytics.events.times import moment, moment_ms
from analytics.io.flatten import Flattened
from analytics.io.position import SourcePosition
from analytics.store.buckets import HourBucket
from analytics.store.counts import Counts
from analytics.store.hour import NO_TIMED_EVENTS
from analytics.store.window import HourWindow

__all__ = ["DurableStore", "PendingWindow"]

_MIB: Final = 1 << 20


class DurableStore(RestorableStore):
    """An event store in a folder; :func:`analytics.durable.opening.open_store` opens it.

    What :meth:`append` and its kin return is an acknowledgement. Where they raise a
    :class:`analytics.errors.StoreWriteError`, the batch was not acknowledged: either it is not in the store, or
    the store must be opened again and says by its ``offsets`` and ``counts`` whether it is.

    Args:
        paths: Where the files are.
        checkpoint: The last checkpoint.
        settings: How the store is to be kept.
        lock: The lock on the folder, which the store lets go of when it is closed.

    Attributes:
        recovery: What it took to bring the store back.
    """

    def __init__(self, paths: StorePaths, checkpoint: Checkpoint, settings: StoreSettings, lock: StoreLock) -> None:
        n_hours = checkpoint.window_hours
        super().__init__(n_hours, checkpoint.skew_seconds, max_dead_letters=settings.max_dead_letters)
        self._hours: PendingWindow = PendingWindow(n_hours, HourArchive(paths.archive).write, paths.spill)
        self.recovery = Recovery()
        self._paths = paths
        self._settings = settings
        self._parts = checkpoint.parts
        self._repeats_part = checkpoint.repeats
        self._covered = checkpoint.number
        self._source: str | None = None
        self._is_whole = False
        self._lock = lock
        self._journal = Journal(paths.journal, settings.fsync)
        self._letters = DeadLetterFile(
            paths.dead_letters,
            checkpoint.dead_letters_tail,
            checkpoint.dead_letters_end,
            settings.max_dead_letters,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
        file: Path | None = None,  # noqa: ARG002 - the window is in files of its own
    ) -> Counts:
        """Take a batch, and note where its source stands after it; when this returns, both are safe.

        Args:
            batch: What :func:`analytics.io.flatten.flatten` or :mod:`analytics.io.ndjson` made of a batch.
            position: Where its source then stands, if it comes from one that can be resumed.
            arrived_at: When the events arrived, as in :meth:`append`.
            file: As in :meth:`append`; of no use here.

        Raises:
            StoreWriteError: It cannot be written.
            StoreError: The store must be opened again first.
        """
        if not batch.n_received and position is None:
            return Counts()
        self._checkpoint_if_due()
        arrived_ms = None if arrived_at is None else moment_ms("arrived_at", arrived_at)
        self._write_down(RecordKind.BATCH, batch_payload(batch, position, arrived_ms))
        # Judged by what is written, to the millisecond, as it will be when it is read again.
        counts = self.apply(batch, position, None if arrived_ms is None else moment(arrived_ms))
        self._is_whole = True
        return counts

    def advance_to(self, now: datetime) -> None:
        """Let the stream reach this moment though no event says so; when this returns, that is safe.

        Raises:
            AnalyticsError: The moment has no time zone, or is in no year that events can be in.
            StoreWriteError: It cannot be written.
        """
        ms = moment_ms("now", now)
        self._checkpoint_if_due()
        self._write_down(RecordKind.MOMENT, moment_payload(ms))
        super().advance_to(now)
        self._is_whole = True

    @property
    def buckets(self) -> tuple[HourBucket, ...]:
        """The hours of the window, oldest first, also the empty ones."""
        with self._reporting():
            return super().buckets

    def hourly(self, *, evicted: bool = False) -> pl.DataFrame:
        """Count by hour; see :meth:`analytics.event_store.EventStore.hourly`."""
        with self._reporting():
            return super().hourly(evicted=evicted)

    def views(self, by: By = None, *, include_bots: bool = False) -> pl.DataFrame:
        """Count page views by hour and segment; see :meth:`analytics.event_store.EventStore.views`."""
        with self._reporting():
            return super().views(by, include_bots=include_bots)

    def restore(
        self,
        summary: Mapping[str, Any],
        repeats: pl.DataFrame | None,
        events: Iterable[pl.DataFrame],
        letters: Iterable[DeadLetter],
    ) -> None:
        """Become what the store was at its checkpoint; dead letters since then will be added to their file again."""
        super().restore(summary, repeats, events, letters)
        self._letters.cut()

    def apply(self, batch: Flattened, position: SourcePosition | None, arrived_at: datetime | None) -> Counts:
        """Take a batch that is in the journal."""
        self._source = None if position is None else position.source
        return super().apply(batch, position, arrived_at)

    def sync(self) -> None:
        """Bring all that was acknowledged to the disk, whatever the policy.

        Raises:
            StoreWriteError: The disk does not take it.
        """
        self._journal.sync()

    def checkpoint(self) -> None:
        """Write down what the store knows, so that it is opened quickly, and begin a new journal.

        Raises:
            StoreWriteError: It cannot be written. The last checkpoint and the journal still stand.
        """
        self._refuse_if_broken()
        number = self._journal.last_number
        if number == self._covered:
            return
        self._journal.sync()
        self._sync_dead_letters()
        try:
            parts = self._write_parts(f"{number:020}.arrow")
            repeats = self._write_repeats(f"{number:020}.repeats.arrow")
            write_checkpoint(self._paths.folder, self._checkpoint(number, parts, repeats))
        except OSError as error:
            raise StoreWriteError(self._paths.folder, error) from error
        # From here on the journal must be a new one: records that came after a gap would be refused.
        self._is_whole = False
        self._parts, self._repeats_part, self._covered, self._hours.pending = parts, repeats, number, []
        self._journal.begin(number)
        self._remove_unknown_parts()
        self._is_whole = True

    def close(self) -> None:
        """Make a checkpoint and let go of the folder.

        Raises:
            StoreWriteError: The checkpoint cannot be written; the folder is let go of all the same.
        """
        try:
            if self._is_whole:
                self.checkpoint()
        finally:
            self.release()

    def release(self) -> None:
        """Let go of the folder without a checkpoint, as the death of the process would."""
        self._is_whole = False
        self._journal.close()
        self._letters.close()
        self._lock.release()

    def recover(self, checkpoint: Checkpoint) -> None:
        """Become what the store was, from its checkpoint and journal, and go on from there; done once, when opened.

        Raises:
            StoreError: They cannot be read, or not be written to.
        """
        self.recovery, last = recover(self, checkpoint, self._paths)
        if last is None:
            self._journal.begin(self._covered)
        else:
            self._journal.resume(last, max(self._covered, last.records[-1].number if last.records else 0))
        self._remove_unknown_parts()
        self._is_whole = True

    def _write_down(self, kind: RecordKind, payload: bytes) -> None:
        """Add to the journal; until what it says is done too, the store is not whole."""
        self._is_whole = False
        try:
            self._journal.append(kind, payload)
        except StoreWriteError:
            self._is_whole = not self._journal.is_faulty
            raise

    def _refuse_if_broken(self) -> None:
        if not self._is_whole:
            raise StoreError(
                f"{self._paths.folder}: the store is closed, or was interrupted while it took something in; open it "
                "again to go on. All that was acknowledged is safe"
            )

    def _checkpoint_if_due(self) -> None:
        self._refuse_if_broken()
        is_long = self._journal.n_bytes >= self._settings.checkpoint_mib * _MIB
        if is_long or self._hours.n_pending >= self._settings.checkpoint_events:
            self.checkpoint()

    def _record_dead_letters(self, dead_letters: tuple[DeadLetter, ...]) -> int:
        if dead_letters:
            self._letters.add(dead_letters, self._source)
        return super()._record_dead_letters(dead_letters)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Write down that hours are reported, where that makes a difference to what their next report is called."""
        before = self._hours.reports.to_dict()
        yield
        if self._is_whole and self._hours.reports.to_dict() != before:
            self._write_down(RecordKind.REPORT, b"")
            self._is_whole = True

    def _sync_dead_letters(self) -> None:
        # What the disk has not taken now it may have dropped: only the journal can write it again.
        self._is_whole = False
        self._letters.sync()
        self._is_whole = True

    def _checkpoint(self, number: int, parts: tuple[Part, ...], repeats: Part | None) -> Checkpoint:
        return Checkpoint(
            number=number,
            window_hours=self._window_hours,
            skew_seconds=self._skew_ms / 1000,
            summary=self.summary,
            offsets=dict(self.offsets),
            parts=parts,
            repeats=repeats,
            dead_letters_end=self._letters.end,
            dead_letters_tail=self._letters.tail,
        )

    def _write_parts(self, name: str) -> tuple[Part, ...]:
        """Write what was accepted since the last checkpoint, and return all parts that are needed from now on."""
        floor = next(iter(self._hours.hours), 0)
        parts = [part for part in self._parts if part.last_hour >= floor]
        tables, n_events = [*self._hours.pending], self._hours.n_pending
        # Joining only parts that are not much longer keeps the copying small, and full ones are never copied.
        while n_events and parts and parts[-1].n_events < min(2 * n_events, self._settings.checkpoint_events // 2):
            tables.append(read_part(self._paths.window, parts[-1]))
            n_events += parts.pop().n_events
        held = [table.filter(hours_of(table) >= floor).select(NO_TIMED_EVENTS.columns) for table in tables]
        events = pl.concat(held) if held else None
        if events is None or events.is_empty():
            return tuple(parts)
        return (*parts, write_part(self._paths.window, name, events, int(hours_of(events).max())))

    def _write_repeats(self, name: str) -> Part | None:
        """Write what was delivered again, if anything was; that is little, unless much was."""
        repeats = self.repeats
        if repeats.is_empty():
            return None
        return write_part(self._paths.window, name, repeats, int(repeats.select(pl.col("hour").max()).item()))

    def _remove_unknown_parts(self) -> None:
        """Remove the files of the window that no checkpoint needs."""
        known = {part.name for part in (*self._parts, self._repeats_part) if part is not None}
        for path in self._paths.window.iterdir():
            if path.name not in known:
                remove_file(path)


class PendingWindow(HourWindow):
    """A window of hours that remembers what has come to it since it was last written down.

    Args:
        n_hours: Hours in the window.
        on_evict: Called with each hour that leaves it with events in it.
        spill: A folder to which the events of past hours go.

    Attributes:
        pending: Tables of the events since then: flat, with their ``event_time``.
    """

    def __init__(self, n_hours: int, on_evict: Callable[[HourBucket], None], spill: Path) -> None:
        super().__init__(n_hours, on_evict, spill)
        self.pending: list[pl.DataFrame] = []

    @property
    def n_pending(self) -> int:
        """Events since then."""
        return sum(table.height for table in self.pending)

    def keep(self, accepted: pl.DataFrame, hours: NDArray[np.int64], file: Path | None = None) -> None:
        """Put events into their hours, and remember them."""
        super().keep(accepted, hours, file)
        if accepted.height:
            self.pending.append(accepted)
