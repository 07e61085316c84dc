"""The event store in memory against its model, for any sequence of steps."""

import pickle

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test
from store_model import USUAL, StoreMachine

from analytics.store.event_store import EventStore


class MemoryMachine(StoreMachine):
    """A store in memory that is now and then replaced by a copy of itself."""

    @rule(by_pickle=st.booleans())
    def restore(self, *, by_pickle: bool) -> None:
        """The store is pickled and read again, or a new one takes over its snapshot."""
        (store,) = self.stores
        assert isinstance(store, EventStore)
        again = self.new_store()
        if by_pickle:
            store._hours._on_evict = None
            again = pickle.loads(pickle.dumps(store))  # noqa: S301 - our own
            again._hours._on_evict = self.note_evicted
        else:
            again.restore(store.snapshot())
        assert again.digest() == store.digest()
        assert again.hourly(evicted=True).equals(store.hourly(evicted=True))
        self.model.report()
        self.stores = [again]


def test_no_sequence_of_steps_tells_store_and_model_apart():
    """Some hundred steps: deliveries, redeliveries, time passing, restoring and reading."""
    run_state_machine_as_test(MemoryMachine, settings=USUAL)


@pytest.mark.validation
def test_thousands_of_steps_do_not_either():
    """The same at length."""
    run_state_machine_as_test(MemoryMachine, settings=settings(USUAL, max_examples=200, stateful_step_count=40))
