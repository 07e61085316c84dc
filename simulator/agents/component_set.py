"""All components of a world together: whom they touch, and what they send."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from simulator.agents.component import Component, ComponentHooks, Effect, total_range
from simulator.agents.plan import Plan
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools
from simulator.errors import ComponentError
from simulator.tracking.lookups import ComponentEvent
from simulator.visitors.truth import Truth
from simulator.world.arrival_sources import CampaignLink

Masks = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ComponentSet:
    """The components of a world, in their order.

    Attributes:
        components: The components.
    """

    components: tuple[Component, ...] = ()

    def __post_init__(self) -> None:
        names = [component.name for component in self.components]
        for name in names:
            if names.count(name) > 1:
                raise ComponentError(f"two components have the name {name!r}; give each a name of its own")
        self._check_owners("signal", lambda component: component.terms())
        self._check_owners("campaign", lambda component: component.campaigns())

    def _check_owners(self, kind: str, named: Callable[[Component], Iterable[str]]) -> None:
        """Refuse a name that two components give to something of theirs: one would silently replace the other."""
        owners: dict[str, str] = {}
        for component in self.components:
            for name in named(component):
                if (other := owners.setdefault(name, component.name)) != component.name:
                    raise ComponentError(
                        f"components {other!r} and {component.name!r} both have a {kind} {name!r}; derive a class with "
                        "names and events of its own for one of them"
                    )

    def __bool__(self) -> bool:
        return bool(self.components)

    @cached_property
    def events(self) -> list[ComponentEvent]:
        """Events of all components, each once."""
        found = {event.name: event for component in self.components for event in component.tracked()}
        return list(found.values())

    @cached_property
    def campaigns(self) -> dict[str, CampaignLink]:
        """Links of all campaigns of the components, by name."""
        return {
            name: CampaignLink(campaign)
            for component in self.components
            for name, campaign in component.campaigns().items()
        }

    @cached_property
    def effect_range(self) -> tuple[float, float]:
        """Sums of the smallest and of the largest effects on a decision, in log-odds."""
        return total_range(component.effect_range for component in self.components)

    @cached_property
    def effects(self) -> dict[str, Effect]:
        """True effects of all components, by the name of the signal that shows each."""
        return {term: effect for component in self.components for term, effect in component.terms().items()}

    def truth(self, truth: Truth, visitor: type[Visitor] = Visitor) -> Truth:
        """The true parameters of a world with these components, and why they are not known where they are not.

        Args:
            truth: The same without components.
            visitor: Class of the visitors.
        """
        return replace(
            truth,
            intercept=truth.intercept + sum(component.intercept_shift for component in self.components),
            coefficients={**truth.coefficients, **{name: each.log_odds for name, each in self.effects.items()}},
            unknown=tuple(self._reasons(visitor)),
        )

    def _reasons(self, visitor: type[Visitor]) -> Iterator[str]:
        """Why a logit of the signals does not have the true coefficients."""
        yield from (reason for component in self.components if (reason := component.unknown))
        if any(getattr(visitor, name) is not getattr(Visitor, name) for name in ("decide", "request_demo")):
            yield f"{visitor.__name__} decides by a rule of its own"

    def touched(self, plan_of: Callable[[Component], Plan], n: int) -> Masks:
        """Which components touch which visitors.

        Args:
            plan_of: Plan of the visitors, as a component sees it.
            n: Number of visitors.

        Returns:
            Truth values; shape (components, visitors).
        """
        masks = np.zeros((len(self.components), n), dtype=bool)
        for place, component in enumerate(self.components):
            masks[place] = checked_mask(component, "touches", component.touches(plan_of(component)), n)
        # A visitor who leaves the plan for another reason may come into the reach of an effect too small before.
        masks[self._only_decides] |= masks[~self._only_decides].any(axis=0)
        return masks

    def awake(self, touched: Masks, is_open: Bools) -> Bools:
        """Which visitors are awake from their arrival on.

        Args:
            touched: Which components touch which visitors; shape (components, visitors).
            is_open: Whether an effect within the ranges could change a decision of each visitor. Whom a component
                touches by its effect alone sleeps if it could not.

        Returns:
            Truth values; shape (visitors,).
        """
        acts = np.logical_or.reduce(touched[self._wakes & ~self._only_decides], axis=0)
        decides = np.logical_or.reduce(touched[self._wakes & self._only_decides], axis=0)
        awake: Bools = acts | (decides & is_open)
        return awake

    @cached_property
    def _wakes(self) -> Masks:
        """Whether each component wakes whom it touches from their arrival on; shape (components,)."""
        return np.array([not component.is_late for component in self.components], dtype=bool)

    @cached_property
    def _only_decides(self) -> Masks:
        """Whether each component moves decisions and nothing else; shape (components,)."""
        return np.array([component.only_decides for component in self.components], dtype=bool)

    @cached_property
    def admits(self) -> Masks:
        """Whether each component may refuse whom it touches; shape (components,)."""
        return np.array([component.overrides("admits") for component in self.components], dtype=bool)

    def hooks(self, touched: Sequence[bool], *, wait_matters: bool) -> ComponentHooks:
        """Hooks of the components that touch a visitor.

        Args:
            touched: Whether each component does.
            wait_matters: Whether the visible wait for a demo moves decisions too.
        """
        return ComponentHooks(
            (component for component, is_touched in zip(self.components, touched, strict=True) if is_touched),
            wait_matters=wait_matters,
        )


def checked_mask(component: Component, method: str, mask: object, n: int) -> Bools:
    """Return what a component says of its visitors, if it is one truth value for each.

    Raises:
        ComponentError: It is not.
    """
    if not isinstance(mask, np.ndarray) or mask.shape != (n,) or mask.dtype != np.bool_:
        raise ComponentError(
            f"component {component.name!r}: {method}() must return one truth value for each of {n} visitors, "
            f"such as plan.views('pricing'); it returned {mask!r:.80}"
        )
    return mask
