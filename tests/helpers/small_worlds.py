"""Small worlds, their results, and comparisons of shares, for the tests of the simulator."""

from typing import Any

import numpy as np
import polars as pl
from simulator.visitors.visitor import Visitor

from simulator.model import Outcome, Simulation
from simulator.settings.world import WorldSettings
from simulator.tracking.delivery import CollectingSink

DIRTY: dict[str, Any] = {
    "ad_blocker_rate": {"desktop": 0.4, "mobile": 0.1},
    "consent_refusal_rate": {"europe": 0.3},
    "late_rate": 0.05,
    "reorder_rate": 0.1,
    "duplicate_rate": 0.06,
    "id_collision_rate": 0.04,
    "clock_skew_rate": 0.2,
    "malformed_rate": 0.03,
    "bots_per_day": 40.0,
    "undeclared_bots_per_day": 20.0,
}
"""Every tracking fault at once."""

SE = 4.5
"""A share misses its value by 4.5 standard errors in one of 150,000 seeds."""


def simulated(world: WorldSettings, seed: int = 4, **options: Any) -> tuple[pl.DataFrame, Outcome]:
    """Events and outcome of a run."""
    sink = CollectingSink()
    outcome = Simulation(world, seed=seed, **options).run([sink])
    return sink.events, outcome


def off_by(found: np.ndarray, share: float) -> float:
    """Standard errors between the frequency of some truth values and a share."""
    return float(abs(found.mean() - share) / np.sqrt(share * (1 - share) / len(found)))


def check_shares(found: np.ndarray, shares: list[float]) -> None:
    """Compare the frequencies of indices with shares, each within its binomial standard error."""
    p = np.array(shares)
    frequency = np.bincount(found, minlength=len(p)) / len(found)
    assert (np.abs(frequency - p) <= SE * np.sqrt(p * (1 - p) / len(found))).all()


class LoggingVisitor(Visitor):
    """A visitor who notes every step; subclasses say where."""

    def note(self, what: str, number: int) -> None:
        """Note a step, and the row of its page view or visit."""
        raise NotImplementedError

    def view_page(self, view: int) -> None:
        """View a page and note it."""
        super().view_page(view)
        self.note("view", view)

    def send_form(self, view: int) -> None:
        """Submit a form and note it."""
        super().send_form(view)
        self.note("form", view)

    def wants_demo(self, visit: int) -> bool:
        """Note the decision and make it."""
        self.note("decide", visit)
        return super().wants_demo(visit)
