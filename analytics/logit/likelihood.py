"""Maximum likelihood of the logit, with errors where there is no finite maximum.

statsmodels fits single visits. It warns at most where a coefficient is infinite or the search has stopped early; here
that is an error. Its logit has no frequency weights, so collapsed visits are fitted here by the same method. Newton
steps do not become shorter where a coefficient diverges, so convergence proves a maximum. A search that did not
converge, or ended with very large coefficients, is checked for separation by linear programming. Columns are scaled for
the search, because "short" and "very large" depend on their units.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.special import expit, xlog1py, xlogy

from analytics.errors import ConvergenceError, SeparationError
from analytics.logit.design import Design
from analytics.logit.matrix import MOST_WHOLE, DesignMatrix, Floats
from analytics.logit.scaling import Scaling
from analytics.logit.separation import find_separation

_MAX_ITERATIONS: Final = 100
_START_SHARE: Final = 10
_TOLERANCE: Final = 1e-8
"""Largest step, in log-odds, at which the search ends, as in statsmodels; the error is about its square."""

_HUGE_COEFFICIENT: Final = 15.0
_HUGE_STANDARD_ERROR: Final = 100.0
_SURE: Final = 1e-10
"""Beyond these the likelihood may have a ridge instead of a maximum, and the result depend on where it stopped."""


@dataclass(frozen=True, eq=False)
class Maximum:
    """A maximum of the likelihood, in coefficients of the scaled columns.

    Args:
        coefficients: Coefficients of the scaled columns, shape (terms,).
        inverse: Inverse of the information, terms × terms.
        p_request: Fitted probability of each pattern of the design.
        scaling: Scaling of the columns.
        design: The design with its columns scaled.
    """

    coefficients: Floats
    inverse: Floats
    p_request: Floats
    scaling: Scaling
    design: Design


def maximise(design: Design) -> Maximum:
    """Maximise the likelihood by Newton's method, which gives thirteen digits where quasi-Newton gives two.

    Args:
        design: Design matrix and outcomes.

    Raises:
        SeparationError: Coefficients would be infinite.
        ConvergenceError: The maximisation did not converge.
    """
    # An empty cell is known beforehand: the search would only run away.
    if design.separated:
        _refuse_separated(design, converged=False)
    scaling = Scaling.of(design.matrix)
    scaled = replace(design, matrix=scaling.apply(design.matrix))
    try:
        # statsmodels makes several matrices of the size of the design, for which there may be no room.
        single = design.pattern is None and design.matrix.n_rows <= MOST_WHOLE
        b, inverse, converged = _by_visits(scaled) if single else _by_patterns(scaled)
    except (np.linalg.LinAlgError, Warning) as error:
        raise _separation(design) or ConvergenceError(
            f"the likelihood could not be maximised ({error}); use fewer signals"
        ) from error
    p = expit(scaled.matrix @ b)
    with np.errstate(invalid="ignore"):
        # Where the likelihood has a ridge, the inverse is arbitrary; it is refused below.
        errors = np.sqrt(np.diag(inverse))
    if not converged or _is_extreme(b, errors, p):
        _refuse_separated(design, converged=converged)
    return Maximum(b, inverse, p, scaling, scaled)


def log_likelihood(design: Design, p: Floats) -> float:
    """Return the natural logarithm of the likelihood of all visits.

    Args:
        design: Design matrix and outcomes.
        p: Probability of a request in each pattern.
    """
    return float((xlogy(design.n_requests, p) + xlog1py(design.n_visits - design.n_requests, -p)).sum())


def _by_visits(design: Design) -> tuple[Floats, Floats, bool]:
    """Fit single visits with statsmodels: coefficients, inverse of the information, and whether it converged."""
    from statsmodels.discrete.discrete_model import Logit  # noqa: PLC0415 - takes a second to import
    from statsmodels.tools.sm_exceptions import PerfectSeparationError, PerfectSeparationWarning  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            # A warning is an error here, because no number may be returned beside one.
            warnings.simplefilter("error")
            # The rank has been checked already, and the caller refuses what has not converged.
            model = Logit(design.outcome, design.matrix.dense(), check_rank=False, hasconst=True)
            fitted = model.fit(_start(design), "newton", maxiter=_MAX_ITERATIONS, disp=False, warn_convergence=False)
    except (PerfectSeparationError, PerfectSeparationWarning) as error:
        # A false alarm is possible: a fitted probability near 1 is not yet separation.
        raise np.linalg.LinAlgError(str(error)) from error
    except RuntimeWarning:
        # Full Newton steps can overshoot from a distant start. Ours are shortened then.
        return _by_patterns(design)
    return np.asarray(fitted.params), np.asarray(fitted.cov_params()), bool(fitted.mle_retvals["converged"])


def _by_patterns(design: Design) -> tuple[Floats, Floats, bool]:
    """Fit collapsed visits: coefficients, inverse of the information, and whether it converged."""
    b, converged = climb(design.matrix, design.n_visits, design.n_requests, _start(design))
    known = information(design.matrix, design.n_visits, expit(design.matrix @ b))
    return b, np.asarray(np.linalg.inv(known), np.float64), converged


def climb(
    matrix: DesignMatrix, n_visits: Floats, n_requests: Floats, start: Floats, offset: Floats | None = None
) -> tuple[Floats, bool]:
    """Maximise the likelihood by Newton's method, as statsmodels does, but with steps that never decrease it.

    Args:
        matrix: Values of the terms, patterns × terms, on a common scale.
        n_visits: Visits of each pattern.
        n_requests: Of these, the ones that ended in a request.
        start: Coefficients to start from.
        offset: Log-odds of each pattern to which the terms are added.

    Returns:
        The coefficients, and whether the search converged.

    Raises:
        numpy.linalg.LinAlgError: The information became singular.
    """
    b, given = start.copy(), 0.0 if offset is None else offset

    # Without the binomial coefficients, which do not depend on the coefficients of the model.
    def height(log_odds: Floats) -> float:
        return float(n_requests @ log_odds - n_visits @ np.logaddexp(0.0, log_odds))

    log_odds = matrix @ b + given
    for _ in range(_MAX_ITERATIONS):
        p = expit(log_odds)
        step = np.linalg.solve(information(matrix, n_visits, p), (n_requests - n_visits * p) @ matrix)
        # Close to the maximum, changes are smaller than rounding errors: only a clear decrease shortens a step.
        lowest = height(log_odds) * (1 + 1e-12)
        while height(matrix @ (b + step) + given) < lowest and np.abs(step).max() > _TOLERANCE:
            step /= 2
        b += step
        log_odds = matrix @ b + given
        if np.abs(step).max() <= _TOLERANCE:
            return b, True
    return b, False


def maximum(
    matrix: DesignMatrix, n_visits: Floats, n_requests: Floats, start: Floats, offset: Floats | None = None
) -> Floats | None:
    """Return the coefficients at which :func:`climb` arrives; None where the likelihood has no maximum within reach.

    For callers that have something else to fall back on. The arguments are those of :func:`climb`; the scale does not
    matter.

    >>> always = np.array([1.0, 1.0])  # both visits end in a request: the intercept would be infinite
    >>> maximum(DesignMatrix.of(np.ones((2, 1))), np.ones(2), always, np.zeros(1)) is None
    True
    """
    scaling = Scaling.of(matrix)
    try:
        b, converged = climb(scaling.apply(matrix), n_visits, n_requests, scaling.scaled(start), offset)
    except np.linalg.LinAlgError:
        return None
    return scaling.coefficients(b) if converged else None


def _average(design: Design) -> Floats:
    """Starting values: the overall log-odds as intercept, which is closer to the maximum than 0."""
    start = np.zeros(len(design.terms))
    start[0] = np.log(design.n_requests.sum() / (design.n_visits - design.n_requests).sum())
    return start


def _start(design: Design) -> Floats:
    """Starting values: for single visits the maximum for every tenth visit, at a tenth of the cost."""
    if design.pattern is not None:
        return _average(design)
    part = slice(None, None, _START_SHARE)
    outcome = design.outcome[part]
    n_requests = outcome.sum()
    if min(n_requests, len(outcome) - n_requests) < len(design.terms):
        return _average(design)
    start = maximum(design.matrix.take(part), np.ones(len(outcome)), outcome, _average(design))
    # Terms that are separated or collinear in this part only end far away, from where no search returns.
    return _average(design) if start is None or np.abs(start).max() > _HUGE_COEFFICIENT else start


def information(matrix: DesignMatrix, n_visits: Floats, p: Floats) -> Floats:
    """Fisher's information: minus the second derivatives of the log-likelihood."""
    return matrix.gram(n_visits * p * (1 - p))


def inverse_information(matrix: DesignMatrix, n_visits: Floats, p: Floats) -> Floats:
    """Inverse of Fisher's information: the covariance of the coefficients of independent visits, in any unit.

    Args:
        matrix: Values of the terms, patterns × terms.
        n_visits: Visits of each pattern.
        p: Fitted probability of each pattern.
    """
    scaling = Scaling.of(matrix)
    return scaling.covariance(np.asarray(np.linalg.inv(information(scaling.apply(matrix), n_visits, p))))


def _is_extreme(b: Floats, errors: Floats, p: Floats) -> bool:
    """Whether the search ended with values that are typical of separation."""
    huge = ~(np.abs(b) <= _HUGE_COEFFICIENT) | ~(errors <= _HUGE_STANDARD_ERROR)
    return bool(huge.any() or p.min() < _SURE or p.max() > 1 - _SURE)


def _refuse_separated(design: Design, *, converged: bool) -> None:
    """Raise where there is no maximum; a coefficient that is large but finite passes."""
    separation = _separation(design)
    if separation is not None:
        raise separation
    if not converged:
        raise ConvergenceError(f"Newton's method did not converge in {_MAX_ITERATIONS} steps; use fewer signals")


def _separation(design: Design) -> SeparationError | None:
    """The error that names the terms whose coefficients are infinite, if any are."""
    found = find_separation(design.matrix.dense(), design.n_visits, design.n_requests)
    if not found.found:
        return None
    ways = {1: "+∞", -1: "−∞"}
    named = {term: ways[int(way)] for term, way in zip(design.terms, found.direction, strict=True) if way}
    return SeparationError(
        "signals predict the outcome perfectly in some visits, so coefficients would be infinite: "
        f"{', '.join(f'{term} ({way})' for term, way in named.items())}; drop or merge rare signals, observe "
        "longer, or penalise the likelihood",
        tuple(named),
    )
