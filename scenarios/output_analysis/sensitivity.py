"""Sensitivity indices of a stochastic simulation: Sobol, Morris and PAWN.

A simulation's response is its mean over replications plus noise. Unless the noise is removed, every factor seems to
interact. So each design point is averaged over its replications first, and the share of variance that is still
Monte-Carlo noise is returned beside the indices. Under common random numbers a factor without effect has an index of
exactly 0. With independent points the noise variance is subtracted from the Sobol indices, whose intervals then
contain 0. Missing numbers are refused: an index computed without them would be wrong, and nothing would show it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scenarios.errors import InputError
from scenarios.output_analysis.results import StudyResults
from scenarios.studies.design import unit_design
from scenarios.studies.settings import Factor

Floats = NDArray[np.float64]

_RESAMPLES: Final = 1000
_ENDS: Final = (2.5, 97.5)
_SLICES: Final = 10


def sobol_indices(results: StudyResults, response: str) -> pl.DataFrame:
    """Return first-order (S1) and total (ST) Sobol indices of each factor, from a study with a Saltelli design.

    Args:
        results: Results of the study.
        response: Name of a response.

    Returns:
        One row per factor: ``first`` (first-order index S1) and ``total`` (total index ST), each with a 95 % bootstrap
        interval over the base points (``first_low``, …), and ``noise``: the Monte-Carlo variance as a share of the
        variance between the averaged points.

    Raises:
        InputError: The design is not a Saltelli design, or a point has no number.
    """
    means, noise = _averaged(results, response, "saltelli")
    factors = list(results.plan.settings.factors)
    width = len(factors) + 2
    blocks = np.hstack([means.reshape(-1, width), _noise_variances(results, response).reshape(-1, width)])

    def shares(sample: Floats) -> Floats:
        return sobol_shares(sample[:, :width], sample[:, width:])

    estimate = shares(blocks)
    low, high = _bootstrap(blocks, shares)
    columns: dict[str, object] = {"factor": factors}
    for place, name in enumerate(("first", "total")):
        columns |= {name: estimate[place], f"{name}_low": low[place], f"{name}_high": high[place]}
    return pl.DataFrame({**columns, "noise": [noise] * len(factors)})


def sobol_shares(blocks: Floats, noise: Floats | None = None) -> Floats:
    """Return first-order and total Sobol indices of the blocks of a Saltelli design.

    Sources: first order, A. Saltelli et al., Computer Physics Communications 181 (2010) 259–270, table 2 (b); total, M.
    J. W. Jansen, Computer Physics Communications 117 (1999) 35–43.

    Args:
        blocks: Responses, base points × (A, A with each factor of B in turn, B).
        noise: Monte-Carlo variance of each of these numbers, of the same shape; 0 unless given. Uncorrected, its mean
            is added to the variance and to the total index of each factor.

    Returns:
        Two rows (first-order, total) × factors; NaN where the response does not vary.
    """
    noise = np.zeros_like(blocks) if noise is None else noise
    # Centring reduces the variance of the first-order estimator, which is not invariant to the mean.
    centred = blocks - blocks.mean()
    a, mixed, b = centred[:, :1], centred[:, 1:-1], centred[:, -1:]
    variance = float(np.var(np.concatenate([a, b]))) - float(noise[:, [0, -1]].mean())
    if variance <= 0:
        return np.full((2, mixed.shape[1]), np.nan)
    first = (b * (mixed - a)).mean(axis=0)
    total = ((a - mixed) ** 2 - noise[:, :1] - noise[:, 1:-1]).mean(axis=0) / 2
    return np.asarray(np.stack([first, total]) / variance)


def morris_indices(results: StudyResults, response: str) -> pl.DataFrame:
    """Return statistics of the elementary effects of each factor, from a study with a Morris design.

    Args:
        results: Results of the study.
        response: Name of a response.

    Returns:
        One row per factor: ``mean_absolute`` effect of moving it over its whole range, or to another category if they
        are no numbers (μ*), its 95 % bootstrap interval over the trajectories, ``mean`` (μ) and ``sd`` (σ: interactions
        and curvature).

    Raises:
        InputError: The design is not a Morris design, or a point has no number.
    """
    means, _ = _averaged(results, response, "morris")
    settings = results.plan.settings
    shares = unit_design(settings.design, len(settings.factors), settings.seed)
    effects = morris_effects(shares, means, tuple(settings.factors.values()))
    low, high = _bootstrap(effects, lambda sample: np.abs(sample).mean(axis=0))
    return pl.DataFrame(
        {
            "factor": list(settings.factors),
            "mean_absolute": np.abs(effects).mean(axis=0),
            "mean_absolute_low": low,
            "mean_absolute_high": high,
            "mean": effects.mean(axis=0),
            "sd": effects.std(axis=0, ddof=1) if len(effects) > 1 else np.full(effects.shape[1], np.nan),
        }
    )


def morris_effects(shares: Floats, values: Floats, factors: Sequence[Factor] = ()) -> Floats:
    """Return elementary effects, trajectories × factors, per whole range of a factor.

    An effect is divided by the step that was made. Between a few values it is not that of the design: from the first of
    two categories to the second is the whole range, whichever shares stand for them.

    Source: M. D. Morris, Technometrics 33 (1991) 161–174; F. Campolongo et al., Environmental Modelling & Software 22
    (2007) 1509–1518 for μ*.

    Args:
        shares: The design in the unit cube, trajectories one after another.
        values: The response at its points.
        factors: The factors, which know their steps; of the unit cube itself if not given.
    """
    k = shares.shape[1]
    paths, responses = shares.reshape(-1, k + 1, k), values.reshape(-1, k + 1)
    moves, changes = np.diff(paths, axis=1), np.diff(responses, axis=1)
    for j, factor in enumerate(factors):
        for path, step in np.argwhere(moves[:, :, j]):
            moves[path, step, j] = factor.step(paths[path, step, j], paths[path, step + 1, j])
    # In each step one factor alone moves; the sum over the steps picks that one.
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(moves != 0, changes[:, :, None] / moves, 0.0)
    return np.asarray(slopes.sum(axis=1))


def pawn_indices(results: StudyResults, response: str) -> pl.DataFrame:
    """Return PAWN indices of each factor, from a study with a Latin hypercube or a Sobol sequence.

    Args:
        results: Results of the study.
        response: Name of a response.

    Returns:
        One row per factor: ``median`` and ``maximum``, over slices of the factor, of the Kolmogorov–Smirnov distance
        between the response's distribution within the slice and over all points.

    Raises:
        InputError: The design is neither of the two, or a point has no number.
    """
    means, _ = _averaged(results, response, "latin-hypercube", "sobol")
    settings = results.plan.settings
    distances = pawn_shares(unit_design(settings.design, len(settings.factors), settings.seed), means)
    return pl.DataFrame(
        {
            "factor": list(settings.factors),
            "median": np.nanmedian(distances, axis=1),
            "maximum": np.nanmax(distances, axis=1),
        }
    )


def pawn_shares(shares: Floats, values: Floats, n_slices: int = _SLICES) -> Floats:
    """Return Kolmogorov–Smirnov distances between a response within slices of each factor and over all points.

    The shape is factors × slices; NaN where a slice has no points.

    Source: F. Pianosi and T. Wagener, Environmental Modelling & Software 108 (2018) 197–207.

    Args:
        shares: The design in the unit cube.
        values: The response at its points.
        n_slices: Slices of equal width that each factor's range is cut into.
    """
    grid = np.sort(values)
    whole = np.searchsorted(grid, grid, side="right") / len(grid)
    distances = np.full((shares.shape[1], n_slices), np.nan)
    for factor, column in enumerate(shares.T):
        place = np.minimum((column * n_slices).astype(int), n_slices - 1)
        for number in range(n_slices):
            within = np.sort(values[place == number])
            if within.size:
                distances[factor, number] = np.abs(
                    np.searchsorted(within, grid, side="right") / within.size - whole
                ).max()
    return distances


def _averaged(results: StudyResults, response: str, *designs: str) -> tuple[Floats, float]:
    """Mean of a response at each point, and Monte-Carlo variance as a share of the variance between these means.

    Raises:
        InputError: The design is not one of these, there is no such response, or a point has no number.
    """
    kind = results.plan.settings.design.kind
    if kind not in designs or len(results.plan.loaded.scenarios) > 1:
        raise InputError(f"this needs a study of one scenario with the design {' or '.join(designs)} (got {kind})")
    rows = results.summary.filter(pl.col("response") == response)
    if rows.is_empty():
        raise InputError(f"there is no response {response!r}; there are {', '.join(results.plan.responses)}")
    if rows.height < len(results.plan.points) or rows["mean"].null_count() or rows["n_missing"].sum():
        raise InputError(
            f"{response} has no number in some replications, and an index computed around them would be wrong; "
            "choose a response that always has one, or narrower factors"
        )
    means = rows["mean"].to_numpy()
    within = rows.select((pl.col("se") ** 2).mean()).item()
    between = float(np.var(means, ddof=1))
    return means, float("nan") if within is None or between == 0 else min(within / between, 1.0)


def _noise_variances(results: StudyResults, response: str) -> Floats:
    """Monte-Carlo variance of each point's mean; 0 under common random numbers, where it cancels."""
    rows = results.summary.filter(pl.col("response") == response)
    if results.plan.settings.common_random_numbers:
        return np.zeros(rows.height)
    # Of a single replication the variance is unknown.
    return np.asarray(rows.select(pl.col("se").fill_null(0.0) ** 2).to_series().to_numpy())


def _bootstrap(blocks: Floats, statistic: Callable[[Floats], Floats]) -> tuple[Floats, Floats]:
    """Ends of 95 % percentile intervals of a statistic over resampled rows."""
    # A fixed seed, so that the same results always have the same intervals.
    rng = np.random.default_rng(0)
    draws = [statistic(blocks[rng.integers(0, len(blocks), len(blocks))]) for _ in range(_RESAMPLES)]
    low, high = np.nanpercentile(np.array(draws), _ENDS, axis=0)
    return np.asarray(low), np.asarray(high)
