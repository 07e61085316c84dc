"""The course of a run: who has been drawn, who lives on the clock, and what is left of it in the end."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator

from analytics.events.times import HOUR_MS
from simulator.replication.generator import DrawnCohort, EventGenerator
from simulator.replication.live_world import LiveWorld
from simulator.replication.schedule import ScheduledCohort
from simulator.replication.truth_tables import TruthTables
from simulator.settings.world import WorldSettings
from simulator.tracking.activity import HourActivity
from simulator.visitors.cohort import Cohort
from simulator.visitors.visitor import Visitor

__all__ = ["RunState"]


class RunState:
    """One run, as far as it has come.

    Args:
        world: Settings of the world.
        workshop: Draws cohorts and tells of hours.
        visitor: Class of the agents.

    Attributes:
        stage: The agents on their clock, and the sales team.
        openings: All cohorts, in order.
    """

    def __init__(self, world: WorldSettings, generator: EventGenerator, visitor: type[Visitor] = Visitor) -> None:
        self.live_world = LiveWorld(world, generator.population.accounts, visitor)
        self._world = world
        self._generator = generator
        self.schedule = generator.schedule
        self._upcoming = deque(self.schedule)
        self._active: list[Cohort] = []
        self._n_visitors = self._n_visits = 0

    def due_in(self, hour: int) -> Iterator[ScheduledCohort]:
        """Cohorts that open in an hour, in order; each hour in turn."""
        while self._upcoming and self._upcoming[0].earliest_ms < (hour + 1) * HOUR_MS:
            yield self._upcoming.popleft()

    def activate(self, cohorts: Iterable[Cohort]) -> None:
        """Let everybody in at their arrival, to live page by page."""
        for cohort in cohorts:
            self._active.append(cohort)
            self.live_world.admit(cohort)

    def admit(self, drawn: DrawnCohort) -> None:
        """Let those in who may ask for a demo; all others are but counted."""
        self._n_visitors += drawn.n_visitors
        self._n_visits += drawn.n_visits
        for candidates in drawn.candidates:
            self.live_world.admit(candidates)

    def advance(self, hour: int) -> HourActivity:
        """Let an hour pass whose visitors have all been let in; see :meth:`LiveWorld.live`."""
        return self.live_world.advance(hour)

    def counts(self, tally: Counter[str]) -> dict[str, int]:
        """How much happened and how much was received.

        Args:
            tally: The counts of all hours together.
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
        """What happened, as tables; who was not awake is drawn once more for them."""
        active, request_visits, generator = self._active, self.live_world.request_visits, self._generator
        return TruthTables(
            (lambda: active) if active else lambda: generator.redraw(request_visits),
            generator.population,
            generator.clock,
            self._world.intent.conversion_unit,
        )
