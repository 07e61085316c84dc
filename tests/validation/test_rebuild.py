"""Claims about the round trip from the simulator's truth through a file of events and back."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.io.ndjson import encode, read_ndjson
from analytics.sessions.identity import stitched
from analytics.sessions.visits import visit_table
from analytics.store.event_store import EventStore
from simulator.engine.clock import Clock
from simulator.model import Model
from simulator.settings.sales import WEEKDAYS
from simulator.settings.world import WorldSettings
from simulator.tracking.delivery import CollectingSink


def referred(address: str, **campaign: str) -> dict[str, Any]:
    """Settings of a world to which all come by one link."""
    channel = {"share": 1.0, "referrer": address, "campaign": campaign or None}
    return {"traffic": {"visitors_per_day": 400, "channels": {"link": channel}}}


AT_ONCE: dict[str, Any] = {
    "teams": {"default": {"opens": "00:00", "closes": "24:00", "weekdays": list(WEEKDAYS)}},
    "lead_hours": 0.0,
    "buyer_delay_days": 0.0,
    "days_to_close": 0.01,
}
"""A desk that never closes and buyers who cannot wait."""

RESTLESS: dict[str, Any] = {
    "campaigns": {
        "spring-sale": {
            "start": "2026-03-03T07:10:30.5+01:00",
            "end": "2026-03-03T15:00:00Z",
            "channel": "paid_search",
            "visitors": 300,
            "landing": {"pricing": 2.0, "white_paper": 1.0},
        },
        "friends": {
            "start": "2026-03-02T00:00:00Z",
            "end": "2026-03-05T00:00:00Z",
            "channel": "direct",
            "visitors": 300,
            "utm": {"source": "S=;&?", "medium": "email", "term": "ä"},
            "engagement": 5.0,
        },
    },
    "events": {
        "launch": {
            "kind": "launch",
            "start": "2026-03-03T14:00:00Z",
            "end": "2026-03-03T17:00:00Z",
            "factor": 4.0,
            "channels": {"tech_blog": 0.5, "email": 0.5},
            "landing": {"product": 1.0},
        },
        "crowd": {"kind": "launch", "start": "2026-03-03T20:00:00Z", "end": "2026-03-04T20:00:00Z", "factor": 1.5},
        "outage": {"kind": "outage", "start": "2026-03-03T13:00:00Z", "end": "2026-03-03T15:30:00Z"},
    },
}
EXPERIMENTS: dict[str, Any] = {
    "pricing-page": {
        "arms": {
            "a": {"share": 0.5},
            "b": {"share": 0.5, "links": {"pricing": 3.0}, "exit_rate": {"pricing": 0.5}, "log_odds": 0.7},
        }
    },
    "button.color": {"arms": {"red": {"share": 0.2, "log_odds": -0.5}, "green": {"share": 0.3}, "x": {"share": 0.5}}},
}

WORLDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "36 hours": {"clock": {"hours": 36}},
    "one hour": {"clock": {"hours": 1}, "traffic": {"visitors_per_day": 12_000}},
    "many returns": {
        "traffic": {"visitors_per_day": 500},
        "visits": {"return_rate": 0.9, "gap_hours": 0.05, "max_visits": 255},
        "population": {"personas": {}},
    },
    "no returns": {"visits": {"return_rate": 0.0}},
    "half-hour start": {"clock": {"start": "2026-03-07T13:37:41.123Z", "hours": 24}},
    "start elsewhere": {"clock": {"start": "2026-03-28T22:30:00+05:30", "hours": 30}},
    "low traffic": {"traffic": {"visitors_per_day": 40}, "intent": {"target_conversion": 0.3}},
    "one visitor a day": {"traffic": {"visitors_per_day": 1}, "intent": {"target_conversion": 0.3}},
    "willing accounts": {"intent": {"account_sd": 1.5}, "population": {"accounts": 30}},
    "no accounts": {"population": {"account_rate": 0.0}},
    "only company mail": {"population": {"account_rate": 1.0, "company_email_rate": 1.0, "accounts": 5}},
    "eager": {
        "intent": {"target_conversion": 0.5},
        "sales": {"teams": {"default": {"sdrs": {"headcount": 1}, "account_executives": {"headcount": 1}}}},
    },
    "eager, returning and of few accounts": {
        "population": {"accounts": 12, "account_rate": 1.0},
        "intent": {"target_conversion": 0.5},
        "visits": {"return_rate": 0.8, "gap_hours": 0.5},
    },
    "slow readers": {"visits": {"dwell_shape": 0.3}},
    "tech blog with www, port, user and capitals": referred("http://me@www.TechBlog.example.org:8080/x?page=1"),
    "a link from the site itself": {**referred("https://dev.to/"), "site": {"host": "dev.to"}},
    "campaign full of signs": referred("https://x.example.org", source='a"\\\n', medium="cpc", name="ä&b=?#é", term=""),
    "campaign in capitals": referred("https://x.example.org", source="S", medium="CPC"),
    "answers of no length": {"intent": {"target_conversion": 0.5}, "sales": {**AT_ONCE, "response_minutes": 1e-5}},
    "demos that end with a visit": {"intent": {"target_conversion": 0.5}, "sales": {**AT_ONCE, "slot_minutes": 1.0}},
    "discouraged by the wait": {"intent": {"target_conversion": 0.5}, "sales": {"wait_effect_per_day": -2.0}},
    "growing": {"traffic": {"visitors_per_day": 600, "growth_per_week": 20.0}, "clock": {"hours": 36}},
    "everything together": {
        "traffic": {"visitors_per_day": 700, "growth_per_week": -0.5, **RESTLESS},
        "experiments": EXPERIMENTS,
        "intent": {"target_conversion": 0.3},
        "visits": {"return_rate": 0.8, "gap_hours": 0.5},
    },
    "few accounts, several cohorts": {
        "traffic": {"visitors_per_day": 9_000},
        "population": {"accounts": 60},
        "intent": {"target_conversion": 0.1},
    },
    "a demo per visitor": {
        "population": {"accounts": 30},
        "intent": {"target_conversion": 0.3, "conversion_unit": "visitor"},
    },
    "colleagues everywhere": {
        "population": {
            "accounts": 40,
            "account_rate": 1.0,
            "invitation_hours": 0.5,
            "personas": {
                "champion": {"invites": {"colleague": 0.9}, "pages": {"pricing": 3.0}},
                "colleague": {"weight": 0.1, "log_odds": 2.0, "return_factor": 2.0},
            },
        },
        "intent": {"target_conversion": 0.2},
    },
    "two devices, colleagues and campaigns": {
        "traffic": {"visitors_per_day": 700, **RESTLESS},
        "population": {"second_device_rate": 1.0, "second_device_share": 0.7, "accounts": 40},
        "visits": {"return_rate": 0.8, "gap_hours": 0.3},
        "intent": {"target_conversion": 0.2, "coefficients": {"device_mobile": -1.5}},
        "experiments": EXPERIMENTS,
    },
    "visits after a request": {
        "visits": {"return_rate": 0.8, "gap_hours": 0.3, "after_request_rate": 0.6},
        "intent": {"target_conversion": 0.3, "conversion_unit": "visitor"},
    },
    "visits after a request, two devices and colleagues": {
        "visits": {"return_rate": 0.8, "gap_hours": 0.3, "after_request_rate": 1.0},
        "population": {"accounts": 30, "second_device_rate": 0.6},
        "intent": {"target_conversion": 0.3},
    },
    "everybody at once": {"intent": {"target_conversion": None, "intercept": 20.0}},
}


def world_of(settings: dict[str, Any]) -> WorldSettings:
    """A world of some thousand visitors, but for these settings."""
    return WorldSettings.model_validate({"traffic": {"visitors_per_day": 1500}, **settings})


def check_rebuilt(world: WorldSettings, seed: int, path: Path) -> pl.DataFrame:
    """Simulate, write the file, read it into a store, and compare; returns the visit table."""
    sink = CollectingSink()
    outcome = Model(world, seed=seed, sinks=[sink]).run().outcome
    path.write_bytes(encode(sink.events))

    # Two hours more than the simulation fit also where it begins within an hour; for a day the default of 24 is enough.
    whole = world.clock.hours == 24 and world.clock.start.minute == 0
    store = EventStore() if whole else EventStore(window_hours=world.clock.hours + 2)
    for batch in read_ndjson(path):
        store.append_flattened(batch)
    # Whose browser is whose is known here; where everybody has one, this changes nothing.
    events = stitched(store.events(), outcome.people)
    rebuilt = visit_table(events, observed_until=Clock(world.clock).end, conversion_unit=world.intent.conversion_unit)

    length = "log_session_minutes"
    assert_frame_equal(rebuilt.drop(length), outcome.visits.drop(length), check_exact=True)
    np.testing.assert_allclose(rebuilt[length], outcome.visits[length], rtol=1e-12, atol=0)

    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    pages_in_file = sum(line["type"] == "page" for line in lines)
    asked_in_file = sum(line.get("event") == "Demo Requested" for line in lines)
    assert outcome.counts["page_views"] == pages_in_file == store.hourly()["n_page_views"].sum()
    assert outcome.counts["demo_requests"] == asked_in_file == store.hourly()["n_demo_requests"].sum()
    assert outcome.counts["events"] == len(lines) == store.counts.received == store.counts.accepted
    assert outcome.counts["visits"] == rebuilt.height
    return rebuilt


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_visit_table_rebuilt_from_the_file_is_the_true_one(seed: int, tmp_path: Path):
    """Without loss, the file holds everything: visits, signals, outcomes and counts come back row for row."""
    visits = check_rebuilt(world_of({"intent": {"target_conversion": 0.1}}), seed, tmp_path / "events.ndjson")
    assert visits["requested_demo"].any()
    assert visits["censored"].any()
    assert (visits["visit"] > 1).any()
    assert not visits["at_risk"].all()


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
def test_odd_worlds_are_rebuilt_as_well(name: str, tmp_path: Path):
    """No setting of the world makes the analytics see another table than the simulator."""
    check_rebuilt(world_of(WORLDS[name]), 7, tmp_path / "events.ndjson")


def test_a_world_in_which_nobody_comes_is_rebuilt_as_an_empty_table(tmp_path: Path):
    """A simulation without visitors leaves no lines and no visits, and no error."""
    world = world_of({"traffic": {"visitors_per_day": 1e-9}})
    assert check_rebuilt(world, 0, tmp_path / "events.ndjson").height == 0


@pytest.mark.validation
@pytest.mark.parametrize("seed", range(20))
def test_any_seed_and_world_is_rebuilt(seed: int, tmp_path: Path):
    """Twenty seeds, each in every odd world, leave no row that differs."""
    for number, settings in enumerate(WORLDS.values()):
        check_rebuilt(world_of(settings), 1000 + seed, tmp_path / f"{number}.ndjson")
