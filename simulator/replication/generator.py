"""Event generator: the part of a simulation that any worker can run, because no state of the world affects it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial

import numpy as np
import polars as pl

from simulator.agents.awake import WorldOfAwake
from simulator.agents.component import Component
from simulator.agents.component_set import ComponentSet, Masks
from simulator.agents.plan import Plan
from simulator.engine.arrays import Bools
from simulator.engine.clock import Clock
from simulator.engine.streams import Streams
from simulator.replication.candidates import Candidates, candidates_of
from simulator.replication.people_truth import people_of
from simulator.replication.planned_people import PlannedPeople
from simulator.replication.schedule import ScheduledCohort, schedule_of
from simulator.settings.world import WorldSettings
from simulator.tracking.activity import HourActivity, planned_activity
from simulator.tracking.tracker import Tracker
from simulator.tracking.transport import Sent, Transport
from simulator.visitors.cohort import Cohort
from simulator.visitors.cohort_sampler import CohortSampler
from simulator.visitors.cohort_tables import WorldTables
from simulator.world.arrival_sources import arrival_sources_of, origins_of

CancelledVisits = Mapping[tuple[int, int], int]
"""Last visit of visitors whose later visits a request has cancelled, by place of the cohort and visitor."""

WokenVisitors = Mapping[tuple[int, int], int]
"""Last millisecond of the plan of visitors who were woken late, by place of the cohort and visitor."""

# Larger than any visit's row, which has 32 bits in the record.
_NO_LIMIT = 2**31 - 1
_FOR_EVER_MS = 2**62

_KEPT_COHORTS = 16
"""Cohorts kept for components that wake visitors late, some 20 MB each."""

_MAX_RECORDS_AT_ONCE = 500_000
"""Activity records turned into events at a time: events need about a hundred times as much memory as their records."""


@dataclass(frozen=True)
class DrawnCohort:
    """What is kept of a cohort and its invited colleagues once it has been drawn.

    Attributes:
        hours: Their planned activity, by hour.
        candidates: Visitors who may request a demo, and do nothing else that matters to the world.
        awake: Visitors whom a component touches.
        n_visitors: Visitors who arrive before the end, without those who are awake.
        n_visits: Their visits that start before the end unless a request cancels them.
    """

    hours: list[tuple[int, HourActivity]]
    candidates: list[Candidates]
    awake: list[AwakeVisitors]
    n_visitors: int
    n_visits: int


@dataclass(frozen=True)
class AwakeVisitors:
    """Visitors of a cohort who live on the clock.

    Attributes:
        cohort: The visitors, with their plans.
        touched: Which components touch each; shape (components, visitors).
    """

    cohort: Cohort
    touched: Masks


class EventGenerator:
    """Draws cohorts and generates the events of hours.

    Args:
        world: Settings of the world.
        streams: Random streams of the replication.
        intercept: Log-odds of a request at the end of a visit when all signals are 0.
        components: What visitors can meet.
        wakes_all: Whether all visitors are awake, touched or not.
        people: Keeps the people of the cohorts that are drawn, if anybody wants them.

    Attributes:
        clock: Start and end of the simulation.
        components: What visitors can meet.
        wakes_all: Whether all visitors are awake, touched or not.
        shared: What all awake cohorts share.
        population: Attributes of the visitors, and the companies.
        transport: Path of the events to the collector.
    """

    def __init__(
        self,
        world: WorldSettings,
        streams: Streams,
        intercept: float,
        components: ComponentSet = ComponentSet(),  # noqa: B008 - immutable
        *,
        wakes_all: bool = False,
        people: PlannedPeople | None = None,
    ) -> None:
        self.clock = Clock(world.clock)
        self._people = people
        self.components, self.wakes_all = components, wakes_all
        tables = WorldTables(world, streams, components.campaigns)
        self.population = tables.population
        origins = [*origins_of(world.traffic), *components.campaigns]
        self.shared = WorldOfAwake(world, tables, streams, intercept, origins)
        self._intercept = intercept
        self._samplers = [
            CohortSampler(world, streams, arrival_source, tables)
            for arrival_source in arrival_sources_of(world.traffic)
        ]
        campaigns = list(components.campaigns.values())
        self._tracker = Tracker(world, self.population, self.clock, components.events, campaigns)
        self.transport = Transport(world, streams, self.clock)

    @cached_property
    def schedule(self) -> list[ScheduledCohort]:
        """All cohorts, in order."""
        return list(schedule_of(self._samplers, self.clock.length_ms))

    def cohorts(self, scheduled: ScheduledCohort) -> list[Cohort]:
        """Draw a cohort, and the colleagues invited by its visitors, if any.

        Args:
            scheduled: Which cohort.
        """
        sampler = self._samplers[scheduled.arrival_source]
        cohort = sampler.draw(scheduled.index, self._intercept)
        invitees = sampler.invitees(cohort, self._intercept)
        # Even places for cohorts, odd ones for their invited colleagues: no place depends on who is invited.
        for number, each in enumerate((cohort, invitees)):
            each.place, each.earliest_ms = 2 * scheduled.place + number, scheduled.earliest_ms
        return [cohort, invitees] if len(invitees) else [cohort]

    def draw(self, scheduled: ScheduledCohort) -> DrawnCohort:
        """Draw a cohort and its invited colleagues, and keep only what is needed later.

        Args:
            scheduled: Which cohort.
        """
        length_ms = self.clock.length_ms
        cohorts, awake = self._drawn(scheduled)
        if self._people is not None:
            self._people.keep(scheduled.place, self._people_of(cohorts))
        return DrawnCohort(
            hours=[part for cohort in cohorts for part in planned_activity(cohort, length_ms)],
            candidates=[candidates for cohort in cohorts if len(candidates := candidates_of(cohort, length_ms))],
            awake=[each for each in awake if len(each.cohort)],
            n_visitors=sum(len(cohort) - int(cohort.awake.sum()) for cohort in cohorts),
            n_visits=sum(len(cohort.visits_made(length_ms)) for cohort in cohorts),
        )

    def planned_people(self, scheduled: ScheduledCohort) -> pl.DataFrame:
        """People of a cohort and its invited colleagues, as planned, without those who are awake from the start.

        They are read where they were kept, once; else the cohort is drawn again.

        Args:
            scheduled: Which cohort.
        """
        kept = None if self._people is None else self._people.take(scheduled.place)
        return self._people_of(self._drawn(scheduled)[0]) if kept is None else kept

    def _people_of(self, cohorts: list[Cohort]) -> pl.DataFrame:
        return pl.concat(people_of(cohort, self.population, self.clock) for cohort in cohorts)

    @lru_cache(maxsize=_KEPT_COHORTS)  # noqa: B019 - a generator lives as long as its run
    def drawn_again(self, scheduled: ScheduledCohort) -> list[Cohort]:
        """Draw a cohort and its invited colleagues, and mark who is awake from the start.

        Args:
            scheduled: Which cohort.
        """
        cohorts = self.cohorts(scheduled)
        self._wake(cohorts)
        return cohorts

    def _drawn(self, scheduled: ScheduledCohort) -> tuple[list[Cohort], list[AwakeVisitors]]:
        """A cohort and its invited colleagues, and those of them who are awake."""
        cohorts = self.cohorts(scheduled)
        return cohorts, self._wake(cohorts) if self.wakes_all or self.components else []

    def _wake(self, cohorts: list[Cohort]) -> list[AwakeVisitors]:
        """Mark and return the visitors of a cohort, and of their invited colleagues, who are awake."""
        found, may_be_refused = [], pl.Series(dtype=pl.String)
        for cohort in cohorts:
            touched = self.touched(cohort)
            cohort.awake = self.components.awake(touched, partial(self._has_open_decision, cohort)) | self.wakes_all
            # A visitor who never comes invites nobody, which only colleagues on the clock can know.
            if len(may_be_refused):
                cohort.awake |= cohort.invited_by.is_in(may_be_refused.implode()).fill_null(value=False).to_numpy()
            if self.components.admits.any():
                refused = np.flatnonzero(np.logical_or.reduce(touched[self.components.admits], axis=0))
                may_be_refused = cohort.person_ids.gather(refused)
            visitors = np.flatnonzero(cohort.awake)
            found.append(AwakeVisitors(cohort.take(visitors), touched[:, visitors]))
        return found

    def touched(self, cohort: Cohort) -> Masks:
        """Which components touch which visitors of a cohort; shape (components, visitors)."""
        return self.components.touched(lambda component: self.plan(cohort, component), len(cohort))

    def _has_open_decision(self, cohort: Cohort) -> Bools:
        """Whether the effects of components could change a decision of each visitor; shape (visitors,)."""
        low, high = self.components.effect_range
        is_open = (cohort.decision_margin > -high) & (cohort.end_ms < self.clock.length_ms)
        # Where the visible wait discourages too, no request is sure.
        if not self.shared.world.sales.wait_effect_per_day:
            is_open &= cohort.decision_margin <= -low
        return np.bincount(cohort.journeys.visitor[is_open], minlength=len(cohort)) > 0

    def plan(self, cohort: Cohort, component: Component) -> Plan:
        """Plan of a cohort, as a component sees it."""
        return Plan(
            cohort,
            self.population,
            pages=list(self.shared.world.site.pages),
            origins=list(self.shared.origins),
            streams=self.shared.streams,
            component=component.name,
            length_ms=self.clock.length_ms,
            highest=self.components.effect_range[1],
            rule=self.shared.tables.rule,
        )

    def emit(self, hours: Mapping[int, HourActivity]) -> Iterator[Sent]:
        """Emit the events of an hour in parts, or those of several together, which is faster where they are quiet.

        Args:
            hours: What happened in each, by its number, from 0, in order.
        """
        if len(hours) > 1:
            together = HourActivity.of(list(hours.values()))
            yield self._sent(together, {hour: len(each.records) for hour, each in hours.items()})
            return
        n_emitted = 0
        for hour, happened in hours.items():
            for chunk in happened.chunks(_MAX_RECORDS_AT_ONCE):
                yield self._sent(chunk, {hour: len(chunk.records)}, n_emitted)
                n_emitted += len(chunk.records)

    def _sent(self, happened: HourActivity, hours: Mapping[int, int], n_before: int = 0) -> Sent:
        if self.transport.is_lossless:
            return self.transport.send_intact(self._tracker.track(happened))
        return self.transport.send(self._tracker.with_addresses(happened), hours, n_before)

    def redraw(
        self, request_visits: Mapping[int, Mapping[int, int]], woken: WokenVisitors | None = None
    ) -> Iterator[Cohort]:
        """Draw all cohorts again, with the requests of the run.

        Args:
            request_visits: Visit in which each visitor requested a demo, by place of the cohort and visitor.
            woken: Visitors who left their plan late.
        """
        late: defaultdict[int, list[int]] = defaultdict(list)
        for place, visitor in woken or ():
            late[place].append(visitor)
        for scheduled in self.schedule:
            for cohort in self._drawn(scheduled)[0]:
                cohort.awake[late[cohort.place]] = True
                cohort.request_visit.update(request_visits.get(cohort.place, {}))
                yield cohort


def what_happened(
    plan: HourActivity, live: HourActivity, cancelled_visits: CancelledVisits, woken: WokenVisitors
) -> HourActivity:
    """What happened in an hour, planned or not.

    Args:
        plan: Planned activity.
        live: Activity on the clock.
        cancelled_visits: Visits cancelled by requests. Requests after this hour may be included.
        woken: Visitors who left their plan late. Those who did after this hour may be included.
    """
    return HourActivity.of([_until_woken(_still_planned(plan, cancelled_visits), woken), live])


def _still_planned(plan: HourActivity, cancelled_visits: CancelledVisits) -> HourActivity:
    """Planned activity without the cancelled visits."""
    if not cancelled_visits:
        return plan
    visits = plan.visits
    # Few visitors may request a demo; all others keep every visit.
    doubtful = np.flatnonzero(visits["may_request"])
    names = zip(visits["cohort"][doubtful].tolist(), visits["visitor"][doubtful].tolist(), strict=True)
    last = np.array([cancelled_visits.get(name, _NO_LIMIT) for name in names], dtype=np.int64)
    kept = np.ones(len(visits), dtype=bool)
    kept[doubtful] = visits["visit"][doubtful] <= last
    return plan.of_visits(kept)


def _until_woken(plan: HourActivity, woken: WokenVisitors) -> HourActivity:
    """Planned activity without what visitors who were woken late would have done afterwards."""
    if not woken:
        return plan
    visits = plan.visits
    names = zip(visits["cohort"].tolist(), visits["visitor"].tolist(), strict=True)
    last_ms = np.array([woken.get(name, _FOR_EVER_MS) for name in names], dtype=np.int64)
    if (last_ms == _FOR_EVER_MS).all():
        return plan
    visit = np.repeat(np.arange(len(visits)), visits["n"])
    kept = plan.records["time_ms"] <= last_ms[visit]
    counted = visits.copy()
    counted["n"] = np.bincount(visit[kept], minlength=len(visits))
    return replace(plan, visits=counted[counted["n"] > 0], records=plan.records[kept])
