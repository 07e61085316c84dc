"""The simulation: visitors and sales team on one clock, and a stream of events from it."""

from __future__ import annotations

import gc
import math
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
import simpy

from analytics.events import REGIONS, EventName
from analytics.signals import SIGNALS
from simulator.calibration import true_intercept
from simulator.clock import HOUR_MS, Clock, ExactEnvironment
from simulator.cohort import Cohort
from simulator.cohort_maker import CohortMaker
from simulator.experiments import arm_effects
from simulator.inflows import inflows_of
from simulator.intent import Truth
from simulator.itinerary import Itinerary
from simulator.recording import RecordingStreams
from simulator.rounds import wake
from simulator.sales import BuyerLuck, SalesDesk
from simulator.sales_outcome import SalesOutcome
from simulator.sinks import Delivery, Sink
from simulator.streams import Streams
from simulator.tracker import Tracker
from simulator.transport import Transport
from simulator.truth_tables import TruthTables
from simulator.visitor import Visitor
from simulator.world import WorldSettings
from simulator.world_tables import WorldTables

__all__ = ["Outcome", "Simulation", "Wake", "WorldSettings"]

Wake = Literal["auto", "all", "interacting"]
"""Who lives on the clock: everybody, page by page; those alone who can touch the world, when they can; or whichever
suits the size of the world. The events are the same, byte for byte."""

_SMALL = 20_000
"""Visitors, reckoned on the high side, up to which ``auto`` wakes everybody."""


@dataclass(frozen=True)
class Outcome:
    """What a simulation leaves behind, beside the events.

    Attributes:
        truth: The coefficients that produced it.
        sales: What the sales team achieved.
        counts: ``visitors``, ``visits``, ``demo_requests``, ``true_events`` and ``true_page_views`` that happened;
            ``events``, ``page_views`` (of bots and delivered again, too) and ``malformed_lines`` that were received.
        labels: What befell which event between the two; columns as in :data:`simulator.labels.LABELS_SCHEMA`.
        tables: What happened, made into tables when asked for.
    """

    truth: Truth
    sales: SalesOutcome
    counts: dict[str, int]
    labels: pl.DataFrame
    tables: TruthTables

    @property
    def visits(self) -> pl.DataFrame:
        """The true visit table, row for row as a perfect tracker would let analysts rebuild it."""
        return self.tables.visits

    @property
    def people(self) -> pl.DataFrame:
        """Who stands behind each browser; columns as in :data:`simulator.people_truth.PEOPLE_SCHEMA`."""
        return self.tables.people

    @property
    def accounts(self) -> pl.DataFrame:
        """The companies; columns as in :data:`simulator.accounts.ACCOUNTS_SCHEMA`."""
        return self.tables.accounts


class Simulation:
    """A world, a seed, and the power to run it.

    Args:
        world: Settings of the world.
        seed: Any non-negative integer.
        replication: Number of the replication, from 0; replications of one seed are independent.
        visitor: Class of the agents: :class:`Visitor` or a subclass of it.
        wake: Who lives on the clock. ``auto`` takes ``all`` for a small world and for visitors of a subclass, who may
            do something else on every page, and ``interacting`` otherwise.

    Attributes:
        wake: Which of the two it is.

    Raises:
        ValueError: Visitors of a subclass are to be woken for their decisions only.
    """

    def __init__(
        self,
        world: WorldSettings,
        *,
        seed: int,
        replication: int = 0,
        visitor: type[Visitor] = Visitor,
        wake: Wake = "auto",
    ) -> None:
        if wake == "interacting" and visitor is not Visitor:
            raise ValueError(f"wake: a {visitor.__name__} may act on every page; give 'all' or 'auto'")
        self.world = world
        self.wake = _wake(world, visitor) if wake == "auto" else wake
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
        """What a run draws: for every source of randomness, by name, a sha256 of all its addresses and numbers.

        Two worlds in which a source has the same digest have drawn the same from it.
        """
        streams = RecordingStreams(self._streams.seed, self._streams.replication)
        for _ in self._stage(streams).hours():
            pass
        return streams.digests()

    def run(self, sinks: Sequence[Sink] = (), progress: Callable[[float], None] | None = None) -> Outcome:
        """Run from the start to the end of the clock.

        Every run of one simulation gives the same events.

        Args:
            sinks: Where what the collector receives goes, an hour at a time; they are closed at the end.
            progress: Called after every hour with the share of the time that has passed.
        """
        stage = self._stage(self._streams)
        tally: Counter[str] = Counter()
        with _collection_off():
            for share, sent, delivery in stage.hours():
                for sink in sinks:
                    sink.write(delivery)
                tally.update(_counts(sent, delivery))
                if progress is not None:
                    progress(share)
        for sink in sinks:
            sink.close()
        tables = TruthTables(stage.cohorts, stage.population, stage.clock, self.world.intent.demo_per)
        counts = {
            "visitors": tables.n_visitors,
            "visits": tables.n_visits,
            "events": tally["events"],
            "page_views": tally["page_views"],
            "demo_requests": len(stage.sales.requests),
            **{name: tally[name] for name in ("true_events", "true_page_views", "malformed_lines")},
        }
        sales = stage.sales.outcome(stage.clock.length_ms / 1000)
        return Outcome(self.truth, sales, counts, stage.transport.labels, tables)

    def _stage(self, streams: Streams) -> _Stage:
        return _Stage(self.world, streams, self.truth, self._visitor, wakes_all=self.wake == "all")


def _wake(world: WorldSettings, visitor: type[Visitor]) -> Wake:
    """Whom to wake where nobody has said."""
    traffic, days = world.traffic, world.clock.hours / 24
    ordinary = traffic.visitors_per_day * days * max(1.0, (1 + traffic.growth_per_week) ** (days / 7))
    launched = sum(
        traffic.visitors_per_day * (event.factor or 0) * (event.end - event.start).total_seconds() / 86_400
        for event in traffic.events.values()
    )
    is_small = ordinary + launched + sum(campaign.visitors for campaign in traffic.campaigns.values()) <= _SMALL
    return "all" if is_small or visitor is not Visitor else "interacting"


class _Stage:
    """The live part of a run: the clock, the agents on it, and the sales team."""

    def __init__(
        self, world: WorldSettings, streams: Streams, truth: Truth, visitor: type[Visitor], *, wakes_all: bool
    ) -> None:
        self.env = ExactEnvironment()
        self.clock = Clock(world.clock, self.env)
        self.sales = SalesDesk(self.clock, world.sales)
        self.cohorts: list[Cohort] = []
        tables = WorldTables(world, streams)
        self.population = tables.population
        makers = [CohortMaker(world, streams, inflow, tables) for inflow in inflows_of(world.traffic)]
        self._tracker = Tracker(world, self.population, self.clock)
        self.transport = Transport(world, streams, self.clock)
        self._truth = truth
        self._visitor = visitor
        self._demo_per_account = world.intent.demo_per == "account"
        self._accounts_that_asked: set[int] = set()
        self._wakes_all = wakes_all
        self._itineraries: list[Itinerary] = []
        for maker in makers:
            self.env.process(self._open_cohorts(maker))

    def hours(self) -> Iterator[tuple[float, pl.DataFrame, Delivery]]:
        """Let time pass, an hour at a time: the share that has passed, the hour's events, and what was received."""
        for end_ms in range(HOUR_MS, self.clock.length_ms + 1, HOUR_MS):
            hour = end_ms // HOUR_MS - 1
            self.env.run(until=end_ms / 1000)
            for itinerary in self._itineraries:
                itinerary.happen(hour)
            self._itineraries = [itinerary for itinerary in self._itineraries if itinerary.last_hour > hour]
            sent = self._tracker.track(self.cohorts)
            yield end_ms / self.clock.length_ms, sent, self.transport.deliver(sent, hour)

    def _open_cohorts(self, maker: CohortMaker) -> Generator[simpy.Event, None, None]:
        """Draw each cohort when the first of its visitors may arrive."""
        for index in range(maker.n_cohorts):
            opens_ms = maker.earliest_ms(index)
            if opens_ms >= self.clock.length_ms:
                return
            yield self.clock.until(opens_ms)
            cohort = maker.draw(index, self._truth.intercept)
            guests = maker.guests(cohort, self._truth.intercept)
            for drawn in (cohort, guests) if len(guests) else (cohort,):
                self.cohorts.append(drawn)
                self._admit(drawn)

    def _admit(self, cohort: Cohort) -> None:
        """Let the visitors of a cohort in: all of them at their arrival, or those who may ask for a demo."""
        if self._wakes_all:
            wake(self, cohort, self._visitor)
            return
        self._itineraries.append(Itinerary(cohort, self.clock.length_ms // HOUR_MS))
        for number in np.unique(cohort.journeys.visitor[cohort.resolve > 0]).tolist():
            self.env.process(self._visitor(self, cohort, number).decisions())

    def request_demo(self, cohort: Cohort, visitor: int) -> None:
        """Hand a visitor's request to the sales desk."""

        def tell(event: EventName) -> None:
            # A whole millisecond in seconds may lie a rounding error below it.
            cohort.happenings.sales.append((visitor, int(self.env.now * 1000 + 1e-6), event))

        if self._demo_per_account and cohort.people.account[visitor] >= 0:
            self._accounts_that_asked.add(int(cohort.people.account[visitor]))
        browser = cohort.browser_ids[int(cohort.browser[cohort.asked_in[visitor]])]
        luck = BuyerLuck(*cohort.buyer_luck[visitor].tolist())
        company = self.population.accounts.company(int(cohort.people.account[visitor]))
        self.sales.request_demo(browser, _region(cohort, visitor), luck, tell, company)

    def discouragement(self, cohort: Cohort, visitor: int) -> float:
        """Effect of the state of the world on a visitor's decision to request a demo, in log-odds; 0 or below.

        Once a colleague has asked, nothing is left to ask for; else the visible wait for a demo discourages.
        """
        if int(cohort.people.account[visitor]) in self._accounts_that_asked:
            return -math.inf
        return self.sales.discouragement(_region(cohort, visitor))


def _region(cohort: Cohort, visitor: int) -> str:
    return REGIONS[cohort.people.region[visitor]]


def _counts(sent: pl.DataFrame, delivery: Delivery) -> dict[str, int]:
    """How much happened and how much of what was received in an hour."""
    return {
        "events": delivery.events.height,
        "page_views": _n_page_views(delivery.events),
        "true_events": sent.height,
        "true_page_views": _n_page_views(sent),
        "malformed_lines": delivery.malformed.height,
    }


def _n_page_views(events: pl.DataFrame) -> int:
    return int((events["type"] == "page").sum())


@contextmanager
def _collection_off() -> Iterator[None]:
    """Keep Python's garbage collector from walking all live agents again and again."""
    was_on = gc.isenabled()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()
