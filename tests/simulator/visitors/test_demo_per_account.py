"""Claims about accounts that ask once: when a colleague has asked, the others stop asking and nothing else."""

from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from simulator.settings.world import WorldSettings
from simulator.simulation import Outcome, Simulation
from simulator.tracking.delivery import CollectingSink

DAY = "2026-03-03T{}:00Z"
CAMPAIGN = {"start": DAY.format("00:00"), "end": DAY.format("20:00"), "channel": "email", "visitors": 600}
INFLOWS = {
    "campaigns": {"spring": CAMPAIGN, "again": CAMPAIGN},
    "events": {"launch": {"kind": "launch", "start": DAY.format("10:00"), "end": DAY.format("16:00"), "factor": 3.0}},
}


def simulated(conversion_unit: str, seed: int = 1, **settings: Any) -> tuple[pl.DataFrame, Outcome]:
    """First requests and outcome of a day on which many people of 80 accounts come by several inflows, and ask."""
    world = WorldSettings.model_validate(
        {
            "traffic": {"visitors_per_day": 1000, **INFLOWS},
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
    """Number of requests of each account that made any."""
    return asked.drop_nulls("context_group_id").group_by("context_group_id").len()["len"]


@pytest.mark.parametrize("seed", range(5))
def test_one_account_never_has_two_requests(seed: int):
    """Over seeds, cohorts, two campaigns and a launch, most accounts ask, and none asks twice."""
    asked = simulated("account", seed)[0]
    per_account = requests_per_account(asked)
    assert len(per_account) > 40
    assert per_account.max() == 1
    assert asked["anonymous_id"].is_unique().all()


@pytest.mark.parametrize("seed", range(5))
def test_only_the_first_of_each_account_asks_and_all_others_as_before(seed: int):
    """With the same seed, those who ask are the first of each account when people ask for themselves, and all others.

    Who has no company asks at the same moment whatever the companies do.
    """
    each, one = (
        simulated(conversion_unit, seed)[0].sort("timestamp", "anonymous_id")
        for conversion_unit in ("visitor", "account")
    )
    assert requests_per_account(each).max() > 1
    first = pl.int_range(pl.len()).over("context_group_id") == 0
    assert_frame_equal(one, each.filter(pl.col("context_group_id").is_null() | first))


def test_who_does_not_ask_goes_on_visiting():
    """The visits of a world in which people ask for themselves all happen, and those after a request not made."""
    each, one = (simulated(conversion_unit)[1].visits for conversion_unit in ("visitor", "account"))
    key = ["anonymous_id", "visit", "started_at", "ended_at"]
    assert each.join(one, on=key, how="anti").is_empty()
    more = one.join(each, on=key, how="anti")
    assert more.height > 0
    assert not more["at_risk"].any()


def test_the_true_table_leaves_colleagues_out_of_the_risk_set():
    """Visits out of the risk set never end in a request, belong to accounts that have asked, and are there."""
    visits = simulated("account")[1].visits
    out = visits.filter(~pl.col("at_risk"))
    assert out.height > 100
    assert not out["requested_demo"].any()
    assert out["account"].is_in(visits.filter("requested_demo")["account"].drop_nulls().implode()).all()
    assert simulated("visitor")[1].visits["at_risk"].all()


def test_without_recognised_accounts_everybody_asks_for_themselves():
    """Where no visitor's company is recognised the setting changes nothing."""
    each, one = (
        simulated(conversion_unit, population={"account_rate": 0.0})[0] for conversion_unit in ("visitor", "account")
    )
    assert each.height > 100
    assert_frame_equal(one, each)


def test_a_second_run_of_a_simulation_begins_with_accounts_that_have_not_asked():
    """Which accounts have asked belongs to the run, not to the simulation."""
    world = WorldSettings.model_validate({"population": {"accounts": 5}, "intent": {"target_conversion": 0.3}})
    simulation = Simulation(world, seed=2)
    first, second = (simulation.run().counts["demo_requests"] for _ in range(2))
    assert first == second > 5
