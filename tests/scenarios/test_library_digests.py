"""The events of the library scenarios are those of earlier versions, unless the CHANGELOG says otherwise."""

from __future__ import annotations

import pytest

from scenarios.config.library import library_names
from scenarios.scenario import Scenario

SMALL = {"clock.hours": 30, "traffic.visitors_per_day": 400}

DIGESTS = {
    "ad-blocker-heavy": "bf1149e19886",
    "attribution-trap": "4533014af030",
    "baseline": "aa9e64cc7232",
    "bot-storm": "4014eb1fa77d",
    "buying-committee": "981ad09c85f2",
    "competitor": "058120135851",
    "discount-banner": "e1a72359bc7d",
    "enterprise": "52bb9a8f0fee",
    "european-privacy": "7f134a02902f",
    "launch-spike": "71901152b511",
    "live-chat": "11fdbd2f3363",
    "low-traffic-startup": "96714ebfbdf0",
    "month": "50060895d04a",
    "nurture-email": "d8e828adf6f1",
    "paid-campaign": "7345d558df09",
    "pricing-ab-test": "5227ea4d7f46",
    "retargeting": "7f310ce0ecc8",
    "sales-bottleneck": "f9f548306889",
    "web-server": "1a3d90812731",
    "webinar": "0c9b957c0dd8",
}
"""First digits of the digest of 30 small hours with seed 7, by scenario."""


@pytest.mark.slow
@pytest.mark.parametrize("name", library_names())
def test_events_are_those_of_earlier_versions(name: str) -> None:
    """A change on purpose changes the digest here, and the CHANGELOG tells users."""
    assert Scenario.load(name, SMALL).run(seed=7).digest.startswith(DIGESTS[name])
