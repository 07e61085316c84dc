"""A cohort: some thousands of visitors, everything about them that depends on nothing but themselves.

``CohortMaker.draw(i)`` is a pure function of (scenario, seed, replication, i).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import polars as pl

from analytics.events import EventName
from simulator.arrays import Bools, Floats, Integers, Words
from simulator.behaviour import Behaviours
from simulator.clock import Clock
from simulator.experiments import Experiments
from simulator.inflows import ORDINARY, Inflow, arrivals_of, inflows_of, origins_of
from simulator.intent import SignalReader, SignalValues
from simulator.journey import JourneyMaker, Journeys
from simulator.navigation import Navigation
from simulator.outages import bounced, struck
from simulator.population import People, Population
from simulator.sales import BuyerLuck
from simulator.streams import AddressedUniforms, Streams
from simulator.world import WorldSettings

__all__ = ["COHORT_SIZE", "Cohort", "CohortMaker", "Happenings", "hexadecimal"]

COHORT_SIZE = 4096
"""Expected number of visitors in a cohort."""


@dataclass
class Happenings:
    """What the agents of a cohort have done since somebody last looked.

    Attributes:
        viewed: Rows of page views.
        sent: Rows of page views whose form was sent.
        asked: Rows of visits that ended in a demo request.
        sales: Visitor, time in ms and event of what the sales desk told of.
    """

    viewed: list[int] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    sales: list[tuple[int, int, EventName]] = field(default_factory=list)

    def drain(self) -> Happenings:
        """Hand over what has happened and start afresh."""
        happened = Happenings(self.viewed, self.sent, self.asked, self.sales)
        self.viewed, self.sent, self.asked, self.sales = [], [], [], []
        return happened

    def __bool__(self) -> bool:
        return bool(self.viewed or self.sent or self.asked or self.sales)


@dataclass(eq=False)
class Cohort:
    """The visitors of a cohort who arrive before the simulation ends, in the order in which they were drawn.

    Times are whole milliseconds since the start of the simulation.

    Attributes:
        index: Number of the cohort within its inflow.
        rows: Place of each visitor in the cohort as drawn; shape (visitors,).
        people: Who they are.
        arrival_ms: When each arrives; shape (visitors,).
        journeys: What they will do unless the world stops them; times since the arrival.
        signals: Signals of each visit at its end.
        resolve: Log-odds of a request at the end of each visit less the logit of the decision's uniform number: above
            0 the visitor requests a demo; shape (visits,).
        buyer_luck: The fields of each visitor's :class:`BuyerLuck`, in order; shape (visitors, fields).
        identities: Two random words for each visitor; shape (visitors, 2).
        accounts: Domain of each visitor's company, null without one; shape (visitors,).
        experiments: Arm of each visitor in every experiment, as events say it, null without experiments; shape
            (visitors,).
        inflow: Name of the inflow whose visitors they are.
    """

    index: int
    rows: Integers
    people: People
    arrival_ms: Integers
    journeys: Journeys
    signals: SignalValues
    resolve: Floats
    buyer_luck: Floats
    identities: Words
    accounts: pl.Series
    experiments: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.String))
    inflow: str = ORDINARY
    happenings: Happenings = field(default_factory=Happenings)
    asked_in: dict[int, int] = field(default_factory=dict)
    """Visit in which each visitor who has asked did so, by visitor."""

    def __len__(self) -> int:
        return len(self.people)

    @cached_property
    def view_ms(self) -> Integers:
        """When each page is opened; shape (views,)."""
        arrival = self.arrival_ms[self.journeys.visitor]
        return self.journeys.view_ms + arrival[self.journeys.visit_of_view]

    @cached_property
    def submit_ms(self) -> Integers:
        """When the form on each page is sent, −1 if it is not; shape (views,)."""
        sent = self.journeys.submit_ms
        arrival = self.arrival_ms[self.journeys.visitor][self.journeys.visit_of_view]
        return np.where(sent >= 0, sent + arrival, -1)

    @cached_property
    def end_ms(self) -> Integers:
        """When each visit is over; shape (visits,)."""
        return self.journeys.end_ms + self.arrival_ms[self.journeys.visitor]

    @cached_property
    def identified_ms(self) -> Integers:
        """When each visitor first sends a form, a time beyond all others if never; shape (visitors,)."""
        first = np.full(len(self), np.iinfo(np.int64).max)
        sends = np.flatnonzero(self.submit_ms >= 0)
        np.minimum.at(first, self.journeys.visitor[self.journeys.visit_of_view[sends]], self.submit_ms[sends])
        return first

    @cached_property
    def anonymous_ids(self) -> pl.Series:
        """Identifier of each visitor's browser, 32 hexadecimal digits."""
        return hexadecimal(self.identities)

    @cached_property
    def timetable(self) -> Timetable:
        """The journeys as Python lists, for agents that go through them one by one."""
        journeys = self.journeys
        return Timetable(
            first_visit=journeys.first_visit.tolist(),
            n_visits=journeys.n_visits.tolist(),
            first_view=journeys.first_view.tolist(),
            n_pages=journeys.n_pages.tolist(),
            view_ms=self.view_ms.tolist(),
            submit_ms=self.submit_ms.tolist(),
            end_ms=self.end_ms.tolist(),
            resolve=self.resolve.tolist(),
        )

    @property
    def asked(self) -> Bools:
        """Whether each visit ended in a demo request; shape (visits,)."""
        asked = np.zeros(len(self.end_ms), dtype=bool)
        asked[list(self.asked_in.values())] = True
        return asked


@dataclass(frozen=True)
class Timetable:
    """Plain lists of a cohort's journeys; times in milliseconds since the start of the simulation."""

    first_visit: list[int]
    n_visits: list[int]
    first_view: list[int]
    n_pages: list[int]
    view_ms: list[int]
    submit_ms: list[int]
    end_ms: list[int]
    resolve: list[float]

    def visits(self, visitor: int) -> range:
        """Visits of a visitor."""
        first = self.first_visit[visitor]
        return range(first, first + self.n_visits[visitor])

    def views(self, visit: int) -> range:
        """Page views of a visit."""
        first = self.first_view[visit]
        return range(first, first + self.n_pages[visit])


class CohortMaker:
    """Draws the cohorts of one inflow of visitors in one replication.

    Args:
        world: The scenario's world.
        streams: Randomness of the replication.
        inflow: Whose cohorts; the ordinary traffic's unless given.
    """

    def __init__(self, world: WorldSettings, streams: Streams, inflow: Inflow | None = None) -> None:
        origins = origins_of(world.traffic)
        self._world = world
        self._inflow = inflows_of(world.traffic)[0] if inflow is None else inflow
        self._streams = streams.within(self._inflow.name)
        self.population = Population(world.population, self._inflow.shares, streams, self._inflow.name)
        self.clock = Clock(world.clock)
        self._arrivals = arrivals_of(self._inflow, world.traffic, self.clock, self.population.zone_shares)
        self._experiments = Experiments(world.experiments, self._streams)
        self._behaviours = Behaviours(list(origins.values()), self._experiments.combinations)
        navigation = Navigation(world.site, self._behaviours.kinds)
        landing = np.stack([navigation.mix(origin.landing) for origin in origins.values()])
        self._journeys = JourneyMaker(world.visits, navigation, landing, self._streams)
        self._reader = SignalReader(world.site, origins, self.population)

    @property
    def n_cohorts(self) -> int:
        """Number of cohorts of whom somebody can arrive before the end."""
        return int(np.ceil(self._arrivals.expected_visitors.max() / COHORT_SIZE))

    def earliest_ms(self, index: int) -> int:
        """Moment before which nobody of this or a later cohort arrives."""
        return self._arrivals.earliest_ms(index * COHORT_SIZE)

    def pilot(self, index: int) -> tuple[Floats, Integers, int]:
        """Draw journeys without a clock to cut them short, to calibrate the intercept.

        Returns:
            Log-odds of each visit without the intercept, visitor of each visit, number of visitors.
        """
        rows = np.arange(COHORT_SIZE)
        people = self._people(len(rows), index)
        journeys = self._journeys.draw(rows, people.channel, index, self._behaviours.of(people.channel, 0 * rows))
        return self._log_odds(people, journeys, self._reader.read(people, journeys)), journeys.visitor, len(rows)

    def _log_odds(self, people: People, journeys: Journeys, signals: SignalValues) -> Floats:
        """Log-odds of a request at the end of each visit, without the intercept; shape (visits,)."""
        intent = self._world.intent
        return signals.log_odds(intent.effects) + intent.account_sd * people.effect[journeys.visitor]

    def _people(self, n: int, index: int) -> People:
        """Visitors of a cohort, with how they come as a place among the origins of all inflows."""
        people = self.population.draw(n, index)
        return replace(people, channel=people.channel + self._inflow.first_origin)

    def draw(self, index: int, intercept: float) -> Cohort:
        """Draw a cohort.

        Args:
            index: Number of the cohort, from 0.
            intercept: Log-odds of a request at the end of a visit when every signal is 0.
        """
        rng = self._streams.generator("arrivals", index)
        positions = COHORT_SIZE * (index + np.sort(rng.random(rng.poisson(COHORT_SIZE))))
        everybody = self._people(len(positions), index)
        arrival_ms = self._arrivals.times_ms(positions, everybody.zone)
        rows = np.flatnonzero(arrival_ms < self.clock.length_ms)
        people, arrival_ms = everybody.take(rows), arrival_ms[rows]
        arms = self._experiments.combination(rows, index)
        planned = self._journeys.draw(rows, people.channel, index, self._behaviours.of(people.channel, arms))
        starts_ms = planned.view_ms[planned.first_view] + arrival_ms[planned.visitor]
        fails = struck(starts_ms, self._world.traffic.events.values(), self.clock)
        journeys = bounced(planned, fails)
        signals = self._reader.read(people, journeys, self.clock.length_ms - arrival_ms)
        log_odds = (
            intercept + self._log_odds(people, journeys, signals) + self._experiments.log_odds[arms][journeys.visitor]
        )
        return Cohort(
            index=index,
            rows=rows,
            people=people,
            arrival_ms=arrival_ms,
            journeys=journeys,
            signals=signals,
            resolve=self._resolve(np.where(fails, -np.inf, log_odds), journeys.visit_address(rows), index),
            buyer_luck=np.stack(
                [self._uniforms(f"buyer_{name}", index).at(rows) for name in BuyerLuck._fields], axis=1
            ),
            identities=np.stack([self._uniforms("identity", index).words(2 * rows + i) for i in (0, 1)], axis=1),
            accounts=self.population.accounts.domains_of(people.account),
            experiments=self._experiments.labels.gather(arms),
            inflow=self._inflow.name,
        )

    def _resolve(self, log_odds: Floats, address: Integers, index: int) -> Floats:
        """Log-odds of each visit less the logit of its uniform number; shape (visits,)."""
        chance = self._uniforms("decision", index).at(address)
        resolve: Floats = log_odds - np.log(chance / (1 - chance))
        return resolve

    def _uniforms(self, source: str, cohort: int) -> AddressedUniforms:
        return self._streams.uniforms(source, cohort)


def hexadecimal(words: Words) -> pl.Series:
    """Each row of random words as one text of hexadecimal digits; shape (n, words) to (n,)."""
    digits = _HEX_PAIRS[words.astype(">u8").view(np.uint8)].view(f"S{16 * words.shape[1]}")
    return pl.Series(digits.ravel().astype(str), dtype=pl.String)


_HEX_PAIRS = np.array([f"{byte:02x}" for byte in range(256)], dtype="S2").view(np.uint16)
