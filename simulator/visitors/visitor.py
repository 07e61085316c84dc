"""A visitor: an agent that goes through its journey on the clock and may request a demo."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

import simpy

from simulator.engine.clock import Clock
from simulator.visitors.cohort import Cohort


class WorldView(Protocol):
    """The part of the world that a visitor can interact with."""

    clock: Clock

    def request_demo(self, cohort: Cohort, visitor: int) -> None:
        """Submit the demo form."""

    def decision_penalty(self, cohort: Cohort, visitor: int) -> float:
        """Effect of the state of the world on the decision to request a demo in log-odds; 0 or below."""


class Visitor:
    """One person on the site, visit by visit and page by page, until a demo request or the end of the clock.

    Some keep visiting after their request (``visits.after_request_rate``), without further decisions.

    Subclass it to change the behaviour of visitors: every step is a method, and ``journey`` is an ordinary SimPy
    process.

    Args:
        world: The world of the visitor.
        cohort: The cohort that holds the visitor's draws.
        number: The visitor's row in the cohort.
    """

    def __init__(self, world: WorldView, cohort: Cohort, number: int) -> None:
        self.world = world
        self.cohort = cohort
        self.number = number

    def journey(self) -> Generator[simpy.Event, None, None]:
        """Go through all visits; a SimPy process."""
        timetable, clock = self.cohort.timetable, self.world.clock
        for visit in timetable.visits(self.number):
            for view in timetable.views(visit):
                if timetable.view_ms[view] >= clock.length_ms:
                    return  # the clock stops first: the visitor is censored
                yield clock.until(timetable.view_ms[view])
                self.view_page(view)
                # The form is sent before the page is left, so it cannot overtake the next view.
                if timetable.submit_ms[view] >= 0:
                    yield clock.until(timetable.submit_ms[view])
                    self.send_form(view)
            if self.number in self.cohort.request_visit:
                continue  # one request per visitor
            yield self.end_of(visit)
            if self.wants_demo(visit):
                self.request_demo(visit)
                if self.cohort.ends_with_request(self.number):
                    return

    def decisions(self) -> Generator[simpy.Event, None, None]:
        """Go through those decisions only that the world can change; a SimPy process.

        The world can only discourage, so a visit without a positive margin ends without a request. All other activity
        affects nobody and is computed from the arrays.
        """
        journeys, number = self.cohort.journeys, self.number
        first = int(journeys.first_visit[number])
        for visit in range(first, first + int(journeys.n_visits[number])):
            if self.cohort.decision_margin[visit] > 0:
                yield self.end_of(visit)
                if self.wants_demo(visit):
                    self.request_demo(visit)
                    return

    def end_of(self, visit: int) -> simpy.Event:
        """Event at the end of a visit, when the visitor decides.

        Decisions of one millisecond are ordered by the visitors' ranks, whichever other agents are active.
        """
        return self.world.clock.until(int(self.cohort.end_ms[visit]), (*self.cohort.rank, self.number))

    def view_page(self, view: int) -> None:
        """View a page.

        Args:
            view: Row of the page view in the cohort.
        """
        self.cohort.activity.viewed.append(view)

    def send_form(self, view: int) -> None:
        """Submit the form on a page, which identifies the visitor.

        Args:
            view: Row of the page view in the cohort.
        """
        self.cohort.activity.submitted.append(view)

    def wants_demo(self, visit: int) -> bool:
        """Decide, at the end of a visit, whether to request a demo.

        Args:
            visit: Row of the visit in the cohort.
        """
        decision_margin = float(self.cohort.decision_margin[visit])
        # The world can only discourage: without a positive margin its state does not matter.
        return decision_margin > 0 and decision_margin + self.world.decision_penalty(self.cohort, self.number) > 0

    def request_demo(self, visit: int) -> None:
        """Request a demo.

        Args:
            visit: Row of the visit in the cohort.
        """
        self.cohort.request_visit[self.number] = visit
        self.cohort.activity.requested.append(visit)
        self.world.request_demo(self.cohort, self.number)
