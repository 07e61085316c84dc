"""The event store in a folder against the model and a store in memory, for any sequence of steps."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test
from store_model import SKEW, USUAL, Model, StoreMachine
from stores_on_disk import archived, dead_letters_in, state_of

from analytics.durable.durable_store import DurableStore
from analytics.durable.opening import open_store
from analytics.durable.recovery import read_store
from analytics.durable.settings import Fsync, StoreSettings


class DiskMachine(StoreMachine):
    """A store in a folder, which is closed or abandoned and opened again, beside a store in memory."""

    @initialize(window_hours=st.integers(1, 5), fsync=st.sampled_from(["never", "always", 0.01]))
    def begin(self, window_hours: int, fsync: Fsync) -> None:
        """Both begin empty."""
        self.now, self.model = 0, Model(window_hours)
        self.folder = TemporaryDirectory()
        self.settings = StoreSettings(
            window_hours=window_hours, skew_seconds=SKEW * 60, fsync=fsync, checkpoint_events=12, max_dead_letters=3
        )
        self.stores = [self.opened(), self.new_store()]

    def opened(self) -> DurableStore:
        """The store in the folder."""
        return open_store(self.folder.name, self.settings)

    def archive(self) -> dict[datetime, int]:
        """Events of each hour in the archive."""
        files = Path(self.folder.name, "archive").rglob("*.parquet")
        hours = (pl.read_parquet(file)["event_time"].dt.truncate("1h") for file in files)
        return Counter(hour for each in hours for hour in each)

    @rule(ending=st.sampled_from(["close", "release"]))
    def restore(self, ending: str) -> None:
        """The process ends, in order or not, and another one opens the store."""
        store, memory = self.stores
        self.model.report()
        expected = state_of(memory)
        assert state_of(store) == expected
        getattr(store, ending)()
        read = read_store(self.folder.name)
        assert state_of(read) == expected
        again = self.opened()
        assert state_of(again) == expected
        assert again.hourly(evicted=True).equals(memory.hourly(evicted=True))
        assert again.views("country").equals(memory.views("country"))
        assert again.buckets == memory.buckets
        assert (again.recovery.n_records == 0) or (ending == "release")
        self.check_conservation(again)
        self.stores = [again, memory]

    def check_conservation(self, store: DurableStore) -> None:
        """Every event received is in one place: accepted ones in window or archive, dead letters in their file."""
        folder, counts = Path(self.folder.name), store.counts
        assert counts.accepted == store.events().height + archived(folder).height
        assert counts.invalid == len(dead_letters_in(folder))
        assert list(store.dead_letters) == list(self.stores[1].dead_letters)

    @rule()
    def checkpoint(self) -> None:
        """The store writes a checkpoint."""
        store = self.stores[0]
        assert isinstance(store, DurableStore)
        store.checkpoint()

    def teardown(self) -> None:
        """No folder is left behind."""
        if hasattr(self, "folder"):
            store = self.stores[0]
            assert isinstance(store, DurableStore)
            store.release()
            self.folder.cleanup()


def test_the_store_in_a_folder_agrees_with_the_model():
    """Whenever it is closed, abandoned, opened or read, the store reports what the model and a store in memory do.

    That is: its counts, times, events, reports with their revisions, views, dead letters and archive, under any
    policy of flushing.
    """
    run_state_machine_as_test(DiskMachine, settings=settings(USUAL, max_examples=6, stateful_step_count=20))


@pytest.mark.validation
def test_the_store_in_a_folder_agrees_with_the_model_at_length():
    """The same at length."""
    run_state_machine_as_test(DiskMachine, settings=settings(USUAL, max_examples=60, stateful_step_count=40))
