"""Sobol indices of a stochastic simulation: shares of the variance of its mean response.

The mean response at a point is known from a few replications only. So every product of two means below is without the
products of a replication with itself: its expectation is then that of the true means, with common random numbers as
well as without. Left in, the noise would be added to the variance, and every factor would seem to interact.

Two things are random: the base samples, and the random numbers of the replications. Intervals are of a bootstrap that
draws both anew. Base samples are resampled. Under common random numbers replication r has the same numbers at every
point, so that other numbers would move all points together: each resample moves the means of all points by one random
combination of the deviations of the replications, with the variance of a mean and the tails of Student's t. (Resampled
as they are, a few replications would vary too little, by (R − 1)/R and without these tails.) Without common random
numbers each point is resampled with its own noise, and nothing more is needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scenarios.errors import InputError
from scenarios.output_analysis.point_values import noise_share, point_values
from scenarios.output_analysis.results import StudyResults

Floats = NDArray[np.float64]

_RESAMPLES: Final = 1000
_ENDS: Final = (0.025, 0.975)
_MOST_GROUPS: Final = 20
"""Groups of replications whose means are combined."""

_MIN_SAMPLES: Final = 8
"""Base samples of the shortest part of the design in which convergence is shown."""

_HALVINGS: Final = 3


class Shares(NamedTuple):
    """Sobol indices; NaN where the response does not vary.

    Args:
        first: First-order index S1 of each factor.
        total: Total index ST of each factor.
        second: Second-order index S2 of each pair of factors, in the order of ``itertools.combinations``; empty if the
            design has no blocks for it.
    """

    first: Floats
    total: Floats
    second: Floats


def sobol_indices(results: StudyResults, response: str) -> pl.DataFrame:
    """Return first-order (S1) and total (ST) Sobol indices of each factor, from a study with a Saltelli design.

    They are shares of the variance of the mean response. Of a study with one replication and common random numbers,
    they describe the response to those random numbers only, and the intervals do not say how it would be with others.

    Args:
        results: Results of the study.
        response: Name of a response.

    Returns:
        One row per factor: ``first`` (first-order index S1) and ``total`` (total index ST), each with a 95 % interval
        (``first_low``, …) over base samples and random numbers, and ``noise``: the Monte-Carlo variance as a share of
        the variance between the averaged points.

    Raises:
        InputError: The design is not a Saltelli design, a point has no number, or there is one replication without
            common random numbers.
    """
    runs = _runs(results, response)
    noise = noise_share(runs.reshape(-1, runs.shape[2]))
    return _table(results, runs).with_columns(noise=pl.lit(noise))


def sobol_interactions(results: StudyResults, response: str) -> pl.DataFrame:
    """Return second-order Sobol indices (S2) of each pair of factors.

    Args:
        results: Results of a study with the design ``{kind: saltelli, second_order: true, …}``.
        response: Name of a response.

    Returns:
        One row per pair: ``factor``, ``with_factor``, ``second`` and its 95 % interval.

    Raises:
        InputError: As of :func:`sobol_indices`, or the design is without ``second_order``.
    """
    if not results.plan.settings.design.second_order:
        raise InputError("second-order indices need a design with `second_order: true`, which runs more points")
    pairs = list(combinations(results.plan.settings.factors, 2))
    one, other = ([pair[place] for pair in pairs] for place in (0, 1))
    second = _columns(results, _runs(results, response))["second"]
    return pl.DataFrame({"factor": one, "with_factor": other, **second})


def sobol_convergence(results: StudyResults, response: str) -> pl.DataFrame:
    """Return the Sobol indices by the number of base samples: those of the first N/8, N/4, N/2 and all N.

    Args:
        results: Results of the study.
        response: Name of a response.

    Returns:
        As of :func:`sobol_indices`, with the number of ``samples`` instead of ``noise``; parts of fewer than 8 are left
        out.

    Raises:
        InputError: As of :func:`sobol_indices`.
    """
    runs = _runs(results, response)
    parts = (len(runs) >> halvings for halvings in range(_HALVINGS, -1, -1))
    tables = (_table(results, runs[:part]).with_columns(samples=part) for part in parts if part >= _MIN_SAMPLES)
    return pl.concat(tables).select("samples", pl.exclude("samples"))


def _runs(results: StudyResults, response: str) -> Floats:
    """Values of a response, base samples × blocks × replications."""
    values = point_values(results, response, "saltelli")
    if values.shape[1] == 1 and not results.plan.settings.common_random_numbers:
        raise InputError(
            "with one replication and `common_random_numbers: false`, noise looks like interactions of all factors and "
            "cannot be subtracted: run 2 replications or more, or common random numbers"
        )
    return values.reshape(results.plan.settings.design.samples or 1, -1, values.shape[1])


def _table(results: StudyResults, runs: Floats) -> pl.DataFrame:
    found = _columns(results, runs)
    return pl.DataFrame({"factor": list(results.plan.settings.factors), **found["first"], **found["total"]})


def _columns(results: StudyResults, runs: Floats) -> dict[str, dict[str, Floats]]:
    """Each kind of index with the ends of its interval."""
    settings = results.plan.settings
    estimates = sobol_shares(runs, len(settings.factors))
    ends = sobol_intervals(runs, len(settings.factors), common=settings.common_random_numbers)
    return {
        name: {name: each, f"{name}_low": low, f"{name}_high": high}
        for name, each, low, high in zip(Shares._fields, estimates, *ends, strict=True)
    }


def sobol_shares(runs: Floats, n_factors: int) -> Shares:
    """Return Sobol indices from the blocks of a Saltelli design.

    Sources: first order, A. Saltelli et al., Computer Physics Communications 181 (2010) 259–270, table 2 (b); total, M.
    J. W. Jansen, Computer Physics Communications 117 (1999) 35–43; second order, A. Saltelli, Computer Physics
    Communications 145 (2002) 280–297, as in SALib.

    Args:
        runs: Responses, base samples × blocks × replications. The blocks are A; A with each factor of B in turn; for
            second-order indices B with each factor of A in turn; and B.
        n_factors: Number of factors.

    >>> from scenarios.studies import DesignSettings, unit_design
    >>> points = unit_design(DesignSettings(kind="saltelli", samples=1024), 2, seed=1)
    >>> sobol_shares((points @ [2.0, 1.0]).reshape(1024, 4, 1), 2).first.round(2)
    array([0.8, 0.2])
    """
    return _weighted(_rows(runs, n_factors), np.full(len(runs), 1 / len(runs)))


def sobol_intervals(runs: Floats, n_factors: int, *, common: bool) -> tuple[Shares, Shares]:
    """Return the ends of 95 % bootstrap intervals of Sobol indices.

    With common random numbers they are percentiles over resamples of base samples and random numbers. Otherwise, and
    for a single replication, they are Student's t times the standard error over resamples of the base samples, on
    either side of the index: with few base samples, percentiles cover less.

    Sources: A. B. Owen, Annals of Applied Statistics 1 (2007) 386–411, for resampling both of two factors that cross;
    C. F. J. Wu, Annals of Statistics 14 (1986) 1261–1295, for random combinations of deviations; T. Hesterberg, The
    American Statistician 69 (2015) 371–386, for the width of bootstrap intervals in small samples.

    Args:
        runs: As of :func:`sobol_shares`.
        n_factors: Number of factors.
        common: Whether replication r has the same random numbers at all points.

    Returns:
        Lower and upper ends; NaN where the indices are.
    """
    # A fixed seed, so that the same results always have the same intervals.
    rng, rows, n = np.random.default_rng(0), _rows(runs, n_factors), len(runs)
    weights = rng.multinomial(n, np.full(n, 1 / n), _RESAMPLES) / n
    estimates = _weighted(rows, np.full(n, 1 / n))
    if np.isnan(estimates.total).any():
        return estimates, estimates
    if common and runs.shape[2] > 1:
        moved = zip(weights, _moved(runs, n_factors, rows, rng), strict=True)
        draws = Shares(*map(np.array, zip(*(_weighted(each, of_rows) for of_rows, each in moved), strict=True)))
    else:
        draws = _weighted(rows, weights)
    # Without the resamples in which the response did not vary.
    known = Shares(*(each[~np.isnan(draws.total).any(axis=1)] for each in draws))
    if common and runs.shape[2] > 1:
        low, high = (Shares(*(np.quantile(each, end, axis=0) for each in known)) for end in _ENDS)
        return low, high
    from scipy.special import stdtrit  # noqa: PLC0415 - workers that only simulate must not wait for it

    # Resamples vary by (n − 1)/n of what samples do.
    half = [stdtrit(n - 1, _ENDS[1]) * math.sqrt(n / (n - 1)) * np.std(each, axis=0) for each in known]
    low, high = (Shares(*(a + sign * b for a, b in zip(estimates, half, strict=True))) for sign in (-1, 1))
    return low, high


def _moved(runs: Floats, n_factors: int, rows: _Rows, rng: np.random.Generator) -> Iterator[_Rows]:
    """Terms of the estimators as other random numbers might have given them.

    Args:
        runs: As of :func:`sobol_shares`, of two replications or more.
        n_factors: Number of factors.
        rows: The terms of these runs.
        rng: Draws the combinations.
    """
    groups = np.array_split(runs, min(runs.shape[2], _MOST_GROUPS), axis=2)
    # Deviations of means of many replications stand for as many single ones, and take less time.
    means = [group.mean(axis=2, keepdims=True) for group in groups]
    mean, n = runs.mean(axis=2, keepdims=True), len(groups)
    apart = [(each - mean) / math.sqrt(n * (n - 1)) for each in means]
    noise = [biased - each for biased, each in zip(_rows(mean, n_factors), rows, strict=True)]
    for _ in range(_RESAMPLES):
        factors = rng.normal(size=n) / math.sqrt(rng.chisquare(n - 1) / (n - 1))
        # Added one by one, so that points with equal responses stay equal to the last digit.
        other = sum((factor * each for factor, each in zip(factors, apart, strict=True)), mean)
        yield _Rows(*(each - bias for each, bias in zip(_rows(other, n_factors), noise, strict=True)))


class _Rows(NamedTuple):
    """Terms of the estimators, base samples × indices: all are sums over the base samples, also of resamples."""

    first: Floats
    first_slope: Floats
    total: Floats
    second: Floats
    second_slope: Floats
    square: Floats
    middle: Floats
    centre: Floats


def _rows(runs: Floats, n_factors: int) -> _Rows:
    # Deviations from the first point are exactly 0 of a constant response, and those from the mean may not be.
    apart = runs - runs[:1, :1]
    # The mean of each replication is taken out: all points move with it.
    centred = apart - apart.mean(axis=(0, 1))
    a, ab, ba, b = np.split(centred, [1, n_factors + 1, centred.shape[1] - 1], axis=1)
    pairs = list(combinations(range(n_factors), 2)) if ba.shape[1] else []
    one, other = (ba[:, [j for j, _ in pairs]], ab[:, [k for _, k in pairs]])
    return _Rows(
        first=_product(b, ab - a),
        first_slope=(ab - a).mean(axis=2),
        total=_product(a - ab, a - ab) / 2,
        second=_product(one, other) - _product(a, b),
        second_slope=(one + other - a - b).mean(axis=2),
        square=(_product(a, a) + _product(b, b)) / 2,
        middle=(a + b).mean(axis=2) / 2,
        centre=centred.mean(axis=(1, 2))[:, np.newaxis],
    )


def _product(one: Floats, other: Floats) -> Floats:
    """Mean over replications of products of two different ones: unbiased for the product of the true means."""
    n = one.shape[2]
    if n == 1:
        return np.asarray((one * other)[:, :, 0])
    return np.asarray((n * one.mean(axis=2) * other.mean(axis=2) - (one * other).mean(axis=2)) / (n - 1))


def _weighted(rows: _Rows, weights: Floats) -> Shares:
    """Indices by weights of the base samples, of shape (base samples,) or resamples × base samples."""
    mean = _Rows(*(weights @ each for each in rows))
    variance = mean.square - mean.middle**2
    variance = np.where(variance > 0, variance, np.nan)
    # The first-order estimator is not invariant to the mean; without that its variance is less.
    first = (mean.first - mean.centre * mean.first_slope) / variance
    second = (mean.second - mean.centre * mean.second_slope) / variance
    n_factors = first.shape[-1]
    if second.shape[-1]:
        j, k = np.triu_indices(n_factors, 1)
        second = second - first[..., j] - first[..., k]
    return Shares(first, mean.total / variance, second)
