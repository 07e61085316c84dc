"""The parts of a model beyond every world's own: components, probes and the class of its visitors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simulator.agents.component import Component
from simulator.agents.component_set import ComponentSet
from simulator.agents.decision import DecisionModel
from simulator.agents.probe import Probe
from simulator.agents.traffic_source import TrafficSource
from simulator.agents.visitor import Visitor
from simulator.errors import ComponentError
from simulator.settings.class_identity import ClassIdentity, identities_of, identity_of
from simulator.settings.components import faults_of, name_of
from simulator.settings.own_classes import check_copy
from simulator.settings.world import WorldParts

_ELSEWHERE = {
    DecisionModel: "name a decision model under `decision`",
    TrafficSource: "name a traffic source under `traffic.sources`",
}


def components_of(world: WorldParts, given: Sequence[Component] = ()) -> ComponentSet:
    """Decision model and components of a world, and further ones; each model has its own, because they have a state.

    Args:
        world: Settings of the world.
        given: Further components, which are copied.

    Raises:
        ComponentError: Two have one name, or one name for something of theirs; or one does not fit the world or
            has an attribute that its copy lacks.
    """
    named = (part.build(name_of(place)) for place, part in world.parts.items() if place[0] != "probes")
    for part in given:
        _require(part, Component)
        for place, message in faults_of(type(part), part.name, part.settings.model_dump(), world):
            raise ComponentError(": ".join([repr(part.name), *map(str, place), message]))
    return ComponentSet((*named, *map(_copied, given)))


def probes_of(world: WorldParts, given: Sequence[Probe] = ()) -> dict[str, Probe]:
    """Probes of a world, and further ones, by name; each model has its own.

    Args:
        world: Settings of the world.
        given: Further probes, which are copied.

    Raises:
        ComponentError: Two have one name, or one has an attribute that its copy lacks.
    """
    probes: dict[str, Probe] = {name: part.build(name) for name, part in world.probes.items()}
    for probe in given:
        _require(probe, Probe)
        if probe.name in probes:
            raise ComponentError(f"two probes have the name {probe.name!r}; give each a name of its own")
        probes[probe.name] = _copied(probe)
    return probes


def _require(part: object, kind: type) -> None:
    """Refuse what is no object of a kind, or a strategy that the world must know of before it has a model."""
    advice = next((text for strategy, text in _ELSEWHERE.items() if isinstance(part, strategy)), None)
    if advice or not isinstance(part, kind):
        raise ComponentError(f"{part!r} is no {kind.__name__.lower()} of a model; {advice or 'give objects'}")


def _copied(part: Any) -> Any:  # noqa: ANN401 - a component or a probe
    """A component or probe for one model: what the model has of it is a copy's."""
    copy = type(part)(part.name, **part.settings.model_dump())
    check_copy(part, copy)
    return copy


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
