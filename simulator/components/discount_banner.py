"""A banner on the pricing page, shown while the sales team has little to do."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import simpy

from simulator.agents.component import Component, Effect, event_signal
from simulator.agents.plan import Plan
from simulator.agents.visit import Page
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools
from simulator.settings.base import Count, LogOdds, Positive, Settings
from simulator.settings.site import PageName


class DiscountBanner(Component):
    """When few requests wait, a page shows a discount for some time; visitors who see it then are moved.

    Nobody can know beforehand when that will be, so visitors are woken late.
    """

    class Settings(Component.Settings):
        """Settings of the banner.

        Attributes:
            page: Page that shows the banner.
            shown_below: The banner is switched on when fewer requests than this wait for an answer.
            check_minutes: Time between two looks at the queue.
            minutes: Time for which the banner is shown.
            effect: Effect of having seen it on all later decisions, in log-odds.
        """

        page: PageName = "pricing"
        shown_below: Count = 3
        check_minutes: Positive = 30.0
        minutes: Positive = 30.0
        effect: LogOdds = 0.8

    settings: Settings
    events = ("Discount Shown",)

    @property
    def effect_range(self) -> tuple[float, float]:  # type: ignore[override]
        """From no banner to a banner."""
        return min(0.0, self.settings.effect), max(0.0, self.settings.effect)

    def terms(self) -> Mapping[str, Effect]:
        """The effect of the banner."""
        signal = event_signal("Discount Shown", "has been shown a discount")
        return {"discount_shown": Effect(self.settings.effect, signal)}

    def touches(self, plan: Plan) -> Bools:
        """Visitors of the page."""
        return plan.views(self.settings.page)

    def selects(self, plan: Plan, since_ms: int, until_ms: int) -> Bools:
        """Visitors of the page while the banner is shown."""
        return plan.views(self.settings.page, since_ms, until_ms)

    def start(self) -> Generator[simpy.Event, object, None]:
        """Look at the queue again and again."""
        self.n_shown = 0
        while True:
            yield self.env.timeout(minutes=self.settings.check_minutes)
            # Nobody can know beforehand when the desk will be idle: visitors of the page are woken only then.
            waiting = sum(self.model.sales.queue_lengths().values())
            if waiting < self.settings.shown_below and not self.is_open:
                self.open_window(self.settings.minutes)

    def on_view(self, visitor: Visitor, page: Page) -> None:
        """Show the banner."""
        if page.name == self.settings.page and self.name not in visitor.state:
            visitor.state[self.name] = True
            self.n_shown += 1
            visitor.track("Discount Shown")

    def effect(self, visitor: Visitor) -> float:
        """The effect, for visitors who have seen it."""
        return self.settings.effect if self.name in visitor.state else 0.0

    def measures(self) -> Mapping[str, float]:
        """1 while the banner is shown, else 0; and visitors who have seen it so far."""
        return {"is_shown": self.is_open, "seen_by": self.n_shown}
