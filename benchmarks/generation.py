"""A simulated day against a script that an analyst would write by hand, in events a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from analytics.store.event_store import EventStore
from benchmarks import bare_simpy
from benchmarks.measuring import Comparison, Subject
from benchmarks.naive_simpy import NaiveFunnel
from benchmarks.world import baseline, day_of
from scenarios.files.digest import EventsDigest
from scenarios.run.sinks import StoreSink
from simulator.engine.streams import Streams
from simulator.model import ActiveAgents, Model
from simulator.settings.world import WorldSettings
from simulator.tracking.delivery import Sink
from simulator.visitors.cohort_sampler import CohortSampler

_NAIVE: Final = "naive SimPy script, 20,000 visitors"
_STORED: Final = "funnelsim, through tracker and event store"
_DIGESTED: Final = "funnelsim, the same with digest"
_ALL: Final = "funnelsim, active_agents: all, through tracker and event store"
_MANY: Final = 400_000.0
"""Visitors of the large day; the script slows down with their number and is measured with the baseline's."""


def _store() -> Sink:
    return StoreSink(EventStore())


def _naive(world: WorldSettings) -> Subject:
    return lambda: NaiveFunnel(world, seed=7).run()


def _funnelsim(world: WorldSettings, active_agents: ActiveAgents, *sinks: Callable[[], Sink]) -> Subject:
    def run() -> int:
        model = Model(world, seed=7, active_agents=active_agents, sinks=[sink() for sink in sinks])
        return model.run().outcome.counts["events"]

    return run


def _prepare() -> Mapping[str, Subject]:
    world = day_of(_MANY)
    return {
        _NAIVE: _naive(baseline()),
        "funnelsim, events only": _funnelsim(world, "interacting"),
        _STORED: _funnelsim(world, "interacting", _store),
        _DIGESTED: _funnelsim(world, "interacting", _store, EventsDigest),
    }


def _prepare_all() -> Mapping[str, Subject]:
    world = baseline()
    outcome = Model(world, seed=7, sinks=[]).run().outcome
    visits_of = outcome.visits.group_by("anonymous_id").len()["len"].to_list()
    n_events = outcome.counts["events"]

    def bare() -> int:
        # Counted as if each visit had sent its events, for comparability.
        bare_simpy.run(visits_of)
        return n_events

    return {
        _NAIVE: _naive(world),
        "bare SimPy loop, one timeout per visit": bare,
        "funnelsim, active_agents: all, events only": _funnelsim(world, "all"),
        _ALL: _funnelsim(world, "all", _store),
    }


def _prepare_drawing() -> Mapping[str, Subject]:
    world = day_of(_MANY)
    intercept = Model(world, seed=7).truth.intercept
    sampler = CohortSampler(world, Streams(7))

    def draw() -> int:
        return sum(len(sampler.draw(index, intercept).journeys.page) for index in range(sampler.n_cohorts))

    return {_NAIVE: _naive(baseline()), "cohorts drawn, no agents": draw}


COMPARISON: Final = Comparison(
    "generation",
    "A day of 400,000 visitors, one core",
    "events",
    _prepare,
    {_STORED: 20.0, _DIGESTED: 15.0},
    one_core=True,
)
ALL_ACTIVE: Final = Comparison(
    "all-active", "A day of 20,000 visitors, all active, one core", "events", _prepare_all, {_ALL: 3.0}, one_core=True
)
DRAWING: Final = Comparison(
    "drawing", "Cohorts of a day of 400,000 visitors, one core", "views", _prepare_drawing, one_core=True
)
