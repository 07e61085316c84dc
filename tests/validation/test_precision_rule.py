"""Claims about the coverage of intervals at the stopping point of the precision rule, also of rare events."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from scipy import stats

from scenarios.studies.intervals import mean_intervals, running_sample
from scenarios.studies.precision import Precision, PrecisionSettings, stopping_point

N_STUDIES = 4000
Draw = Callable[[np.random.Generator, int], np.ndarray]


def rare_share(rng: np.random.Generator, n: int) -> np.ndarray:
    """Shares of 30 visitors who convert with probability 0.004: 0 in nine of ten replications."""
    return rng.binomial(30, 0.004, n) / 30


def clustered(rng: np.random.Generator, n: int) -> np.ndarray:
    """Counts of rare events that come one to four at a time."""
    return rng.poisson(0.1, n) * rng.integers(1, 5, n)


CASES: dict[str, tuple[Draw, float, dict[str, float]]] = {
    "Bernoulli .02": (lambda rng, n: (rng.random(n) < 0.02).astype(float), 0.02, {"absolute": 0.005}),
    "Bernoulli .02, relative": (lambda rng, n: (rng.random(n) < 0.02).astype(float), 0.02, {"relative": 0.5}),
    "Bernoulli .02, loose": (lambda rng, n: (rng.random(n) < 0.02).astype(float), 0.02, {"absolute": 0.01}),
    "Bernoulli .98": (lambda rng, n: (rng.random(n) < 0.98).astype(float), 0.98, {"absolute": 0.005}),
    "Poisson .05": (lambda rng, n: rng.poisson(0.05, n).astype(float), 0.05, {"absolute": 0.015}),
    "Poisson .5": (lambda rng, n: rng.poisson(0.5, n).astype(float), 0.5, {"relative": 0.2}),
    "share, mostly 0": (rare_share, 0.004, {"relative": 0.3}),
    "clustered counts": (clustered, 0.25, {"relative": 0.3}),
    "normal": (lambda rng, n: rng.normal(10.0, 3.0, n), 10.0, {"relative": 0.05}),
    "normal, absolute": (lambda rng, n: rng.normal(0.0, 1.0, n), 0.0, {"absolute": 0.2}),
}


@cache
def t_quantiles(n: int) -> np.ndarray:
    """Quantiles of half an interval of the first 1 to n values."""
    return stats.t.ppf(0.975, np.maximum(np.arange(n), 1))


def by_t(values: np.ndarray, target: Precision, settings: PrecisionSettings) -> tuple[float, float]:
    """The interval of the same rule by t intervals alone, for which values without a spread are known exactly."""
    sample = running_sample(values)
    with np.errstate(invalid="ignore"):
        half = t_quantiles(len(values)) * sample.sd / np.sqrt(sample.n)
        met = target.is_met(sample.mean - half, sample.mean + half)
    start = settings.min
    while (found := np.flatnonzero(met[start - 1 :])).size:
        end = min(math.ceil(1.25 * (start + int(found[0]))), len(values))
        if end == len(values) or met[end - 1]:
            return sample.mean[end - 1] - half[end - 1], sample.mean[end - 1] + half[end - 1]
        start = end + 1
    return sample.mean[-1] - half[-1], sample.mean[-1] + half[-1]


@pytest.mark.validation
@pytest.mark.parametrize("name", CASES)
def test_intervals_at_the_stopping_point_keep_their_coverage(name: str):
    """Over 4,000 studies 95 % of the intervals hold the true mean, within 3 standard errors of as many trials.

    More where the target is so loose that a study ends with its tenth event.
    """
    draw, truth, goal = CASES[name]
    target, rng = Precision(**goal), np.random.default_rng(20261130)
    settings = PrecisionSettings(precision={"x": target}, max=6000)
    covered, before, ends = 0, 0, []
    for _ in range(N_STUDIES):
        values = draw(rng, settings.max)
        end = stopping_point({"x": values}, settings)
        assert end is not None
        low, high = mean_intervals(running_sample(values[:end]))
        covered += bool(low[-1] <= truth <= high[-1])
        ends.append(end)
        low_t, high_t = by_t(values, target, settings)
        before += bool(low_t <= truth <= high_t)
    print(f"\n{name}: {before / N_STUDIES:.4f} → {covered / N_STUDIES:.4f}, after {np.median(ends):.0f} replications")
    tolerance = 3 * math.sqrt(0.95 * 0.05 / N_STUDIES)
    assert -tolerance < covered / N_STUDIES - 0.95
    assert "loose" in name or covered / N_STUDIES - 0.95 < tolerance


@pytest.mark.validation
@pytest.mark.parametrize("least", [3, 10, 20])
def test_stopping_at_the_first_narrow_interval_covers_too_rarely(least: int):
    """Without looking ahead, of normal responses of which some 30 are needed; the fewer must be made, the worse."""
    rng, covered = np.random.default_rng(1), 0
    half_width = 1.96 / math.sqrt(30)
    for _ in range(N_STUDIES):
        sample = running_sample(rng.normal(size=600))
        half = t_quantiles(600) * sample.sd / np.sqrt(sample.n)
        stop = int(np.flatnonzero(half[least - 1 :] <= half_width)[0]) + least - 1
        covered += bool(abs(sample.mean[stop]) <= half[stop])
    print(f"\nfirst narrow interval after at least {least}: {covered / N_STUDIES:.4f}")
    expected = {3: 0.912, 10: 0.9365, 20: 0.9385}[least]
    assert covered / N_STUDIES == pytest.approx(expected, abs=3 * math.sqrt(0.94 * 0.06 / N_STUDIES))
