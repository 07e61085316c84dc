"""Claims about sample-size planning in simulated worlds."""

from __future__ import annotations

import math
from typing import Any

import pytest

from scenarios.power import sample_size
from scenarios.scenario import Scenario
from scenarios.study import Study

SMALL: dict[str, Any] = {
    "traffic.visitors_per_day": 1000,
    "visits.gap_hours": 0.5,
    "visits.return_rate": 0.45,
    "intent.target_conversion": 0.2,
}


@pytest.mark.validation
def test_the_sample_size_reaches_the_target_power():
    """At the size of a search with 400 runs, 400 others find the signal in 80 %, within 3 standard errors of both.

    The search's share of the error is that of its interval, put into power by the curve; the other's is binomial.
    """
    world = Scenario.load("baseline").replace(SMALL)
    found = sample_size(world, "security_page_view")
    assert found.high is not None
    print(f"\n{found!r}, [{found.low:.0f}, {found.high:.0f}]\n{found.curve}")
    study = Study.from_dict(
        {
            "name": "s",
            "scenario": world.replace({"traffic.visitors_per_day": found.needed}).to_data(),
            "seed": 555,
            "replications": 400,
            "responses": {"p": 'p_value("security_page_view")'},
        }
    )
    share = float((study.run().replications["value"].fill_null(1.0) < 0.05).mean())  # type: ignore[arg-type]
    of_search = (found.fitted.power(found.high) - found.fitted.power(found.low)) / 2 / 1.96
    print(f"found in {share:.3f} of 400 others")
    assert abs(share - 0.8) < 3 * math.hypot(of_search, math.sqrt(0.8 * 0.2 / 400))
