"""The model: visitors, components and a sales team on one clock, and a stream of events."""

from __future__ import annotations

import gc
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol, Self, TypeVar

import numpy as np
import polars as pl

from analytics.events.times import HOUR_MS
from simulator.agents.component import Component, Window
from simulator.agents.parts import classes_of, components_of, probes_of
from simulator.agents.probe import Probe
from simulator.agents.visitor import Visitor
from simulator.engine.clock import Clock, ExactEnvironment
from simulator.engine.stream_digests import RecordingStreams
from simulator.engine.streams import AddressedUniforms, Streams
from simulator.replication.delivered_hours import DeliveredHours
from simulator.replication.generator import EventGenerator, what_happened
from simulator.replication.outcome import Outcome
from simulator.replication.pending_hours import PendingHours
from simulator.replication.planned_people import PlannedPeople
from simulator.replication.run_state import RunState
from simulator.replication.workers import HourWork, RunSpec, SharedRun
from simulator.sales.desk import SalesDesk
from simulator.settings.class_identity import ClassIdentity
from simulator.settings.world import ActiveAgents, WorldSettings
from simulator.tracking.delivery import CollectingSink, Sink
from simulator.tracking.labels import KeptLabels, LabelKeeper
from simulator.visitors.calibration import true_parameters

Result = TypeVar("Result")

_MAX_SMALL_WORLD = 20_000
"""Visitors, estimated from above, up to which ``auto`` makes all of them active."""


class HasWorld(Protocol):
    """A scenario, as far as a model needs it."""

    @property
    def world(self) -> WorldSettings:
        """Settings of the world."""

    @property
    def seed(self) -> int:
        """Seed of the scenario."""


class Model:
    """A simulated world that can be run, looked at, changed and run on.

    Args:
        scenario: A scenario, or the settings of a world.
        seed: Any non-negative integer; the scenario's own unless given, 0 for a world.
        replication: Number of the replication, from 0; replications of one seed are independent.
        components: What visitors can meet, beyond what the scenario names itself.
        probes: What is measured while the clock runs, beyond what the scenario names itself.
        visitor: Class of the visitors: :class:`Visitor` or a subclass of it.
        active_agents: Which visitors are on the clock. ``auto`` means ``all`` for a small world without components and
            for a subclass of :class:`Visitor`, and ``interacting`` otherwise; the scenario's own unless given.
        sinks: Receive the events, an hour at a time; they are kept in memory unless sinks are given.
        labels: Stores the faults of events; in memory unless given.
        people: Keeps the people as they are drawn; unless given, they are drawn again for the table of people.

    Attributes:
        world: Settings of the world.
        seed: The seed.
        replication: Number of the replication.
        active_agents: ``all`` or ``interacting``.
        components: The components, by name.
        probes: The probes, by name.
        truth: The true parameters of the decision.

    Raises:
        ValueError: ``interacting`` with a subclass of :class:`Visitor`.
        ComponentError: Two components, or two probes, have one name.

    >>> world = WorldSettings.model_validate({"traffic": {"visitors_per_day": 20}, "intent": {"intercept": -4.0}})
    >>> model = Model(world, seed=7)
    >>> _ = model.run(until=12.5)
    >>> model.now.isoformat()
    '2026-03-03T12:30:00+00:00'
    >>> _ = model.run()
    >>> model.outcome.counts["visits"] == model.outcome.visits.height
    True
    """

    def __init__(
        self,
        scenario: WorldSettings | HasWorld,
        *,
        seed: int | None = None,
        replication: int = 0,
        components: Sequence[Component] = (),
        probes: Sequence[Probe] = (),
        visitor: type[Visitor] = Visitor,
        active_agents: ActiveAgents | None = None,
        sinks: Sequence[Sink] | None = None,
        labels: LabelKeeper | None = None,
        people: PlannedPeople | None = None,
    ) -> None:
        # A scenario may be a world with a name: what it calls its world comes first.
        world: WorldSettings = getattr(scenario, "world", None) or scenario  # type: ignore[assignment]
        seed = getattr(scenario, "seed", 0) if seed is None else seed
        chosen: ActiveAgents = getattr(scenario, "active_agents", "auto") if active_agents is None else active_agents
        if chosen == "interacting" and visitor is not Visitor:
            raise ValueError(f"active_agents: a {visitor.__name__} may act on every page; give 'all' or 'auto'")
        self._beside, self._given = (tuple(components), tuple(probes)), components_of(world, components)
        self.components: dict[str, Component] = {part.name: part for part in self._given.components}
        self.probes = probes_of(world, probes)
        self.world, self.seed, self.replication = world, seed, replication
        self._visitor = visitor
        self.active_agents = self._choose(chosen)
        true = true_parameters(world)
        self._intercept, self.truth = true.intercept, self._given.truth(true, visitor)
        self._kept = CollectingSink()
        self._sinks = [self._kept] if sinks is None else list(sinks)
        self.label_keeper = KeptLabels() if labels is None else labels
        self._people = people
        self._start(Streams(seed, replication))

    def _start(self, streams: Streams) -> None:
        """Build the world at the start of its clock."""
        # With components, all visitors are objects: what components may not know about is then tested too.
        wakes_all = self.active_agents == "all" and (self._visitor is not Visitor or bool(self._given))
        generator = EventGenerator(
            self.world, streams, self._intercept, self._given, wakes_all=wakes_all, people=self._people
        )
        self._generator, self._state = generator, RunState(self.world, generator, self._visitor)
        self._pending, self._hour = PendingHours(), 0
        self._delivered = DeliveredHours(generator, self._sinks, self.label_keeper)
        for component in self.components.values():
            component.attach(self)
        for probe in self.probes.values():
            probe.attach(self)

    def _choose(self, active_agents: ActiveAgents) -> ActiveAgents:
        """Which visitors are active where the caller has not decided."""
        if active_agents != "auto":
            return active_agents
        if self._visitor is not Visitor:
            return "all"
        return "all" if not self._given and _is_small(self.world) else "interacting"

    @property
    def classes(self) -> dict[str, ClassIdentity]:
        """Which classes take part besides those of every world, by places such as ``components.chat``."""
        return classes_of(self.world, *self._beside, self._visitor)

    # Time

    @property
    def clock(self) -> Clock:
        """Simulated time."""
        return self._state.live_world.clock

    @property
    def env(self) -> ExactEnvironment:
        """The SimPy environment, in whole milliseconds."""
        return self.clock.env

    @property
    def now_ms(self) -> int:
        """Now, in ms since the start."""
        return self.clock.now_ms

    @property
    def now(self) -> datetime:
        """Now, in UTC."""
        return self.clock.now

    def run(self, until: float | datetime | None = None, *, progress: Callable[[float], None] | None = None) -> Self:
        """Let time pass; call it again to go on.

        Args:
            until: Hours since the start, or a time in UTC; the end of the clock unless given.
            progress: Called after every hour with the share of the time that has passed.

        Returns:
            The model.

        Raises:
            ValueError: The time lies in the past.
        """
        until_ms = self._moment(until)
        if until_ms < self.now_ms:
            raise ValueError(f"cannot run until {self.clock.to_utc(until_ms)}: it is {self.now} already")
        n_hours = self.world.clock.hours
        with _gc_disabled():
            while self._hour < n_hours and (self._hour + 1) * HOUR_MS <= until_ms:
                self._run_hour()
                if progress is not None:
                    progress(self._hour / n_hours)
            self._delivered.flush()
            if until_ms > self.now_ms:
                # Part of an hour: its events are sent when it is over.
                self._open_hour()
                self.env.run(until=until_ms)
        return self

    def _run_hour(self) -> None:
        """Let the current hour pass."""
        self._open_hour()
        live_world, hour = self._state.live_world, self._hour
        live = live_world.advance(hour)
        plan = self._pending.take(hour)
        self._delivered.add(hour, what_happened(plan, live, live_world.cancelled_visits, live_world.woken))
        self._hour += 1
        if self._hour == self.world.clock.hours:
            self._delivered.close()

    def _open_hour(self) -> None:
        """Draw the cohorts that arrive in the current hour, unless that is done."""
        for scheduled in self._state.due_in(self._hour):
            if self.active_agents == "all" and not self._generator.wakes_all:
                # Whole cohorts stay in memory here, which is why this is for small worlds.
                self._state.activate(scheduled, self._generator.cohorts(scheduled))
            else:
                drawn = self._generator.draw(scheduled)
                self._pending.add(drawn.hours)
                self._state.admit(scheduled, drawn)

    def _moment(self, until: float | datetime | None) -> int:
        length_ms = self.clock.length_ms
        if until is None:
            return length_ms
        if isinstance(until, datetime):
            if until.tzinfo is not None:
                return min(length_ms, self.clock.to_ms(until))
        elif isinstance(until, int | float | np.number) and not math.isnan(until):
            return length_ms if until * HOUR_MS >= length_ms else round(until * HOUR_MS)
        raise ValueError(f"until must be hours since the start, or a datetime with a time zone, not {until!r}")

    def uniforms(self, name: str) -> AddressedUniforms:
        """Random numbers of the world for a purpose, by address; those of visitors are ``visitor.rng(name)``."""
        return self._generator.shared.streams.uniforms(name)

    def wake_for(self, component: Component, window: Window) -> None:
        """Wake the visitors whom a component selects in a window; components call :meth:`Component.open_window`."""
        self._state.wake_for(component, window)

    def subscribe(self, event: str, call: Callable[[], None]) -> None:
        """Have a function called after each event of a name; see :meth:`LiveWorld.subscribe`."""
        self._state.live_world.subscribe(event, call)

    # Results

    @property
    def events(self) -> pl.DataFrame:
        """Events of all hours that are over, in order of arrival; empty if the model was given other sinks."""
        self._delivered.flush()
        return self._kept.events

    @property
    def visitors(self) -> list[Visitor]:
        """The visitors on the clock, in the order in which they were woken."""
        return self._state.live_world.visitors

    def visitor(self, person: str) -> Visitor:
        """A visitor, on the clock or not, as of now.

        Args:
            person: Identifier of the person: the ``anonymousId`` of the first browser.

        Raises:
            KeyError: Nobody has this identifier so far.
        """
        return self._state.visitor(person)

    @property
    def sales(self) -> SalesDesk:
        """The sales desk."""
        return self._state.live_world.sales

    @property
    def accounts(self) -> pl.DataFrame:
        """The companies; columns as in :data:`simulator.world.accounts.ACCOUNTS_SCHEMA`."""
        return self._generator.population.accounts.table()

    @cached_property
    def outcome(self) -> Outcome:
        """What happened, at the end of the clock.

        Raises:
            ValueError: The clock has not come to its end.
        """
        if self._hour < self.world.clock.hours:
            raise ValueError(f"the model has run until {self.now}, not to its end; run() it first")
        return self._outcome(self._state, self._delivered.counts, self.label_keeper)

    def draws(self) -> dict[str, str]:
        """SHA-256 of all addresses and draws of a run from its start, by source of randomness.

        Equal digests of a source in two worlds mean equal draws.
        """
        streams = RecordingStreams(self.seed, self.replication)
        copy = Model(
            self.world,
            seed=self.seed,
            replication=self.replication,
            visitor=self._visitor,
            active_agents=self.active_agents,
            components=self._beside[0],
            sinks=[],
        )
        copy._start(streams)
        copy.run()
        return streams.digests()

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
        spec = RunSpec(
            self.world, self.seed, self.replication, self._intercept, self._given, self.classes, self._people
        )
        run_state = self._state
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
        sales = run_state.live_world.sales.outcome(self.clock.length_ms)
        probes = {name: probe.frame() for name, probe in self.probes.items()}
        counts = run_state.counts(tally)
        return Outcome(self.truth, sales, counts, labels, run_state.tables(), probes, run_state.visitor)


def _is_small(world: WorldSettings) -> bool:
    """Whether a world has so few visitors that all of them can be active."""
    traffic, days = world.traffic, world.clock.hours / 24
    ordinary = traffic.visitors_per_day * days * max(1.0, (1 + traffic.growth_per_week) ** (days / 7))
    launched = sum(
        traffic.visitors_per_day * (event.factor or 0) * (event.end - event.start).total_seconds() / 86_400
        for event in traffic.events.values()
    )
    campaigns = sum(campaign.visitors for campaign in traffic.campaigns.values())
    return bool(ordinary + launched + campaigns <= _MAX_SMALL_WORLD)


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
