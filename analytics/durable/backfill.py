"""Backfills: history in any order, sorted into a store.

A store takes events as they come, and what comes after its hour has left the window is late. So the events of all
sources are first sorted by hour into temporary files (:mod:`analytics.store.hour_sorter`), and then taken in order.

The store keeps how many parts of the sorted history it has taken, with each part; how far the sources were read is
stored after the last part, in one record. Whoever is interrupted before has the same sources and the same parts again,
and takes those that are missing.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from struct import Struct
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Final

import polars as pl

from analytics.durable.durable_store import DurableStore
from analytics.durable.files import writing
from analytics.durable.records import BatchRecord, batch_payload, read_batch
from analytics.errors import StoreError, StoreWriteError
from analytics.events.times import moment
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.flatten import Flattened
from analytics.io.position import Offset, SourceBatch, SourcePosition
from analytics.io.reading import located
from analytics.sources.source import Source
from analytics.store.hour_sorter import HourSorter

BACKFILL: Final = "backfill:"
"""Beginning of the names under which a store keeps how far its backfills are."""

_LENGTH: Final = Struct("<Q")
# Of an offset: a file put back from a copy is the same history, and so is that of an earlier version.
_UNNAMED: Final = frozenset({"after", "inode", "tail", "tail_crc32"})


class Backfill:
    """The history of some sources, sorted by hour.

    Args:
        sources: Read to their ends, each from its offset in the store.
        store: The store that will take the history; temporary files as large as that go to its folder.
        stop: Called regularly; returns whether to end.

    Raises:
        EventFileError: A source cannot be read.
        StoreWriteError: The temporary files cannot be written.
        StoreError: The store is already past the history.
    """

    def __init__(
        self, sources: Sequence[Source], store: DurableStore, stop: Callable[[], bool] = lambda: False
    ) -> None:
        folder = store.temporary_folder
        self._store = store
        self._stop = stop
        self._stack = ExitStack()
        with writing(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            place = self._stack.enter_context(TemporaryDirectory(prefix="backfill-", dir=folder))
            self._letters = self._stack.enter_context(TemporaryFile(dir=folder))  # noqa: SIM115 - closed with the stack
        self._sorter = HourSorter(Path(place), store.skew_ms)
        self._ignored_times = Counter[str]()
        self._offsets: dict[str, Offset] = {}
        before = dict(store.offsets)
        try:
            for batch in (batch for source in sources for batch in source.batches(before, follow=False)):
                self._add(batch)
                if stop():
                    break
            self._refuse_past_history()
        except BaseException as error:
            self.close()
            if isinstance(error, OSError | pl.exceptions.PolarsError) and not isinstance(error, StoreError):
                raise StoreWriteError(folder, OSError(str(error))) from error
            raise

    def close(self) -> None:
        """Delete the temporary files."""
        self._stack.close()

    def batches(self) -> Iterator[SourceBatch]:
        """Yield what the store has not yet taken of the history: events by hour, then dead letters, then the offsets.

        Nothing if reading was stopped before the end of the sources: a part of history has other hours.
        """
        if self._stop():
            return
        n_taken = self._n_taken
        for number, part in enumerate(self._parts(), 1):
            if number > n_taken:
                yield SourceBatch(part, SourcePosition(self._name, {"parts": number}))
        if self._offsets:
            # All offsets in one record, or an interruption between two would leave another history to be sorted.
            last = Flattened(EVENT_SCHEMA.to_frame(), (), self._ignored_times)
            yield SourceBatch(last, SourcePosition(self._name, {"parts": 0}, self._offsets))

    def _add(self, batch: SourceBatch) -> None:
        position = batch.position
        # Before it goes to temporary files.
        events = self._store.privacy.applied(located(batch.events, position.source))
        self._offsets.update({position.source: position.offset, **position.others})
        self._ignored_times.update(events.ignored_times)
        if events.frame.height:
            self._sorter.add(events.frame)
        if events.dead_letters:
            payload = batch_payload(BatchRecord(Flattened(EVENT_SCHEMA.to_frame(), events.dead_letters)))
            self._letters.write(_LENGTH.pack(len(payload)) + payload)

    def _parts(self) -> Iterator[Flattened]:
        yield from self._sorter.parts()
        self._letters.seek(0)
        while length := self._letters.read(_LENGTH.size):
            yield read_batch(self._letters.read(_LENGTH.unpack(length)[0])).events

    @property
    def _name(self) -> str:
        """The name of this history: that of another one would be another, also of the same file when it has grown."""
        begin = {name: _named(self._store.offsets.get(name, {})) for name in sorted(self._offsets)}
        end = {name: _named(offset) for name, offset in sorted(self._offsets.items())}
        return f"{BACKFILL}{zlib.crc32(json.dumps([begin, end], sort_keys=True).encode()):08x}"

    @property
    def _n_taken(self) -> int:
        return self._store.offsets.get(self._name, {"parts": 0})["parts"]

    def _refuse_past_history(self) -> None:
        window, first = self._store.window, self._sorter.first_hour
        if window is None or first is None or self._n_taken or moment(first) >= window[0]:
            return
        raise StoreError(
            f"the history begins at {moment(first):%Y-%m-%d %H:%M}, and the store has left {window[0]:%Y-%m-%d %H:%M} "
            "behind, so that what happened before would be late; backfill all of the history into a new folder, and "
            "then ingest there what follows (an interrupted backfill resumes with the same files, unchanged)"
        )


def _named(offset: Offset) -> dict[str, int]:
    """What of an offset is in the name of a history."""
    return {key: n for key, n in offset.items() if key not in _UNNAMED}
