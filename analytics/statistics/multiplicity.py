"""What becomes of p-values when many signals are tested at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["benjamini_hochberg", "holm"]

Floats = NDArray[np.float64]


def holm(p_values: Floats) -> Floats:
    """Return p-values adjusted for their number, so that any false alarm has at most the nominal probability.

    What is not a number stays so and is not counted. Source: S. Holm, Scandinavian Journal of Statistics 6 (1979)
    65–70.

    Args:
        p_values: Probabilities, any of them NaN.
    """
    adjusted, order = _by_rising_p(p_values)
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * p_values[order]))
    return adjusted


def benjamini_hochberg(p_values: Floats) -> Floats:
    """Return p-values adjusted so that at most the nominal share of what is called significant is false, on average.

    What is not a number stays so and is not counted. Source: Y. Benjamini and Y. Hochberg, Journal of the Royal
    Statistical Society B 57 (1995) 289–300.

    Args:
        p_values: Probabilities, any of them NaN.
    """
    adjusted, order = _by_rising_p(p_values)
    factors = len(order) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate((factors * p_values[order])[::-1])[::-1])
    return adjusted


def _by_rising_p(p_values: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Room for the adjusted values, and the places of those that are numbers, smallest first."""
    tested = np.flatnonzero(~np.isnan(p_values))
    return np.full(len(p_values), np.nan), tested[np.argsort(p_values[tested], kind="stable")]
