"""Claims about visits after a request."""

from functools import cache

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from small_worlds import simulated

from simulator.model import Model
from simulator.replication.outcome import Outcome
from simulator.settings.world import WorldSettings

RETURN_RATE = 0.6
ASKED = (pl.col("event").cast(pl.String) == "Demo Requested").fill_null(value=False)


def world_of(rate: float, conversion_unit: str = "visitor") -> WorldSettings:
    """A day on which a third of the visitors make a request; returns follow within the hour."""
    return WorldSettings.model_validate(
        {
            "traffic": {"visitors_per_day": 3000},
            "population": {"personas": {}},
            "visits": {"return_rate": RETURN_RATE, "gap_hours": 0.02, "after_request_rate": rate},
            "intent": {"target_conversion": 0.3, "conversion_unit": conversion_unit},
        }
    )


@cache
def run(rate: float, conversion_unit: str = "visitor") -> tuple[pl.DataFrame, Outcome]:
    """The events and the outcome."""
    return simulated(world_of(rate, conversion_unit))


def after_request(visits: pl.DataFrame) -> pl.DataFrame:
    """The visits that began after their visitor's request."""
    asked = visits.filter("requested_demo").select("anonymous_id", asked="visit", moment="ended_at")
    return visits.join(asked, on="anonymous_id").filter(pl.col("visit") > pl.col("asked"))


@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_as_many_come_again_as_the_rates_say(rate: float):
    """Of visitors with an early request, the return rate times the share who keep visiting, within 4 SE."""
    visits = run(rate)[1].visits
    early = visits["started_at"].min() + (visits["started_at"].max() - visits["started_at"].min()) * 0.8
    asked = visits.filter(pl.col("requested_demo"), pl.col("ended_at") < early)
    again = after_request(visits)["anonymous_id"].unique()
    share, p = asked["anonymous_id"].is_in(again.implode()).mean(), rate * RETURN_RATE
    assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / asked.height)


@pytest.mark.parametrize("conversion_unit", ["visitor", "account"])
def test_nobody_asks_twice_and_no_visit_after_the_request_is_at_risk(conversion_unit: str):
    """A visitor, or an account, has one request; later visits are not at risk."""
    events, outcome = run(1.0, conversion_unit)
    assert events.filter(ASKED)["anonymous_id"].is_unique().all()
    if conversion_unit == "account":
        assert events.filter(ASKED)["context_group_id"].drop_nulls().is_unique().all()
    later = after_request(outcome.visits)
    assert later.height > 500
    assert not later["at_risk"].any()
    assert not later["requested_demo"].any()
    assert outcome.counts["visits"] == outcome.visits.height


def test_visits_after_a_request_change_no_other_event():
    """All events of the world without such visits, the default, are there, to the byte; new ones follow a request."""
    (few, one), (many, other) = run(0.0), run(1.0)
    assert WorldSettings().visits.after_request_rate == 0
    assert after_request(one.visits).is_empty()
    assert_frame_equal(many.filter(pl.col("message_id").is_in(few["message_id"].implode())), few)
    new = many.filter(~pl.col("message_id").is_in(few["message_id"].implode()))
    assert new.height > 1000
    assert set(new["anonymous_id"]) <= set(few.filter(ASKED)["anonymous_id"])
    assert one.sales.summary == other.sales.summary
    assert one.truth == other.truth


def test_no_other_source_of_randomness_is_moved():
    """The choice has its own random source, which is not used at a rate of 0."""
    none, half = (Model(world_of(rate), seed=4).draws() for rate in (0.0, 0.5))
    assert {name for name in half if half[name] != none.get(name)} == {
        name for name in half if name.endswith("after_request")
    }
    assert not [name for name in none if name.endswith("after_request")]
