"""Claims about the settings of tracking."""

from typing import Any

import pytest

from simulator.settings.world import WorldSettings

DIRTY: dict[str, Any] = {
    "ad_blocker_rate": 0.4,
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


@pytest.mark.parametrize("name", sorted(DIRTY))
def test_any_rate_above_0_makes_tracking_lossy(name: str):
    """No rate is forgotten when it is asked whether tracking is lossless."""
    zero = {"late_minutes": 5.0, "ad_blocker_rate": {"desktop": 0.0}, "consent_refusal_rate": {}}
    assert WorldSettings.model_validate({"tracking": zero}).tracking.is_lossless
    assert not WorldSettings.model_validate({"tracking": {name: DIRTY[name]}}).tracking.is_lossless
