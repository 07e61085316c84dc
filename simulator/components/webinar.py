"""A webinar with a limited number of seats."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import simpy

from analytics.events.times import HOUR_MS
from simulator.agents.component import Component, Effect, event_signal
from simulator.agents.plan import Plan
from simulator.agents.visit import Page
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools
from simulator.settings.base import Count, LogOdds, Positive, Probability, Settings
from simulator.settings.site import FormPageName


class Webinar(Component):
    """A webinar with limited seats; when they are taken, or it has begun, its form is closed.

    Some of those who registered attend, and attending moves their later decisions. One that starts after the end of the
    simulation takes registrations, but nobody attends it.
    """

    class Settings(Component.Settings):
        """Settings of the webinar.

        Attributes:
            page: Page whose form registers for it.
            seats: Number of seats.
            at_hour: Start, in hours since the start of the simulation.
            attend_rate: Probability that somebody with a seat attends.
            effect: Effect of having attended on all later decisions in log-odds.
        """

        page: FormPageName = "webinar"
        seats: Count = 50
        at_hour: Positive = 16.0
        attend_rate: Probability = 0.6
        effect: LogOdds = 1.0

    settings: Settings
    server_events = ("Webinar Attended",)

    @property
    def effect_range(self) -> tuple[float, float]:  # type: ignore[override]
        """From absence to attendance."""
        return min(0.0, self.settings.effect), max(0.0, self.settings.effect)

    def terms(self) -> Mapping[str, Effect]:
        """The effect of attending."""
        signal = event_signal("Webinar Attended", "has attended the webinar")
        return {"webinar_attended": Effect(self.settings.effect, signal)}

    def touches(self, plan: Plan) -> Bools:
        """Visitors who would register."""
        return plan.submits(self.settings.page)

    def start(self) -> None:
        """Open the registration."""
        self.free = self.settings.seats
        self.n_attended = 0
        self.begins_ms = round(HOUR_MS * self.settings.at_hour)

    def before_submit(self, visitor: Visitor, page: Page) -> bool:
        """Whether there is a seat."""
        # Visitors with a seat may submit the form again without taking another one.
        if page.name != self.settings.page or self.name in visitor.state:
            return True
        return self.free > 0 and self.now_ms < self.begins_ms

    def on_submit(self, visitor: Visitor, page: Page) -> None:
        """Take a seat."""
        if page.name == self.settings.page and self.name not in visitor.state:
            self.free -= 1
            visitor.state[self.name] = "registered"
            if self.rng(visitor, "attends").chance(self.settings.attend_rate):
                self.env.process(self._attend(visitor))

    def _attend(self, visitor: Visitor) -> Generator[simpy.Event, object, None]:
        yield self.model.clock.until(self.begins_ms)
        self.n_attended += 1
        visitor.state[self.name] = "attended"
        visitor.track("Webinar Attended")

    def effect(self, visitor: Visitor) -> float:
        """The effect, for visitors who have attended."""
        return self.settings.effect if visitor.state.get(self.name) == "attended" else 0.0

    def measures(self) -> Mapping[str, float]:
        """Seats that are left, and visitors who attended."""
        return {"seats_left": self.free, "attended": self.n_attended}
