"""A web server with a limited capacity: pages wait, and some visitors do not."""

from __future__ import annotations

from collections.abc import Generator

import simpy

from simulator.agents.component import Component
from simulator.agents.plan import Plan
from simulator.agents.visit import Page
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools
from simulator.settings.base import Count, Positive, Settings


class WebServer(Component):
    """Every page comes from a server with some processes; whoever waits for too long leaves.

    It touches everybody, so every visitor is on the clock.
    """

    class Settings(Settings):
        """Settings of the server.

        Attributes:
            capacity: Pages that are made at the same time.
            mean_seconds: Mean time in which one page is made; exponentially distributed.
            patience_seconds: Time for which a visitor waits until the page begins to be made.
        """

        capacity: Count = 4
        mean_seconds: Positive = 0.3
        patience_seconds: Positive = 8.0

    settings: Settings

    def touches(self, plan: Plan) -> Bools:
        """Everybody."""
        return plan.everybody

    def start(self) -> None:
        """Start the processes."""
        self.server = simpy.Resource(self.env, self.settings.capacity)

    def before_view(self, visitor: Visitor, page: Page) -> Generator[simpy.Event, object, None]:
        """Wait for the page, or leave."""
        with self.server.request() as turn:
            yield turn | self.env.timeout(seconds=self.settings.patience_seconds)
            if not turn.triggered:
                visitor.leave()
                return
            yield self.env.timeout(seconds=self.rng(visitor, "service").exponential(self.settings.mean_seconds))
