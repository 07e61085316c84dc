"""The course of a run: who has been drawn, who lives on the clock, and what is left of it in the end."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator

from analytics.events.times import HOUR_MS
from simulator.replication.generator import Drawn, EventGenerator
from simulator.replication.live_world import LiveWorld
from simulator.replication.schedule import ScheduledCohort
from simulator.replication.truth_tables import TruthTables
from simulator.settings.world import WorldSettings
from simulator.tracking.activity import Hour
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

    def __init__(self, world: WorldSettings, workshop: EventGenerator, visitor: type[Visitor] = Visitor) -> None:
        self.stage = LiveWorld(world, workshop.population.accounts, visitor)
        self._world = world
        self._workshop = workshop
        self.openings = workshop.openings
        self._openings = deque(self.openings)
        self._awake: list[Cohort] = []
        self._n_visitors = self._n_visits = 0

    def opening(self, hour: int) -> Iterator[ScheduledCohort]:
        """Cohorts that open in an hour, in order; each hour in turn."""
        while self._openings and self._openings[0].opens_ms < (hour + 1) * HOUR_MS:
            yield self._openings.popleft()

    def wake(self, cohorts: Iterable[Cohort]) -> None:
        """Let everybody in at their arrival, to live page by page."""
        for cohort in cohorts:
            self._awake.append(cohort)
            self.stage.admit(cohort)

    def admit(self, drawn: Drawn) -> None:
        """Let those in who may ask for a demo; all others are but counted."""
        self._n_visitors += drawn.n_visitors
        self._n_visits += drawn.n_visits
        for prospects in drawn.prospects:
            self.stage.admit(prospects)

    def live(self, hour: int) -> Hour:
        """Let an hour pass whose visitors have all been let in; see :meth:`LiveWorld.live`."""
        return self.stage.live(hour)

    def counts(self, tally: Counter[str]) -> dict[str, int]:
        """How much happened and how much was received.

        Args:
            tally: The counts of all hours together.
        """
        length_ms = self.stage.clock.length_ms
        awake = self._awake
        return {
            "visitors": self._n_visitors + sum(len(cohort) for cohort in awake),
            "visits": self._n_visits - self.stage.n_given_up + sum(len(each.happened(length_ms)) for each in awake),
            "events": tally["events"],
            "page_views": tally["page_views"],
            "demo_requests": len(self.stage.sales.requests),
            **{name: tally[name] for name in ("true_events", "true_page_views", "malformed_lines")},
        }

    def tables(self) -> TruthTables:
        """What happened, as tables; who was not awake is drawn once more for them."""
        awake, asked, workshop = self._awake, self.stage.asked, self._workshop
        return TruthTables(
            (lambda: awake) if awake else lambda: workshop.redrawn(asked),
            workshop.population,
            workshop.clock,
            self._world.intent.conversion_unit,
        )
