"""All components of a world together: whom they touch, and what they send."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from analytics.events.tracking_plan import SERVER_SIDE_EVENTS, EventName
from analytics.signals.settings import EventSignal
from simulator.agents.component import Component, Effect
from simulator.agents.plan import Plan
from simulator.agents.visit import Page
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools
from simulator.errors import ComponentError
from simulator.settings.base import unknown
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
        for component in self.components:
            _check_range(component)
            if component.acts and not component.overrides("touches"):
                raise ComponentError(
                    f"component {component.name!r}: it has hooks or an effect but no touches(), so it would touch "
                    "nobody; return plan.everybody, or those whom it touches"
                )
        self._check_owners("signal", lambda component: component.terms())
        self._check_owners("campaign", lambda component: component.campaigns())
        self._check_events()

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

    def _check_events(self) -> None:
        """Refuse a term whose signal is an event that nobody sends."""
        known = {*EventName, *SERVER_SIDE_EVENTS, *(event.name for event in self.events)}
        for name, effect in self.effects.items():
            for event in effect.seen_as.events if isinstance(effect.seen_as, EventSignal) else ():
                if event not in known:
                    advice = unknown("event", event, [each.name for each in self.events])
                    raise ComponentError(
                        f"the term {name!r} is seen as an event that no component lists in events or server_events: "
                        f"{advice}"
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

    def awake(self, touched: Masks, is_open: Callable[[], Bools]) -> Bools:
        """Which visitors are awake from their arrival on.

        Args:
            touched: Which components touch which visitors; shape (components, visitors).
            is_open: Returns whether an effect within the ranges could change a decision of each visitor. Whom a
                component touches by its effect alone sleeps if it could not.

        Returns:
            Truth values; shape (visitors,).
        """
        # Hooks may change anything; an effect changes a decision or nothing.
        acts = np.logical_or.reduce(touched[self._wakes & ~self._only_decides], axis=0)
        decides = np.logical_or.reduce(touched[self._wakes & self._only_decides], axis=0)
        awake: Bools = acts | (decides & is_open()) if decides.any() else acts
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

    def hooks(self, touched: Sequence[bool]) -> ComponentHooks:
        """Hooks of the components that touch a visitor.

        Args:
            touched: Whether each component does.
        """
        return ComponentHooks(
            component for component, is_touched in zip(self.components, touched, strict=True) if is_touched
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


def total_range(ranges: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Return the sums of the smallest and of the largest effects, each of which may be absent.

    Args:
        ranges: Smallest and largest effect of each component, in log-odds.

    >>> total_range([(0.0, 0.8), (-0.5, -0.1)])
    (-0.5, 0.8)
    """
    lows, highs = zip((0.0, 0.0), *ranges, strict=True)
    # Sums without rounding errors: the same ones in any order.
    return math.fsum(min(0.0, low) for low in lows), math.fsum(max(0.0, high) for high in highs)


class ComponentHooks:
    """The hooks of some components, in their order, without those that do nothing.

    Args:
        components: The components that touch a visitor.

    Attributes:
        highest: Sum of the largest effects, in log-odds.
        asks_always: Whether effects are asked for even where they cannot change a decision.
    """

    def __init__(self, components: Iterable[Component]) -> None:
        self.components = tuple(components)
        self._admits = self._of("admits")
        self.on_visit_start = self._of("on_visit_start")
        self.before_view = self._of("before_view")
        self.on_view = self._of("on_view")
        self._before_submit = self._of("before_submit")
        self.on_submit = self._of("on_submit")
        self.on_visit_end = self._of("on_visit_end")
        self.on_no_request = self._of("on_no_request")
        self.asks_always = bool(self.on_no_request)
        # Encouragement first: visitors not won over by it need not be asked what discourages them. What may forbid a
        # request comes last, so that it is asked of those only who want a demo after all else.
        ranges = [(each, *each.effect_range) for each in self.components if each.overrides("effect")]
        self._effects = sorted(ranges, key=lambda each: (each[2] > 0, each[1]), reverse=True)
        self._lowest, self.highest = total_range((low, high) for _, low, high in self._effects)

    def _of(self, name: str) -> list[Callable[..., Any]]:
        return [_hook(component, name) for component in self.components if component.overrides(name)]

    def admit(self, visitor: Visitor) -> bool:
        """Whether all components let a visitor come."""
        return all(_answer(hook, hook(visitor)) for hook in self._admits)

    def allow(self, visitor: Visitor, page: Page) -> bool:
        """Whether all components let a visitor submit the form of a page."""
        return all(_answer(hook, hook(visitor, page)) for hook in self._before_submit)

    def margin(self, visitor: Visitor, margin: float) -> float:
        """Margin of a decision with the components' effects, in log-odds.

        Components are asked only where their effects can decide; so one that counts votes hears of those only who want
        a demo.

        Args:
            visitor: The visitor who decides.
            margin: Margin without the effects.

        Raises:
            ComponentError: An effect lies outside its range, or is no number.
        """
        if margin > -self._lowest and not self.asks_always:
            return margin
        highest = self.highest
        for component, low, high in self._effects:
            if margin + highest <= 0 and not self.asks_always:
                break
            highest -= max(0.0, high)
            margin += _checked_effect(component, component.effect(visitor), low, high)
        return margin


def _check_range(component: Component) -> None:
    """Refuse a range that does not hold what the component says of its effects."""
    (low, high), terms = component.effect_range, component.terms()
    if not low <= high:
        raise ComponentError(f"component {component.name!r}: effect_range must be (smallest, largest), not {low, high}")
    if not component.overrides("effect"):
        if terms:
            names = ", ".join(map(repr, terms))
            raise ComponentError(
                f"component {component.name!r}: terms() names {names}, but no effect() moves a decision"
            )
        return
    if not component.overrides("effect_range"):
        raise ComponentError(
            f"component {component.name!r}: it has an effect() but no effect_range; "
            "say the smallest and the largest value of the effect, such as effect_range = (0.0, 1.2)"
        )
    for name, term in terms.items():
        if not low <= term.log_odds <= high:
            raise ComponentError(
                f"component {component.name!r}: the true effect of {name!r} is {term.log_odds:g}, outside its "
                f"effect_range of {low:g} to {high:g}"
            )


def _answer(hook: Callable[..., Any], answer: object) -> bool:
    """What a hook says that decides at once."""
    if not isinstance(answer, bool | np.bool_):
        name = getattr(hook, "__qualname__", str(hook))
        raise ComponentError(f"{name}() must return True or False, and cannot wait; it returned {answer!r:.60}")
    return bool(answer)


def _checked_effect(component: Component, effect: object, low: float, high: float) -> float:
    # A visitor who could be moved further than announced may be asleep: a wrong number, not a slow one.
    if not (isinstance(effect, Real) and low <= float(effect) <= high):
        given = f"{float(effect):g}" if isinstance(effect, Real) else f"{effect!r}, which is no number"
        raise ComponentError(
            f"component {component.name!r}: effect() gave {given}, outside its effect_range of {low:g} to {high:g}"
        )
    return float(effect)


def _hook(component: Component, name: str) -> Callable[..., Any]:
    """Hook of a component; one that acts late has none outside its windows."""
    hook: Callable[..., Any] = getattr(component, name)
    if not component.is_late:
        return hook
    nothing = getattr(Component, name)

    def within_windows(visitor: Visitor, *page: Page) -> object:
        return hook(visitor, *page) if component.is_open else nothing(component, visitor, *page)

    return within_windows
