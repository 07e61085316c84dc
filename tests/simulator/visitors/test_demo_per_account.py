"""Claims about requests per account: after the first one, colleagues make no request and are otherwise unaffected."""

from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from simulator.settings.world import WorldSettings
from simulator.simulation import Outcome, Simulation
from simulator.tracking.delivery import CollectingSink

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
    sink = CollectingSink()
    outcome = Simulation(world, seed=seed).run([sink])
    asked = sink.events.filter(pl.col("event") == "Demo Requested")
    return asked.select("anonymous_id", "timestamp", "context_group_id"), outcome


def requests_per_account(asked: pl.DataFrame) -> pl.Series:
    """Number of requests of each account with at least one."""
    return asked.drop_nulls("context_group_id").group_by("context_group_id").len()["len"]


@pytest.mark.parametrize("seed", range(5))
def test_only_the_first_of_each_account_requests(seed: int):
    """Over seeds, cohorts, two campaigns and a launch: most accounts make a request, none makes two.

    With the same seed the requests are the first of each account where visitors decide independently, and those of
    visitors without a company, at the same times.
    """
    each, one = (
        simulated(conversion_unit, seed)[0].sort("timestamp", "anonymous_id")
        for conversion_unit in ("visitor", "account")
    )
    per_account = requests_per_account(one)
    assert len(per_account) > 40
    assert per_account.max() == 1 < requests_per_account(each).max()
    assert one["anonymous_id"].is_unique().all()
    first = pl.int_range(pl.len()).over("context_group_id") == 0
    assert_frame_equal(one, each.filter(pl.col("context_group_id").is_null() | first))


def test_colleagues_keep_visiting():
    """All visits of a world of independent decisions take place, and further ones where no request was made."""
    each, one = (simulated(conversion_unit)[1].visits for conversion_unit in ("visitor", "account"))
    key = ["anonymous_id", "visit", "started_at", "ended_at"]
    assert each.join(one, on=key, how="anti").is_empty()
    more = one.join(each, on=key, how="anti")
    assert more.height > 0
    assert not more["at_risk"].any()


def test_colleagues_are_not_at_risk_in_the_true_table():
    """Visits outside the risk set exist, end without a request, and belong to accounts with a request."""
    visits = simulated("account")[1].visits
    out = visits.filter(~pl.col("at_risk"))
    assert out.height > 100
    assert not out["requested_demo"].any()
    assert out["account"].is_in(visits.filter("requested_demo")["account"].drop_nulls().implode()).all()
    assert simulated("visitor")[1].visits["at_risk"].all()


def test_without_recognised_accounts_all_decide_independently():
    """Where no visitor's company is recognised the setting changes nothing."""
    each, one = (
        simulated(conversion_unit, population={"account_rate": 0.0})[0] for conversion_unit in ("visitor", "account")
    )
    assert each.height > 100
    assert_frame_equal(one, each)


def test_a_second_run_starts_without_requests():
    """The requests of accounts belong to the run, not to the simulation."""
    world = WorldSettings.model_validate(
        {"traffic": {"visitors_per_day": 2000}, "population": {"accounts": 5}, "intent": {"target_conversion": 0.3}}
    )
    simulation = Simulation(world, seed=2)
    first, second = (simulation.run().counts["demo_requests"] for _ in range(2))
    assert first == second > 5
