"""The world, as far as awake visitors act on it, and the hooks by which components act on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from simulator.agents.awake import AwakeCohort
from simulator.agents.made import Act
from simulator.agents.visit import Page, Visit
from simulator.engine.clock import Clock
from simulator.visitors.cohort import Cohort


class World(Protocol):
    """The part of the world that a visitor acts on."""

    @property
    def clock(self) -> Clock:
        """Simulated time."""

    @property
    def pages(self) -> Sequence[Page]:
        """Pages of the site, by index."""

    def page_named(self, name: str) -> Page:
        """Page of this name."""

    def kind_of(self, event: str) -> tuple[int, bool]:
        """Kind of the activity that is an event of a component, and whether servers send it."""

    def record(self, act: Act) -> None:
        """Record an activity."""

    def request_of(self, cohort: AwakeCohort, row: int, visit: Visit, identified_ms: dict[bool, int]) -> None:
        """Submit the demo request of an awake visitor."""

    def penalty_of(self, cohort: Cohort, row: int) -> float:
        """Effect of the state of the world on the decision to request a demo in log-odds; 0 or below."""

    def has_requested_asleep(self, cohort: AwakeCohort, visit: int) -> bool:
        """Whether a visitor requested a demo at the end of a planned visit, before waking."""

    def refuses(self, invited_by: str | None) -> bool:
        """Whether the colleague who invited a visitor never came."""

    def refuse(self, visitor: str) -> None:
        """Remember a visitor who never came."""


Hook = Callable[..., Any]
"""A method of a component that is called with the visitor, and with the page where there is one."""


class Hooks(Protocol):
    """The hooks of the components that touch a visitor, each in the order of the components."""

    on_visit_start: list[Hook]
    before_view: list[Hook]
    on_view: list[Hook]
    on_submit: list[Hook]
    on_visit_end: list[Hook]
    on_no_request: list[Hook]
    highest: float
    asks_always: bool

    def admit(self, visitor: Any) -> bool:  # noqa: ANN401 - a visitor, which is further up
        """Whether all components let a visitor come."""

    def allow(self, visitor: Any, page: Page) -> bool:  # noqa: ANN401
        """Whether all components let a visitor submit the form of a page."""

    def margin(self, visitor: Any, margin: float) -> float:  # noqa: ANN401
        """Margin of a decision with the components' effects, in log-odds."""
