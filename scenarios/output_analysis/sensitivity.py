"""Which factors matter: indices of sensitivity for a model with chance in it.

A simulation's response is the mean over replications plus noise. With the noise in it every factor would seem to matter
through interactions with chance, so each design point is averaged over its replications first, and the share of
variance that is still noise is told beside the indices. Under common random numbers a factor that does nothing has an
index of exactly 0; where every point has luck of its own, the noise is taken out of the Sobol indices, whose intervals
then hold 0. Whatever is not a number is refused: an index computed around it would be wrong in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scenarios.errors import InputError
from scenarios.output_analysis.results import StudyResults
from scenarios.studies.design import unit_design

__all__ = ["morris_effects", "morris_indices", "pawn_indices", "pawn_shares", "sobol_indices", "sobol_shares"]

Floats = NDArray[np.float64]

_RESAMPLES: Final = 1000
_ENDS: Final = (2.5, 97.5)
_SLICES: Final = 10


def sobol_indices(results: StudyResults, response: str) -> pl.DataFrame:
    """First and total Sobol indices of each factor, from a study with a Saltelli design.

    Args:
        results: What the study found.
        response: Name of a response.

    Returns:
        One row per factor: ``first`` (share of the variance that the factor explains alone) and ``total`` (with all its
        interactions), each with a 95 % bootstrap interval over the base points (``first_low``, …), and ``noise``: the
        share of the variance between the averaged points that is chance.

    Raises:
        InputError: The design is another one, or a point has no number.
    """
    means, noise = _averaged(results, response, "saltelli")
    factors = list(results.plan.settings.factors)
    width = len(factors) + 2
    blocks = np.hstack([means.reshape(-1, width), _own_luck(results, response).reshape(-1, width)])

    def shares(sample: Floats) -> Floats:
        return sobol_shares(sample[:, :width], sample[:, width:])

    estimate = shares(blocks)
    low, high = _bootstrap(blocks, shares)
    columns: dict[str, object] = {"factor": factors}
    for place, name in enumerate(("first", "total")):
        columns |= {name: estimate[place], f"{name}_low": low[place], f"{name}_high": high[place]}
    return pl.DataFrame({**columns, "noise": [noise] * len(factors)})


def sobol_shares(blocks: Floats, luck: Floats | None = None) -> Floats:
    """First and total Sobol indices of blocks of a Saltelli design.

    Sources: first order, A. Saltelli et al., Computer Physics Communications 181 (2010) 259–270, table 2 (b); total, M.
    J. W. Jansen, Computer Physics Communications 117 (1999) 35–43.

    Args:
        blocks: Base points × (A, A with each factor of B in turn, B).
        luck: Variance of each of these numbers that is chance of its own, of the same shape; 0 unless given. It would
            add its mean to the variance, and to the total index of each factor, whatever the factor does.

    Returns:
        Two rows (first, total) × factors; NaN where the response does not vary.
    """
    luck = np.zeros_like(blocks) if luck is None else luck
    centred = blocks - blocks.mean()
    a, mixed, b = centred[:, :1], centred[:, 1:-1], centred[:, -1:]
    variance = float(np.var(np.concatenate([a, b]))) - float(luck[:, [0, -1]].mean())
    if variance <= 0:
        return np.full((2, mixed.shape[1]), np.nan)
    first = (b * (mixed - a)).mean(axis=0)
    total = ((a - mixed) ** 2 - luck[:, :1] - luck[:, 1:-1]).mean(axis=0) / 2
    return np.asarray(np.stack([first, total]) / variance)


def morris_indices(results: StudyResults, response: str) -> pl.DataFrame:
    """Elementary effects of each factor, from a study with a Morris design.

    Args:
        results: What the study found.
        response: Name of a response.

    Returns:
        One row per factor: ``mean_absolute`` effect of moving it over its whole range (μ*), its 95 % bootstrap interval
        over the trajectories, ``mean`` (μ) and ``sd`` (σ: interactions and curvature).

    Raises:
        InputError: The design is another one, or a point has no number.
    """
    means, _ = _averaged(results, response, "morris")
    settings = results.plan.settings
    shares = unit_design(settings.design, len(settings.factors), settings.seed)
    effects = morris_effects(shares, means)
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


def morris_effects(shares: Floats, values: Floats) -> Floats:
    """Elementary effects, trajectories × factors, per whole range of a factor.

    Source: M. D. Morris, Technometrics 33 (1991) 161–174; F. Campolongo et al., Environmental Modelling & Software 22
    (2007) 1509–1518 for μ*.

    Args:
        shares: The design in the unit cube, trajectories one after another.
        values: The response at its points.
    """
    k = shares.shape[1]
    paths, responses = shares.reshape(-1, k + 1, k), values.reshape(-1, k + 1)
    moves, changes = np.diff(paths, axis=1), np.diff(responses, axis=1)
    # In each step one factor alone moves; the sum over the steps picks that one.
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(moves != 0, changes[:, :, None] / moves, 0.0)
    return np.asarray(slopes.sum(axis=1))


def pawn_indices(results: StudyResults, response: str) -> pl.DataFrame:
    """PAWN indices of each factor, from a study whose points are spread over the factors (Latin hypercube or Sobol).

    Args:
        results: What the study found.
        response: Name of a response.

    Returns:
        One row per factor: the median ``median`` and the largest ``maximum`` Kolmogorov–Smirnov distance between the
        response's distribution and that within a slice of the factor.

    Raises:
        InputError: The design is another one, or a point has no number.
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
    """Kolmogorov–Smirnov distances of a response within slices of each factor from the whole, factors × slices.

    Where a slice has no points the distance is NaN.

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
    """Mean of a response at each point, and the share of the variance between these means that is chance.

    Raises:
        InputError: The design is another one, there is no such response, or a point has no number.
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


def _own_luck(results: StudyResults, response: str) -> Floats:
    """Variance of each point's mean that is chance of its own: none where the points share their luck."""
    rows = results.summary.filter(pl.col("response") == response)
    if results.plan.settings.common_random_numbers:
        return np.zeros(rows.height)
    # Of a single replication nobody knows.
    return np.asarray(rows.select(pl.col("se").fill_null(0.0) ** 2).to_series().to_numpy())


def _bootstrap(blocks: Floats, statistic: Callable[[Floats], Floats]) -> tuple[Floats, Floats]:
    """Ends of 95 % percentile intervals of a statistic over resampled rows."""
    rng = np.random.default_rng(0)
    draws = [statistic(blocks[rng.integers(0, len(blocks), len(blocks))]) for _ in range(_RESAMPLES)]
    low, high = np.nanpercentile(np.array(draws), _ENDS, axis=0)
    return np.asarray(low), np.asarray(high)
