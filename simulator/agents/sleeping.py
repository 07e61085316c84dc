"""Visitors who are not on the clock, to be looked at."""

from __future__ import annotations

from typing import Self

import simpy

from simulator.agents.visit import Page
from simulator.agents.visitor import Visitor
from simulator.errors import ComponentError


class SleepingVisitor(Visitor):
    """A visitor who is not on the clock, as the plan says: to be looked at, not to act."""

    _is_relived = False

    def __repr__(self) -> str:
        # To a reader, a visitor like any other.
        return super().__repr__().replace(type(self).__name__, Visitor.__name__, 1)

    def relive(self) -> Self:
        """Make the planned visits of the past in silence."""
        for itinerary in self._cohort.itineraries(self._row):
            is_over = self.has_requested and self._cohort.stops_after_request(self._row)
            if is_over or itinerary.view_ms[0] > self._slept_until_ms:
                break
            self._replay_ms = itinerary.view_ms[0]
            # Stops at the first step that lies in the future.
            for _ in self.make(itinerary):
                break
        # The past is relived: from here on there is only the present to look at.
        self._replay_ms, self._is_relived = None, True
        return self

    def view(self, page: Page | str) -> None:
        """View a page, while the past is relived."""
        self._refuse_to("view a page")
        super().view(page)

    def submit(self) -> None:
        """Submit a form, while the past is relived."""
        self._refuse_to("submit a form")
        super().submit()

    def track(self, event: str, **_: object) -> None:
        """Refuse to act."""
        self._refuse_to(f"track {event!r}")

    def leave(self) -> None:
        """Refuse to act."""
        self._refuse_to("leave")

    def come_back(self, *_: object, **__: object) -> None:
        """Refuse to act."""
        self._refuse_to("come back")

    def request_demo(self) -> None:
        """Refuse to act."""
        self._refuse_to("request a demo")

    def _refuse_to(self, act: str) -> None:
        if self._is_relived:
            raise ComponentError(
                f"visitor {self.id} lives as planned and cannot {act}: no component touches this visitor, who is here "
                "to be looked at; let a component touch whom you want to move, or run the model with "
                "active_agents='all' and a component"
            )

    def _step_at(self, at_ms: int) -> simpy.Event:  # noqa: ARG002 - whatever lies in the future never comes
        return self.env.event()
