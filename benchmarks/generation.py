"""A simulated day against the script that an analyst would write by hand, in events a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from analytics.event_store import EventStore
from benchmarks import bare_simpy
from benchmarks.measuring import Comparison, Subject
from benchmarks.naive_simpy import NaiveFunnel
from benchmarks.world import baseline
from scenarios.digest import EventsDigest
from simulator.simulation import Simulation
from simulator.sinks import Delivery, Sink

__all__ = ["COMPARISON"]

_STORED: Final = "funnelsim, through tracker and event store"


class _StoreSink:
    """Feeds an event store."""

    def __init__(self) -> None:
        self._store = EventStore()

    def write(self, delivery: Delivery) -> None:
        """Put one batch into the store."""
        self._store.append(delivery.events)

    def close(self) -> None:
        """Nothing is left to do."""


def _prepare() -> Mapping[str, Subject]:
    world = baseline()
    outcome = Simulation(world, seed=7).run()
    visits_of = outcome.visits.group_by("anonymous_id").len()["len"].to_list()
    n_events = outcome.counts["events"]

    def bare() -> int:
        # Counted as if each visit had left its events, to be comparable.
        bare_simpy.run(visits_of)
        return n_events

    def funnelsim(*sinks: Callable[[], Sink]) -> Subject:
        return lambda: Simulation(world, seed=7).run([sink() for sink in sinks]).counts["events"]

    return {
        "naive SimPy script": lambda: NaiveFunnel(world, seed=7).run(),
        "bare SimPy loop, one time-out a visit": bare,
        "funnelsim, events only": funnelsim(),
        _STORED: funnelsim(_StoreSink),
        "funnelsim, the same with digest": funnelsim(_StoreSink, EventsDigest),
    }


# `wake: all` wakes every visitor page by page; at least three times as fast as the script.
COMPARISON: Final = Comparison("generation", "A day of the baseline scenario", "events", _prepare, {_STORED: 3.0})
