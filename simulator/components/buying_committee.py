"""A buying committee: one person who wants a demo is not enough."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

from simulator.agents.component import Component
from simulator.agents.plan import Plan
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools
from simulator.settings.base import Count, Settings


class BuyingCommittee(Component):
    """A company requests a demo only when enough of its people want one.

    A visitor who wants a demo at the end of a visit votes for it, once and for ever; the one whose vote completes the
    quorum requests it. Visitors whose company is not recognised decide alone.

    No signal shows how many colleagues want a demo, so the true coefficients of the decision are unknown with it.
    """

    class Settings(Component.Settings):
        """Settings of the committee.

        Attributes:
            quorum: Number of persons of a company who must want a demo; with 1 everybody decides alone.
        """

        quorum: Count = 2

    settings: Settings
    effect_range = (-math.inf, 0.0)

    def touches(self, plan: Plan) -> Bools:
        """Visitors of recognised companies who might request."""
        return plan.has_account & plan.might_request()

    def start(self) -> None:
        """Nobody has voted."""
        self.votes: defaultdict[str, set[str]] = defaultdict(set)

    def effect(self, visitor: Visitor) -> float:
        """−∞ until the votes are enough; called for those only who want a demo, so it counts their votes."""
        if visitor.account is None:
            return 0.0
        votes = self.votes[visitor.account.account or ""]
        # A set: a visitor who asks again in a later visit has one vote all the same.
        votes.add(visitor.id)
        return 0.0 if len(votes) >= self.settings.quorum else -math.inf

    def measures(self) -> Mapping[str, float]:
        """Companies in which somebody has voted, and those with a quorum."""
        n_votes = [len(votes) for votes in self.votes.values()]
        return {"voting": len(n_votes), "agreed": sum(n >= self.settings.quorum for n in n_votes)}
