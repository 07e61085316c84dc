"""Claims about personas: their shares, what each reads, and what events do not show."""

from typing import Any

import numpy as np
from small_worlds import SE, off_by, simulated

from simulator.engine.arrays import Integers
from simulator.engine.streams import Streams
from simulator.model import Model
from simulator.settings.personas import DEFAULT_PERSONAS, PersonaSettings
from simulator.settings.population import PopulationSettings
from simulator.settings.world import WorldSettings
from simulator.visitors.cohort import Cohort
from simulator.visitors.cohort_sampler import CohortSampler
from simulator.world.navigation import Navigation, NavigationProfile
from simulator.world.population import Population, persona_mix

N = 60_000

TWO: dict[str, Any] = {
    "reader": {"weight": 3.0, "channels": {"blog": 2.0}, "account_factor": 3.0, "company_email_factor": 2.0},
    "rest": {"weight": 1.0, "account_factor": 0.0},
}


def world_of(personas: dict[str, Any], **settings: Any) -> WorldSettings:
    """A world of these personas, without invitations."""
    return WorldSettings.model_validate(
        {"population": {"personas": personas}, "traffic": {"visitors_per_day": 4000}, **settings}
    )


def visits_of(cohort: Cohort, persona: int) -> Integers:
    """Visits of the visitors of a persona."""
    return np.flatnonzero(cohort.people.persona[cohort.journeys.visitor] == persona)


def test_personas_come_by_their_weights_and_channels():
    """Within each channel a persona's share is its weight times its factor there, by the sum of all (4.5 SE)."""
    personas = [PersonaSettings(weight=1.0), PersonaSettings(weight=3.0, channels={"x": 0.0, "y": 2.0})]
    np.testing.assert_allclose(persona_mix(personas, ["x", "y", "z"]), [[1, 0], [1 / 7, 6 / 7], [0.25, 0.75]])
    settings = PopulationSettings.model_validate({"personas": TWO})
    people = Population(settings, {"direct": 0.6, "blog": 0.4}, Streams(1)).draw(N, 0)
    for channel, share in enumerate((3 / 4, 6 / 7)):
        assert off_by(people.persona[people.channel == channel] == 0, share) < SE


def test_visitors_of_a_campaign_are_those_of_its_channel():
    """A campaign by e-mail brings the personas of the channel e-mail, whatever it is called among the origins."""
    sale = {"start": "2026-03-03T00:00:00Z", "end": "2026-03-04T00:00:00Z", "channel": "email", "visitors": 3000}
    only_by_email = {"a": {}, "b": {"channels": {"email": 0.0}}}
    world = world_of(only_by_email, traffic={"visitors_per_day": 500, "campaigns": {"sale": sale}})
    people = Model(world, seed=1).run().outcome.people
    assert set(people.filter(people["inflow"] == "campaign:sale")["persona"]) == {"a"}
    assert set(people["persona"]) == {"a", "b"}


def test_factors_of_a_persona_multiply_the_rates_of_the_population():
    """Who belongs to a company, and gives its address, is a question of the persona too, at a rate of 1 at most."""
    settings = PopulationSettings.model_validate({"personas": {**TWO, "plain": {}}, "account_rate": 0.3})
    people = Population(settings, {"direct": 1.0}, Streams(2)).draw(N, 0)
    for persona, (account, email) in enumerate(((0.9, 1.0), (0.0, 0.0), (0.3, 0.8))):
        chosen = people.persona == persona
        in_company = people.account[chosen] >= 0
        if account in {0.0, 1.0}:
            assert (in_company == account).all()
        else:
            assert off_by(in_company, account) < SE
            given = people.company_email[chosen][in_company]
            assert given.all() if email == 1.0 else off_by(given, email) < SE


def test_every_persona_reads_by_a_chain_of_its_own():
    """Page views in first visits equal landing · (I − P)⁻¹ with the persona's factors and engagement, within 4.5 SE."""
    personas = {"plain": {}, "careful": {"pages": {"security": 5.0, "careers": 0.1}, "engagement": 1.5}}
    world = world_of(personas)
    cohort = CohortSampler(world, Streams(4)).draw(0, -5.0)
    kinds = [NavigationProfile(), NavigationProfile(1.5, (("careers", 0.1), ("security", 5.0)))]
    for persona, factors in enumerate(({}, personas["careful"]["pages"])):
        navigation = Navigation(world.site, [kinds[persona]])
        landing = sum(
            channel.share * navigation.mix(channel.landing, factors) for channel in world.traffic.channels.values()
        )
        first = visits_of(cohort, persona)
        first = first[cohort.journeys.number[first] == 1]
        pages, visit = len(navigation.names), cohort.journeys.visit_of_view
        n_visits = len(cohort.journeys.number)
        views = np.bincount(visit * pages + cohort.journeys.page, minlength=n_visits * pages).reshape(-1, pages)[first]
        error = views.std(axis=0, ddof=1) / np.sqrt(len(first))
        assert (np.abs(views.mean(axis=0) - navigation.expected_views(np.asarray(landing))) <= SE * error).all()


def test_returning_visits_land_by_the_persona_too():
    """A factor on a page multiplies its weight among the pages on which later visits begin (4.5 SE)."""
    world = world_of({"a": {"pages": {"security": 9.0}}}, visits={"return_rate": 0.6})
    cohort = CohortSampler(world, Streams(5)).draw(0, -5.0)
    later = cohort.journeys.first_view[cohort.journeys.number > 1]
    weights = {name: w * (9.0 if name == "security" else 1.0) for name, w in world.visits.return_landing.items()}
    landed = cohort.journeys.page[later] == list(world.site.pages).index("security")
    assert off_by(landed, weights["security"] / sum(weights.values())) < SE


def test_a_persona_may_come_again_more_often_than_others():
    """Its factor multiplies the return rate, up to 0.99; a second visit follows at that rate (4.5 SE).

    The settings' own rate stays as it is.
    """
    factors = {"once": 0.0, "often": 2.0, "for_ever": 1e6}
    personas = {name: {"return_factor": factor} for name, factor in factors.items()}
    cohort = CohortSampler(world_of(personas, visits={"max_visits": 20}), Streams(6)).draw(0, -5)
    again, persona = cohort.journeys.n_visits > 1, cohort.people.persona
    assert not again[persona == 0].any()
    assert off_by(again[persona == 1], 2 * 0.34) < SE
    assert off_by(again[persona == 2], 0.99) < SE
    own = CohortSampler(world_of({"a": {}}, visits={"return_rate": 0.995, "max_visits": 20}), Streams(1))
    assert off_by(own.draw(0, -5.0).journeys.n_visits > 1, 0.995) < SE


def test_an_effect_on_the_decision_moves_that_persona_alone():
    """With 0.75 log-odds more, the margin of the persona's visits rises by exactly that, and no other margin."""
    plain, moved = (
        CohortSampler(world_of({"a": {}, "b": {"log_odds": effect}}), Streams(1)).draw(0, -5.0)
        for effect in (0.0, 0.75)
    )
    difference = moved.decision_margin - plain.decision_margin
    np.testing.assert_allclose(difference[visits_of(plain, 1)], 0.75, rtol=1e-12)
    assert not difference[visits_of(plain, 0)].any()


def test_the_intercept_is_calibrated_for_all_personas_together():
    """With a persona that requests less often the intercept rises, so that the target of all visitors is met."""
    apart = {"a": {}, "b": {"log_odds": -3.0}}
    fixed = {"intent": {"target_conversion": 0.1}}
    assert Model(world_of(apart, **fixed), seed=1).truth.intercept > (
        Model(world_of({"a": {}, "b": {}}, **fixed), seed=1).truth.intercept + 0.1
    )
    assert Model(world_of(apart), seed=1).truth.personas == {"a": 0.0, "b": -3.0}


def test_the_default_personas_have_no_effect_of_their_own():
    """In a world by default the signals carry all there is to know, so the coefficients can be recovered."""
    assert all(persona.log_odds == 0 for persona in DEFAULT_PERSONAS.values())


def test_events_do_not_show_personas():
    """Neither a column nor a value of the events bears the name of a persona; the table of people does.

    Without personas there is a single one without a name, and no invitations.
    """
    few = {"visitors_per_day": 300}
    events, outcome = simulated(world_of({"zebra": {}, "quagga": {}}, traffic=few), seed=3)
    assert set(outcome.people["persona"]) == {"zebra", "quagga"}
    assert "zebra" not in events.write_csv()
    assert set(outcome.people["anonymous_id"]) == set(events["anonymous_id"])
    alike = simulated(world_of({}, traffic=few), seed=3)[1].people
    assert alike["persona"].is_null().all()
    assert alike["invited_by"].is_null().all()


def test_a_site_of_ones_own_keeps_the_default_personas():
    """Pages and channels that only the default personas name need not exist."""
    page = {"path": "/", "title": "t", "category": "c", "stage": "top", "exit_rate": 0.5, "links": {"a": 1.0}}
    world = WorldSettings.model_validate(
        {
            "site": {"pages": {"a": page}},
            "traffic": {"channels": {"post": {"share": 1.0, "landing": {"a": 1.0}}}, "visitors_per_day": 100},
            "visits": {"return_landing": {"a": 1.0}},
        }
    )
    assert Model(world, seed=1).run().outcome.counts["page_views"] > 50
