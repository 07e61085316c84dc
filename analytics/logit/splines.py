"""Restricted (natural) cubic splines: cubic between the knots, linear beyond the outermost ones."""

from __future__ import annotations

from typing import Final

import numpy as np

from analytics.errors import TooFewVisitsError
from analytics.logit.matrix import Floats

_QUANTILES: Final = {
    3: (0.10, 0.50, 0.90),
    4: (0.05, 0.35, 0.65, 0.95),
    5: (0.05, 0.275, 0.50, 0.725, 0.95),
}


def knots_of(values: Floats, n_knots: int = 4) -> Floats:
    """Return knots at the quantiles that Harrell recommends.

    Source: F. E. Harrell, Regression Modeling Strategies (2nd ed., Springer 2015), table 2.3.

    Args:
        values: Values of the variable.
        n_knots: 3, 4 or 5.

    Raises:
        TooFewVisitsError: Knots coincide, because values are too few or too similar.
    """
    knots = np.quantile(values, _QUANTILES[n_knots]) if len(values) else np.zeros(n_knots)
    if (np.diff(knots) <= 0).any():
        raise TooFewVisitsError(f"{len(values)} values are too similar for {n_knots} knots of a spline")
    return np.asarray(knots)


def restricted_cubic(values: Floats, knots: Floats) -> Floats:
    """Return the basis of a restricted cubic spline: the values, and a nonlinear column for each knot but two.

    It is linear below the first knot and above the last, where there are few data. Source: F. E.
    Harrell, Regression Modeling Strategies (2nd ed., Springer 2015), equation 2.25; nonlinear columns are divided by
    the squared distance of the outermost knots, which puts them on the scale of the values.

    Args:
        values: Values of the variable, shape (n,).
        knots: At least 3 knots, increasing.

    Returns:
        Array of shape (n, knots − 1).

    >>> restricted_cubic(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0])).round(3)
    array([[0.  , 0.  ],
           [1.  , 0.25],
           [2.  , 1.5 ]])
    """
    *first, before_last, last = knots

    def cube(knot: float) -> Floats:
        return np.asarray(np.maximum(values - knot, 0.0) ** 3)

    width = last - before_last
    nonlinear = [
        (cube(t) - cube(before_last) * (last - t) / width + cube(last) * (before_last - t) / width)
        / (last - knots[0]) ** 2
        for t in first
    ]
    return np.column_stack([values, *nonlinear])
