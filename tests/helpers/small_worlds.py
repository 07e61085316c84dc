"""Small worlds, their results, and comparisons of shares, for the tests of the simulator."""

from typing import Any

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

from analytics.sessions.identity import stitched
from analytics.sessions.visits import visit_table
from simulator.model import Model
from simulator.replication.outcome import Outcome
from simulator.settings.world import WorldSettings

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
    model = Model(world, seed=seed, **options).run()
    return model.events, model.outcome


def off_by(found: np.ndarray, share: float) -> float:
    """Standard errors between the frequency of some truth values and a share."""
    return float(abs(found.mean() - share) / np.sqrt(share * (1 - share) / len(found)))


def check_shares(found: np.ndarray, shares: list[float]) -> None:
    """Compare the frequencies of indices with shares, each within its binomial standard error."""
    p = np.array(shares)
    frequency = np.bincount(found, minlength=len(p)) / len(found)
    assert (np.abs(frequency - p) <= SE * np.sqrt(p * (1 - p) / len(found))).all()


def check_same(found: Model, expected: Model) -> None:
    """All that comes of two models is equal: events, faults, the tables of the truth, sales, counts and probes."""
    assert_frame_equal(found.events, expected.events)
    one, other = found.outcome, expected.outcome
    for name in ("visits", "people", "accounts", "labels"):
        assert_frame_equal(getattr(one, name), getattr(other, name))
    assert_frame_equal(one.sales.requests, other.sales.requests)
    assert one.sales.summary == other.sales.summary
    assert one.counts == other.counts
    assert found.truth == expected.truth
    assert one.probes.keys() == other.probes.keys()
    for name, frame in one.probes.items():
        assert_frame_equal(frame, other.probes[name])


def check_rebuilt(model: Model) -> pl.DataFrame:
    """Visit table made of the events of a world without losses, which must be the true one row for row."""
    # Whose browser is whose is known here; where everybody has one, this changes nothing.
    events = stitched(model.events, model.outcome.people)
    unit, length = model.world.intent.conversion_unit, "log_session_minutes"
    rebuilt = visit_table(events, observed_until=model.clock.end, conversion_unit=unit)
    assert_frame_equal(rebuilt.drop(length), model.outcome.visits.drop(length), check_exact=True)
    np.testing.assert_allclose(rebuilt[length], model.outcome.visits[length], rtol=1e-12, atol=0)
    counts = model.outcome.counts
    assert counts["visits"] == rebuilt.height
    assert counts["visitors"] == rebuilt["anonymous_id"].n_unique()
    assert counts["demo_requests"] == rebuilt["requested_demo"].sum()
    return rebuilt
