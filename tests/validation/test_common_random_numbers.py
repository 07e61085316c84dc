"""Claims about common random numbers: the variance reduction on worlds of the library."""

from __future__ import annotations

import pytest

from scenarios.comparison import compare_scenarios
from scenarios.scenario import Scenario

SMALL = {"traffic.visitors_per_day": 4000.0}
CHANGES: dict[str, tuple[dict[str, object], str]] = {
    "blockers": ({"tracking.ad_blocker_rate": 0.2}, "page_views()"),
    "eagerness": ({"intent.coefficients": {"security_page_view": 1.1}}, "counts.demo_requests"),
    "no-shows": ({"sales.no_show_rate": 0.25, "clock.hours": 72}, "sales.held"),
    "traffic": ({"traffic.visitors_per_day": 4400.0}, "counts.visitors"),
}


@pytest.mark.validation
@pytest.mark.parametrize("name", CHANGES)
def test_common_random_numbers_reduce_the_variance_of_a_difference(name: str):
    """The variance of the effect of a small change is at most half of that with independent runs.

    The baseline against itself with one change, 40 replications of each. The standard error of the saved share, which
    is a correlation of 40 pairs, is (1 − ρ²) / √40: below 0.12 from a half on.
    """
    change, response = CHANGES[name]
    hours = {"clock.hours": change["clock.hours"]} if "clock.hours" in change else {}
    base = Scenario.load("baseline").replace({**SMALL, **hours})
    (row,) = compare_scenarios(base, base.replace(change), [response], replications=40).to_dicts()
    print(f"\n{name}: {response} {row['difference']:+.3g} ± {row['se']:.2g}, {row['variance_saved']:.1%} saved")
    assert row["variance_saved"] > 0.5


@pytest.mark.validation
@pytest.mark.parametrize("name", Scenario.library())
def test_every_scenario_of_the_library_differs_from_itself_by_nothing(name: str):
    """With another setting that no event depends on every difference is exactly 0.

    The setting keeps the two from being taken for one, which would be run once.
    """
    world = Scenario.load(name, ["clock.hours=24"]).replace({"traffic.visitors_per_day": 500.0, "claims": {}})
    table = compare_scenarios(world, world.replace({"analytics.moving_average_hours": 7}), replications=2, jobs=1)
    assert table["difference"].drop_nulls().to_list() == [0.0] * table["difference"].count()
    assert table["difference"].count() >= 4
