"""State of a run: the cohorts drawn so far, the live world, and the counts and tables at the end."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator

from analytics.events.times import HOUR_MS
from simulator.replication.generator import DrawnCohort, EventGenerator
from simulator.replication.live_world import LiveWorld
from simulator.replication.schedule import ScheduledCohort
from simulator.replication.truth_tables import TruthTables
from simulator.settings.world import WorldSettings
from simulator.visitors.cohort import Cohort
from simulator.visitors.visitor import Visitor


class RunState:
    """One run in progress.

    Args:
        world: Settings of the world.
        generator: Draws cohorts and generates events.
        visitor: Class of the agents.

    Attributes:
        live_world: The agents on their clock, and the sales team.
        schedule: All cohorts, in order.
    """

    def __init__(self, world: WorldSettings, generator: EventGenerator, visitor: type[Visitor] = Visitor) -> None:
        self.live_world = LiveWorld(world, generator.population.accounts, visitor)
        self._world = world
        self._generator = generator
        self.schedule = generator.schedule
        # A copy: workers draw from the whole schedule while this one shrinks.
        self._upcoming = deque(self.schedule)
        self._active: list[Cohort] = []
        self._n_visitors = self._n_visits = 0

    def due_in(self, hour: int) -> Iterator[ScheduledCohort]:
        """Cohorts whose first visitor may arrive in an hour, in order; call it for each hour in turn.

        Args:
            hour: Number of the hour, from 0.
        """
        while self._upcoming and self._upcoming[0].earliest_ms < (hour + 1) * HOUR_MS:
            yield self._upcoming.popleft()

    def activate(self, cohorts: Iterable[Cohort]) -> None:
        """Make all visitors of some cohorts active agents, page by page."""
        for cohort in cohorts:
            self._active.append(cohort)
            self.live_world.admit(cohort)

    def admit(self, drawn: DrawnCohort) -> None:
        """Activate the candidates of a drawn cohort; the other visitors are only counted."""
        self._n_visitors += drawn.n_visitors
        self._n_visits += drawn.n_visits
        for candidates in drawn.candidates:
            self.live_world.admit(candidates)

    def counts(self, tally: Counter[str]) -> dict[str, int]:
        """Counts of what happened and what was received.

        Args:
            tally: Sum of the counts of all hours.
        """
        length_ms = self.live_world.clock.length_ms
        active = self._active
        return {
            "visitors": self._n_visitors + sum(len(cohort) for cohort in active),
            "visits": self._n_visits
            - self.live_world.n_cancelled_visits
            + sum(len(each.visits_made(length_ms)) for each in active),
            "events": tally["events"],
            "page_views": tally["page_views"],
            "demo_requests": len(self.live_world.sales.requests),
            **{name: tally[name] for name in ("true_events", "true_page_views", "malformed_lines")},
        }

    def tables(self) -> TruthTables:
        """Truth tables; cohorts that were not kept in memory are drawn again for them."""
        active, request_visits, generator = self._active, self.live_world.request_visits, self._generator
        return TruthTables(
            # Active cohorts are still in memory; drawing again costs time but no memory.
            (lambda: active) if active else lambda: generator.redraw(request_visits),
            generator.population,
            generator.clock,
            self._world.intent.conversion_unit,
        )
