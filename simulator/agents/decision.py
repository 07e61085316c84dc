"""Decision models: rules by which visitors decide, as components that scenario files can name."""

from __future__ import annotations

from typing import ClassVar

from simulator.agents.component import Component
from simulator.settings.plugins import DECISIONS
from simulator.visitors.decision_rule import DecisionRule


class DecisionModel(DecisionRule, Component):
    """Base class of the decision models of a world.

    Override :meth:`thresholds` and :meth:`log_refusal` together. A model that offers more than a demo has hooks and
    events as any component.
    """

    registered_as: ClassVar[str] = DECISIONS
    """Group of entry points under which packages register such classes by short names."""

    @property
    def unknown(self) -> str | None:
        """Why the coefficients of a logit are not the true ones; None if they are."""
        return f"visitors decide by the rule {type(self).__name__}, not by a logit"
