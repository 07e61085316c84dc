"""Restricted cubic splines: curves that bend between their knots and run straight beyond the outermost."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.errors import TooFewVisitsError

__all__ = ["knots_of", "restricted_cubic"]

Floats = NDArray[np.float64]

_QUANTILES: Final = {
    3: (0.10, 0.50, 0.90),
    4: (0.05, 0.35, 0.65, 0.95),
    5: (0.05, 0.275, 0.50, 0.725, 0.95),
}


def knots_of(values: Floats, n_knots: int = 4) -> Floats:
    """Return knots at the quantiles that Harrell recommends.

    Source: F. E. Harrell, Regression Modeling Strategies (2nd ed., Springer 2015), table 2.3.

    Args:
        values: What the curve is to be drawn over.
        n_knots: 3, 4 or 5.

    Raises:
        TooFewVisitsError: The values are so few or so alike that knots coincide.
    """
    knots = np.quantile(values, _QUANTILES[n_knots]) if len(values) else np.zeros(n_knots)
    if (np.diff(knots) <= 0).any():
        raise TooFewVisitsError(f"{len(values)} values are too alike for {n_knots} knots of a spline")
    return np.asarray(knots)


def restricted_cubic(values: Floats, knots: Floats) -> Floats:
    """Return the columns of a restricted (natural) cubic spline: the values, and one bend for each knot but two.

    Linear below the first knot and above the last, so that it does not swing where there are few data. Source: F. E.
    Harrell, Regression Modeling Strategies (2nd ed., Springer 2015), equation 2.25, bends divided by the square of the
    distance of the outermost knots, which puts them on the scale of the values.

    Args:
        values: Where to evaluate, n values.
        knots: At least 3, rising.

    Returns:
        Array of n × (number of knots − 1).
    """
    *first, before_last, last = knots

    def cube(knot: float) -> Floats:
        return np.asarray(np.maximum(values - knot, 0.0) ** 3)

    width = last - before_last
    bends = [
        (cube(t) - cube(before_last) * (last - t) / width + cube(last) * (before_last - t) / width)
        / (last - knots[0]) ** 2
        for t in first
    ]
    return np.column_stack([values, *bends])
