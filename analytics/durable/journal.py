"""The journal: every batch since the last checkpoint, written before it is acknowledged."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from analytics.durable.files import NO_FOLLOW, put_file, remove_file, write_all, writing
from analytics.durable.journal_file import FILE_HEADER, Record, Segment, packed, segments
from analytics.durable.settings import Fsync
from analytics.errors import StoreWriteError


class Journal:
    """The journal of a store, open for writing.

    Args:
        folder: Folder of the segments, which exists.
        fsync: When records are flushed to the disk.

    Attributes:
        last_number: Number of the last record; 0 before the first.
    """

    def __init__(self, folder: Path, fsync: Fsync) -> None:
        self._folder = folder
        self._fsync = fsync
        self._descriptor = -1
        self._path = folder
        self._end = 0
        self._n_synced = 0
        # The thread that flushes uses the same file.
        self._lock = threading.Lock()
        self._fault: OSError | None = None
        self._closing = threading.Event()
        self.last_number = 0
        if isinstance(fsync, float):
            threading.Thread(target=self._sync_regularly, args=(fsync,), daemon=True).start()

    @property
    def n_bytes(self) -> int:
        """Length of the current segment."""
        return self._end

    @property
    def is_faulty(self) -> bool:
        """Whether a fault has closed the journal to further records."""
        return self._fault is not None

    def resume(self, segment: Segment, last_number: int) -> None:
        """Continue a segment, without its torn tail.

        Args:
            segment: The last segment.
            last_number: Number of the last record, in it or before it.

        Raises:
            StoreWriteError: It cannot be opened or cut.
        """
        with writing(segment.path):
            self._open(segment.path, segment.end)
            # On the disk before a new record is: else a power cut could bring the old tail back.
            os.ftruncate(self._descriptor, segment.end)
            os.fsync(self._descriptor)
        self._n_synced = segment.end
        self.last_number = last_number

    def begin(self, after: int) -> None:
        """Begin a segment after a checkpoint that covers all records up to one; older segments are removed.

        Raises:
            StoreWriteError: The new segment cannot be written; the old one remains.
        """
        path = self._folder / f"{after + 1:020}.journal"
        old = [segment for segment in segments(self._folder) if segment != path]
        with writing(path), self._lock:
            # The new segment first: after a crash in between, the old one is there and its records are skipped.
            put_file(path, FILE_HEADER)
            self._open(path, len(FILE_HEADER))
            self._n_synced = self._end
            for segment in old:
                remove_file(segment)
        self.last_number = after

    def append(self, kind: int, payload: bytes) -> None:
        """Add a record. When this returns, the death of the process cannot undo it.

        Raises:
            StoreWriteError: It cannot be written, and is not in the journal. After a failed flush the journal takes no
                more records.
        """
        with self._lock:
            self._refuse_after_a_fault()
            record = packed(Record(self.last_number + 1, kind, payload, self._n_synced))
            try:
                write_all(self._descriptor, record)
            except OSError as error:
                self._take_back(error)
                raise StoreWriteError(self._path, error) from error
            except BaseException:
                # Interrupted half-way: only a reader of the file can find out whether the record is whole.
                self._fault = InterruptedError("interrupted")
                raise
            self._end += len(record)
            if self._fsync == "always":
                self._sync()
        self.last_number += 1

    def sync(self) -> None:
        """Flush all records to the disk, whatever the policy.

        Raises:
            StoreWriteError: The disk does not take it.
        """
        with self._lock:
            self._refuse_after_a_fault()
            self._sync()

    def close(self) -> None:
        """Close the file."""
        self._closing.set()
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _open(self, path: Path, end: int) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | NO_FOLLOW)
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._path, self._end = descriptor, path, end

    def _take_back(self, error: OSError) -> None:
        """Cut off the beginning of a record that could not be written whole."""
        try:
            os.ftruncate(self._descriptor, self._end)
        except OSError:
            self._fault = error

    def _sync(self) -> None:
        if self._n_synced == self._end:
            return
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            # The system may have dropped the pages it could not write: a second fsync would succeed and mean nothing.
            self._fault = error
            raise StoreWriteError(self._path, error) from error
        self._n_synced = self._end

    def _sync_regularly(self, interval_s: float) -> None:
        while not self._closing.wait(interval_s):
            with self._lock:
                if self._descriptor < 0 or self._fault is not None:
                    return
                try:
                    self._sync()
                except StoreWriteError:
                    return  # the next append raises it

    def _refuse_after_a_fault(self) -> None:
        if self._fault is not None:
            raise StoreWriteError(self._path, self._fault)
