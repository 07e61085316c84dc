"""Advertisements that bring back visitors who left."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping

import simpy

from simulator.agents.component import Component
from simulator.agents.plan import Plan
from simulator.agents.visit import Page
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools
from simulator.settings.base import Count, NonNegative, Positive, Probability, Settings
from simulator.settings.site import PageName
from simulator.settings.traffic import CampaignSettings


class Retargeting(Component):
    """Visitors who left after viewing a page are shown advertisements elsewhere; a click adds a visit.

    Each visitor is shown a limited number of them, one at a time, until the first click. Nobody who has requested a
    demo clicks any more.
    """

    class Settings(Component.Settings):
        """Settings of the advertisements.

        Attributes:
            page: Page whose visitors are shown them.
            impressions: Largest number of advertisements shown to one visitor (the frequency cap).
            hours_between: Mean time from one to the next, and from the end of the visit to the first, in hours.
            click_rate: Probability that a visitor clicks on one that is shown.
            landing: Page to which they lead.
            campaign: UTM parameters of their links.
            cost_per_click: Cost of a click.
            budget: Money for clicks; no advertisement is shown when another click would exceed it. Null for no limit.
        """

        page: PageName = "pricing"
        impressions: Count = 10
        hours_between: Positive = 4.0
        click_rate: Probability = 0.02
        landing: PageName = "pricing"
        campaign: CampaignSettings = CampaignSettings(source="linkedin", medium="paid_social", name="retargeting")
        cost_per_click: NonNegative = 6.0
        budget: NonNegative | None = None

    settings: Settings

    def touches(self, plan: Plan) -> Bools:
        """Visitors of the page who click on one of as many advertisements as they may be shown."""
        return plan.views(self.settings.page) & (plan.uniforms("click") < self._ever_clicks)

    @property
    def _ever_clicks(self) -> float:
        return 1 - (1 - self.settings.click_rate) ** self.settings.impressions

    def campaigns(self) -> Mapping[str, CampaignSettings]:
        """The advertisement."""
        return {self.name: self.settings.campaign}

    def start(self) -> None:
        """Nobody has clicked."""
        self.clicks = 0

    def on_view(self, visitor: Visitor, page: Page) -> None:
        """Remember who has viewed the page."""
        if page.name == self.settings.page:
            visitor.state.setdefault(self.name, "seen")

    def on_visit_end(self, visitor: Visitor) -> None:
        """Follow the visitor with advertisements."""
        # At the end of the visit: nobody is advertised to while on the site.
        if visitor.state.get(self.name) == "seen":
            visitor.state[self.name] = "followed"
            self.env.process(self._advertise(visitor))

    def _advertise(self, visitor: Visitor) -> Generator[simpy.Event, object, None]:
        # Which advertisement is clicked is known from the same number as whether any is.
        left = math.log1p(-self.rng(visitor, "click").uniform())
        rate, gaps = self.settings.click_rate, self.rng(visitor, "gaps")
        n_shown = 1 if rate == 1 else math.ceil(left / math.log1p(-rate))
        for _ in range(n_shown):
            yield self.env.timeout(hours=gaps.exponential(self.settings.hours_between))
        if not visitor.has_requested and self._pays():
            visitor.come_back(self.now_ms, self.settings.landing, self.name)

    def _pays(self) -> bool:
        """Pay for a click, if there is money for it."""
        budget = math.inf if self.settings.budget is None else self.settings.budget
        is_paid = (self.clicks + 1) * self.settings.cost_per_click <= budget
        self.clicks += is_paid
        return is_paid

    def measures(self) -> Mapping[str, float]:
        """Clicks so far, and the money spent on them."""
        return {"clicks": self.clicks, "spent": self.clicks * self.settings.cost_per_click}
