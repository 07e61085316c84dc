"""Simulation-based calibration: whether standard errors describe the distribution of the estimates about the truth.

If an estimate with standard error s is normal about the truth, Φ((estimate − truth) / s) is uniform over replications
(S. R. Cook, A. Gelman and D. B. Rubin, Journal of Computational and Graphical Statistics 15 (2006) 675–692). Bias
accumulates these ranks at one end, standard errors that are too small at both ends. They are not uniform if their
distribution function leaves a simultaneous band (T. Säilynoja, P.-C. Bürkner and A. Vehtari, Statistics and Computing
32 (2022) 32).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import bdtr, gammaln, ndtr

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CALIBRATION_SCHEMA: Final = pl.Schema(
    {
        "term": pl.String(),
        "n": pl.UInt32(),
        "rank": pl.Float64(),
        "difference": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "inside": pl.Boolean(),
    }
)
"""Columns of the table of calibration, one row per term and point of the grid.

``n`` replications have an estimate; ``difference`` is the share of them whose rank is at most ``rank``, less what it
would be if ranks were uniform; ``low`` and ``high`` are the simultaneous band; ``inside`` is of the whole term.
"""

_STEPS: Final = 50
"""Intervals of the grid of ranks; a finer grid costs time and shows no more."""

_HALVINGS: Final = 14
"""Steps of the bisection, enough for the level of a point to four digits."""


def standard_normal_rank(estimates: Floats, standard_errors: Floats, truth: Floats | float) -> Floats:
    """Return ranks of estimates in the normal distribution about the truth, from 0 to 1.

    Args:
        estimates: Estimate of each replication.
        standard_errors: Their standard errors, above 0.
        truth: True value.

    >>> standard_normal_rank(np.array([1.0, 2.0]), np.array([1.0, 1.0]), 1.0).round(3)
    array([0.5  , 0.841])
    """
    return np.asarray(ndtr((estimates - truth) / standard_errors), dtype=np.float64)


def calibration(ranks: Mapping[str, Floats], level: float = 0.95) -> pl.DataFrame:
    """Compare the distribution of ranks with the uniform distribution, term by term.

    Args:
        ranks: Ranks over replications, by term; NaN where a replication has none.
        level: Probability that all terms stay inside their bands, if all are calibrated and independent.

    Returns:
        Columns as in :data:`CALIBRATION_SCHEMA`; a term without ranks has no rows.
    """
    known = {term: np.sort(values[~np.isnan(values)]) for term, values in ranks.items()}
    known = {term: values for term, values in known.items() if len(values)}
    tables = [_of_term(term, values, 1 - (1 - level) / len(known)) for term, values in known.items()]
    return pl.concat(tables) if tables else pl.DataFrame(schema=CALIBRATION_SCHEMA)


def _of_term(term: str, ranks: Floats, level: float) -> pl.DataFrame:
    n, grid = len(ranks), np.linspace(0, 1, _STEPS + 1)
    below = np.searchsorted(ranks, grid, side="right")
    # Ranks that round to exactly 0 or 1 lie inside the range all the same.
    below[[0, -1]] = 0, n
    low, high = simultaneous_band(n, level)
    return pl.DataFrame(
        {
            "term": term,
            "n": n,
            "rank": grid,
            "difference": below / n - grid,
            "low": low / n - grid,
            "high": high / n - grid,
            "inside": bool(((low <= below) & (below <= high)).all()),
        },
        schema=CALIBRATION_SCHEMA,
    )


@lru_cache(maxsize=32)
def simultaneous_band(n: int, level: float) -> tuple[Integers, Integers]:
    """Return a simultaneous band for the number of n uniform draws below each point of an even grid.

    Each end is a binomial quantile. Their common level, for which all counts lie in the band with probability
    ``level``, is computed exactly, not simulated.

    Args:
        n: Number of draws.
        level: Probability that the counts stay within the band at all points together, between 0 and 1.

    Returns:
        The least and the greatest count at 0, 1/50, …, 1.
    """
    # One point's level lies between that of independent points and that of a single one.
    least, most = (1 - level) / _STEPS, 1 - level
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        least, most = (middle, most) if _coverage(n, *_quantiles(n, middle)) >= level else (least, middle)
    return _quantiles(n, least)


def _quantiles(n: int, outside: float) -> tuple[Integers, Integers]:
    """Binomial quantiles at the points of the grid, beyond which lies half of ``outside`` on either side."""
    counts = np.arange(n + 1)
    low, high = np.zeros(_STEPS + 1, np.int64), np.full(_STEPS + 1, n, np.int64)
    high[0], low[-1] = 0, n
    for i in range(1, _STEPS):
        at_most = bdtr(counts, n, i / _STEPS)
        low[i], high[i] = np.searchsorted(at_most, [outside / 2, 1 - outside / 2])
    return low, high


def _coverage(n: int, low: Integers, high: Integers) -> float:
    """Probability that all counts are in the band: counts along the grid are a Markov chain of binomial steps."""
    factorial = gammaln(np.arange(n + 2) + 1.0)
    probabilities = np.ones(1)
    for i in range(1, _STEPS):
        # Each draw beyond the last point lies before this one with the same probability.
        p = 1 / (_STEPS - i + 1)
        before, now = np.arange(low[i - 1], high[i - 1] + 1), np.arange(low[i], high[i] + 1)
        left, more = n - before[:, np.newaxis], now - before[:, np.newaxis]
        possible = np.clip(more, 0, left)
        log_probability = factorial[left] - factorial[possible] - factorial[left - possible]
        log_probability = log_probability + possible * np.log(p) + (left - possible) * np.log1p(-p)
        probabilities = probabilities @ np.where((more >= 0) & (more <= left), np.exp(log_probability), 0.0)
    return float(probabilities.sum())
