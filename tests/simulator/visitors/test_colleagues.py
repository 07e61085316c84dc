"""Claims about invitations: who invites whom, when invited colleagues arrive, and that no other visitor changes."""

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy import stats
from small_worlds import simulated

from simulator.engine.clock import Clock
from simulator.engine.streams import Streams
from simulator.replication.outcome import Outcome
from simulator.settings.world import WorldSettings
from simulator.visitors.cohort import Cohort
from simulator.visitors.cohort_sampler import CohortSampler
from simulator.world.arrival_sources import steady_arrivals
from simulator.world.population import Population

PERSONAS: dict[str, Any] = {
    "champion": {"invites": {"colleague": 0.3, "boss": 0.1}, "account_factor": 0.8},
    "colleague": {"invites": {"colleague": 1.0}, "account_factor": 0.0, "pages": {"security": 8.0}},
    "boss": {"account_factor": 0.0, "return_factor": 0.0, "invitation_factor": 3.0},
}


def world_of(**settings: Any) -> WorldSettings:
    """A world in which champions invite colleagues and nobody requests a demo."""
    return WorldSettings.model_validate(
        {
            "population": {"personas": PERSONAS, "invitation_hours": 2.0, **settings.pop("population", {})},
            "traffic": {"visitors_per_day": 4000},
            "intent": {"intercept": -50.0},
            **settings,
        }
    )


@pytest.fixture(scope="module")
def cohorts() -> tuple[Cohort, Cohort]:
    """Inviters over a time in which all invited colleagues arrive, and these colleagues."""
    sampler = CohortSampler(world_of(clock={"hours": 24 * 60}), Streams(8))
    inviters = sampler.draw(0, -50.0)
    return inviters, sampler.invitees(inviters, -50.0)


@pytest.fixture(scope="module")
def day() -> tuple[pl.DataFrame, Outcome]:
    """Events and outcome of a day."""
    return simulated(world_of())


def inviter_of(inviters: Cohort, invitees: Cohort) -> np.ndarray:
    """Row of each colleague's inviter."""
    number = {person: row for row, person in enumerate(inviters.person_ids)}
    return np.array([number[person] for person in invitees.invited_by])


def test_visitors_of_a_company_invite_at_their_rates(cohorts: tuple[Cohort, Cohort]):
    """Each persona is invited by the champions of a company at its own rate (4.5 SE), and by nobody else."""
    inviters, invitees = cohorts
    may = (inviters.people.persona == 0) & (inviters.people.account >= 0)
    inviter = inviter_of(inviters, invitees)
    for persona, rate in ((1, 0.3), (2, 0.1)):
        brought = np.zeros(len(inviters), dtype=bool)
        brought[inviter[invitees.people.persona == persona]] = True
        assert not brought[~may & (inviters.people.persona == 0)].any()
        assert abs(brought[may].mean() - rate) < 4.5 * np.sqrt(rate * (1 - rate) / may.sum())
    assert may[inviter].all()


def test_invited_visitors_are_colleagues(cohorts: tuple[Cohort, Cohort]):
    """Company, country, region and time zone are the inviter's; identity and devices are their own."""
    inviters, invitees = cohorts
    inviter = inviter_of(inviters, invitees)
    for name in ("account", "country", "region", "zone", "effect"):
        np.testing.assert_array_equal(getattr(invitees.people, name), getattr(inviters.people, name)[inviter])
    assert (invitees.people.device != inviters.people.device[inviter]).any()
    assert (invitees.accounts == inviters.accounts.gather(inviter)).all()


def test_colleagues_arrive_after_the_first_visit_by_an_exponential_wait(cohorts: tuple[Cohort, Cohort]):
    """The visitors expected from the inviter's first visit to the arrival are exponential (KS).

    Their mean is what the average traffic of invitation_hours brings, times the factor of the colleague's persona.
    """
    inviters, invitees = cohorts
    world, zones = world_of(clock={"hours": 24 * 60}), Population(world_of().population, {"any": 1.0}, Streams(8))
    usual = steady_arrivals(world.traffic, Clock(world.clock), zones.zone_shares)
    since_ms = inviters.end_ms[inviters.journeys.first_visit[inviter_of(inviters, invitees)]]
    assert (invitees.arrival_ms >= since_ms).all()
    expected = np.empty(len(invitees))
    for zone in np.unique(invitees.people.zone):
        here = invitees.people.zone == zone
        until, since = (usual.expected_until(time_ms[here], zone) for time_ms in (invitees.arrival_ms, since_ms))
        expected[here] = until - since
    for persona, factor in ((1, 1.0), (2, 3.0)):
        mean = 2.0 * factor * world.traffic.visitors_per_day / 24
        assert stats.kstest(expected[invitees.people.persona == persona], stats.expon(scale=mean).cdf).pvalue > 1e-3


def test_colleagues_keep_the_hours_of_their_time_zone(cohorts: tuple[Cohort, Cohort]):
    """With long waits, colleagues arrive by the local profile: as few from midnight to six as of all visitors."""
    inviters, _ = cohorts
    sampler = CohortSampler(world_of(clock={"hours": 24 * 90}, population={"invitation_hours": 200.0}), Streams(8))
    invitees = sampler.invitees(sampler.draw(0, -50.0), -50.0)
    clock, zones = Clock(world_of().clock), sampler.population.zones
    local = [
        clock.to_utc(arrival_ms).astimezone(ZoneInfo(zones[zone]))
        for arrival_ms, zone in zip(invitees.arrival_ms.tolist(), invitees.people.zone.tolist(), strict=True)
    ]
    night = np.array([moment.hour < 6 for moment in local])
    profile = np.array(world_of().traffic.hourly_profile)
    share = profile[:6].sum() / profile.sum()
    assert len(inviters) > 3000 < 10 * len(night)
    assert abs(night.mean() - share) < 4.5 * np.sqrt(share * (1 - share) / len(night))


def test_an_outage_prevents_invitations():
    """A visitor whose only page view failed invites nobody."""
    outage = {"kind": "outage", "start": "2026-03-03T00:00:00Z", "end": "2026-03-04T00:00:00Z"}
    people = simulated(world_of(traffic={"visitors_per_day": 1000, "events": {"down": outage}}))[1].people
    assert people.height > 500
    assert people["invited_by"].null_count() == people.height


def test_colleagues_land_like_returning_visitors_and_read_by_their_persona(cohorts: tuple[Cohort, Cohort]):
    """A colleague's first page is a landing page of returning visits, with the factors of the colleague's persona."""
    _, invitees = cohorts
    chosen = invitees.people.persona == 1
    pages = list(world_of().site.pages)
    weights = dict(world_of().visits.return_landing)
    weights["security"] *= 8.0
    first = invitees.journeys.page[invitees.journeys.first_view[invitees.journeys.first_visit[chosen]]]
    counts = np.array([np.sum(first == pages.index(name)) for name in weights])
    assert counts.sum() == chosen.sum()
    expected = np.array(list(weights.values())) / sum(weights.values()) * chosen.sum()
    assert stats.chisquare(counts, expected).pvalue > 1e-3


def without(events: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Events of all but these people."""
    return events.filter(~pl.col("anonymous_id").is_in(people["anonymous_id"].implode()))


def test_colleagues_change_no_other_visitor(day: tuple[pl.DataFrame, Outcome]):
    """Without invitations all other visitors have the same events."""
    invitees = day[1].people.filter(pl.col("invited_by").is_not_null())
    assert invitees.height > 100
    alone = {name: {**persona, "invites": {}} for name, persona in PERSONAS.items()}
    assert_frame_equal(without(day[0], invitees), simulated(world_of(population={"personas": alone}))[0])


def test_another_persona_changes_no_other_colleague(day: tuple[pl.DataFrame, Outcome]):
    """The draws of a colleague depend on inviter and persona, not on the number or order of the personas."""
    more = {"auditor": {"weight": 1e-6}, **PERSONAS}
    more["champion"] = {**more["champion"], "invites": {"auditor": 0.2, **more["champion"]["invites"]}}
    others, outcome = simulated(world_of(population={"personas": more}))
    added = outcome.people.filter(pl.col("persona") == "auditor")
    assert added.height > 50
    assert_frame_equal(without(others, added), day[0])


def test_colleagues_invite_nobody_and_come_by_a_bare_link(day: tuple[pl.DataFrame, Outcome]):
    """Even at a rate of 1 among colleagues invitations end after one step; they leave no referrer and no campaign."""
    events, people = day[0], day[1].people
    invitees = people.filter(pl.col("invited_by").is_not_null())
    inviters = set(invitees["invited_by"])
    assert not inviters & set(invitees["person_id"])
    assert set(people.filter(pl.col("person_id").is_in(list(inviters)))["persona"]) == {"champion"}
    theirs = events.filter(pl.col("anonymous_id").is_in(invitees["anonymous_id"].implode()))
    first = theirs.unique("anonymous_id", keep="first")
    assert first["context_page_referrer"].is_null().all()
    assert first["context_campaign_source"].is_null().all()


def test_visitors_of_campaigns_invite_too_and_no_two_people_have_the_same_identifier():
    """Their colleagues have an arrival source of their own.

    Over cohorts, arrival sources, colleagues and second browsers, browsers, persons and users are unique.
    """
    sale = {"start": "2026-03-03T00:00:00Z", "end": "2026-03-04T00:00:00Z", "channel": "email", "visitors": 3000}
    world = world_of(
        traffic={"visitors_per_day": 9000, "campaigns": {"sale": sale}}, population={"second_device_rate": 0.5}
    )
    people = simulated(world)[1].people
    invitees, inviters = (people.filter(pl.col("inflow") == f"campaign:sale{of}") for of in ("/invited", ""))
    assert invitees.height > 50
    assert set(invitees["invited_by"]) <= set(inviters["person_id"])
    assert people["anonymous_id"].is_unique().all()
    persons = people.select("person_id", "user_id", "persona", "account", "country").unique()
    assert persons["person_id"].is_unique().all()
    assert persons["user_id"].is_unique().all()
