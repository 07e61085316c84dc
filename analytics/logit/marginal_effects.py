"""Average marginal effects of a logit: the mean change in the probability of a request with a signal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from analytics.logit.design import Design
from analytics.logit.fit import LogitFit
from analytics.logit.matrix import Floats
from analytics.signals.definitions import interaction_parts


@dataclass(frozen=True, eq=False)
class _Slope:
    """Derivative of the log-odds by one signal: the columns with the signal, and the other factors of each."""

    columns: list[int]
    factors: Floats


class MarginalEffects:
    """The average marginal effects of a fitted logit, with standard errors by the delta method.

    For a binary signal it is the mean over visits of the difference in probability with and without the signal; for a
    quantity it is the mean derivative. Products with the signal change with it, at each visit's own values. A product
    has no marginal effect of its own. Source: W. H. Greene, Econometric Analysis (8th ed.), chapter 17;
    C. Ai and E. C. Norton, Economics Letters 80 (2003) 123–129.

    Args:
        design: Design of the model.
        fit: Maximum of its likelihood.
    """

    def __init__(self, design: Design, fit: LogitFit) -> None:
        self._design, self._fit = design, fit
        self._log_odds = design.matrix @ fit.predictive
        # Weights: the share of visits with each pattern, times the slope of the logistic function there.
        self._share = design.n_visits / len(design.outcome)
        self._weight = self._share * fit.p_request * (1 - fit.p_request)

    def average(self, signal: str, *, is_binary: bool) -> tuple[float, float]:
        """Return the average marginal effect of a signal, and its standard error.

        Args:
            signal: Name of a signal that is a term by itself.
            is_binary: Whether the signal is 0 or 1.
        """
        slope = self._slope(signal)
        steepness = slope.factors @ self._fit.coefficients[slope.columns]
        effect, gradient = (self._difference if is_binary else self._derivative)(signal, steepness, slope)
        return effect, float(self._fit.errors_of(gradient[np.newaxis])[0])

    def _slope(self, signal: str) -> _Slope:
        design = self._design
        columns = [j for j, term in enumerate(design.terms) if signal in interaction_parts(term)]
        factors = np.ones((design.matrix.n_rows, len(columns)))
        for k, j in enumerate(columns):
            for part in interaction_parts(design.terms[j]):
                if part != signal:
                    factors[:, k] *= design.matrix.column(design.terms.index(part))
        return _Slope(columns, factors)

    def _difference(self, signal: str, steepness: Floats, slope: _Slope) -> tuple[float, Floats]:
        """Mean of p(signal = 1) − p(signal = 0), and its gradient in the coefficients."""
        # One of the two probabilities is the fitted one.
        value = self._design.matrix.column(self._design.terms.index(signal))
        toward_other = 1 - 2 * value
        other = expit(self._log_odds + toward_other * steepness)
        weight_other = self._share * other * (1 - other)
        gradient = (toward_other * (weight_other - self._weight)) @ self._design.matrix
        gradient[slope.columns] = np.where(value == 1, self._weight, weight_other) @ slope.factors
        return float((self._share * toward_other) @ (other - self._fit.p_request)), gradient

    def _derivative(self, _signal: str, steepness: Floats, slope: _Slope) -> tuple[float, Floats]:
        """Mean of dp / d signal, and its gradient in the coefficients."""
        gradient = (self._weight * (1 - 2 * self._fit.p_request) * steepness) @ self._design.matrix
        gradient[slope.columns] += self._weight @ slope.factors
        return float(self._weight @ steepness), gradient
