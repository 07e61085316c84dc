"""Sampling of cohorts: ``CohortSampler.draw(i)`` is a pure function of (scenario, seed, replication, i)."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
import polars as pl

from analytics.events.times import HOUR_MS
from simulator.engine.arrays import Bools, Floats, Integers, Words, lookup
from simulator.engine.clock import DAY_MS, Clock
from simulator.engine.streams import Streams, VisitorDraws
from simulator.sales.desk import BuyerDraws
from simulator.settings.personas import persona_code
from simulator.settings.world import WorldSettings
from simulator.visitors.cohort import Cohort
from simulator.visitors.cohort_tables import WorldTables
from simulator.visitors.journey import Journeys
from simulator.visitors.outages import cut_to_first_page, in_outage
from simulator.visitors.signals import SignalValues
from simulator.world.arrival_sources import (
    ArrivalSource,
    arrival_sources_of,
    arrivals_of,
    invited_scope,
    steady_arrivals,
)
from simulator.world.arrivals import ArrivalProcess
from simulator.world.population import People, Population

COHORT_SIZE = 16_384
"""Expected number of visitors in a cohort."""

# Address of an invited colleague: the persona's code, then the inviter's row. No cohort has 2^16 visitors.
_INVITER_BITS = 16


class CohortSampler:
    """Draws the cohorts of one arrival source in one replication.

    Args:
        world: Settings of the world.
        streams: Random streams of the replication.
        arrival_source: Source of the visitors; the ordinary traffic unless given.
        tables: Tables shared by all cohorts of the world; built unless given.

    Attributes:
        population: Draws the attributes of the source's visitors.
        clock: Start and end of the simulation.
    """

    def __init__(
        self,
        world: WorldSettings,
        streams: Streams,
        arrival_source: ArrivalSource | None = None,
        tables: WorldTables | None = None,
    ) -> None:
        self.tables = WorldTables(world, streams) if tables is None else tables
        self._world = world
        self._arrival_source = arrival_sources_of(world.traffic)[0] if arrival_source is None else arrival_source
        self._streams = streams
        self.population = Population(
            world.population,
            self._arrival_source.shares,
            streams,
            scope=self._arrival_source.name,
            channels=self._arrival_source.channels,
            accounts=self.tables.population.accounts,
        )
        self.clock = Clock(world.clock)
        self._arrivals = arrivals_of(self._arrival_source, world.traffic, self.clock, self.population.zone_shares)
        names = [name or "" for name in self.population.personas]
        self._codes = np.array([persona_code(name) for name in names], dtype=np.int64)

    @cached_property
    def _steady_arrivals(self) -> ArrivalProcess:
        """Arrival process that measures the waits of invited colleagues; built only if there are any."""
        traffic = self._world.traffic
        if self._arrival_source.reason is None and not traffic.growth_per_week:
            return self._arrivals
        return steady_arrivals(traffic, self.clock, self.population.zone_shares)

    @property
    def n_cohorts(self) -> int:
        """Number of cohorts with a visitor who can arrive before the end."""
        return int(np.ceil(self._arrivals.expected_visitors.max() / COHORT_SIZE))

    def earliest_ms(self, index: int) -> int:
        """Time before which no visitor of this or a later cohort arrives, in ms since the start."""
        return self._arrivals.earliest_ms(index * COHORT_SIZE)

    def pilot(self, index: int) -> tuple[Floats, Integers, int]:
        """Draw journeys without an end of the clock, to calibrate the intercept.

        Args:
            index: Number of the cohort.

        Returns:
            Log-odds of each visit without the intercept, visitor of each visit, number of visitors.
        """
        rows = np.arange(COHORT_SIZE)
        people, streams = self._people(len(rows), index), self._streams.within(self._arrival_source.name)
        draws = VisitorDraws(streams, index, rows)
        journeys = self.tables.journeys.draw(self.tables.journey_parameters(people, 0 * rows), draws)
        second = self._second_browser(people, journeys, draws)
        signals = self.tables.reader.read(people, journeys, people.device_used(journeys.visitor, second))
        return self._log_odds(people, journeys, signals), journeys.visitor, len(rows)

    def draw(self, index: int, intercept: float) -> Cohort:
        """Draw a cohort.

        Args:
            index: Number of the cohort, from 0.
            intercept: Log-odds of a request at the end of a visit when all signals are 0.
        """
        # A Poisson number of uniform positions is a Poisson process on the cohort's part of the axis.
        streams = self._streams.within(self._arrival_source.name)
        rng = streams.generator("arrivals", index)
        positions = COHORT_SIZE * (index + np.sort(rng.random(rng.poisson(COHORT_SIZE))))
        people = self._people(len(positions), index)
        arrival_ms = self._arrivals.times_ms(positions, people.zone)
        rows = np.flatnonzero(arrival_ms < self.clock.length_ms)
        no_inviter = pl.Series([None], dtype=pl.String).new_from_index(0, len(rows))
        return self._cohort(
            self._arrival_source.name,
            VisitorDraws(streams, index, rows),
            people.take(rows),
            arrival_ms[rows],
            invited_by=no_inviter,
            intercept=intercept,
        )

    def invitees(self, inviters: Cohort, intercept: float) -> Cohort:
        """Draw the colleagues invited by the visitors of a cohort; the result may be empty.

        Invitations follow the inviter's first visit, which takes place in any state of the world unless it falls into
        an outage. Invited colleagues keep the hours of their time zone: their waiting time passes in proportion to the
        traffic.

        Args:
            inviters: The cohort, as drawn by :meth:`draw`.
            intercept: As there.
        """
        inviter, persona, rows = self._invitations(inviters)
        scope = invited_scope(self._arrival_source.name)
        wait = self._streams.within(scope).uniforms("invitation_wait", inviters.index).at(rows)
        per_hour = self._world.traffic.visitors_per_day * HOUR_MS / DAY_MS
        # Exponential in expected visitors, so that the wait follows the traffic.
        arrival_ms = self._steady_arrivals.times_after(
            inviters.end_ms[inviters.journeys.first_visit[inviter]],
            -np.log(wait) * per_hour * self.tables.invitation_hours[persona],
            inviters.people.zone[inviter],
        )
        comes = arrival_ms < self.clock.length_ms
        inviter, persona, rows, arrival_ms = inviter[comes], persona[comes], rows[comes], arrival_ms[comes]
        draws = VisitorDraws(self._streams.within(scope), inviters.index, rows)
        people = self.population.colleagues(inviters.people.take(inviter), persona, self.tables.invitation, draws)
        return self._cohort(scope, draws, people, arrival_ms, invited_by=inviters.persons(inviter), intercept=intercept)

    def _invitations(self, inviters: Cohort) -> tuple[Integers, Integers, Integers]:
        """Inviter, persona and address of each invited colleague."""
        # The margin is −∞ only where the visit fell into an outage.
        in_outage = np.isneginf(inviters.decision_margin[inviters.journeys.first_visit])
        # Only visitors of a recognised company have colleagues.
        may = np.flatnonzero((inviters.people.account >= 0) & ~in_outage)
        rates = self.tables.invites[inviters.people.persona[may]]
        inviter, persona = np.nonzero(rates)
        # The address contains the persona's code, not its index: a new persona changes nobody else's draws.
        rows = (self._codes[persona] << _INVITER_BITS) | inviters.rows[may[inviter]]
        streams = self._streams.within(invited_scope(self._arrival_source.name))
        comes = streams.uniforms("invitation", inviters.index).at(rows) < rates[inviter, persona]
        return may[inviter[comes]], persona[comes], rows[comes]

    def _people(self, n: int, index: int) -> People:
        """Visitors of a cohort, with their channel as an index of all origins."""
        people = self.population.draw(n, index)
        return replace(people, channel=people.channel + self._arrival_source.first_origin)

    def _cohort(
        self,
        scope: str,
        draws: VisitorDraws,
        people: People,
        arrival_ms: Integers,
        *,
        invited_by: pl.Series,
        intercept: float,
    ) -> Cohort:
        """Draw everything that visitors do, given their attributes and arrival times."""
        arms = self.tables.experiments.combination(draws)
        planned = self.tables.journeys.draw(self.tables.journey_parameters(people, arms), draws)
        starts_ms = planned.view_ms[planned.first_view] + arrival_ms[planned.visitor]
        fails = in_outage(starts_ms, self._world.traffic.events.values(), self.clock)
        # Drawn in full and then cut: an outage must not move any later draw.
        journeys = cut_to_first_page(planned, fails)
        second = self._second_browser(people, journeys, draws)
        devices = people.device_used(journeys.visitor, second)
        signals = self.tables.reader.read(people, journeys, devices, self.clock.length_ms - arrival_ms)
        log_odds = intercept + self._log_odds(people, journeys, signals)
        log_odds += self.tables.experiments.log_odds[arms][journeys.visitor]
        chance = draws.addressed("decision").at(journeys.visit_address(draws.rows))
        return Cohort(
            index=draws.cohort,
            rows=draws.rows,
            people=people,
            arrival_ms=arrival_ms,
            journeys=journeys,
            signals=signals,
            # A visit cut by an outage ends without a decision.
            decision_margin=np.where(fails, -np.inf, log_odds) - self.tables.rule.thresholds(chance),
            buyer_draws=np.stack([draws.uniforms(f"buyer_{name}") for name in BuyerDraws._fields], axis=1),
            identities=_identities(draws, second),
            second_browser=second,
            accounts=self.population.accounts.domains_of(people.account),
            arms=arms,
            returns_after_request=self._returns_after_request(draws),
            experiments=lookup(self.tables.experiments.labels, arms),
            arrival_source=scope,
            invited_by=invited_by,
            rank=(self._arrival_source.first_origin, int(scope != self._arrival_source.name), draws.cohort),
        )

    def _returns_after_request(self, draws: VisitorDraws) -> Integers:
        """Rows of the visitors who keep visiting after a request."""
        rate = self._world.visits.after_request_rate
        if rate == 0:
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero(draws.uniforms("after_request") < rate)

    def _log_odds(self, people: People, journeys: Journeys, signals: SignalValues) -> Floats:
        """Log-odds of a request at the end of each visit, without the intercept; shape (visits,)."""
        intent = self._world.intent
        unobserved = intent.account_sd * people.effect + self.tables.log_odds[people.persona]
        return signals.log_odds(intent.effects) + unobserved[journeys.visitor]

    def _second_browser(self, people: People, journeys: Journeys, draws: VisitorDraws) -> Bools:
        """Whether each visit is made with the visitor's second browser; never the first visit; shape (visits,)."""
        second = np.zeros(len(journeys.visitor), dtype=bool)
        # Only these visits need a draw, and addressed draws do not depend on the others.
        may = np.flatnonzero((people.second_device >= 0).take(journeys.visitor) & (journeys.number > 1))
        if len(may):
            switch = draws.addressed("browser").at(journeys.visit_address(draws.rows)[may])
            second[may] = switch < self._world.population.second_device_share
        return second


def _identities(draws: VisitorDraws, second_browser: Bools) -> Words:
    """Two random words for each first browser, then for each second one; zeros if no second browser is used."""
    first = draws.words("identity", 2)
    return np.concatenate((first, draws.words("second_identity", 2) if second_browser.any() else 0 * first))
