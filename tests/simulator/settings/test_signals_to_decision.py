"""Claims about signals, the decision and its calibration."""

import numpy as np
import pytest
from scipy import stats

from analytics.events.geography import REGIONS
from analytics.signals.definitions import SIGNALS, EverSeen, interaction_parts
from simulator.engine.streams import Streams
from simulator.model import Model
from simulator.settings.world import WorldSettings
from simulator.visitors.calibration import calibrated_intercept, true_intercept
from simulator.visitors.cohort import Cohort
from simulator.visitors.cohort_sampler import CohortSampler

Facts = dict[str, object]

CHANNEL_OF_MEDIUM = {"cpc": "paid_search", "paid_social": "paid_social", "email": "email"}
"""Channels of the campaigns of the default world, whose names say what they are."""


def world_of(**settings: object) -> WorldSettings:
    """A world of some thousand visitors."""
    return WorldSettings.model_validate({"traffic": {"visitors_per_day": 3000}, **settings})


def drawn(world: WorldSettings, seed: int = 1, cohort: int = 0) -> tuple[CohortSampler, Cohort]:
    """A cohort and its sampler."""
    sampler = CohortSampler(world, Streams(seed))
    return sampler, sampler.draw(cohort, true_intercept(world))


def facts_of_visits(world: WorldSettings, sampler: CohortSampler, cohort: Cohort) -> list[list[Facts]]:
    """What the events of each visit up to the end of the clock would say, gathered in plain Python, visit by visit."""
    pages, channels = list(world.site.pages.values()), list(world.traffic.channels.values())
    people, journeys, end = cohort.people, cohort.journeys, sampler.clock.length_ms
    accounts, facts = sampler.population.accounts, []
    sizes = [accounts.sizes[size] for size in accounts.size]
    for visit in range(len(journeys.visitor)):
        who = journeys.visitor[visit]
        channel = channels[people.channel[who]]
        facts_now: list[Facts] = [
            {
                "region": REGIONS[people.region[who]],
                "context_company_size": sizes[people.account[who]] if people.account[who] >= 0 else None,
                "device_type": sampler.population.devices[people.device[who]],
                "default_channel": CHANNEL_OF_MEDIUM.get(channel.campaign.medium if channel.campaign else None),
                "referrer_domain": channel.referrer.split("/")[2] if channel.referrer else None,
            }
        ]
        for view in range(journeys.first_view[visit], journeys.first_view[visit] + journeys.n_pages[visit]):
            page = pages[journeys.page[view]]
            if cohort.view_ms[view] < end:
                facts_now.append({"category": page.category})
            if page.form and 0 <= cohort.submit_ms[view] < end:
                facts_now.append({"event": page.form.event, "company_email": bool(people.company_email[who])})
        facts.append(facts_now)
    return facts


def minutes_of(sampler: CohortSampler, cohort: Cohort, visit: int) -> float:
    """Minutes from the first to the last page view that is seen, in plain Python."""
    first = cohort.journeys.first_view[visit]
    times = cohort.view_ms[first : first + cohort.journeys.n_pages[visit]]
    seen = [time for time in times if time < sampler.clock.length_ms] or [times[0]]
    return float(max(seen) - times[0]) / 60_000


@pytest.mark.parametrize("hours", [3, 24])
def test_signals_equal_a_plain_python_computation(hours: int):
    """For every visit and signal: some fact of the visitor so far has one of the signal's values in its column."""
    world = world_of(clock={"hours": hours}, visits={"return_rate": 0.6, "gap_hours": 0.3})
    sampler, cohort = drawn(world)
    facts = facts_of_visits(world, sampler, cohort)
    assert len(facts) > 300
    for signal in SIGNALS:
        column = cohort.signals.column(signal.name)
        for visit, number in enumerate(cohort.journeys.number):
            if isinstance(signal, EverSeen):
                so_far = [fact for visited in facts[visit - number + 1 : visit + 1] for fact in visited]
                assert column[visit] == any(fact.get(signal.column) in signal.values for fact in so_far), signal.name
            else:
                assert column[visit] == pytest.approx(np.log1p(minutes_of(sampler, cohort, visit)), rel=1e-12)


def test_no_signal_is_constant_and_no_two_are_the_same():
    """In the default world each signal is there for some visits and not for others, and none repeats another."""
    cohort = drawn(WorldSettings())[1]
    columns = np.array([cohort.signals.column(signal.name) for signal in SIGNALS], dtype=float)
    assert (columns.std(axis=1) > 0).all()
    correlation = np.corrcoef(columns) - np.eye(len(SIGNALS))
    assert np.abs(correlation).max() < 0.99


def test_the_log_odds_are_the_sum_of_effect_and_signal():
    """Intercept + Σ effect × signal, interactions as products, recomputed visit by visit."""
    world = world_of(
        intent={
            "coefficients": {"pricing_page_view": 0.7, "log_session_minutes": -0.3},
            "interactions": {"region_europe:log_session_minutes": 0.2},
        }
    )
    cohort = drawn(world)[1]
    found = cohort.signals.log_odds(world.intent.effects)
    values = {signal.name: cohort.signals.column(signal.name) for signal in SIGNALS}
    for visit in range(0, len(found), 7):
        expected = sum(
            effect * np.prod([float(values[part][visit]) for part in interaction_parts(term)])
            for term, effect in world.intent.effects.items()
        )
        assert found[visit] == pytest.approx(expected, abs=1e-12)


def test_a_request_is_decided_by_the_logistic_of_the_log_odds():
    """Over ten bins of log-odds the requests decided on number as logistic(log-odds) says (chi-square)."""
    world = world_of(intent={"target_conversion": 0.2, "account_sd": 0.5}, traffic={"visitors_per_day": 50_000})
    sampler = CohortSampler(world, Streams(5))
    intercept = true_intercept(world)
    p, decided = [], []
    for index in range(6):
        cohort = sampler.draw(index, intercept)
        log_odds = intercept + sampler._log_odds(cohort.people, cohort.journeys, cohort.signals)
        p.append(1 / (1 + np.exp(-log_odds)))
        decided.append(cohort.decision_margin > 0)
    chance, asked = np.concatenate(p), np.concatenate(decided)
    bins = np.searchsorted(np.quantile(chance, np.linspace(0.1, 0.9, 9)), chance)
    expected, variance = np.bincount(bins, chance), np.bincount(bins, chance * (1 - chance))
    statistic = ((np.bincount(bins, asked) - expected) ** 2 / variance).sum()
    # Fails by chance in one of a thousand seeds.
    assert stats.chi2(df=10).sf(statistic) > 1e-3


def conversion_of(sampler: CohortSampler, intercept: float, cohorts: range) -> np.ndarray:
    """Probability that each visitor of new cohorts eventually makes a request, given all their visits."""
    shares = []
    for index in cohorts:
        log_odds, visitor, n = sampler.pilot(index)
        stays = np.bincount(visitor, -np.logaddexp(0, intercept + log_odds), minlength=n)
        shares.append(-np.expm1(stays))
    return np.concatenate(shares)


@pytest.mark.parametrize("target", [0.002, 0.3])
def test_calibration_reaches_the_target_on_fresh_cohorts(target: float):
    """Visitors outside the pilot convert at the target, within 4 SE of both samples together."""
    world = world_of(intent={"target_conversion": target})
    shares = conversion_of(CohortSampler(world, Streams(99)), true_intercept(world), range(16))
    # Pilot and fresh cohorts are of the same size, hence √2.
    assert abs(shares.mean() - target) < 4 * np.sqrt(2) * shares.std() / np.sqrt(len(shares))


def test_calibration_includes_account_effects():
    """With unobserved account effects the target is met on average over worlds: 4 SE over 12 other seeds."""
    world = world_of(intent={"target_conversion": 0.05, "account_sd": 1.0})
    intercept = true_intercept(world)
    means = [conversion_of(CohortSampler(world, Streams(seed)), intercept, range(4)).mean() for seed in range(12)]
    # The pilot is one more such world; Student's distribution, as the error is estimated from twelve.
    bound = stats.t.ppf(stats.norm.cdf(4), df=11) * np.std(means, ddof=1) * np.sqrt(1 + 1 / 12)
    assert abs(np.mean(means) - 0.05) < bound


def test_the_calibrated_intercept_solves_its_equation():
    """Two visitors with one and two visits and log-odds 0: the intercept is that of 1 − (q + q²) / 2 = share."""
    share = 0.3
    q = (-1 + np.sqrt(1 + 8 * (1 - share))) / 2
    found = calibrated_intercept(np.zeros(3), np.array([0, 1, 1]), 2, share)
    assert found == pytest.approx(np.log((1 - q) / q), abs=1e-9)


def test_the_truth_belongs_to_the_world_not_to_the_seed():
    """Every seed has the same true intercept, as has a world with another clock or sales team; a given one is taken."""
    world = world_of()
    assert Model(world, seed=1).truth == Model(world, seed=2, replication=5).truth
    other = world_of(clock={"hours": 48, "start": "2026-06-01T00:00:00Z"}, sales={"slot_minutes": 30.0})
    assert true_intercept(other) == true_intercept(world)
    assert true_intercept(world_of(intent={"target_conversion": None, "intercept": -3.25})) == -3.25


def test_another_intercept_moves_no_journey():
    """Worlds that differ in the decision alone have the same arrivals, pages and identities."""
    one = drawn(world_of(intent={"target_conversion": 0.01}))[1]
    two = drawn(world_of(intent={"target_conversion": 0.5}))[1]
    for name in ("arrival_ms", "view_ms", "submit_ms", "identities"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    # The same uniform number stands against higher odds.
    assert (two.decision_margin > one.decision_margin).all()


def test_a_cohort_is_a_function_of_its_number():
    """Cohort 1 is the same whether or not cohort 0 was drawn before it."""
    world = world_of(traffic={"visitors_per_day": 20_000})
    sampler = CohortSampler(world, Streams(2))
    sampler.draw(0, -5.0)
    after, alone = sampler.draw(1, -5.0), CohortSampler(world, Streams(2)).draw(1, -5.0)
    for name in ("rows", "arrival_ms", "view_ms", "decision_margin", "identities", "buyer_draws"):
        np.testing.assert_array_equal(getattr(after, name), getattr(alone, name))
