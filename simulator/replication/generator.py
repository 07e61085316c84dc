"""Event generator: the part of a simulation that any worker can run, because no state of the world affects it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from simulator.engine.clock import Clock
from simulator.engine.streams import Streams
from simulator.replication.candidates import Candidates, candidates_of
from simulator.replication.schedule import ScheduledCohort, schedule_of
from simulator.settings.world import WorldSettings
from simulator.tracking.activity import HourActivity, planned_activity
from simulator.tracking.tracker import Tracker
from simulator.tracking.transport import Sent, Transport
from simulator.visitors.cohort import Cohort
from simulator.visitors.cohort_sampler import CohortSampler
from simulator.visitors.cohort_tables import WorldTables
from simulator.world.arrival_sources import arrival_sources_of

CancelledVisits = Mapping[tuple[int, int], int]
"""Last visit of visitors whose later visits a request has cancelled, by place of the cohort and visitor."""

# Larger than any visit's row, which has 32 bits in the record.
_NO_LIMIT = 2**31 - 1

_MAX_RECORDS_AT_ONCE = 500_000
"""Activity records turned into events at a time: events need about a hundred times as much memory as their records."""


@dataclass(frozen=True)
class DrawnCohort:
    """What is kept of a cohort and its invited colleagues once it has been drawn.

    Attributes:
        hours: Their planned activity, by hour.
        candidates: Visitors who may request a demo.
        n_visitors: Visitors who arrive before the end.
        n_visits: Visits that start before the end unless a request cancels them.
    """

    hours: list[tuple[int, HourActivity]]
    candidates: list[Candidates]
    n_visitors: int
    n_visits: int


class EventGenerator:
    """Draws cohorts and generates the events of hours.

    Args:
        world: Settings of the world.
        streams: Random streams of the replication.
        intercept: Log-odds of a request at the end of a visit when all signals are 0.

    Attributes:
        clock: Start and end of the simulation.
        population: Attributes of the visitors, and the companies.
        transport: Path of the events to the collector.
    """

    def __init__(self, world: WorldSettings, streams: Streams, intercept: float) -> None:
        self.clock = Clock(world.clock)
        tables = WorldTables(world, streams)
        self.population = tables.population
        self._intercept = intercept
        self._samplers = [
            CohortSampler(world, streams, arrival_source, tables)
            for arrival_source in arrival_sources_of(world.traffic)
        ]
        self._tracker = Tracker(world, self.population, self.clock)
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
        cohorts, length_ms = self.cohorts(scheduled), self.clock.length_ms
        return DrawnCohort(
            hours=[part for cohort in cohorts for part in planned_activity(cohort, length_ms)],
            candidates=[candidates for cohort in cohorts if len(candidates := candidates_of(cohort, length_ms))],
            n_visitors=sum(len(cohort) for cohort in cohorts),
            n_visits=sum(len(cohort.visits_made(length_ms)) for cohort in cohorts),
        )

    def emit(
        self, number: int, plan: HourActivity, live: HourActivity, cancelled_visits: CancelledVisits
    ) -> Iterator[Sent]:
        """Emit the events of an hour, one part of it at a time.

        Args:
            number: Number of the hour, from 0.
            plan: Planned activity.
            live: Activity on the clock.
            cancelled_visits: Visits cancelled by requests. Requests after this hour may be included.
        """
        n_emitted = 0
        for chunk in HourActivity.of([_still_planned(plan, cancelled_visits), live]).chunks(_MAX_RECORDS_AT_ONCE):
            events = self._tracker.track(chunk)
            yield self.transport.send(events, number, n_emitted)
            n_emitted += events.height

    def redraw(self, request_visits: Mapping[int, Mapping[int, int]]) -> Iterator[Cohort]:
        """Draw all cohorts again, with the requests of the run.

        Args:
            request_visits: Visit in which each visitor requested a demo, by place of the cohort and visitor.
        """
        for scheduled in self.schedule:
            for cohort in self.cohorts(scheduled):
                cohort.request_visit.update(request_visits.get(cohort.place, {}))
                yield cohort


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
