"""P-values adjusted for the number of tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def holm(p_values: Floats) -> Floats:
    """Return Holm's adjusted p-values, which control the family-wise error rate.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979) 65–70.

    Args:
        p_values: P-values of the tests, shape (tests,). NaN stays NaN and does not count as a test.

    >>> holm(np.array([0.01, np.nan, 0.04]))
    array([0.02,  nan, 0.04])
    """
    # Not by statsmodels: its Holm runs Python's garbage collector, which takes longer than fitting a model.
    adjusted = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested])]
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p_values[order] * np.arange(len(order), 0, -1)))
    return adjusted


def benjamini_hochberg(p_values: Floats) -> Floats:
    """Return Benjamini and Hochberg's adjusted p-values, which control the false discovery rate.

    Source: Y. Benjamini and Y. Hochberg, Journal of the Royal Statistical Society B 57 (1995) 289–300.

    Args:
        p_values: P-values of the tests, shape (tests,). NaN stays NaN and does not count as a test.

    >>> benjamini_hochberg(np.array([0.03, 0.01, np.nan, 0.02]))
    array([0.03, 0.03,  nan, 0.03])
    """
    # Takes a second to import; counts and rates must not wait for it.
    from statsmodels.stats.multitest import multipletests  # noqa: PLC0415

    adjusted = np.full(len(p_values), np.nan)
    # multipletests counts NaN as a test.
    tested = ~np.isnan(p_values)
    adjusted[tested] = multipletests(p_values[tested], method="fdr_bh")[1]
    return adjusted
