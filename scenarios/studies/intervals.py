"""95 % intervals of the mean of a response over replications, also of a proportion and of rare events.

A response is known by its values alone, and so is the kind of interval:

- all are 0 or 1: Wilson's score interval of a proportion;
- none is negative and some are 0, as of counts of rare events and of rates that are 0 in most replications: the score
  interval of a quasi-Poisson mean;
- otherwise Student's t interval, and no interval where all values are the same.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics.statistics import wilson_interval

Floats = NDArray[np.float64]

_LEVEL: Final = 0.95

ROUNDING: Final = 1e-12
"""Spread relative to the values, up to which they are the same: sums in another order differ in the last digits."""


class Sample(NamedTuple):
    """Summaries of values; arrays of one shape, with an element for each sample.

    Args:
        n: Number of values.
        mean: Their mean.
        sd: Their standard deviation, with n − 1.
        low: The smallest value.
        high: The largest value.
        is_binary: Whether all are 0 or 1.
    """

    n: Floats
    mean: Floats
    sd: Floats
    low: Floats
    high: Floats
    is_binary: NDArray[np.bool_]


def t_half_width(n: Floats, sd: Floats) -> Floats:
    """Return half-widths of 95 % t intervals of means; NaN for fewer than two values.

    Args:
        n: Numbers of values.
        sd: Their standard deviations.

    >>> t_half_width(np.array([1.0, 10.0]), np.array([0.0, 3.0])).round(3)
    array([  nan, 2.146])
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - a check of a file must not wait for it

    enough = np.maximum(n, 2)
    # The degrees of freedom are kept above 0, where the quantile is an error.
    return np.where(n > 1, stdtrit(enough - 1, 0.5 + _LEVEL / 2) * sd / np.sqrt(enough), np.nan)


def mean_intervals(sample: Sample) -> tuple[Floats, Floats]:
    """Return 95 % intervals of means; NaN for fewer than two values, or where all are one number other than 0 and 1.

    Each score interval holds the means μ with (mean − μ)² ≤ h² · V(μ)/V(mean), where h is half of the interval that
    takes the variance for known. V(μ) = μ(1 − μ) of a proportion gives Wilson's. V(μ) proportional to μ, with the
    dispersion estimated from the values, gives mean + h²/2·mean ± √(h² + (h²/2·mean)²); of Poisson counts it is the
    score interval of their rate. There, h is that of the t interval.

    Sources: E. B. Wilson, JASA 22 (1927) 209–212; L. D. Brown, T. T. Cai and A. DasGupta, Statistica Sinica 13 (2003)
    19–49 for score intervals of proportions and Poisson means; P. McCullagh and J. A. Nelder, Generalized Linear Models
    (2nd ed. 1989), chapter 6, for the dispersion.

    Args:
        sample: Summaries of the values of each sample.

    Returns:
        Lower and upper ends, of the shape of the summaries.

    >>> one = lambda *values: np.array(values, dtype=float)
    >>> rare = Sample(one(100), one(0.02), one(0.1407), one(0), one(1), np.array([True]))
    >>> np.round(mean_intervals(rare), 4).tolist()
    [[0.0055], [0.07]]
    """
    half = t_half_width(sample.n, sample.sd)
    low, high = sample.mean - half, sample.mean + half
    rare = (sample.low == 0) & (sample.high > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        shift = half**2 / (2 * sample.mean)
        upper = sample.mean + shift + np.sqrt(half**2 + shift**2)
        # The product of the ends is the square of the mean; the difference would lose digits near 0.
        low, high = np.where(rare, sample.mean**2 / upper, low), np.where(rare, upper, high)
    constant = sample.high - sample.low <= ROUNDING * np.maximum(np.abs(sample.low), np.abs(sample.high))
    low, high = np.where(constant, np.nan, low), np.where(constant, np.nan, high)
    binary = sample.is_binary & (sample.n > 1)
    of_share = wilson_interval(np.where(binary, np.rint(sample.mean * sample.n), 0), np.where(binary, sample.n, 0))
    return np.where(binary, of_share[0], low), np.where(binary, of_share[1], high)


def running_sample(values: Floats) -> Sample:
    """Summarise the first 1, 2, … values; NaN values are skipped.

    Args:
        values: One number for each replication, in order, shape (n,).

    Returns:
        Summaries as long as the values.
    """
    known = ~np.isnan(values)
    n = np.cumsum(known).astype(np.float64)
    # Sums of deviations from the first value: with a large mean, those of the values would lose all digits.
    origin = float(values[known][0]) if known.any() else 0.0
    apart = np.where(known, values - origin, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.cumsum(apart) / n
        variance = np.maximum(np.cumsum(apart**2) - n * mean**2, 0.0) / (n - 1)
    binary = np.logical_and.accumulate(~known | (values == 0) | (values == 1)) & (n > 0)
    return Sample(n, mean + origin, np.sqrt(variance), np.fmin.accumulate(values), np.fmax.accumulate(values), binary)


def running_exceptions(values: Floats) -> NDArray[np.int64]:
    """Return how many of the first 1, 2, … values differ from the most frequent of them; NaN values are skipped.

    Of a rare event it is how often it was seen (or not seen, if it is frequent), of a constant it is 0.

    Args:
        values: One number for each replication, in order, shape (n,).

    >>> running_exceptions(np.array([0.0, 0.0, 1.0, 0.0, 2.0]))
    array([0, 0, 1, 1, 2])
    """
    known = ~np.isnan(values)
    order = np.argsort(values, kind="stable")
    place = np.arange(len(values))
    is_first = np.append(True, np.diff(values[order]) != 0)[: len(values)]
    # How often each value has occurred so far, itself included: its place among its equals.
    occurrence = np.empty(len(values), dtype=np.int64)
    occurrence[order] = place - np.maximum.accumulate(np.where(is_first, place, 0)) + 1
    return np.asarray(np.cumsum(known) - np.maximum.accumulate(np.where(known, occurrence, 0)))
