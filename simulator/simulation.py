"""The simulation: visitors and a sales team on one clock, and a stream of events."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import polars as pl

from analytics.signals.definitions import SIGNALS
from simulator.engine.stream_digests import RecordingStreams
from simulator.engine.streams import Streams
from simulator.replication.generator import EventGenerator
from simulator.replication.pending_hours import PendingHours
from simulator.replication.run_state import RunState
from simulator.replication.truth_tables import TruthTables
from simulator.replication.workers import HourWork, RunSpec, SharedRun
from simulator.sales.outcome import SalesOutcome
from simulator.settings.experiments import arm_effects
from simulator.settings.world import WorldSettings
from simulator.tracking.delivery import Delivery, Sink
from simulator.tracking.labels import KeptLabels, LabelKeeper
from simulator.tracking.transport import DeliveryQueue
from simulator.visitors.calibration import true_intercept
from simulator.visitors.truth import Truth
from simulator.visitors.visitor import Visitor

ActiveAgents = Literal["auto", "all", "interacting"]
"""Which visitors are agents on the clock: all, page by page; only those who can interact with the world, for their
decisions; or whichever is faster for the size of the world. The events are the same, byte for byte.
"""

Result = TypeVar("Result")

_MAX_SMALL_WORLD = 20_000
"""Visitors, estimated from above, up to which ``auto`` makes all of them active."""


@dataclass(frozen=True)
class Outcome:
    """Results of a simulation, other than the events.

    Attributes:
        truth: The true parameters.
        sales: Outcome of the demo requests.
        counts: ``visitors``, ``visits``, ``demo_requests``, ``true_events`` and ``true_page_views`` that happened;
            ``events``, ``page_views`` (bots and duplicates included) and ``malformed_lines`` that were received.
        label_keeper: Stores the faults of events.
        tables: Tables of what really happened, computed on demand.
    """

    truth: Truth
    sales: SalesOutcome
    counts: dict[str, int]
    label_keeper: LabelKeeper
    tables: TruthTables

    @property
    def labels(self) -> pl.DataFrame:
        """Faults of events; columns as in :data:`simulator.tracking.labels.LABELS_SCHEMA`."""
        return self.label_keeper.labels

    @property
    def visits(self) -> pl.DataFrame:
        """True visit table, row for row as it can be reconstructed from a perfect tracker."""
        return self.tables.visits

    @property
    def people(self) -> pl.DataFrame:
        """Person behind each browser; columns as in :data:`simulator.replication.people_truth.PEOPLE_SCHEMA`."""
        return self.tables.people

    @property
    def accounts(self) -> pl.DataFrame:
        """The companies; columns as in :data:`simulator.world.accounts.ACCOUNTS_SCHEMA`."""
        return self.tables.accounts


class Simulation:
    """A simulation of one scenario world, with its seed.

    Args:
        world: Settings of the world.
        seed: Any non-negative integer.
        replication: Number of the replication, from 0; replications of one seed are independent.
        visitor: Class of the agents: :class:`Visitor` or a subclass of it.
        active_agents: Which visitors are agents on the clock. ``auto`` means ``all`` for a small world and for a
            subclass of :class:`Visitor`, whose visitors may act on every page, and ``interacting`` otherwise.

    Attributes:
        world: Settings of the world.
        active_agents: ``all`` or ``interacting``.
        truth: The true parameters of the decision.

    Raises:
        ValueError: ``interacting`` with a subclass of :class:`Visitor`.

    >>> world = WorldSettings.model_validate({"traffic": {"visitors_per_day": 20}, "intent": {"intercept": -4.0}})
    >>> outcome = Simulation(world, seed=7).run()
    >>> outcome.counts["visits"] == outcome.visits.height
    True
    """

    def __init__(
        self,
        world: WorldSettings,
        *,
        seed: int,
        replication: int = 0,
        visitor: type[Visitor] = Visitor,
        active_agents: ActiveAgents = "auto",
    ) -> None:
        if active_agents == "interacting" and visitor is not Visitor:
            raise ValueError(f"active_agents: a {visitor.__name__} may act on every page; give 'all' or 'auto'")
        self.world = world
        self.active_agents = _default_active_agents(world, visitor) if active_agents == "auto" else active_agents
        # Signals without an effect are part of the truth too, with a coefficient of 0.
        decoys = dict.fromkeys((signal.name for signal in SIGNALS), 0.0)
        self.truth = Truth(
            true_intercept(world),
            {**decoys, **world.intent.effects},
            world.intent.account_sd,
            arm_effects(world.experiments),
            {name: persona.log_odds for name, persona in world.population.personas.items()},
        )
        self._streams = Streams(seed, replication)
        self._visitor = visitor

    def draws(self) -> dict[str, str]:
        """SHA-256 of all addresses and draws of a run, by source of randomness.

        Equal digests of a source in two worlds mean equal draws.
        """
        streams = RecordingStreams(self._streams.seed, self._streams.replication)
        generator = EventGenerator(self.world, streams, self.truth.intercept)
        for _ in self._deliveries(generator, RunState(self.world, generator, self._visitor)):
            pass
        return streams.digests()

    def run(
        self,
        sinks: Sequence[Sink] = (),
        progress: Callable[[float], None] | None = None,
        labels: LabelKeeper | None = None,
    ) -> Outcome:
        """Run from the start to the end of the clock.

        Every run of one simulation gives the same events.

        Args:
            sinks: Receive the deliveries, an hour at a time; they are closed at the end.
            progress: Called after every hour with the share of the time that has passed.
            labels: Stores the faults of events; in memory unless given.
        """
        generator = EventGenerator(self.world, self._streams, self.truth.intercept)
        run_state = RunState(self.world, generator, self._visitor)
        labels, tally, n_hours = KeptLabels() if labels is None else labels, Counter[str](), self.world.clock.hours
        with _gc_disabled():
            for hour, true_counts, delivery in self._deliveries(generator, run_state):
                for sink in sinks:
                    sink.write(delivery)
                labels.add(delivery.labels)
                # Both kinds of counts have different names, so they can share one counter.
                tally.update({**true_counts, **delivery.counts})
                if progress is not None:
                    progress((hour + 1) / n_hours)
        for sink in sinks:
            sink.close()
        return self._outcome(run_state, tally, labels)

    def share(
        self,
        executor: Executor,
        work: HourWork[Result],
        take: Callable[[Result], None],
        *,
        n_workers: int,
        folder: Path,
        labels: LabelKeeper,
        progress: Callable[[float], None] | None = None,
    ) -> Outcome:
        """Run with workers; the result is the same as that of :meth:`run`.

        Args:
            executor: Executes the tasks: any of ``concurrent.futures``. It is not shut down.
            work: What a worker does with the deliveries of an hour, such as writing them to a file.
            take: Receives the results of ``work``, hour by hour.
            n_workers: Number of tasks that run at a time.
            folder: Empty folder that all workers can access; the caller removes it.
            labels: Labels of the run; ``work`` and ``take`` must fill it.
            progress: Called after every hour with the share of the time that has passed.

        Raises:
            ValueError: All visitors are agents on the clock, so that there is nothing to distribute.
        """
        # Only runs without page-by-page agents have a part that workers can do.
        if self.active_agents == "all":
            raise ValueError("a run whose visitors are all active cannot be shared; give active_agents='interacting'")
        spec = RunSpec(self.world, self._streams.seed, self._streams.replication, self.truth.intercept)
        run_state = RunState(self.world, spec.generator())
        shared = SharedRun(spec, run_state, executor, n_workers=n_workers, folder=folder, work=work)
        tally, n_hours = Counter[str](), self.world.clock.hours
        with _gc_disabled():
            for hour, (counts, result) in enumerate(shared.results()):
                take(result)
                tally.update(counts)
                if progress is not None:
                    progress((hour + 1) / n_hours)
        return self._outcome(run_state, tally, labels)

    def _outcome(self, run_state: RunState, tally: Counter[str], labels: LabelKeeper) -> Outcome:
        sales = run_state.live_world.sales.outcome(run_state.live_world.clock.length_ms / 1000)
        return Outcome(self.truth, sales, run_state.counts(tally), labels, run_state.tables())

    def _deliveries(
        self, generator: EventGenerator, run_state: RunState
    ) -> Iterator[tuple[int, Counter[str], Delivery]]:
        """Advance the clock; yield the number of each hour, counts of what happened, and what was received.

        A large hour has several deliveries.
        """
        pending, queue = PendingHours(), DeliveryQueue(generator.transport)
        for hour in range(self.world.clock.hours):
            for scheduled in run_state.due_in(hour):
                if self.active_agents == "all":
                    # Whole cohorts stay in memory here, which is why this is for small worlds.
                    run_state.activate(generator.cohorts(scheduled))
                else:
                    drawn = generator.draw(scheduled)
                    pending.add(drawn.hours)
                    run_state.admit(drawn)
            live = run_state.live_world.advance(hour)
            sent = generator.emit(hour, pending.take(hour), live, run_state.live_world.cancelled_visits)
            for true_counts, delivery in queue.deliver(sent, hour):
                yield hour, true_counts, delivery


def _default_active_agents(world: WorldSettings, visitor: type[Visitor]) -> ActiveAgents:
    """Which visitors are active where the caller has not decided."""
    traffic, days = world.traffic, world.clock.hours / 24
    ordinary = traffic.visitors_per_day * days * max(1.0, (1 + traffic.growth_per_week) ** (days / 7))
    launched = sum(
        traffic.visitors_per_day * (event.factor or 0) * (event.end - event.start).total_seconds() / 86_400
        for event in traffic.events.values()
    )
    is_small = (
        ordinary + launched + sum(campaign.visitors for campaign in traffic.campaigns.values()) <= _MAX_SMALL_WORLD
    )
    return "all" if is_small or visitor is not Visitor else "interacting"


@contextmanager
def _gc_disabled() -> Iterator[None]:
    """Disable Python's garbage collector, which would traverse all agents again and again."""
    was_on = gc.isenabled()
    # ``gc.freeze`` would instead postpone the next full collection, for ever where one run follows another.
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
