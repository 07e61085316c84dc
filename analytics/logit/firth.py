"""Firth's penalised likelihood: finite, nearly unbiased coefficients with separated signals or few requests.

The penalty is half the logarithm of the determinant of Fisher's information (Jeffreys' prior). The penalised likelihood
has a maximum unless terms are collinear. With separated terms it is far from quadratic, so intervals and tests are of
the profile penalised likelihood, not of standard errors. Sources: D. Firth, Biometrika
80 (1993) 27–38; G. Heinze and M. Schemper, Statistics in Medicine 21 (2002) 2409–2419.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from scipy.special import chdtrc, expit, xlog1py, xlogy

from analytics.errors import ConvergenceError
from analytics.logit.likelihood import maximum
from analytics.logit.matrix import DesignMatrix, Floats

_MAX_ITERATIONS: Final = 250
_TOLERANCE: Final = 1e-9
"""Largest step, in log-odds over a term's range, at which the search ends."""

_LONGEST_STEP: Final = 5.0
_MAX_HALVINGS: Final = 30
_GAIN: Final = 1e-12
"""Relative loss of log-likelihood that may be a rounding error."""

_PATIENCE: Final = 20
"""Steps of a search after which it is slow, and extrapolated."""

_REMEMBERED: Final = 6
"""Steps from which a slow search is extrapolated."""

_GAIN_LEFT: Final = 1e-7
"""Gain in log-likelihood that may be missed where rounding errors end the search."""

_MAX_PROFILE_STEPS: Final = 60
_PROFILE_TOLERANCE: Final = 1e-7
"""Tolerance of an interval's end, in standard normal quantiles."""


@dataclass(frozen=True, eq=False)
class _Point:
    """Penalised likelihood, score, inverse information and leverages at some coefficients."""

    coefficients: Floats
    p: Floats
    value: float
    score: Floats
    inverse: Floats
    leverage: Floats


class PenalisedLogit:
    """A logit fitted by Firth's penalised likelihood.

    Args:
        matrix: Values of the terms, patterns × terms; the columns must be linearly independent.
        n_visits: Visits of each pattern.
        n_requests: Of these, the ones that ended in a request.

    Raises:
        ConvergenceError: The maximisation did not converge.

    >>> matrix = np.array([[1.0, 0.0], [1.0, 1.0]])  # every visit with the signal ended in a request
    >>> PenalisedLogit(matrix, np.array([10.0, 4.0]), np.array([3.0, 4.0])).coefficients.round(3)
    array([-0.762,  2.959])
    """

    def __init__(self, matrix: Floats, n_visits: Floats, n_requests: Floats) -> None:
        # On a common scale a step of a given length means the same for every term.
        self._scale: Floats = np.abs(matrix).max(axis=0)
        self._matrix: Floats = matrix / self._scale
        self._n, self._requests = n_visits, n_requests
        self._top = self._climb(np.zeros(matrix.shape[1]), [])

    @property
    def coefficients(self) -> Floats:
        """Coefficients at the maximum of the penalised likelihood, one per term."""
        return self._top.coefficients / self._scale

    @property
    def inverse_information(self) -> Floats:
        """Inverse of Fisher's information at the maximum: the large-sample covariance of the coefficients."""
        return self._top.inverse / np.outer(self._scale, self._scale)

    @property
    def penalised_log_likelihood(self) -> float:
        """Maximum of the penalised log-likelihood."""
        return self._top.value + float(np.log(self._scale).sum())

    def test(self, terms: Sequence[int]) -> tuple[float, float]:
        """Test that the coefficients of some terms are all 0 by the penalised likelihood ratio.

        Args:
            terms: Column numbers of the terms.

        Returns:
            The χ² statistic, with as many degrees of freedom as terms, and its p-value.
        """
        # At 0 every probability is a half and the information is regular, wherever the maximum is.
        restricted = self._climb(np.zeros(len(self._scale)), list(terms))
        statistic = max(0.0, 2 * (self._top.value - restricted.value))
        return statistic, float(chdtrc(len(terms), statistic))

    def interval(self, term: int, level: float) -> tuple[float, float]:
        """Return the profile-likelihood interval of a term.

        Args:
            term: Column number of the term.
            level: Confidence level, between 0 and 1.

        Raises:
            ConvergenceError: An end was not found.
        """
        quantile = NormalDist().inv_cdf(0.5 + level / 2)
        low, high = (self._end(term, side * quantile) / self._scale[term] for side in (-1, 1))
        return float(low), float(high)

    def _end(self, term: int, target: float) -> float:
        """Find where the signed root of the likelihood ratio, nearly linear in the coefficient, has a value."""
        last, top = self._top, float(self._top.coefficients[term])
        step = target * float(np.sqrt(last.inverse[term, term]))
        inner, outer, at = top, None, top + step
        for _ in range(_MAX_PROFILE_STEPS):
            point = self._climb(self._moved(last, term, at), [term])
            root = self._signed_root(point, step)
            if abs(root - target) < _PROFILE_TOLERANCE:
                highest = self._highest(term, at, point)
                if not highest.value > point.value + _GAIN_LEFT:
                    return at
                point, root = highest, self._signed_root(highest, step)
            if np.isfinite(root):
                last = point
                inner, outer = (inner, at) if abs(root) > abs(target) else (at, outer)
            slope = -point.score[term] / root if root else target / step
            # A singular information shows that the step was too far.
            proposed = at - (root - target) / slope if np.isfinite(root) and slope > 0 else (inner + at) / 2
            at = _between(float(proposed), inner, outer, step)
        raise ConvergenceError("an end of a profile-likelihood interval was not found")

    def _highest(self, term: int, at: float, known: _Point) -> _Point:
        """The best point with one coefficient held, from afar: of few requests the likelihood may have two hills."""
        flat = np.where(np.arange(len(self._scale)) == term, at, 0.0)
        points = [known]
        for start in (flat, self._moved(self._top, term, at)):
            # Far from the maximum the search may fail.
            with suppress(np.linalg.LinAlgError, ConvergenceError):
                points.append(self._climb(start, [term]))
        return max(points, key=lambda point: point.value)

    def _signed_root(self, point: _Point, step: float) -> float:
        """Signed root of the likelihood ratio of a point, on the side of a step."""
        return float(np.sign(step) * np.sqrt(max(0.0, 2 * (self._top.value - point.value))))

    @staticmethod
    def _moved(point: _Point, term: int, to: float) -> Floats:
        """Coefficients with one set to a value, and the others moved along the ridge of the likelihood."""
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
        steps = list[tuple[Floats, Floats]]()
        for _ in range(_MAX_ITERATIONS):
            step = np.zeros(len(start))
            step[free] = np.linalg.solve(self._curvature(point)[np.ix_(free, free)], point.score[free])
            steps.append((point.coefficients, step))
            # With nearly separated outcomes the maximum is far away, so steps may double the distance.
            size = max(1.0, float(np.abs(point.coefficients).max()))
            step *= min(1.0, max(_LONGEST_STEP, size) / max(float(np.abs(step).max()), _TOLERANCE))
            jumped = self._point(point.coefficients + _extrapolated(steps)) if len(steps) > _PATIENCE else point
            nearer = jumped if jumped.value > point.value else self._improved(point, step)
            gain = point.score[free] @ step[free]
            if nearer is None and gain > _GAIN_LEFT:
                break
            if nearer is None or np.abs(step).max() <= _TOLERANCE * size:
                return nearer or point
            point = nearer
        else:
            # On a ridge, rounding errors may move the search along for ever.
            if gain <= _GAIN_LEFT:
                return point
        raise ConvergenceError(
            "Firth's penalised likelihood could not be maximised: signals predict the outcome too well; use fewer"
        )

    def _improved(self, point: _Point, step: Floats) -> _Point | None:
        """The point after a step, halved until the likelihood does not fall; None where it always falls."""
        least = point.value - _GAIN * abs(point.value)
        for halving in range(_MAX_HALVINGS):
            nearer = self._point(point.coefficients + step / 2**halving)
            if nearer.value >= least:
                return nearer
        return None

    def _point(self, b: Floats) -> _Point:
        x, n, y = self._matrix, self._n, self._requests
        log_odds = x @ b
        p = expit(log_odds)
        # The logistic function of −η is 1 − p with all its digits, also where p is nearly 1.
        weight = n * p * expit(-log_odds)
        # NumPy computes half of a matrix times its own transpose.
        root = x * np.sqrt(weight)[:, np.newaxis]
        information = root.T @ root
        with np.errstate(invalid="ignore"):
            sign, log_determinant = np.linalg.slogdet(information)
        if not sign > 0:  # NaN too
            nothing = np.full(len(b), np.nan)
            return _Point(b, p, -np.inf, nothing, np.full((len(b), len(b)), np.nan), nothing)
        inverse: Floats = np.asarray(np.linalg.inv(information))
        leverage = np.einsum("ij,ij->i", root @ inverse, root)
        value = float((xlogy(y, p) + xlog1py(n - y, -p)).sum() + log_determinant / 2)
        return _Point(b, p, value, x.T @ (y - n * p + leverage * (0.5 - p)), inverse, leverage)

    def _curvature(self, point: _Point) -> Floats:
        """Minus the second derivatives, without those of the leverages.

        The penalty acts like additional visits, weighted by the leverages, half of them with a request. They must be
        included: for a single visit the steps would otherwise be twice as long as needed, and never converge.
        """
        root = self._matrix * np.sqrt((self._n + point.leverage) * point.p * (1 - point.p))[:, np.newaxis]
        return np.asarray(root.T @ root)


def intercept_shift(matrix: DesignMatrix, n_visits: Floats, n_requests: Floats, b: Floats) -> float:
    """Return what the intercept needs so that predicted requests add up to the observed ones (FLIC).

    The penalty pulls probabilities towards a half, and so predicts too many of a rare outcome. Source: R. Puhr et al.,
    Statistics in Medicine 36 (2017) 2302–2317.

    Args:
        matrix: Values of the terms, patterns × terms; the intercept first.
        n_visits: Visits of each pattern.
        n_requests: Of these, the ones that ended in a request.
        b: Coefficients at the maximum of the penalised likelihood.

    >>> matrix = DesignMatrix.of(np.array([[1.0, 0.0], [1.0, 1.0]]))
    >>> n, requests = np.array([10.0, 4.0]), np.array([3.0, 4.0])
    >>> b = PenalisedLogit(matrix.dense(), n, requests).coefficients
    >>> shift = intercept_shift(matrix, n, requests, b)
    >>> [round(float(n @ expit(matrix @ b + more)), 3) for more in (0, shift)]
    [6.782, 7.0]
    """
    shift = maximum(matrix.choose([0]), n_visits, n_requests, np.zeros(1), matrix @ b)
    return 0.0 if shift is None else float(shift[0])


def _extrapolated(steps: Sequence[tuple[Floats, Floats]]) -> Floats:
    """Step to where the last steps would end, each being a linear function of where it starts.

    With separated terms the likelihood is so flat that every step goes a tenth of the way left, and a search takes
    hundreds. Source: D. G. Anderson, Journal of the ACM 12 (1965) 547–560.

    Args:
        steps: Coefficients and the step taken from them, in order.
    """
    places, lengths = (np.array(each) for each in zip(*steps[-_REMEMBERED:], strict=True))
    moved, changed = np.diff(places, axis=0), np.diff(lengths, axis=0)
    weights, *_ = np.linalg.lstsq(changed.T, lengths[-1], rcond=None)
    return np.asarray(lengths[-1] - weights @ (moved + changed))


def _between(proposed: float, inner: float, outer: float | None, step: float) -> float:
    """Keep a proposal within the bracket of the end; until there is one, move at most twice as far."""
    if outer is None:
        furthest = inner + 2 * max(abs(step), abs(inner)) * np.sign(step)
        inside = min(inner, furthest) < proposed < max(inner, furthest)
        return proposed if inside else furthest
    inside = min(inner, outer) < proposed < max(inner, outer)
    return proposed if inside else (inner + outer) / 2
