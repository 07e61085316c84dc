"""The event store in memory, with and without files for past hours, against its model, for any sequence of steps."""

import os
import pickle
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test
from store_model import USUAL, StoreMachine

from analytics.store import window
from analytics.store.buckets import HourBucket
from analytics.store.counts import Counts
from analytics.store.event_store import EventStore


class MemoryMachine(StoreMachine):
    """Three stores with the same state after each step.

    The first is in memory, and is now and then replaced by a copy of itself. The second spills past hours to files, and
    takes every event in a batch of its own. The batches of the third are in files already. The last two share a folder.
    """

    @initialize(window_hours=st.integers(1, 5), can_link=st.booleans())
    def begin(self, window_hours: int, *, can_link: bool = True) -> None:
        """All begin empty; a file system may know only one name for a file."""
        super().begin(window_hours)
        self.patch, self.folder, self.spilled = pytest.MonkeyPatch(), TemporaryDirectory(), list[HourBucket]()
        self.patch.setattr(window, "_WORTH_A_FILE", 1)
        if not can_link:
            self.patch.setattr(os, "link", no_links)
        spill = Path(self.folder.name, "spill")
        self.stores += [self.new_store(spill=spill, on_evict=self.spilled.append), self.new_store(spill=spill)]

    def take(self, store: EventStore, frame: pl.DataFrame, arrived_at: datetime | None, *, as_lines: bool) -> Counts:
        """The second store takes one event at a time; the third is given a file, which is then deleted."""
        if store is self.stores[0]:
            return super().take(store, frame, arrived_at, as_lines=as_lines)
        if store is self.stores[1]:
            return sum((store.append(event, arrived_at=arrived_at) for event in frame.iter_slices(1)), start=Counts())
        file = Path(self.folder.name, "batch.parquet")
        frame.write_parquet(file)
        counts = store.append(frame, arrived_at=arrived_at, file=file)
        file.unlink()
        return counts

    @rule()
    def compare_stores(self) -> None:
        """The stores have one digest, merged ones too, and evicted the same events; no other hours have files."""
        empty = self.new_store()
        assert len({each.digest() for store in self.stores for each in (store, store | empty)}) == 1
        assert [each.events.to_dicts() for each in self.spilled] == [each.events.to_dicts() for each in self.evicted]
        self.model.report()
        hours = {bucket.start for store in self.stores for bucket in store.buckets}
        hours |= {bucket.start for bucket in self.spilled}
        names = (path.name.split("-")[0] for path in Path(self.folder.name).rglob("*.parquet"))
        assert hours.issuperset(datetime.fromtimestamp(int(name) / 1000, UTC) for name in names)

    @rule(by_pickle=st.booleans())
    def restore(self, *, by_pickle: bool) -> None:
        """The store in memory is pickled and read again, or a new one takes over its snapshot."""
        store, *others = self.stores
        again = self.new_store(on_evict=self.evicted.append)
        if by_pickle:
            store._hours._on_evict = None
            again = pickle.loads(pickle.dumps(store))  # noqa: S301 - our own
            again._hours._on_evict = self.evicted.append
        else:
            again.restore(store.snapshot())
        assert again.digest() == store.digest()
        assert again.hourly(evicted=True).equals(store.hourly(evicted=True))
        self.stores = [again, *others]
        self.report(by=())

    def teardown(self) -> None:
        """No file is left behind."""
        if hasattr(self, "patch"):
            self.patch.undo()
            self.spilled.clear()
            self.stores.clear()
            assert not [*Path(self.folder.name).rglob("*.parquet")]
            self.folder.cleanup()


def no_links(*_: object) -> None:
    """Stand in for a file system on which a file has one name."""
    raise OSError(1, "Operation not permitted")


def test_stores_agree_with_the_model():
    """However deliveries, redeliveries, time passing, restoring and reading follow each other: the model agrees.

    It makes no difference how deliveries are cut into batches, nor whether past hours are in memory or in files.
    """
    run_state_machine_as_test(MemoryMachine, settings=USUAL)


@pytest.mark.validation
def test_stores_agree_with_the_model_at_length():
    """The same at length."""
    run_state_machine_as_test(MemoryMachine, settings=settings(USUAL, max_examples=200, stateful_step_count=40))
