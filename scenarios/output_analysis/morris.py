"""Elementary effects (Morris), in shares of a factor's range and in values, beside what noise alone would give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scenarios.output_analysis.point_values import point_values
from scenarios.output_analysis.results import StudyResults
from scenarios.studies.design import unit_design
from scenarios.studies.settings import Factor

Floats = NDArray[np.float64]

_LEVEL: Final = 0.95
_RESAMPLES: Final = 1000
_ROUNDING: Final = 1e-12


def morris_indices(results: StudyResults, response: str) -> pl.DataFrame:
    """Return statistics of the elementary effects of each factor, from a study with a Morris design.

    Args:
        results: Results of the study.
        response: Name of a response.

    Returns:
        One row per factor: ``mean_absolute`` effect of moving it over its whole range, or to another category if they
        are no numbers (μ*), its 95 % bootstrap interval over the trajectories, ``mean`` (μ) and ``sd`` (σ: interactions
        and curvature); the ``noise_floor``, which μ* of a factor without effect on the mean exceeds in 5 % of studies,
        and whether μ* is ``above_noise`` (null for a single replication, of which the noise is not known); and the same
        effect in values: ``mean_per_unit`` for each ``unit`` of the setting, such as ``+1``, ``×2`` or
        ``False → True``.

    Raises:
        InputError: The design is not a Morris design, or a point has no number.
    """
    runs = point_values(results, response, "morris")
    settings = results.plan.settings
    factors = tuple(settings.factors.values())
    shares = unit_design(settings.design, len(factors), settings.seed)
    of_runs = morris_effects(shares, runs, factors)
    effects = of_runs.mean(axis=2)
    size, sd = np.abs(effects).mean(axis=0), effects.std(axis=0, ddof=1)
    # A fixed seed, so that the same results always have the same intervals.
    resamples = np.random.default_rng(0).integers(0, len(effects), (_RESAMPLES, len(effects)))
    low, high = np.quantile(np.abs(effects)[resamples].mean(axis=1), (0.025, 0.975), axis=0)
    floor = noise_floors(of_runs, common=settings.common_random_numbers)
    units = [factor.unit for factor in factors]
    table = pl.DataFrame(
        {
            "factor": list(settings.factors),
            "mean_absolute": size,
            "mean_absolute_low": low,
            "mean_absolute_high": high,
            "mean": effects.mean(axis=0),
            # Of equal effects rounding leaves a little.
            "sd": np.where(sd > _ROUNDING * size, sd, 0.0),
            "noise_floor": floor,
            "above_noise": size > floor,
            "unit": [name for name, _ in units],
            "mean_per_unit": effects.mean(axis=0) * [share for _, share in units],
        },
        nan_to_null=True,
    )
    return table.with_columns(above_noise=pl.when(pl.col("noise_floor").is_not_null()).then("above_noise"))


def morris_effects(shares: Floats, values: Floats, factors: Sequence[Factor] = ()) -> Floats:
    """Return elementary effects, trajectories × factors × replications, per whole range of a factor.

    An effect is divided by the step that was made. Between a few values it is not that of the design: from the first of
    two categories to the second is the whole range, whichever shares stand for them.

    Source: M. D. Morris, Technometrics 33 (1991) 161–174; F. Campolongo et al., Environmental Modelling & Software 22
    (2007) 1509–1518 for μ*.

    Args:
        shares: The design in the unit cube, trajectories one after another.
        values: The response at its points, points × replications.
        factors: The factors, which know their steps; of the unit cube itself if not given.
    """
    k = shares.shape[1]
    paths, responses = shares.reshape(-1, k + 1, k), values.reshape(-1, k + 1, values.shape[1])
    moves, changes = np.diff(paths, axis=1), np.diff(responses, axis=1)
    for j, factor in enumerate(factors):
        for path, step in np.argwhere(moves[:, :, j]):
            moves[path, step, j] = factor.step(paths[path, step, j], paths[path, step + 1, j])
    # In each step one factor alone moves; the sum over the steps picks that one.
    inverse = np.divide(1.0, moves, out=np.zeros_like(moves), where=moves != 0)
    return np.asarray(np.einsum("tsf,tsr->tfr", inverse, changes))


def noise_floors(effects: Floats, *, common: bool) -> Floats:
    """Return what μ* of a factor without effect on the mean response exceeds in 5 % of studies, by noise alone.

    The noise of an elementary effect is normal, with the standard error of its mean over replications. Its absolute
    value is averaged over trajectories. Without common random numbers these are independent: the mean and the standard
    deviation of the absolute value of a normal variable are √(2/π) and √(1 − 2/π) of its own. With them, trajectories
    may all err alike, and averaging does not help: the floor is then the half-width of the t interval of one effect.

    Args:
        effects: Trajectories × factors × replications.
        common: Whether replication r has the same random numbers at all points.

    Returns:
        Floor of each factor; NaN for a single replication.

    >>> noise_floors(np.array([[[1.0, 2.0, 3.0]], [[3.0, 4.0, 5.0]]]), common=True).round(3)
    array([2.484])
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - workers that only simulate must not wait for it

    n_trajectories, n_factors, n = effects.shape
    if n == 1:
        return np.full(n_factors, np.nan)
    errors = effects.std(axis=2, ddof=1) / math.sqrt(n)
    if common:
        return np.asarray(stdtrit(n - 1, 0.5 + _LEVEL / 2) * errors.mean(axis=0))
    spread = np.sqrt((1 - 2 / math.pi) * (errors**2).sum(axis=0)) / n_trajectories
    return np.asarray(math.sqrt(2 / math.pi) * errors.mean(axis=0) + NormalDist().inv_cdf(_LEVEL) * spread)
