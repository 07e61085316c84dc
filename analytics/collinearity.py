"""How much the other signals inflate the variance of each coefficient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analytics.intent_design import INTERCEPT, Design

__all__ = ["variance_inflation"]

Floats = NDArray[np.float64]


def variance_inflation(design: Design) -> dict[str, float | None]:
    """Return the variance inflation factor of each term: 1 / (1 − R²) of the term on all the others.

    1 where a term has nothing in common with the others; above 10 by a rule of thumb too much. None for the intercept.
    Source: D. A. Belsley, E. Kuh and R. E. Welsch, Regression Diagnostics (Wiley 1980), section 3.2.

    Args:
        design: What the likelihood is made of.
    """
    if len(design.terms) == 1:
        return {INTERCEPT: None}
    share = design.n_visits / design.n_visits.sum()
    centred = design.matrix[:, 1:] - share @ design.matrix[:, 1:]
    covariance = (centred.T * share) @ centred
    scale = np.sqrt(np.diag(covariance))
    inflation = np.diag(np.linalg.inv(covariance / np.outer(scale, scale)))
    return {INTERCEPT: None, **{term: float(v) for term, v in zip(design.terms[1:], inflation, strict=True)}}
