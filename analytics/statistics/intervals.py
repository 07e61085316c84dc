"""Confidence intervals of rates."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray


def wilson_interval(
    successes: ArrayLike, n: ArrayLike, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Wilson's score interval of a rate.

    It is the set of rates that a score test does not reject. Unlike Wald's interval it stays within 0 and 1, and has a
    positive width for 0 and for n successes. Source: E. B. Wilson, JASA 22 (1927) 209–212; equation 4
    of R. G. Newcombe, Statistics in Medicine 17 (1998) 857–872 (method 3).

    Args:
        successes: Number of successes, from 0 to ``n``; any shape.
        n: Number of trials; a shape that broadcasts with ``successes``.
        level: Confidence level, between 0 and 1.

    Returns:
        Lower and upper bounds, of the common shape; NaN where ``n`` is 0 or NaN.

    Raises:
        ValueError: The level is not between 0 and 1, or a count is negative or above its ``n``.

    >>> low, high = wilson_interval(9, 100)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0481, 0.1623)
    """
    if not 0 < level < 1:
        raise ValueError(f"level: must lie between 0 and 1 (got {level})")
    x, trials = np.broadcast_arrays(np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64))
    if np.any((x < 0) | (x > trials)):
        raise ValueError("successes: must lie between 0 and n")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = x / trials
        centre = (x + z * z / 2) / (trials + z * z)
        half_width = z / (trials + z * z) * np.sqrt(x * (1 - rate) + z * z / 4)
    # Rounding errors would leave 1e-17 where the formula gives exactly 0, and the like at 1.
    low = np.where(x == 0, 0.0, centre - half_width)
    high = np.where(x == trials, 1.0, centre + half_width)
    empty = ~(trials > 0)  # NaN too
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)


def rate_with_interval(successes: str, n: str, name: str, level: float = 0.95) -> pl.Expr:
    """Return a rate and its Wilson interval, as an expression on a table of counts.

    Args:
        successes: Column of successes.
        n: Column of trials.
        name: Name of the rate; the bounds are ``name_low`` and ``name_high``.
        level: Confidence level, between 0 and 1.

    Returns:
        A struct with the three fields, to be unnested. They are null where ``n`` is 0 or either count is null.
    """

    def bounds(counts: pl.Series) -> pl.Series:
        x, trials = (counts.struct.field(column).to_numpy() for column in (successes, n))
        low, high = wilson_interval(x, trials, level)
        rate = np.divide(x, trials, out=np.full(len(x), np.nan), where=trials > 0)
        table = pl.DataFrame({name: rate, f"{name}_low": low, f"{name}_high": high}, nan_to_null=True)
        return table.to_struct("rates")

    fields = pl.Struct({name: pl.Float64(), f"{name}_low": pl.Float64(), f"{name}_high": pl.Float64()})
    # One struct: both ends are computed together, from both columns.
    return pl.struct(successes, n).map_batches(bounds, return_dtype=fields).alias("rates")
