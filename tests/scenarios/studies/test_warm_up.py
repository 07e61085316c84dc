"""Claims about finding the hours in which a world fills."""

from __future__ import annotations

import numpy as np
import pytest

from scenarios.scenario import Scenario
from scenarios.warm_up import find_warm_up, mser5, without_cycle


def filling(n: int, fills_until: int, seed: int) -> np.ndarray:
    """A series that rises from half its level to the whole, with noise of a fiftieth."""
    level = np.minimum(0.5 + 0.5 * np.arange(n) / max(fills_until, 1), 1.0)
    return 100 * level + np.random.default_rng(seed).normal(0, 2, n)


def test_mser5_cuts_where_a_series_has_filled():
    """Of 200 series that fill in 40 of 400 values it cuts within two batches before and six after, but for one in ten.

    Of series that are full from the beginning it cuts nothing or little in most, and half of them never.
    """
    cuts = [mser5(filling(400, 40, seed)) for seed in range(200)]
    assert sum(cut is not None and 30 <= cut <= 70 for cut in cuts) >= 180
    assert np.median([cut for cut in (mser5(filling(400, 0, seed)) for seed in range(200)) if cut is not None]) <= 20


def test_mser5_is_the_cut_with_the_least_error_of_the_mean():
    """Of a series that jumps at 25, the batches before are cut and none after; one that rises to its end has no cut."""
    assert mser5(np.concatenate([np.zeros(25), np.full(75, 3.0)])) == 25
    assert mser5(np.full(100, 3.0)) == 0
    assert mser5(np.linspace(0.0, 1.0, 100)) is None


def test_a_cycle_is_divided_out_of_a_crowd_that_grows_and_taken_from_one_that_is_never_there_at_night():
    """What is left of a cycle times a level is the level; of a cycle with empty hours, the level's mean."""
    day = 2 + np.sin(np.arange(24) * 2 * np.pi / 24)
    level = np.where(np.arange(100) < 24, 0.5, 1.0)
    assert without_cycle(np.resize(day, 100) * level, 24) == pytest.approx(2 * level)
    night = np.where(np.arange(24) < 6, 0.0, 4.0)
    assert without_cycle(np.resize(night, 100), 24) == pytest.approx(np.full(100, 3.0))


@pytest.mark.validation
def test_the_page_views_of_an_empty_web_site_take_a_day_to_fill():
    """Visitors come back for days: the first hours have fewer page views than the rest; three weeks are watched."""
    found = find_warm_up(Scenario.load("baseline", ["traffic.visitors_per_day=200"]), replications=3, jobs=1)
    average = found.table["moving_average"].to_numpy()
    assert len(average) == 3 * 7 * 24
    assert average[:6].mean() < 0.85 * average[100:400].mean()
    assert "MSER-5" in found.chart().to_json() or not found.hours
