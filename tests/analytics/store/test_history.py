"""Claims about the events that a run has accepted, and how long they stay in memory."""

from __future__ import annotations

import gc
import weakref

import pytest

from analytics.store.history import EventHistory
from scenarios.scenario import Scenario

SMALL = {"clock.hours": 26, "traffic.visitors_per_day": 300}


@pytest.mark.parametrize("active_agents", ["all", "interacting"])
def test_the_events_of_a_run_are_gone_with_it(active_agents: str) -> None:
    """Nothing waits for the garbage collector: of a thousand runs, one after the other, memory holds one."""
    run = Scenario(name="small").replace({**SMALL, "active_agents": active_agents}).run(seed=1)
    assert run.analysis.visits.height > 0
    store = weakref.ref(run.store)
    gc.disable()
    try:
        del run
        assert store() is None
    finally:
        gc.enable()


def test_full_collections_come_round_however_many_runs_there_are() -> None:
    """A run leaves the collector's own count of what has grown old as it was, or higher."""
    scenario = Scenario(name="small").replace({"clock.hours": 1, "traffic.visitors_per_day": 100})
    gc.collect(1)
    grown_old, n_full = gc.get_count()[2], gc.get_stats()[2]["collections"]
    assert grown_old > 0
    scenario.run(seed=1)
    assert gc.get_count()[2] >= grown_old or gc.get_stats()[2]["collections"] > n_full


def test_hours_that_have_left_the_window_are_kept() -> None:
    """All accepted events are given back in order of time, from memory or from files, also after a day."""
    run = Scenario(name="small").replace(SMALL).run(seed=1)
    on_disk = EventHistory(on_disk=True)
    on_disk.store.append(run.events)
    assert len(run.store.events()) < run.store.counts.accepted
    assert on_disk.frame().height == run.store.counts.accepted
    assert on_disk.frame().equals(run.analysis.events.select(on_disk.frame().columns))
