"""Components: everything that visitors can meet in the world, beyond pages, forms and the sales team."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import GeneratorType
from typing import Any, ClassVar, Protocol, Self

from analytics.events.tracking_plan import SERVER_SIDE_EVENTS, EventName
from analytics.signals.settings import EventSignal, SignalSettings
from simulator.agents.plan import Plan
from simulator.agents.randomness import VisitorRandom
from simulator.agents.visit import Page
from simulator.agents.visitor import Visitor
from simulator.engine.arrays import Bools
from simulator.engine.clock import MINUTE_MS, Clock, ExactEnvironment
from simulator.engine.streams import AddressedUniforms
from simulator.errors import ComponentError
from simulator.sales.desk import SalesDesk
from simulator.settings.base import Settings as SettingsModel
from simulator.settings.own_classes import check_class
from simulator.settings.plugins import COMPONENTS
from simulator.settings.traffic import CampaignSettings
from simulator.settings.world import WorldSettings
from simulator.tracking.lookups import ComponentEvent

Reaction = object
"""What a hook returns: None, or a generator of SimPy events that takes the visitor's time."""

Window = tuple[int, int]
"""Start and end of a time in ms since the start of the simulation; the end does not belong to it."""

_ON_SITE = (
    "admits",
    "on_visit_start",
    "before_view",
    "on_view",
    "before_submit",
    "on_submit",
    "on_visit_end",
    "on_no_request",
)
_HOOKS = (*_ON_SITE, "touches", "selects", "effect", "terms")


@dataclass(frozen=True)
class Effect:
    """A true effect of a component on the decision, and the signal that shows it to analysts.

    Attributes:
        log_odds: The effect, in log-odds.
        seen_as: Signal that is true for whom the effect holds, as in ``analytics.signals`` of a scenario.

    >>> Effect(1.2, seen_as=event_signal("Live Chat Started")).seen_as.signal("live_chat").values
    ('Live Chat Started',)
    """

    log_odds: float
    seen_as: SignalSettings


def event_signal(event: str, meaning: str | None = None) -> EventSignal:
    """Signal that is true once an event of this name was tracked for the visitor.

    Args:
        event: Name of the event.
        meaning: What it says of a visitor who has it, such as "has chatted".
    """
    return EventSignal(kind="event", events=(event,), meaning=meaning, expectation="high")


class ModelView(Protocol):
    """The model, as far as components need it."""

    @property
    def clock(self) -> Clock:
        """Simulated time."""

    @property
    def sales(self) -> SalesDesk:
        """The sales desk."""

    @property
    def env(self) -> ExactEnvironment:
        """The SimPy environment, in whole milliseconds."""

    @property
    def components(self) -> Mapping[str, Component]:
        """The components, by name."""

    def uniforms(self, name: str) -> AddressedUniforms:
        """Random numbers of the world for a purpose, by address."""

    def wake_for(self, component: Component, window: Window) -> None:
        """Wake the visitors whom a component selects in a window."""

    def subscribe(self, event: str, call: Callable[[], None]) -> None:
        """Have a function called after each event of a name."""


class Component:
    """Base class of the components of a world.

    A component says in arrays whom it may ever touch (:meth:`touches`), and acts on the clock: its hooks are called for
    those visitors, and for nobody else. A hook that is a generator takes the visitor's time. Whom no component touches
    lives as planned and is never an object, so a component costs as much as the visitors that it touches.

    Override what is needed; no method needs ``super()``. Everything that is drawn comes from :meth:`rng` or
    :meth:`Plan.uniforms`, so that the result depends on the seed alone.

    Args:
        name: Name of the component in the model; that of its class in the registry unless given.
        settings: Settings of the component, as keyword arguments.

    Attributes:
        name: Its name.
        settings: Its settings, checked.
        model: The model, from :meth:`start` on.
        windows: Times for which a component that acts late has woken visitors.
    """

    class Settings(SettingsModel):
        """Settings of the component; frozen, with a default for each."""

    events: ClassVar[Sequence[str]] = ()
    """Names of the `track` calls that its visitors' browsers send."""

    server_events: ClassVar[Sequence[str]] = ()
    """Names of the `track` calls that its servers send, which no ad blocker stops."""

    effect_range: tuple[float, float] = (0.0, 0.0)
    """Smallest and largest value of :meth:`effect`, in log-odds; what lies outside is an error."""

    registered_as: ClassVar[str] = COMPONENTS
    """Group of entry points under which packages register such classes by short names."""

    settings: Any
    model: ModelView

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - as Python has it
        super().__init_subclass__(**options)
        check_class(cls, SettingsModel, _HOOKS)

    def __init__(self, name: str | None = None, /, **settings: object) -> None:
        self.name = name or type(self).__name__
        self.settings = self.Settings(**settings)
        self.windows: list[Window] = []

    def check(self, world: WorldSettings) -> None:
        """Check the settings against the world that they are for, before anything runs.

        Names of pages need no check here if their settings have the type :data:`PageName`.

        Args:
            world: Settings of the world.

        Raises:
            ValueError: They do not fit. A message such as ``page: has no form`` names the setting first.
        """

    # What it may do, in arrays

    def touches(self, plan: Plan) -> Bools:
        """Visitors whom it may ever touch, by their plan; a pure function. Shape (visitors,)."""
        return plan.nobody

    def selects(self, plan: Plan, since_ms: int, until_ms: int) -> Bools:
        """Visitors whom it touches in a window of time that it has opened by :meth:`open_window`.

        A component that overrides this one wakes nobody else: nobody can know beforehand when it will act. Its hooks on
        the site are called within its windows only; :meth:`effect` is called always, and must be 0 for visitors it has
        not met. :meth:`touches` must name all whom it may ever select.

        Args:
            plan: The plan of the visitors.
            since_ms: Start of the window.
            until_ms: Its end.

        Returns:
            Truth values; shape (visitors,).
        """
        return plan.nobody

    def terms(self) -> Mapping[str, Effect]:
        """True effects by the name of the signal; the truth, the model and the report know of them."""
        return {}

    def campaigns(self) -> Mapping[str, CampaignSettings]:
        """Campaigns whose links lead visitors back to the site, with their UTM parameters, by name."""
        return {}

    # What it does on the clock

    def start(self) -> Reaction:
        """Called once, at the start of the clock; a generator is a process."""

    def admits(self, visitor: Visitor) -> bool:
        """Whether a visitor who is about to make the first visit comes at all."""
        return True

    def on_visit_start(self, visitor: Visitor) -> Reaction:
        """Called when a visit starts, before its first page."""

    def before_view(self, visitor: Visitor, page: Page) -> Reaction:
        """Called before a page is viewed."""

    def on_view(self, visitor: Visitor, page: Page) -> Reaction:
        """Called when a page was viewed."""

    def before_submit(self, visitor: Visitor, page: Page) -> bool:
        """Whether the form of a page can be submitted."""
        return True

    def on_submit(self, visitor: Visitor, page: Page) -> Reaction:
        """Called when a form was submitted."""

    def on_visit_end(self, visitor: Visitor) -> Reaction:
        """Called at the end of a visit, before the decision."""

    def on_no_request(self, visitor: Visitor) -> Reaction:
        """Called after a visit whose decision was against a demo.

        A component with this hook has all effects asked for at each decision: ``visitor.visit.shift`` is their sum.
        """

    def effect(self, visitor: Visitor) -> float:
        """Effect on the decision at the end of a visit, in log-odds, within ``effect_range``.

        Asked for only where an effect within the range can change the decision.
        """
        return 0.0

    def measures(self) -> Mapping[str, float]:
        """State of now, by name of the measure, such as the length of a queue; the probe ``component`` records it."""
        return {}

    # What it has

    def __getstate__(self) -> dict[str, Any]:
        """Its name and settings: workers need only them, and what happens on the clock cannot travel."""
        return {"name": self.name, "settings": self.settings, "windows": []}

    @property
    def env(self) -> ExactEnvironment:
        """The SimPy environment, in whole milliseconds."""
        return self.model.env

    @property
    def now_ms(self) -> int:
        """Now, in ms since the start of the simulation."""
        return self.model.clock.now_ms

    def rng(self, visitor: Visitor, name: str) -> VisitorRandom:
        """Random numbers of a visitor for a purpose of this component.

        The first number is that of :meth:`Plan.uniforms` with the same name.
        """
        return visitor.rng(f"component:{self.name}/{name}")

    def account_rng(self, account: str, name: str) -> VisitorRandom:
        """Random numbers of a company for a purpose of this component; the same for all its people.

        Args:
            account: Identifier of the company: ``visitor.account.account``.
            name: The purpose.
        """
        # By its name, not its row: another company in the world changes nothing for this one.
        address = int.from_bytes(hashlib.sha256(account.encode()).digest()[:5], "little")
        return VisitorRandom(self.model.uniforms(f"component:{self.name}/accounts/{name}"), address)

    def attach(self, model: ModelView) -> Self:
        """Put the component into a model and start it."""
        self.model = model
        process = self.start()
        if isinstance(process, GeneratorType):
            model.env.process(process)
        elif process is not None:
            raise ComponentError(
                f"component {self.name!r}: start() must be a generator or return nothing: {process!r:.60}"
            )
        return self

    def open_window(self, minutes: float) -> None:
        """Act from the next millisecond on, for some time: wakes those whom :meth:`selects` names."""
        window = (self.now_ms + 1, self.now_ms + 1 + round(MINUTE_MS * minutes))
        self.windows.append(window)
        self.model.wake_for(self, window)

    @property
    def is_open(self) -> bool:
        """Whether now is within one of its windows."""
        now_ms = self.now_ms
        return any(since_ms <= now_ms < until_ms for since_ms, until_ms in self.windows)

    @property
    def is_late(self) -> bool:
        """Whether it acts in windows that nobody can know beforehand."""
        return self.overrides("selects")

    @classmethod
    def overrides(cls, method: str) -> bool:
        """Whether the class has a method of its own in place of the one here."""
        return getattr(cls, method) is not getattr(Component, method)

    @property
    def acts(self) -> bool:
        """Whether it has a hook or an effect, and so does something to the visitors whom it touches."""
        return any(self.overrides(name) for name in (*_ON_SITE, "effect"))

    @cached_property
    def only_decides(self) -> bool:
        """Whether it moves decisions and nothing else, so that it may know its visitors by their margins."""
        return self.overrides("effect") and not any(self.overrides(name) for name in _ON_SITE)

    @property
    def unknown(self) -> str | None:
        """Why the true coefficients of a logit are not known with this component; None if they are."""
        if not self.overrides("effect") or self.terms():
            return None
        return f"the component {self.name!r} moves decisions by an effect that its terms() do not name"

    @property
    def intercept_shift(self) -> float:
        """What the intercept of a logit of requests has beyond that of the scenario, in log-odds."""
        return 0.0

    def tracked(self) -> list[ComponentEvent]:
        """Its events, those of the browser first.

        Raises:
            ComponentError: An event has the name of an event of the tracking plan.
        """
        for names in (self.events, self.server_events):
            if isinstance(names, str):
                raise ComponentError(f"{self.name}: events are a sequence of names, such as ({names!r},), not a text")
        for event in (*self.events, *self.server_events):
            if event in set(EventName) | SERVER_SIDE_EVENTS:
                raise ComponentError(
                    f"{self.name}: {event!r} is an event of the site; give the component's event another name"
                )
        browser = [ComponentEvent(event) for event in self.events]
        return browser + [ComponentEvent(event, on_server=True) for event in self.server_events]
