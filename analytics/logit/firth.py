"""Firth's penalised likelihood: finite, nearly unbiased coefficients where signals are separated or requests few.

The log-likelihood is penalised by half the logarithm of the determinant of Fisher's information (Jeffreys' prior). It
always has a maximum where no term is a combination of others. Near an infinite estimate it is far from a parabola, so
intervals and tests go by the profile of the penalised likelihood, not by standard errors. Sources: D. Firth, Biometrika
80 (1993) 27–38; G. Heinze and M. Schemper, Statistics in Medicine 21 (2002) 2409–2419.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, expit, xlog1py, xlogy

from analytics.errors import ConvergenceError

__all__ = ["PenalisedLogit"]

Floats = NDArray[np.float64]

_MAX_ITERATIONS: Final = 250
_TOLERANCE: Final = 1e-9
"""Greatest step, in log-odds of a term's range, that ends the search."""

_LONGEST_STEP: Final = 5.0
_MAX_HALVINGS: Final = 30
_GAIN: Final = 1e-12
"""Loss of log-likelihood, relative to its size, that rounding may feign."""

_GAIN_LEFT: Final = 1e-7
"""Log-likelihood that a search may leave to gain when rounding ends it."""

_MAX_PROFILE_STEPS: Final = 60
_PROFILE_TOLERANCE: Final = 1e-7
"""How near, in standard normal units, an end of an interval must come to the quantile."""


@dataclass(frozen=True, eq=False)
class _Point:
    """The penalised likelihood at some coefficients."""

    coefficients: Floats
    value: float
    score: Floats
    inverse: Floats
    leverage: Floats


class PenalisedLogit:
    """A logit whose likelihood is penalised as Firth proposed, maximised.

    Args:
        matrix: Values of the terms, patterns × terms; the columns must be linearly independent.
        n_visits: Visits of each pattern.
        n_requests: Of these, the ones that ended in a request.

    Raises:
        ConvergenceError: The search found no maximum.
    """

    def __init__(self, matrix: Floats, n_visits: Floats, n_requests: Floats) -> None:
        # On a common scale a step of a given length means the same for every term.
        self._scale: Floats = np.abs(matrix).max(axis=0)
        self._matrix: Floats = matrix / self._scale
        self._n, self._requests = n_visits, n_requests
        self._top = self._climb(np.zeros(matrix.shape[1]), [])

    @property
    def coefficients(self) -> Floats:
        """Where the penalised likelihood is greatest, one per term."""
        return self._top.coefficients / self._scale

    @property
    def inverse_information(self) -> Floats:
        """Inverse of Fisher's information there: the large-sample covariance of the coefficients."""
        return self._top.inverse / np.outer(self._scale, self._scale)

    @property
    def penalised_log_likelihood(self) -> float:
        """The greatest value of the penalised log-likelihood."""
        return self._top.value + float(np.log(self._scale).sum())

    def test(self, terms: Sequence[int]) -> tuple[float, float]:
        """Test that the coefficients of some terms are all 0 by the penalised likelihood ratio.

        Args:
            terms: Places of the terms in the matrix.

        Returns:
            The statistic, chi-square with as many degrees of freedom as there are terms if they are 0, and its p-value.
        """
        # At 0 every probability is a half and nothing is singular, however far out the maximum is.
        restricted = self._climb(np.zeros(len(self._scale)), list(terms))
        statistic = max(0.0, 2 * (self._top.value - restricted.value))
        return statistic, float(chdtrc(len(terms), statistic))

    def interval(self, term: int, level: float) -> tuple[float, float]:
        """Return the coefficients of a term that the penalised likelihood ratio does not refute.

        Args:
            term: Place of the term in the matrix.
            level: Confidence level, between 0 and 1.

        Raises:
            ConvergenceError: An end was not found.
        """
        quantile = NormalDist().inv_cdf(0.5 + level / 2)
        low, high = (self._end(term, side * quantile) / self._scale[term] for side in (-1, 1))
        return float(low), float(high)

    def _end(self, term: int, wanted: float) -> float:
        """Find where the signed root of the likelihood ratio is as wanted: it is nearly linear in the coefficient."""
        last, top = self._top, float(self._top.coefficients[term])
        step = wanted * float(np.sqrt(last.inverse[term, term]))
        inner, outer, at = top, None, top + step
        for _ in range(_MAX_PROFILE_STEPS):
            point = self._climb(self._moved(last, term, at), [term])
            root = float(np.sign(step) * np.sqrt(max(0.0, 2 * (self._top.value - point.value))))
            if abs(root - wanted) < _PROFILE_TOLERANCE:
                return at
            if np.isfinite(root):
                last = point
                inner, outer = (inner, at) if abs(root) > abs(wanted) else (at, outer)
            slope = -point.score[term] / root if root else wanted / step
            # Too far for the information to be inverted is too far.
            proposed = at - (root - wanted) / slope if np.isfinite(root) and slope > 0 else (inner + at) / 2
            at = _between(float(proposed), inner, outer, step)
        raise ConvergenceError("an end of a profile-likelihood interval was not found")

    @staticmethod
    def _moved(point: _Point, term: int, to: float) -> Floats:
        """Coefficients with that of a term moved, and the others along the ridge of the likelihood."""
        along = point.inverse[:, term] / point.inverse[term, term]
        moved = point.coefficients + (to - point.coefficients[term]) * along
        moved[term] = to
        return np.asarray(moved)

    def _climb(self, start: Floats, held: Sequence[int]) -> _Point:
        """Maximise the penalised likelihood, some coefficients being held, by scoring with step halving."""
        free = np.setdiff1d(np.arange(len(start)), held)
        point = self._point(start)
        if not np.isfinite(point.value):
            return point
        for _ in range(_MAX_ITERATIONS):
            step = np.zeros(len(start))
            step[free] = np.linalg.solve(self._curvature(point)[np.ix_(free, free)], point.score[free])
            # Where outcomes are all but foretold, the maximum lies far out: steps may double the way.
            size = max(1.0, float(np.abs(point.coefficients).max()))
            step *= min(1.0, max(_LONGEST_STEP, size) / max(float(np.abs(step).max()), _TOLERANCE))
            nearer = self._improved(point, step)
            if nearer is None and point.score[free] @ step[free] > _GAIN_LEFT:
                break
            if nearer is None or np.abs(step).max() <= _TOLERANCE * size:
                return nearer or point
            point = nearer
        raise ConvergenceError(
            "Firth's penalised likelihood could not be maximised: signals foretell the outcome too well; ask of fewer"
        )

    def _improved(self, point: _Point, step: Floats) -> _Point | None:
        """The point a step away, or nearer where that is too far; none where no nearer one is higher."""
        least = point.value - _GAIN * abs(point.value)
        for halving in range(_MAX_HALVINGS):
            nearer = self._point(point.coefficients + step / 2**halving)
            if nearer.value >= least:
                return nearer
        return None

    def _point(self, b: Floats) -> _Point:
        x, n, y = self._matrix, self._n, self._requests
        p = expit(x @ b)
        weight = n * p * expit(-(x @ b))
        information = (x.T * weight) @ x
        with np.errstate(invalid="ignore"):
            sign, log_determinant = np.linalg.slogdet(information)
        if not sign > 0:  # also where it is not a number
            nothing = np.full(len(b), np.nan)
            return _Point(b, -np.inf, nothing, np.full((len(b), len(b)), np.nan), nothing)
        inverse: Floats = np.asarray(np.linalg.inv(information))
        leverage = weight * ((x @ inverse) * x).sum(axis=1)
        value = float((xlogy(y, p) + xlog1py(n - y, -p)).sum() + log_determinant / 2)
        return _Point(b, value, x.T @ (y - n * p + leverage * (0.5 - p)), inverse, leverage)

    def _curvature(self, point: _Point) -> Floats:
        """Minus the second derivatives, but for how the leverages change.

        The penalty is as if each visit came again with the weight of its leverage, half with a request and half
        without. Without those visits the steps would be too long: of a single visit, twice, and never end.
        """
        p = expit(self._matrix @ point.coefficients)
        return np.asarray((self._matrix.T * ((self._n + point.leverage) * p * (1 - p))) @ self._matrix)


def _between(proposed: float, inner: float, outer: float | None, step: float) -> float:
    """Keep a proposal within what is known to hold the end; until both sides are known, go on at most twice as far."""
    if outer is None:
        furthest = inner + 2 * max(abs(step), abs(inner)) * np.sign(step)
        inside = min(inner, furthest) < proposed < max(inner, furthest)
        return proposed if inside else furthest
    inside = min(inner, outer) < proposed < max(inner, outer)
    return proposed if inside else (inner + outer) / 2
