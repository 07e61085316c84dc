"""Claims about arrivals in whole worlds: they are a Poisson process with the intensity of the settings."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from scipy import stats

from analytics.events.times import HOUR_MS
from simulator.engine.streams import Streams
from simulator.model import Model
from simulator.settings.world import WorldSettings
from simulator.tracking.delivery import CollectingSink
from simulator.visitors.cohort_sampler import CohortSampler

CHANCE = 1e-3
"""Each test fails by chance in one of a thousand choices of its (fixed) seeds."""


def world_of(**settings: object) -> WorldSettings:
    """The default world, but for these settings."""
    return WorldSettings.model_validate(settings)


def zone_shares(world: WorldSettings) -> dict[str, float]:
    """Share of the visitors that lives in each time zone."""
    shares: dict[str, float] = {}
    for country in world.population.countries.values():
        for zone, share in country.time_zones.items():
            shares[zone] = shares.get(zone, 0.0) + country.share * share
    return shares


def expected_by_hour(world: WorldSettings, zones: list[str]) -> np.ndarray:
    """Visitors expected in each hour from each of these zones, by quarters of an hour; shape (zones, hours)."""
    traffic, shares = world.traffic, zone_shares(world)
    expected = np.zeros((len(zones), world.clock.hours))
    for row, zone in enumerate(zones):
        for quarter in range(4 * world.clock.hours):
            local = (world.clock.start + timedelta(minutes=15 * quarter)).astimezone(ZoneInfo(zone))
            weight = traffic.hourly_profile[local.hour] / sum(traffic.hourly_profile)
            visitors = traffic.visitors_per_day * weight * traffic.weekday_weights[local.weekday()]
            expected[row, quarter // 4] += shares[zone] * visitors / 4
    return expected


def found_by_hour(world: WorldSettings, seed: int, zone: str | None = None) -> np.ndarray:
    """Visitors who arrive in each hour, all of them or those of a zone."""
    sampler = CohortSampler(world, Streams(seed))
    hours = np.zeros(world.clock.hours, dtype=int)
    for index in range(sampler.n_cohorts):
        cohort = sampler.draw(index, -5.0)
        here = np.ones(len(cohort), dtype=bool)
        if zone is not None:
            here = cohort.people.zone == sampler.population.zones.index(zone)
        hours += np.bincount(cohort.arrival_ms[here] // HOUR_MS, minlength=world.clock.hours)
    return hours


def poisson_p(found: np.ndarray, expected: np.ndarray) -> float:
    """Probability of a worse fit of independent Poisson counts to their expectations (chi-square)."""
    statistic = ((found - expected) ** 2 / expected).sum()
    return float(stats.chi2(df=np.broadcast(found, expected).size).sf(statistic))


def test_arrivals_by_hour_fit_the_intensity():
    """Over 10 seeds of a day of 20,000 visitors, hourly arrivals are Poisson around the zones' summed intensity."""
    world = world_of()
    expected = expected_by_hour(world, list(zone_shares(world))).sum(axis=0)
    assert expected.min() > 50
    found = np.stack([found_by_hour(world, seed) for seed in range(10)])
    assert poisson_p(found, expected) > CHANCE


def test_first_page_views_of_simulations_fit_the_intensity():
    """What comes out of whole simulations as first page views fits the intensity as well: 4 seeds of 4,000 visitors."""
    world = world_of(traffic={"visitors_per_day": 4000})
    expected = expected_by_hour(world, list(zone_shares(world))).sum(axis=0)
    found = []
    for seed in range(4):
        sink = CollectingSink()
        Model(world, seed=seed, sinks=[sink]).run()
        first = sink.events.group_by("anonymous_id").agg(pl.col("timestamp").min())
        found.append(np.bincount(first["timestamp"].dt.hour().to_numpy(), minlength=24))
    assert poisson_p(np.stack(found), expected) > CHANCE


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Europe/Berlin", "America/New_York"])
def test_each_zone_has_its_own_day(zone: str):
    """Arrivals of a zone fit its share of the intensity at its own hours, over the week-end and a change of clocks."""
    world = world_of(clock={"start": "2026-03-27T00:00:00Z", "hours": 72}, traffic={"visitors_per_day": 30_000})
    expected = expected_by_hour(world, [zone])[0]
    found = np.stack([found_by_hour(world, 50 + seed, zone) for seed in range(2)])
    assert poisson_p(found, expected) > CHANCE


@pytest.mark.validation
def test_arrivals_are_a_poisson_process():
    """Over 200 seeds hourly counts fit the intensity, their variance equals their mean, and hours are independent."""
    world = world_of()
    expected = expected_by_hour(world, list(zone_shares(world))).sum(axis=0)
    found = np.stack([found_by_hour(world, 1000 + seed) for seed in range(200)])
    p_value = poisson_p(found, expected)
    residual = (found - expected) / np.sqrt(expected)
    neighbours = (residual[:, 1:] * residual[:, :-1]).mean()
    print(f"chi-square p = {p_value:.3f}, variance / mean = {(residual**2).mean():.4f}, neighbours {neighbours:.4f}")
    assert CHANCE < p_value < 1 - CHANCE
    # The mean of n squares of standard normal numbers has the standard error √(2/n), of n products 1/√n.
    assert abs((residual**2).mean() - 1) < 4 * np.sqrt(2 / residual.size)
    assert abs(neighbours) < 4 / np.sqrt(residual[:, 1:].size)
    assert stats.kstest(residual.ravel(), "norm").pvalue > CHANCE
