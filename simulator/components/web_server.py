"""A web server with a limited capacity: pages wait, and some visitors do not."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import simpy

from simulator.agents.component import Component
from simulator.agents.plan import Plan
from simulator.agents.visit import Page
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools
from simulator.settings.base import Count, Positive, Settings


class WebServer(Component):
    """Every page comes from a server with some processes; visitors who wait for too long leave.

    Pages are made in the order in which they are asked for. A slow server delays page views, so the same visits have
    fewer of them and take longer. It touches everybody, so every visitor is on the clock.
    """

    class Settings(Component.Settings):
        """Settings of the server.

        Attributes:
            capacity: Pages that are made at the same time.
            mean_seconds: Mean time in which one page is made; exponentially distributed.
            patience_seconds: Time for which a visitor waits until the page begins to be made. Nobody waits for so long
                that 30 minutes pass without an event, after which analysts take a visit for over.
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
        self.n_left = 0

    def before_view(self, visitor: Visitor, page: Page) -> Generator[simpy.Event, object, None]:
        """Wait for the page, or leave."""
        # Neither wait nor service may end the visit for analysts, who see 30 minutes without an event.
        with self.server.request() as turn:
            yield turn | self.env.timeout(min(round(1000 * self.settings.patience_seconds), visitor.idle_ms_left))
            if not turn.triggered:
                self.n_left += 1
                visitor.leave()
                return
            service_ms = round(1000 * self.rng(visitor, "service").exponential(self.settings.mean_seconds))
            yield self.env.timeout(min(service_ms, visitor.idle_ms_left))

    def measures(self) -> Mapping[str, float]:
        """Pages that are being made and that wait, share of the capacity in use, and visitors who left so far."""
        busy, waiting = self.server.count, len(self.server.queue)
        return {
            "in_progress": busy,
            "waiting": waiting,
            "utilisation": busy / self.settings.capacity,
            "gave_up": self.n_left,
        }
