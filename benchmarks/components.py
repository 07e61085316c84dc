"""What components cost: worlds with one component each, against the same world without any, in visitors a second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from benchmarks.measuring import Comparison, Subject
from benchmarks.world import day_of
from simulator.agents.component import Component
from simulator.agents.plan import Plan
from simulator.agents.visitor import Visitor
from simulator.components.live_chat import LiveChat
from simulator.components.nurture_email import NurtureEmail
from simulator.engine.arrays import Bools
from simulator.model import Model
from simulator.settings.world import WorldSettings

_WITHOUT: Final = "no component"
_CHAT: Final = "live chat, some 15 % of the visitors on the clock"
_MAIL: Final = "e-mail, some 3 %"
_BOUNDED: Final = "an effect of at most +0.8 on everybody"
_VISITORS: Final = 100_000.0


class _Encouragement(Component):
    """Moves every decision by up to +0.8: only those whom that can win are on the clock."""

    effect_range = (0.0, 0.8)

    def touches(self, plan: Plan) -> Bools:
        """Visitors who might request a demo with it."""
        return plan.might_request()

    def effect(self, visitor: Visitor) -> float:  # noqa: ARG002 - the same for all
        """Half of it."""
        return 0.4


def _run(world: WorldSettings, *components: Component) -> Subject:
    def run() -> int:
        model = Model(world, seed=7, components=components, active_agents="interacting", sinks=[])
        return model.run().outcome.counts["visitors"]

    return run


def _prepare() -> Mapping[str, Subject]:
    world = day_of(_VISITORS)
    return {
        _WITHOUT: _run(world),
        # As many agents as are wanted: nobody waits in vain.
        _CHAT: _run(world, LiveChat("chat", agents=200)),
        _MAIL: _run(world, NurtureEmail("mail", delay_hours=3.0)),
        _BOUNDED: _run(world, _Encouragement("encouragement")),
    }


COMPONENTS: Final = Comparison(
    name="components",
    title=f"A day of {_VISITORS:,.0f} visitors with a component, events only",
    items="visitors",
    prepare=_prepare,
    goals={_CHAT: 1 / 5, _MAIL: 1 / 2.5, _BOUNDED: 1 / 1.3},
)
"""Cost of components."""
