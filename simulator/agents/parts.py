"""The parts of a model beyond every world's own: components, probes and the class of its visitors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulator.agents.component import Component
from simulator.agents.component_set import ComponentSet
from simulator.agents.probe import Probe
from simulator.agents.visitor import Visitor
from simulator.errors import ComponentError
from simulator.settings.class_identity import ClassIdentity, identity_of
from simulator.settings.world import WorldSettings


def components_of(world: WorldSettings, given: Sequence[Component] = ()) -> ComponentSet:
    """Decision model and components of a world, and further ones; each model has its own, because they have a state.

    Args:
        world: Settings of the world.
        given: Further components, which are copied.

    Raises:
        ComponentError: Two have one name, or one name for something of theirs.
    """
    named = (part.build(place[-1]) for place, part in world.parts.items() if place[0] != "probes")
    return ComponentSet((*named, *(type(part)(part.name, **part.settings.model_dump()) for part in given)))


def probes_of(world: WorldSettings, given: Sequence[Probe] = ()) -> dict[str, Probe]:
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
    components: ComponentSet, probes: Mapping[str, Probe], visitor: type[Visitor], *, decision: str | None
) -> dict[str, ClassIdentity]:
    """Identities of the classes in a model besides those of every world, by places such as ``components.chat``.

    Args:
        components: The components.
        probes: The probes.
        visitor: Class of the visitors.
        decision: Name of the component that is the decision model; None without any.
    """
    parts: dict[str, type] = {
        **{
            part.name if part.name == decision else f"components.{part.name}": type(part)
            for part in components.components
        },
        **{f"probes.{name}": type(probe) for name, probe in probes.items()},
        **({} if visitor is Visitor else {"visitor": visitor}),
    }
    return {place: identity_of(cls) for place, cls in parts.items()}
