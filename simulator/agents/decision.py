"""Decision models: rules by which visitors decide, as components that scenario files can name."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from simulator.agents.component import Component
from simulator.settings.plugins import DECISIONS
from simulator.settings.world import WorldSettings
from simulator.visitors.decision_rule import DecisionRule


class DecisionModel(DecisionRule, Component):
    """Base class of the decision models of a world.

    Override :meth:`thresholds` and :meth:`log_refusal` together. A model that offers more than a demo has hooks and
    events as any component.
    """

    registered_as: ClassVar[str] = DECISIONS
    """Group of entry points under which packages register such classes by short names."""

    def check(self, world: WorldSettings) -> None:
        """Check that the thresholds and the probability of no request are those of one rule."""
        super().check(world)
        uniforms = np.linspace(0.02, 0.98, 49)
        thresholds = np.asarray(self.thresholds(uniforms))
        if thresholds.shape != uniforms.shape or (np.diff(thresholds) < 0).any():
            raise ValueError("thresholds() must give one threshold for each number, a larger one for a larger number")
        # A rule without chance has one threshold for all numbers, and no probability between 0 and 1.
        has_own = (np.diff(thresholds, prepend=-np.inf) > 0) & (np.diff(thresholds, append=np.inf) > 0)
        refusal = np.exp(self.log_refusal(thresholds))
        if not np.allclose(refusal[has_own], 1 - uniforms[has_own], atol=1e-6):
            raise ValueError(
                "thresholds() and log_refusal() are not of one rule: at the threshold of a number u, no request must "
                "have the probability 1 − u; override both"
            )

    @property
    def unknown(self) -> str | None:
        """Why the coefficients of a logit are not the true ones; None if they are."""
        return f"visitors decide by the rule {type(self).__name__}, not by a logit"
