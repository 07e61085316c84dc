"""The parts of a model beyond every world's own: components, probes and the class of its visitors."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.agents.component import Component
from simulator.agents.component_set import ComponentSet
from simulator.agents.probe import Probe
from simulator.agents.visitor import Visitor
from simulator.errors import ComponentError
from simulator.settings.class_identity import ClassIdentity, identities_of, identity_of
from simulator.settings.world import WorldParts


def components_of(world: WorldParts, given: Sequence[Component] = ()) -> ComponentSet:
    """Decision model and components of a world, and further ones; each model has its own, because they have a state.

    Args:
        world: Settings of the world.
        given: Further components, which are copied.

    Raises:
        ComponentError: Two have one name, or one name for something of theirs.
    """
    named = (part.build(place[-1]) for place, part in world.parts.items() if place[0] != "probes")
    return ComponentSet((*named, *(type(part)(part.name, **part.settings.model_dump()) for part in given)))


def probes_of(world: WorldParts, given: Sequence[Probe] = ()) -> dict[str, Probe]:
    """Probes of a world, and further ones, by name; each model has its own.

    Args:
        world: Settings of the world.
        given: Further probes, which are copied.

    Raises:
        ComponentError: Two have one name.
    """
    probes: dict[str, Probe] = {name: part.build(name) for name, part in world.probes.items()}
    for probe in given:
        if probe.name in probes:
            raise ComponentError(f"two probes have the name {probe.name!r}; give each a name of its own")
        probes[probe.name] = type(probe)(probe.name, **probe.settings.model_dump())
    return probes


def classes_of(
    world: WorldParts, components: Sequence[Component], probes: Sequence[Probe], visitor: type[Visitor]
) -> dict[str, ClassIdentity]:
    """Identities of the classes in a model besides those of every world, by places such as ``components.chat``.

    Args:
        world: Settings of the world.
        components: Components that the world does not name.
        probes: Probes that the world does not name.
        visitor: Class of the visitors.
    """
    beside: dict[str, type] = {
        **{f"components.{component.name}": type(component) for component in components},
        **{f"probes.{probe.name}": type(probe) for probe in probes},
        **({} if visitor is Visitor else {"visitor": visitor}),
    }
    return {**identities_of(world), **{place: identity_of(cls) for place, cls in beside.items()}}
