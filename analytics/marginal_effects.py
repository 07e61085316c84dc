"""Average marginal effects of a logit: by how much a signal moves the probability of a request, on average."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from analytics.signals import interaction_parts

__all__ = ["average_marginal_effect"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Slope:
    """How one signal enters the log-odds: the columns it is part of, and what it is multiplied by in each of them."""

    columns: list[int]
    factors: Floats


def average_marginal_effect(
    signal: str,
    terms: Sequence[str],
    matrix: Floats,
    *,
    coefficients: Floats,
    covariance: Floats,
    yes_or_no: bool,
) -> tuple[float, float]:
    """Return the average marginal effect of a signal, and its standard error.

    For a yes-or-no signal it is the mean over visits of the difference in probability with the signal and without it;
    for a quantity the mean derivative. Products with other signals move along, each visit with its own values; the
    effect of a product by itself is not defined. The standard error is by the delta method. Source: W. H. Greene,
    Econometric Analysis (8th ed.), section 17.3.2; E. C. Norton and C. Ai, Economics Letters 80 (2003) 123–129.

    Args:
        signal: Name of a signal that is a term by itself.
        terms: Names of the columns of the matrix.
        matrix: Design matrix, visits × terms.
        coefficients: One per term.
        covariance: Of the coefficients, terms × terms.
        yes_or_no: Whether the signal is 0 or 1.
    """
    slope = _slope(signal, terms, matrix)
    log_odds, steepness = matrix @ coefficients, slope.factors @ coefficients[slope.columns]
    if yes_or_no:
        value = matrix[:, terms.index(signal)]
        effect, gradient = _difference(log_odds, steepness, value, matrix, slope)
    else:
        effect, gradient = _derivative(log_odds, steepness, matrix, slope)
    return effect, float(np.sqrt(gradient @ covariance @ gradient))


def _slope(signal: str, terms: Sequence[str], matrix: Floats) -> _Slope:
    columns = [j for j, term in enumerate(terms) if signal in interaction_parts(term)]
    factors = np.ones((len(matrix), len(columns)))
    for k, j in enumerate(columns):
        for part in interaction_parts(terms[j]):
            if part != signal:
                factors[:, k] *= matrix[:, terms.index(part)]
    return _Slope(columns, factors)


def _difference(
    log_odds: Floats, steepness: Floats, value: Floats, matrix: Floats, slope: _Slope
) -> tuple[float, Floats]:
    """Mean of p(signal = 1) − p(signal = 0), and its gradient in the coefficients."""
    with_it, without = expit(log_odds + (1 - value) * steepness), expit(log_odds - value * steepness)
    weight_with, weight_without = with_it * (1 - with_it), without * (1 - without)
    gradient = matrix.T @ (weight_with - weight_without)
    gradient[slope.columns] = slope.factors.T @ weight_with
    return float(np.mean(with_it - without)), gradient / len(matrix)


def _derivative(log_odds: Floats, steepness: Floats, matrix: Floats, slope: _Slope) -> tuple[float, Floats]:
    """Mean of dp / d signal, and its gradient in the coefficients."""
    p = expit(log_odds)
    weight = p * (1 - p)
    gradient = matrix.T @ (weight * (1 - 2 * p) * steepness)
    gradient[slope.columns] += slope.factors.T @ weight
    return float(np.mean(weight * steepness)), gradient / len(matrix)
