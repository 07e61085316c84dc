"""State of a run: the cohorts drawn so far, the live world, and the counts and tables at the end."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain

import numpy as np
import polars as pl

from analytics.events.times import HOUR_MS
from simulator.agents.component import Component, Window
from simulator.agents.component_set import checked_mask
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Integers
from simulator.replication.generator import AwakeVisitors, DrawnCohort, EventGenerator
from simulator.replication.live_world import LiveWorld
from simulator.replication.people_truth import last_visits_of, people_of, without_unused
from simulator.replication.schedule import ScheduledCohort
from simulator.replication.truth_tables import TruthTables
from simulator.settings.world import WorldSettings
from simulator.visitors.cohort import Cohort


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
        self.live_world = LiveWorld(world, generator, visitor)
        self._world = world
        self._generator = generator
        self.schedule = generator.schedule
        # A copy: workers draw from the whole schedule while this one shrinks.
        self._upcoming = deque(self.schedule)
        self._active: list[Cohort] = []
        self._n_visitors = self._n_visits = 0
        self._admitted: list[ScheduledCohort] = []

    def due_in(self, hour: int) -> Iterator[ScheduledCohort]:
        """Cohorts whose first visitor may arrive in an hour, in order; call it for each hour in turn.

        Args:
            hour: Number of the hour, from 0.
        """
        while self._upcoming and self._upcoming[0].earliest_ms < (hour + 1) * HOUR_MS:
            yield self._upcoming.popleft()

    def activate(self, scheduled: ScheduledCohort, cohorts: Iterable[Cohort]) -> None:
        """Make all visitors of some cohorts active agents, page by page."""
        self._admitted.append(scheduled)
        for cohort in cohorts:
            self._active.append(cohort)
            self.live_world.activate(cohort)

    def admit(self, scheduled: ScheduledCohort, drawn: DrawnCohort) -> None:
        """Activate the candidates and the awake visitors of a drawn cohort; the others are only counted."""
        self._n_visitors += drawn.n_visitors
        self._n_visits += drawn.n_visits
        for candidates in drawn.candidates:
            self.live_world.admit(candidates)
        for awake in drawn.awake:
            self.live_world.wake(awake)
        self._admitted.append(scheduled)
        now_ms = self.live_world.clock.now_ms
        for component in self._generator.components.components:
            for window in component.windows:
                if window[1] > now_ms:
                    self._wake_late(component, window, [scheduled], now_ms - 1)

    def wake_for(self, component: Component, window: Window) -> None:
        """Wake the visitors whom a component selects in a window, from the next millisecond on.

        Args:
            component: The component.
            window: The window of time.
        """
        # Where everybody is awake, only the hooks need to know.
        if not self._generator.wakes_all:
            self._wake_late(component, window, self._admitted, self.live_world.clock.now_ms)

    def _wake_late(
        self, component: Component, window: Window, schedule: Iterable[ScheduledCohort], slept_until_ms: int
    ) -> None:
        generator, live_world = self._generator, self.live_world
        for scheduled in schedule:
            # Drawn again: keeping all plans would cost memory in every run, and windows are rare.
            for cohort in generator.drawn_again(scheduled):
                selected = checked_mask(
                    component, "selects", component.selects(generator.plan(cohort, component), *window), len(cohort)
                )
                asked = live_world.request_visits[cohort.place]
                sleepers = [
                    visitor
                    for visitor in np.flatnonzero(selected & ~cohort.awake).tolist()
                    if (cohort.place, visitor) not in live_world.woken
                    and (visitor not in asked or not cohort.ends_with_request(visitor))
                ]
                if sleepers:
                    self._wake_sleepers(cohort, np.array(sleepers), slept_until_ms)

    def _wake_sleepers(self, cohort: Cohort, visitors: Integers, slept_until_ms: int) -> None:
        part, length_ms = cohort.take(visitors), self.live_world.clock.length_ms
        # They were counted among the sleepers, with all their planned visits.
        self._n_visitors -= len(part)
        self._n_visits -= len(part.visits_made(length_ms))
        self.live_world.wake(AwakeVisitors(part, self._generator.touched(cohort)[:, visitors]), slept_until_ms)

    def visitor(self, person: str) -> Visitor:
        """A visitor, awake or not.

        Args:
            person: Identifier of the person: the ``anonymousId`` of the first browser.

        Raises:
            KeyError: Nobody has this identifier, or the visitor has not been drawn yet.
        """
        person = str(person)  # Polars warns of a comparison with anything else
        for visitor in self.live_world.visitors:
            if visitor.id == person:
                return visitor
        for scheduled in self._admitted:
            for cohort in self._generator.drawn_again(scheduled):
                found = (cohort.person_ids == person).arg_true().to_numpy()
                if len(found):
                    return self.live_world.sleeper(cohort.take(found))
        raise KeyError(f"there is no visitor {person!r} so far")

    def counts(self, tally: Counter[str]) -> dict[str, int]:
        """Counts of what happened and what was received.

        Args:
            tally: Sum of the counts of all hours.
        """
        length_ms = self.live_world.clock.length_ms
        # Active cohorts lived as planned; awake visitors as they did.
        active = [*self._active, *self.made]
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

    @cached_property
    def made(self) -> list[Cohort]:
        """What the awake visitors did, as cohorts; read it at the end only."""
        return self.live_world.made()

    def tables(self) -> TruthTables:
        """Truth tables; cohorts that were not kept in memory are drawn again for them."""
        generator = self._generator
        return TruthTables(
            self._cohorts,
            self._people,
            generator.population,
            generator.clock,
            self._world.intent.conversion_unit,
            self._world.decision_signals,
        )

    def _cohorts(self) -> Iterable[Cohort]:
        """The visitors who slept, and after each cohort what its awake visitors did."""
        in_memory = self._in_memory
        return self._drawn_again() if in_memory is None else in_memory

    def _drawn_again(self) -> Iterator[Cohort]:
        # Drawing again costs time but no memory.
        for cohort in self._generator.redraw(self.live_world.request_visits, self.live_world.woken):
            yield cohort
            yield from self._made_at[cohort.place]

    def _people(self) -> Iterator[tuple[int, pl.DataFrame]]:
        """The people of each cohort, and the time before which nobody of it or a later one arrives."""
        generator = self._generator
        for cohort in self._in_memory or ():
            yield cohort.earliest_ms, people_of(cohort, generator.population, generator.clock)
        if self._in_memory is not None:
            return
        # Who left the plan made all visits on the clock.
        woken = dict.fromkeys(self.live_world.woken, -1)
        last_visits = last_visits_of({**self.live_world.cancelled_visits, **woken})
        for scheduled in self.schedule:
            asleep = without_unused(generator.planned_people(scheduled), last_visits)
            made = chain.from_iterable(self._made_at[2 * scheduled.place + number] for number in (0, 1))
            awake = (people_of(cohort, generator.population, generator.clock) for cohort in made)
            yield scheduled.earliest_ms, pl.concat([asleep, *awake])

    @property
    def _in_memory(self) -> list[Cohort] | None:
        """All visitors, where whole cohorts stay in memory; else None."""
        return self.made if self._generator.wakes_all else self._active or None

    @cached_property
    def _made_at(self) -> Mapping[int, list[Cohort]]:
        """What the awake visitors did, by place of their cohort."""
        made: defaultdict[int, list[Cohort]] = defaultdict(list)
        for each in self.made:
            made[each.place].append(each)
        return made
