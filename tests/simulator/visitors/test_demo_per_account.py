"""Claims about requests per account: after the first one, colleagues make no request and are otherwise unaffected."""

from typing import Any

import polars as pl
import pytest
import small_worlds
from polars.testing import assert_frame_equal

from simulator.replication.outcome import Outcome
from simulator.settings.world import WorldSettings

DAY = "2026-03-03T{}:00Z"
CAMPAIGN = {"start": DAY.format("00:00"), "end": DAY.format("20:00"), "channel": "email", "visitors": 600}
SOURCES = {
    "campaigns": {"spring": CAMPAIGN, "again": CAMPAIGN},
    "events": {"launch": {"kind": "launch", "start": DAY.format("10:00"), "end": DAY.format("16:00"), "factor": 3.0}},
}


def simulated(conversion_unit: str, seed: int = 1, **settings: Any) -> tuple[pl.DataFrame, Outcome]:
    """Requests and outcome of a day with many visitors of 80 accounts from several arrival sources."""
    world = WorldSettings.model_validate(
        {
            "traffic": {"visitors_per_day": 1000, **SOURCES},
            "population": {"accounts": 80},
            "intent": {"target_conversion": 0.2, "conversion_unit": conversion_unit},
            "visits": {"return_rate": 0.5, "gap_hours": 1.0},
        }
        | settings
    )
    events, outcome = small_worlds.simulated(world, seed)
    asked = events.filter(pl.col("event") == "Demo Requested")
    return asked.select("anonymous_id", "timestamp", "context_group_id"), outcome


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_only_the_first_of_each_account_requests(seed: int):
    """Over seeds, cohorts, two campaigns and a launch: most accounts make a request, none makes two.

    With the same seed the requests are the first of each account where visitors decide independently, and those of
    visitors without a company, at the same times.
    """
    each, one = (
        simulated(conversion_unit, seed)[0].sort("timestamp", "anonymous_id")
        for conversion_unit in ("visitor", "account")
    )
    per_account, at_will = (asked["context_group_id"].drop_nulls().value_counts()["count"] for asked in (one, each))
    assert len(per_account) > 40
    assert per_account.max() == 1 < at_will.max()
    assert one["anonymous_id"].is_unique().all()
    first = pl.int_range(pl.len()).over("context_group_id") == 0
    assert_frame_equal(one, each.filter(pl.col("context_group_id").is_null() | first))


def test_colleagues_keep_visiting_and_are_not_at_risk():
    """All visits of a world of independent decisions take place, and further ones where no request was made.

    Visits outside the risk set end without a request, and belong to accounts with a request.
    """
    each, one = (simulated(conversion_unit)[1].visits for conversion_unit in ("visitor", "account"))
    key = ["anonymous_id", "visit", "started_at", "ended_at"]
    assert each.join(one, on=key, how="anti").is_empty()
    more, out = one.join(each, on=key, how="anti"), one.filter(~pl.col("at_risk"))
    assert more.height > 0
    assert not more["at_risk"].any()
    assert each["at_risk"].all()
    assert out.height > 100
    assert not out["requested_demo"].any()
    assert out["account"].is_in(one.filter("requested_demo")["account"].drop_nulls().implode()).all()


@pytest.mark.slow
def test_without_recognised_accounts_all_decide_independently():
    """Where no visitor's company is recognised the setting changes nothing."""
    each, one = (
        simulated(conversion_unit, population={"account_rate": 0.0})[0] for conversion_unit in ("visitor", "account")
    )
    assert each.height > 100
    assert_frame_equal(one, each)
