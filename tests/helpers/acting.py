"""A small world in which visitors act, and components that note what they see."""

from typing import Any

from simulator.agents.component import Component
from simulator.agents.plan import Plan
from simulator.agents.visit import Page
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools
from simulator.model import Model
from simulator.settings.world import WorldSettings

HALF_DAY: dict[str, Any] = {
    "traffic": {"visitors_per_day": 400},
    "clock": {"hours": 12},
    "visits": {"return_rate": 0.5, "gap_hours": 0.3},
    "intent": {"target_conversion": None, "intercept": -50.0},
    "population": {"accounts": 40, "second_device_rate": 0.3},
}
"""Half a day of some hundred visitors, who return often and never request a demo."""


def lived(*components: Component, seed: int = 2, active_agents: Any = "interacting", **given: Any) -> Model:
    """Half a day with components; ``visitor`` and ``probes`` go to the model, everything else to the world."""
    options = {name: given.pop(name) for name in ("visitor", "probes") if name in given}
    if "visitor" in options:
        active_agents = "all"
    world = WorldSettings.model_validate({**HALF_DAY, **given})
    return Model(world, seed=seed, components=components, active_agents=active_agents, **options).run()


class Everywhere(Component):
    """Touches everybody; what it does is up to its subclasses."""

    def touches(self, plan: Plan) -> Bools:
        """Everybody."""
        return plan.everybody


class Diary(Everywhere):
    """Notes the time, the hook, the visitor and the page of everything that happens."""

    def start(self) -> None:
        """Begin."""
        self.notes: list[tuple[int, str, Visitor, str]] = []

    def note(self, hook: str, visitor: Visitor, page: str = "") -> None:
        """Write down what happened."""
        assert visitor.now_ms == self.now_ms
        self.notes.append((self.now_ms, hook, visitor, page))

    def admits(self, visitor: Visitor) -> bool:
        """Note it; everybody may come."""
        self.note("admits", visitor)
        return True

    def on_visit_start(self, visitor: Visitor) -> None:
        """Note it."""
        self.note("on_visit_start", visitor)

    def before_view(self, visitor: Visitor, page: Page) -> None:
        """Note it."""
        self.note("before_view", visitor, page.name)

    def on_view(self, visitor: Visitor, page: Page) -> None:
        """Note it."""
        self.note("on_view", visitor, page.name)

    def before_submit(self, visitor: Visitor, page: Page) -> bool:
        """Note it; every form may be sent."""
        self.note("before_submit", visitor, page.name)
        return True

    def on_submit(self, visitor: Visitor, page: Page) -> None:
        """Note it."""
        self.note("on_submit", visitor, page.name)

    def on_visit_end(self, visitor: Visitor) -> None:
        """Note it."""
        self.note("on_visit_end", visitor)
