"""A fitted logit: coefficients, their covariance, and tests and intervals of weighted sums of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from analytics.logit.matrix import Floats
from analytics.logit.robust import Inference


@dataclass(frozen=True, eq=False)
class LogitFit:
    """Coefficients of a logit, with what is known of their errors.

    Args:
        coefficients: Coefficients, shape (terms,).
        covariance: Covariance of the coefficients, terms × terms; NaN where there are too few clusters for one.
        log_likelihood: Logarithm of the likelihood.
        p_request: Fitted probability of each pattern of the design, with the shift.
        inference: Kind of the covariance, and degrees of freedom of tests.
        root: Root of the covariance, terms × terms, where columns are so far from 0 that sums over it lose their
            digits: the covariance is the root times its transpose.
        intercept_shift: Added to the intercept in all that is predicted; see
            :func:`analytics.logit.firth.intercept_shift`. 0 at a maximum of the likelihood itself.
    """

    coefficients: Floats
    covariance: Floats
    log_likelihood: float
    p_request: Floats
    inference: Inference = field(default_factory=Inference)
    root: Floats | None = None
    intercept_shift: float = 0.0

    @cached_property
    def predictive(self) -> Floats:
        """Coefficients for predictions, whose mean over the visits of the fit is the observed share."""
        shifted = self.coefficients.copy()
        shifted[0] += self.intercept_shift
        return shifted

    @cached_property
    def degrees_of_freedom(self) -> Floats:
        """Degrees of freedom of the coefficients' t tests; infinite for z tests, NaN where unknown; shape (terms,)."""
        return self.inference.freedom_of(np.eye(len(self.coefficients)))

    @cached_property
    def standard_errors(self) -> Floats:
        """Standard errors of the coefficients; NaN where unknown; shape (terms,)."""
        return np.asarray(np.where(np.isnan(self.degrees_of_freedom), np.nan, np.sqrt(np.diag(self.covariance))))

    def errors_of(self, rows: Floats) -> Floats:
        """Standard errors of weighted sums of the coefficients, one for each row of weights; NaN where unknown."""
        return self._errors(rows, self.inference.freedom_of(rows))

    def half_widths(self, rows: Floats, level: float) -> Floats:
        """Half the width of Student's interval of each such sum; NaN where unknown.

        Args:
            rows: Weights of the coefficients, sums × terms.
            level: Confidence level, between 0 and 1.
        """
        freedom = self.inference.freedom_of(rows)
        return quantile(level, freedom) * self._errors(rows, freedom)

    def p_values(self, rows: Floats, values: Floats) -> Floats:
        """P-values of the two-sided tests that quantities are 0, whose errors are those of weighted sums.

        Args:
            rows: Weights of the coefficients, quantities × terms; for the delta method, gradients.
            values: The quantities.
        """
        freedom = self.inference.freedom_of(rows)
        return two_sided(values / self._errors(rows, freedom), freedom)

    def _errors(self, rows: Floats, freedom: Floats) -> Floats:
        if self.root is not None:
            errors = np.linalg.norm(rows @ self.root, axis=1)
        else:
            # Only the diagonal of X V Xᵀ: the whole has a row and a column for each visit.
            errors = np.sqrt(np.einsum("ij,jk,ik->i", rows, self.covariance, rows))
        return np.asarray(np.where(np.isnan(freedom), np.nan, errors))


def quantile(level: float, freedom: Floats) -> Floats:
    """Return the quantile of Student's t that a two-sided interval needs, of the normal for infinite degrees.

    >>> quantile(0.95, np.array([1.0, 10.0, np.inf])).round(3)
    array([12.706,  2.228,  1.96 ])
    """
    share = 0.5 + level / 2
    return np.asarray(np.where(np.isinf(freedom), ndtri(share), stdtrit(freedom, share)))


def two_sided(t: Floats, freedom: Floats) -> Floats:
    """Return the probability of a larger |t| by chance, under Student's t, or the normal for infinite degrees.

    >>> two_sided(np.array([2.228, 1.96]), np.array([10.0, np.inf])).round(3)
    array([0.05, 0.05])
    """
    below = -np.abs(t)
    return np.asarray(2 * np.where(np.isinf(freedom), ndtr(below), stdtr(freedom, below)))
