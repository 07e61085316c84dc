"""Claims about calibration by simulation: the band holds what it says, and faults show on the side they are on."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.stats import binom, kstest, norm

from analytics.charts.studies import rank_chart
from analytics.charts.style import to_svg
from scenarios.output_analysis.rank_calibration import (
    CALIBRATION_SCHEMA,
    calibration,
    simultaneous_band,
    standard_normal_rank,
)

GRID = np.linspace(0, 1, 51)


@pytest.mark.parametrize(("n", "level"), [(20, 0.95), (500, 0.95), (500, 0.8)])
def test_the_band_holds_all_of_a_uniform_sample_as_often_as_it_says(n: int, level: float):
    """Of 20,000 uniform samples as many stay inside as the level says, within 4 standard errors.

    Counts are whole numbers, so the band may hold more: but not more than by what one count at a single point can do.
    """
    counts = np.random.default_rng(5).multinomial(n, np.diff(GRID), 20_000).cumsum(axis=1)
    low, high = simultaneous_band(n, level)
    inside = ((low[1:] <= counts) & (counts <= high[1:])).all(axis=1).mean()
    error = np.sqrt(level * (1 - level) / 20_000)
    assert level - 4 * error < inside < level + 0.03 + 4 * error


def test_the_band_is_wider_than_that_of_a_single_point_and_narrower_than_bonferronis():
    """All points together err with 5 %: each errs with less than that, and with more than 5 % by 49.

    Of one uniform number each count, 0 or 1, is possible wherever its chance is not too small to matter.
    """
    low, high = simultaneous_band(1, 0.95)
    assert set(low) | set(high) == {0, 1}
    assert (low[25], high[25]) == (0, 1)
    low, high = simultaneous_band(400, 0.95)
    for i in range(5, 46):
        single, divided = (binom.ppf([a / 2, 1 - a / 2], 400, GRID[i]) for a in (0.05, 0.05 / 49))
        assert divided[0] <= low[i] <= single[0]
        assert single[1] <= high[i] <= divided[1]


def test_estimates_that_are_right_have_uniform_ranks_inside_the_band():
    """Normal estimates with their true standard errors, all different: Kolmogorov's test passes, and no term errs."""
    rng = np.random.default_rng(3)
    error = rng.uniform(0.1, 0.5, 400)
    ranks = {f"term {i}": standard_normal_rank(rng.normal(i, error), error, float(i)) for i in range(6)}
    assert kstest(np.concatenate(list(ranks.values())), "uniform").pvalue > 1e-3
    assert calibration(ranks)["inside"].all()


@pytest.mark.parametrize(
    ("bias", "spread", "left", "right"), [(0.5, 1, -1, -1), (-0.5, 1, 1, 1), (0, 1.5, 1, -1), (0, 0.6, -1, 1)]
)
def test_faults_leave_the_band_on_their_side(bias: float, spread: float, left: int, right: int):
    """Too high or too low an estimate bends the line one way throughout, too small or too large an error two ways."""
    estimates = np.random.default_rng(1).normal(bias, spread, 600)
    table = calibration({"faulty": standard_normal_rank(estimates, np.ones(600), 0.0)})
    assert not table["inside"].any()
    difference = table["difference"].to_numpy()
    assert (np.sign(difference[8]), np.sign(difference[42])) == (left, right)
    # In the limit the difference is Φ((Φ⁻¹(u) − bias) / spread) − u; Kolmogorov's bound of 600 holds with 99.9 %.
    expected = norm.cdf((norm.ppf(GRID) - bias) / spread) - GRID
    assert np.abs(difference - expected).max() < 1.95 / np.sqrt(600)


def test_replications_without_an_estimate_do_not_count():
    """NaN is no rank, and a term that has none has no rows."""
    table = calibration({"some": np.array([0.2, np.nan, 0.7]), "none": np.array([np.nan])})
    assert table["term"].unique().to_list() == ["some"]
    assert table["n"].unique().to_list() == [2]
    assert calibration({}).schema == CALIBRATION_SCHEMA


def test_the_chart_has_a_panel_per_term_and_says_which_are_outside():
    """Each term is named; the one outside says so in words, not by its colour alone."""
    rng = np.random.default_rng(2)
    table = calibration({"a:b": rng.random(300), "<biased>": rng.random(300) ** 2})
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", to_svg(rank_chart(table, {"a:b": "a × b"}), "t"))
    assert "a × b" in texts
    assert "&lt;biased&gt;: outside" in texts
