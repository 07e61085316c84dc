"""Claims about people with several devices: one person, two browsers, and what events show of that."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from small_worlds import simulated

from simulator.engine.streams import Streams
from simulator.replication.outcome import Outcome
from simulator.settings.population import USER_AGENTS
from simulator.settings.world import WorldSettings
from simulator.visitors.cohort import Cohort
from simulator.visitors.cohort_sampler import CohortSampler

SE = 4.5


def world_of(rate: float = 0.4, **population: Any) -> WorldSettings:
    """A world of people who come often and fill in many forms, some of them with a second device."""
    return WorldSettings.model_validate(
        {
            "population": {"second_device_rate": rate, "personas": {}, **population},
            "traffic": {"visitors_per_day": 3000},
            "visits": {"return_rate": 0.7, "gap_hours": 0.5, "return_landing": {"white_paper": 1.0}},
            "intent": {"target_conversion": 0.1},
        }
    )


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    """Many visits of such people."""
    return CohortSampler(world_of(), Streams(2)).draw(0, -5.0)


@pytest.fixture(scope="module")
def run() -> tuple[pl.DataFrame, Outcome]:
    """Events and outcome of a day."""
    return simulated(world_of(), seed=2)


def test_second_devices_have_their_rate_and_are_of_another_kind(cohort: Cohort):
    """As many people as settings say have one (4.5 SE), never of the kind of the first, in the shares of the others."""
    people = cohort.people
    has = people.second_device >= 0
    assert abs(has.mean() - 0.4) < SE * np.sqrt(0.4 * 0.6 / len(has))
    assert (people.second_device[has] != people.device[has]).all()
    # Of those whose first device is a desktop, a tablet is the second of 0.04 in 0.34.
    second = people.second_device[has & (people.device == 0)]
    share = 0.04 / 0.34
    assert abs((second == 2).mean() - share) < SE * np.sqrt(share * (1 - share) / len(second))


def test_the_first_visit_is_made_with_the_first_device_and_half_of_the_others_with_the_second(cohort: Cohort):
    """From the second visit on the second browser has its share (4.5 SE); without a second device there is none."""
    has = (cohort.people.second_device >= 0)[cohort.journeys.visitor]
    assert not cohort.second_browser[cohort.journeys.number == 1].any()
    assert not cohort.second_browser[~has].any()
    later = cohort.second_browser[has & (cohort.journeys.number > 1)]
    assert abs(later.mean() - 0.5) < SE * np.sqrt(0.25 / len(later))


def test_signals_count_both_devices(cohort: Cohort):
    """A person uses a mobile phone from the first visit on that is made with one, recomputed in plain Python."""
    devices, mobile = (cohort.people.device, cohort.people.second_device), 1
    seen = cohort.signals.column("device_mobile")
    for visitor in np.flatnonzero(cohort.people.second_device >= 0)[:300]:
        so_far = False
        for visit in cohort.timetable.visits(int(visitor)):
            so_far |= devices[int(cohort.second_browser[visit])][visitor] == mobile
            assert seen[visit] == so_far


def test_each_browser_has_its_identifier_device_and_address(run: tuple[pl.DataFrame, Outcome]):
    """All events of a browser name one device and its user agent; two browsers of a person differ in that."""
    events, outcome = run
    used = events.select(
        "anonymous_id", "context_user_agent", device=pl.col("context_device_type").cast(pl.String)
    ).unique()
    assert used["anonymous_id"].is_unique().all()
    used = used.join(outcome.people, on="anonymous_id", suffix="_true")
    assert used.height == outcome.people.height
    assert (used["device"] == used["device_true"]).all()
    assert (used["context_user_agent"] == used["device"].replace_strict(USER_AGENTS)).all()
    two = (
        outcome.people.group_by("person_id")
        .agg(pl.len(), pl.col("device").n_unique().alias("kinds"))
        .filter(pl.col("len") > 1)
    )
    # Each browser is first seen when it first views a page.
    first = events.filter(pl.col("type") == "page").group_by("anonymous_id").agg(seen=pl.col("timestamp").min())
    seen = outcome.people.join(first, on="anonymous_id")
    assert seen.height == outcome.people.height
    assert (seen["seen"] == seen["first_seen_at"]).all()
    assert two.height > 200
    assert set(two["len"]) == set(two["kinds"]) == {2}


def test_a_browser_knows_its_person_from_its_own_first_form_on(run: tuple[pl.DataFrame, Outcome]):
    """The user is named in a browser's events from the first identify call of that browser on; in requests always."""
    events, outcome = run
    first = events.filter(pl.col("type") == "identify").group_by("anonymous_id").agg(since=pl.col("timestamp").min())
    by_server = pl.col("context_library_name") == "analytics-python"
    known = events.join(first, on="anonymous_id", how="left").with_columns(
        due=(pl.col("timestamp") >= pl.col("since")).fill_null(value=False) | by_server
    )
    assert (known["due"] == known["user_id"].is_not_null()).all()
    assert 0 < known.filter(~by_server)["due"].sum() < known.filter(~by_server).height
    user = known.filter(pl.col("user_id").is_not_null()).select("anonymous_id", "user_id").unique()
    joined = user.join(outcome.people, on="anonymous_id", suffix="_true")
    assert (joined["user_id"] == joined["user_id_true"]).all()


def test_a_request_comes_from_the_browser_in_which_it_was_made(run: tuple[pl.DataFrame, Outcome]):
    """The browser of a request is that of the person's last page view; the sales events have the same."""
    events, outcome = run
    person = dict(outcome.people.select("anonymous_id", "person_id").iter_rows())
    asked = events.filter(pl.col("event") == "Demo Requested")
    last: dict[str, str] = {}
    pages = events.filter(pl.col("type") == "page").sort("timestamp")
    for browser in pages["anonymous_id"]:
        last[person[browser]] = browser
    assert [last[person[browser]] for browser in asked["anonymous_id"]] == asked["anonymous_id"].to_list()
    assert set(asked["anonymous_id"]) & set(person) - set(person.values())
    scheduled = events.filter(pl.col("event") == "Demo Scheduled")
    assert set(scheduled["anonymous_id"]) <= set(asked["anonymous_id"])
    assert outcome.sales.requests["anonymous_id"].to_list() == asked["anonymous_id"].to_list()


def test_second_devices_move_nothing_but_the_browser():
    """Without demo requests, page views are the same with and without second devices."""

    def pages(rate: float) -> pl.DataFrame:
        world = world_of(rate).model_dump(mode="json")
        world["intent"] = {"intercept": -50.0}
        events, _ = simulated(WorldSettings.model_validate(world, strict=False), seed=2)
        return events.filter(pl.col("type") == "page").select("timestamp", "name", "context_location_country")

    assert_frame_equal(pages(0.0), pages(0.8))


def test_who_has_only_one_kind_of_device_has_two_of_it():
    """In a world of desktops the second device is a desktop too."""
    people = CohortSampler(world_of(1.0, devices={"desktop": 1.0}), Streams(1)).draw(0, -5.0).people
    assert not people.device.any()
    assert not people.second_device.any()
