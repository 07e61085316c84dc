"""Visitors who are not on the clock, to be looked at."""

from __future__ import annotations

from typing import Self

import simpy

from simulator.agents.visitor import Visitor


class SleepingVisitor(Visitor):
    """A visitor who is not on the clock, as the plan says: to be looked at, not to act."""

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
        return self

    def _step_at(self, at_ms: int) -> simpy.Event:  # noqa: ARG002 - whatever lies in the future never comes
        return self.env.event()
