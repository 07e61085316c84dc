"""Claims about campaigns, launches and outages: their visitors, and that no other visitor changes."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import stats
from small_worlds import simulated

from analytics.events.times import HOUR_MS
from analytics.sessions.visits import assign_visits
from simulator.engine.streams import Streams
from simulator.model import Model
from simulator.settings.world import WorldSettings
from simulator.visitors.calibration import true_intercept
from simulator.visitors.cohort_sampler import CohortSampler
from simulator.world.arrival_sources import arrival_sources_of, origins_of

DAY = "2026-03-03T{}:00Z"
SALE = {"start": DAY.format("09:00"), "end": DAY.format("15:20"), "channel": "paid_search", "visitors": 500}
BOOM = {"kind": "launch", "start": DAY.format("12:00"), "end": DAY.format("14:00"), "factor": 3.0}
OUTAGE = {"kind": "outage", "start": DAY.format("13:00"), "end": DAY.format("16:00")}


def world_of(**traffic: object) -> WorldSettings:
    """A small world with many independent requests and a sales team that is never busy."""
    return WorldSettings.model_validate(
        {
            "traffic": {"visitors_per_day": 1000, **traffic},
            "intent": {"target_conversion": 0.2, "conversion_unit": "visitor"},
            "sales": {"teams": {"default": {"sdrs": {"headcount": 1000}, "account_executives": {"headcount": 1000}}}},
            "visits": {"return_rate": 0.5, "gap_hours": 1.0},
            "population": {"personas": {}},
        }
    )


@pytest.fixture(scope="module")
def ordinary() -> pl.DataFrame:
    """Events of the world without anything special."""
    return simulated(world_of())[0]


def newcomers(events: pl.DataFrame, ordinary: pl.DataFrame) -> pl.DataFrame:
    """Events of those who are not among the visitors of other events."""
    return events.filter(~pl.col("anonymous_id").is_in(ordinary["anonymous_id"].unique().implode()))


@pytest.mark.parametrize(
    "extra",
    [
        {"campaigns": {"sale": SALE}},
        {"campaigns": {"sale": SALE, "other": {**SALE, "channel": "email", "landing": {"blog": 1.0}}}},
        {"events": {"boom": BOOM}},
        {"events": {"boom": BOOM}, "campaigns": {"sale": SALE}},
    ],
    ids=["campaign", "two campaigns", "launch", "both"],
)
def test_additional_visitors_change_no_other_visitor(extra: dict[str, Any], ordinary: pl.DataFrame):
    """The events of the ordinary visitors are the same, in the same order, whatever campaign or launch is added.

    Neither these nor growth move the calibrated intercept.
    """
    events, outcome = simulated(world_of(**extra))
    assert outcome.truth.intercept == true_intercept(world_of(growth_per_week=1.0))
    others = newcomers(events, ordinary)
    assert others["anonymous_id"].n_unique() > 150
    assert_frame_equal(newcomers(events, others), ordinary)


def test_visitors_of_a_campaign_come_as_its_settings_say(ordinary: pl.DataFrame):
    """Within its window, from its channel's referrer, with UTM parameters of its own name, to its pages."""
    landing = {"pricing": 1.0, "webinar": 1.0}
    events, _ = simulated(world_of(campaigns={"sale": {**SALE, "landing": landing}}))
    first = newcomers(events, ordinary).filter(pl.col("type") == "page").unique("anonymous_id", keep="first")
    assert (
        first["received_at"]
        .is_between(datetime(2026, 3, 3, 9, tzinfo=UTC), datetime(2026, 3, 3, 15, 20, tzinfo=UTC))
        .all()
    )
    assert set(first["context_campaign_medium"]) == {"cpc"}
    assert set(first["context_campaign_name"]) == {"sale"}
    assert set(first["context_page_referrer"]) == {"https://search.example.com/"}
    assert set(first["context_page_path"]) == {"/pricing", "/resources/product-tour"}
    assert first["context_page_url"].str.contains("utm_campaign=sale").all()


def test_a_campaign_may_have_parameters_of_its_own(ordinary: pl.DataFrame):
    """UTM parameters that a campaign gives are those of its visitors, and switch on the signals they stand for."""
    utm = {"source": "letter", "medium": "email", "name": "april"}
    events, outcome = simulated(world_of(campaigns={"sale": {**SALE, "channel": "direct", "utm": utm}}))
    others = newcomers(events, ordinary)
    first = others.filter(pl.col("type") == "page").unique("anonymous_id", keep="first")
    assert set(first["context_campaign_medium"]) == {"email"}
    assert set(first["context_campaign_name"]) == {"april"}
    visits = outcome.visits.filter(pl.col("anonymous_id").is_in(others["anonymous_id"].unique().implode()))
    assert visits["utm_email"].all()
    assert not visits["utm_paid_search"].any()


def hourly(world: WorldSettings, arrival_source: int, seed: int) -> np.ndarray:
    """Visitors of an arrival source by hour of arrival."""
    sampler = CohortSampler(world, Streams(seed), arrival_sources_of(world.traffic)[arrival_source])
    times = [sampler.draw(index, -5.0).arrival_ms for index in range(sampler.n_cohorts)]
    return np.bincount(np.concatenate(times) // HOUR_MS, minlength=world.clock.hours)


def expected_hourly(world: WorldSettings) -> np.ndarray:
    """Visitors expected of the ordinary traffic by hour."""
    sampler = CohortSampler(world, Streams(0))
    hours = np.arange(world.clock.hours + 1) * HOUR_MS
    shares = sampler.population.zone_shares.values()
    return sum(s * np.diff(sampler._arrivals.expected_until(hours, z)) for z, s in enumerate(shares))


def test_arrivals_of_a_campaign_follow_the_ordinary_profile_and_sum_to_its_visitors():
    """Over 12 seeds hourly arrivals are Poisson around the ordinary profile, scaled so that 3,000 come."""
    sale = {**SALE, "end": DAY.format("15:00"), "visitors": 3000}
    world = world_of(campaigns={"sale": sale})
    profile = expected_hourly(world)[9:15]
    expected = 3000 * profile / profile.sum()
    found = np.stack([hourly(world, 1, seed) for seed in range(12)])
    assert not np.delete(found, range(9, 15), axis=1).any()
    statistic = ((found[:, 9:15] - expected) ** 2 / expected).sum()
    assert 1e-3 < stats.chi2(df=12 * 6).sf(statistic) < 1 - 1e-3
    assert abs(found.sum() - 12 * 3000) < 4 * np.sqrt(12 * 3000)


def test_a_campaign_that_began_before_the_clock_has_spent_its_visitors():
    """Of a campaign of two days the clock sees one: of two equal weekdays, half of the visitors."""
    sale = {**SALE, "start": "2026-03-02T00:00:00Z", "end": "2026-03-04T00:00:00Z", "visitors": 20_000}
    # Monday's first hours are Sunday in America, so the weekdays are made equal.
    world = world_of(campaigns={"sale": sale}, weekday_weights=(1.0,) * 7)
    assert abs(hourly(world, 1, 1).sum() - 10_000) < 4 * 100


def test_arrivals_of_a_launch_are_a_multiple_of_the_ordinary_ones():
    """A factor of 3 adds twice the ordinary arrivals, in the window only; also with growth."""
    world = world_of(events={"boom": BOOM}, visitors_per_day=10_000, growth_per_week=30.0)
    expected = 2 * expected_hourly(world)[12:14]
    found = np.stack([hourly(world, 1, seed) for seed in range(10)])
    assert not np.delete(found, [12, 13], axis=1).any()
    assert stats.chi2(df=20).sf(((found[:, 12:14] - expected) ** 2 / expected).sum()) > 1e-3


def test_a_launch_may_have_channels_and_pages_of_its_own(ordinary: pl.DataFrame):
    """Its visitors come by its channels, in their shares within 4 SE, to its pages."""
    boom = {**BOOM, "factor": 5.0, "channels": {"tech_blog": 0.75, "direct": 0.25}, "landing": {"product": 1.0}}
    events, _ = simulated(world_of(events={"boom": boom}))
    first = newcomers(events, ordinary).filter(pl.col("type") == "page").unique("anonymous_id", keep="first")
    assert set(first["context_page_path"]) == {"/product"}
    referred = first["context_page_referrer"].is_not_null()
    assert abs(referred.mean() - 0.75) < 4 * np.sqrt(0.75 * 0.25 / len(referred))


def test_channels_come_first_among_the_origins():
    """The indices of the channels stay the same with other arrival sources."""
    traffic = world_of(campaigns={"sale": SALE}, events={"boom": BOOM}).traffic
    names = list(origins_of(traffic))
    assert names[: len(traffic.channels)] == list(traffic.channels)
    assert names[len(traffic.channels)] == "campaign:sale/paid_search"


def test_a_visit_that_begins_in_an_outage_is_one_page_and_nothing_else(ordinary: pl.DataFrame):
    """It has one page view, no form and no request; what begins before or after is as it was, later visits too."""
    events, outcome = simulated(world_of(events={"down": OUTAGE}))
    fails = pl.col("started_at").is_between(
        datetime(2026, 3, 3, 13, tzinfo=UTC), datetime(2026, 3, 3, 16, tzinfo=UTC), closed="left"
    )
    in_outage, spared = outcome.visits.filter(fails), outcome.visits.filter(~fails)
    assert set(in_outage["n_page_views"]) == {1}
    assert not in_outage["requested_demo"].any()
    assert in_outage.height > 100
    keys = ["anonymous_id", "started_at", "ended_at", "n_page_views"]
    before = simulated(world_of())[1].visits.select(keys)
    # Who would have asked during the outage comes again; all others are visits of the ordinary world.
    asked = set(ordinary.filter(pl.col("event") == "Demo Requested")["anonymous_id"])
    more = spared.select(keys).join(before, on=keys, how="anti")
    assert set(more["anonymous_id"]) <= asked
    assert spared.height > more.height + 500
    in_visits = assign_visits(events).join(in_outage, on=["anonymous_id", "visit"], how="semi")
    assert set(in_visits["type"]) == {"page"}


def test_an_outage_moves_no_draw():
    """Nothing is drawn for an outage: it follows from the moment alone."""
    without, during = (Model(world_of(events=events), seed=4).draws() for events in ({}, {"down": OUTAGE}))
    unmoved = {"arrivals", "identity", "visits", "navigation", "dwell", "gaps", "forms", "place", "decision"}
    assert {name: without[name] for name in unmoved} == {name: during[name] for name in unmoved}


def test_engagement_multiplies_the_odds_of_going_on():
    """On a site of one page left with probability ½, an engagement of 3 makes visits 4 pages long within 4 SE."""
    page = {"path": "/", "title": "t", "category": "c", "stage": "top", "exit_rate": 0.5, "links": {"a": 1.0}}
    world = WorldSettings.model_validate(
        {
            "site": {"pages": {"a": page}},
            "traffic": {
                "visitors_per_day": 4000,
                "channels": {
                    name: {"share": 0.5, "landing": {"a": 1.0}, "engagement": engagement}
                    for name, engagement in (("plain", 1.0), ("keen", 3.0))
                },
            },
            "visits": {"return_landing": {"a": 1.0}},
        }
    )
    cohort = CohortSampler(world, Streams(2)).draw(0, -5.0)
    keen = cohort.people.channel[cohort.journeys.visitor] == 1
    for who, p_leave in ((keen, 1 / 4), (~keen, 1 / 2)):
        pages = cohort.journeys.n_pages[who]
        assert abs(pages.mean() - 1 / p_leave) < 4 * np.sqrt((1 - p_leave) / p_leave**2 / len(pages))


def test_a_campaign_without_possible_arrivals_is_refused():
    """Where the profile has no visitors in the whole window, no number of visitors can be spread over it."""
    night = world_of(campaigns={"s": SALE}, weekday_weights=(0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    with pytest.raises(ValueError, match="campaign:s: the traffic profiles allow no arrivals"):
        CohortSampler(night, Streams(0), arrival_sources_of(night.traffic)[1])
