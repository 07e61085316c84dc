"""Built-in probes."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.agents.probe import Probe
from simulator.errors import ComponentError
from simulator.settings.base import Settings, unknown
from simulator.settings.components import name_of
from simulator.settings.world import WorldSettings


class QueueLength(Probe):
    """Requests that wait for an answer, by sales team."""

    def measure(self) -> Mapping[str, float]:
        """Length of each team's inbox."""
        return self.model.sales.queue_lengths()


class ComponentProbe(Probe):
    """The state of a component: chats in progress, pages that wait, seats that are left."""

    class Settings(Probe.Settings):
        """Settings of the probe, beside those of every probe.

        Attributes:
            name: Name of the component in the scenario.
        """

        name: str

    settings: Settings

    def check(self, world: WorldSettings) -> None:
        """Refuse the name of a component that the world does not have."""
        known = [name_of(place) for place in world.parts if place[0] != "probes"]
        if self.settings.name not in known:
            raise ValueError(f"name: {unknown('component', self.settings.name, known)}")

    def measure(self) -> Mapping[str, float]:
        """What the component measures of itself."""
        name, components = self.settings.name, self.model.components
        if name not in components:
            raise ComponentError(f"probe {self.name!r}: {unknown('component', name, components)}")
        return components[name].measures()
