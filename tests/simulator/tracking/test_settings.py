"""Claims about the settings of tracking."""

import pytest
from small_worlds import DIRTY

from simulator.settings.world import WorldSettings


@pytest.mark.parametrize("name", sorted(DIRTY))
def test_any_rate_above_0_makes_tracking_lossy(name: str):
    """Every rate counts for whether tracking is lossless."""
    zero = {"late_minutes": 5.0, "ad_blocker_rate": {"desktop": 0.0}, "consent_refusal_rate": {}}
    assert WorldSettings.model_validate({"tracking": zero}).tracking.is_lossless
    assert not WorldSettings.model_validate({"tracking": {name: DIRTY[name]}}).tracking.is_lossless
