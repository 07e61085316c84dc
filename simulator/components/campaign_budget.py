"""A campaign, or another traffic source, that stops when its money is spent."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.agents.component import Component
from simulator.agents.plan import Plan
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools
from simulator.settings.base import NonNegative, Positive, Settings


class CampaignBudget(Component):
    """Every visitor of a campaign costs a click; when the money is spent, nobody comes by it any more.

    A world has one for each campaign of ``traffic.campaigns`` with a budget, under the name ``campaign:NAME``, and for
    each of ``traffic.sources``, under ``source:NAME/budget``. It has to see who comes in the order in which they come,
    so it touches all visitors of the campaign, and the colleagues whom they would invite: visitors who never came
    invite nobody.
    """

    class Settings(Component.Settings):
        """Settings of the budget.

        Attributes:
            campaign: Name of the campaign; ``source:NAME`` for one of ``traffic.sources``.
            budget: Money for its clicks.
            cost_per_click: Cost of one of them.
        """

        campaign: str
        budget: NonNegative
        cost_per_click: Positive

    settings: Settings

    def touches(self, plan: Plan) -> Bools:
        """Visitors of the campaign, and their colleagues."""
        # Colleagues have the same source with an ending.
        campaign = self.settings.campaign
        source = campaign if campaign.startswith("source:") else f"campaign:{campaign}"
        return plan.everybody if plan.source.partition("/")[0] == source else plan.nobody

    def start(self) -> None:
        """Nothing is spent."""
        self.clicks = 0

    def admits(self, visitor: Visitor) -> bool:
        """Whether there is money for the click; colleagues come by a link that costs nothing."""
        if visitor.invited_by:
            return True
        # A product, not a sum: many small rounding errors could exceed the budget.
        is_paid = (self.clicks + 1) * self.settings.cost_per_click <= self.settings.budget
        self.clicks += is_paid
        return is_paid

    def measures(self) -> Mapping[str, float]:
        """Clicks so far, the money spent on them, and what is left."""
        spent = self.clicks * self.settings.cost_per_click
        return {"clicks": self.clicks, "spent": spent, "left": self.settings.budget - spent}
