"""Claims about page views of whole simulations: they follow the navigation chain."""

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from analytics.sessions.visits import assign_visits
from simulator.model import Model
from simulator.settings.world import WorldSettings
from simulator.tracking.delivery import CollectingSink
from simulator.world.navigation import Navigation

CHANCE = 1e-3
"""Each test fails by chance in one of a thousand choices of its (fixed) seeds."""

# A visit that starts six hours before the end and lasts until then has a probability of practically 0: it would need at
# least 13 pages of 29 minutes each. So visits are selected by their start, which does not depend on their pages.
MARGIN = timedelta(hours=6)


def views_by_visit(world: WorldSettings, seed: int) -> dict[str, np.ndarray]:
    """Views of each page in each uncut visit, of first and of later visits; shape (visits, pages)."""
    sink = CollectingSink()
    Model(world, seed=seed, sinks=[sink]).run()
    paths = [page.path for page in world.site.pages.values()]
    last_start = world.clock.start + timedelta(hours=world.clock.hours) - MARGIN
    pages = assign_visits(sink.events).filter(pl.col("type") == "page")
    key = ["anonymous_id", "visit"]
    pages = pages.filter(pl.col("event_time").min().over(key) < last_start)
    counts = pages.group_by(key).agg(*((pl.col("context_page_path") == path).sum().alias(path) for path in paths))
    first = pl.col("visit") == 1
    return {
        "first": counts.filter(first).select(paths).to_numpy().astype(float),
        "later": counts.filter(~first).select(paths).to_numpy().astype(float),
    }


def analytic_views(world: WorldSettings) -> dict[str, np.ndarray]:
    """Expected views of each page in first and later visits, from the fundamental matrix of the chain."""
    navigation = Navigation(world.site)
    landing = sum(channel.share * navigation.mix(channel.landing) for channel in world.traffic.channels.values())
    return {
        "first": navigation.expected_views(np.asarray(landing)),
        "later": navigation.expected_views(navigation.mix(world.visits.return_landing)),
    }


def fit(views: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """Largest difference of a page in standard errors, and the p-value of all pages together (Hotelling's T²)."""
    difference = views.mean(axis=0) - expected
    covariance = np.cov(views.T) / len(views)
    seen = np.diag(covariance) > 0
    assert not expected[~seen].any()
    z = difference[seen] / np.sqrt(np.diag(covariance)[seen])
    statistic = difference[seen] @ np.linalg.solve(covariance[np.ix_(seen, seen)], difference[seen])
    # With thousands of visits T² is chi-square.
    return float(np.abs(z).max()), float(stats.chi2(df=seen.sum()).sf(statistic))


@pytest.mark.parametrize(
    ("settings", "seeds"),
    [
        ({}, range(2)),
        ({"intent": {"target_conversion": 0.5}}, range(10, 12)),
        pytest.param({}, range(100, 140), marks=pytest.mark.validation),
    ],
    ids=["as usual", "half of the visitors ask", "a quarter of a million visits"],
)
def test_page_frequencies_are_those_of_the_chain(settings: dict[str, Any], seeds: range):
    """Page views per visit, of first and later visits that the end does not cut, equal landing · (I − P)⁻¹."""
    alike = {"traffic": {"visitors_per_day": 5000}, "population": {"personas": {}}}
    world = WorldSettings.model_validate({**alike, **settings})
    runs = [views_by_visit(world, seed) for seed in seeds]
    for kind, expected in analytic_views(world).items():
        views = np.concatenate([run[kind] for run in runs])
        largest, p_value = fit(views, expected)
        print(f"{kind} visits: {len(views)}, largest |z| of a page {largest:.2f}, p = {p_value:.3f}")
        assert p_value > CHANCE
        # Of 13 pages one misses by 4 standard errors in one of a thousand seeds.
        assert largest < 4
