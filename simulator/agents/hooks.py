"""Hooks: what components add to a visitor's life, as the visitor sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

Hook = Callable[..., Any]
"""A method of a component that is called with the visitor, and with the page where there is one."""


class Hooks(Protocol):
    """The hooks of the components that touch a visitor, each in the order of the components."""

    on_visit_start: list[Hook]
    before_view: list[Hook]
    on_view: list[Hook]
    before_submit: list[Hook]
    on_submit: list[Hook]
    on_visit_end: list[Hook]

    def admit(self, visitor: Any) -> bool:  # noqa: ANN401 - a visitor, which is further up
        """Whether all components let a visitor come."""

    def margin(self, visitor: Any, margin: float) -> float:  # noqa: ANN401
        """Margin of a decision with the components' effects, in log-odds."""
