"""A competitor, to whom companies are lost."""

from __future__ import annotations

import math
from collections.abc import Mapping

from simulator.agents.component import Component
from simulator.agents.plan import Plan
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools
from simulator.engine.clock import DAY_MS
from simulator.settings.base import Positive, Settings


class Competitor(Component):
    """Companies buy from somebody else, at random times; from then on, their people request no demo.

    Each company is lost after an exponentially distributed time. Its people keep visiting the site, and no event tells
    that it is lost, so the true coefficients of the decision are unknown with it.
    """

    class Settings(Component.Settings):
        """Settings of the competitor.

        Attributes:
            mean_days: Mean time from the start of the simulation until a company is lost, in days.
        """

        mean_days: Positive = 30.0

    settings: Settings
    effect_range = (-math.inf, 0.0)

    def touches(self, plan: Plan) -> Bools:
        """Visitors of recognised companies who might request."""
        return plan.has_account & plan.might_request()

    def start(self) -> None:
        """No request was lost."""
        self.n_refused = 0

    def lost_ms(self, account: str) -> int:
        """Time at which a company is lost, in ms since the start of the simulation.

        Args:
            account: Identifier of the company.
        """
        # Drawn from the company's own numbers, so that it does not matter who of it is asked first.
        days = self.account_rng(account, "lost").exponential(self.settings.mean_days)
        return round(DAY_MS * days)

    def effect(self, visitor: Visitor) -> float:
        """−∞ once the company is lost; called for those only who want a demo."""
        account = visitor.account.account if visitor.account else None
        if account is None or self.now_ms < self.lost_ms(account):
            return 0.0
        self.n_refused += 1
        return -math.inf

    def measures(self) -> Mapping[str, float]:
        """Requests that were not made because the company was lost."""
        return {"lost_requests": self.n_refused}
