"""The maximum of the logit's likelihood, or the reason why there is none that could be used.

statsmodels does the arithmetic where every visit is a row of its own. It only warns, or says nothing, where a
coefficient is infinite or the search has stopped early; here that is an error. Its logit knows no rows that stand for
many visits, so collapsed visits are fitted by the same method here.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.special import erfc, expit, xlog1py, xlogy

from analytics.intent_design import Design
from analytics.intent_errors import ConvergenceError, SeparationError

__all__ = ["LogitFit", "maximise"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_MAX_ITERATIONS: Final = 100
_START_SHARE: Final = 10
_TOLERANCE: Final = 1e-8
"""Greatest step, in log-odds, that ends the search; statsmodels' own. What is left of the way is about its square."""

_HUGE_COEFFICIENT: Final = 15.0
_HUGE_STANDARD_ERROR: Final = 100.0
_SURE: Final = 1e-10
"""Beyond these the likelihood has no maximum but a ridge: what statsmodels returns is where it stopped climbing."""

_ADVICE: Final = (
    "signals together foretell the outcome perfectly in some visits, so their coefficients would be infinite; "
    "leave out or merge rare signals, or observe longer"
)


@dataclass(frozen=True, eq=False)
class LogitFit:
    """A maximum of the likelihood.

    Args:
        coefficients: One per term.
        standard_errors: One per term.
        p_values: Of the two-sided Wald tests, one per term.
        covariance: Of the coefficients, terms × terms.
        log_likelihood: At the maximum.
        p_request: Fitted probability of each pattern of the design.
    """

    coefficients: Floats
    standard_errors: Floats
    p_values: Floats
    covariance: Floats
    log_likelihood: float
    p_request: Floats


def maximise(design: Design, clusters: Integers | None) -> LogitFit:
    """Maximise the likelihood by Newton's method, which gives thirteen digits where quasi-Newton gives two.

    Args:
        design: What the likelihood is made of.
        clusters: Cluster of each visit for robust standard errors; none for those of independent visits.

    Raises:
        SeparationError: Coefficients would be infinite.
        ConvergenceError: No maximum was found.
    """
    try:
        b, inverse, converged = (_by_visits if design.pattern is None else _by_patterns)(design)
    except (np.linalg.LinAlgError, Warning) as error:
        raise ConvergenceError(f"the likelihood could not be maximised ({error}); ask of fewer signals") from error
    p = expit(design.matrix @ b)
    covariance = inverse if clusters is None else _cluster_robust(inverse, design, p, clusters)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Where the likelihood is a ridge, the inverse may be of anything; it is refused below.
        se = np.sqrt(np.diag(covariance))
        p_values = erfc(np.abs(b / se) / np.sqrt(2))
    log_likelihood = xlogy(design.n_requests, p) + xlog1py(design.n_visits - design.n_requests, -p)
    fit = LogitFit(
        coefficients=b,
        standard_errors=se,
        p_values=p_values,
        covariance=covariance,
        log_likelihood=float(log_likelihood.sum()),
        p_request=p,
    )
    _refuse_separated(fit, design.terms)
    if not converged:
        raise ConvergenceError(f"Newton's method did not converge in {_MAX_ITERATIONS} steps; ask of fewer signals")
    return fit


def _by_visits(design: Design) -> tuple[Floats, Floats, bool]:
    """Let statsmodels fit: coefficients, inverse of the information, and whether the search converged."""
    from statsmodels.discrete.discrete_model import Logit  # noqa: PLC0415 - takes a second to import
    from statsmodels.tools.sm_exceptions import PerfectSeparationError, PerfectSeparationWarning  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # The rank has been seen to already, and what has not converged is refused by the caller.
            model = Logit(design.outcome, design.matrix, check_rank=False, hasconst=True)
            fitted = model.fit(_start(design), "newton", maxiter=_MAX_ITERATIONS, disp=False, warn_convergence=False)
    except (PerfectSeparationError, PerfectSeparationWarning) as error:
        raise SeparationError(_ADVICE) from error
    return np.asarray(fitted.params), np.asarray(fitted.cov_params()), bool(fitted.mle_retvals["converged"])


def _by_patterns(design: Design) -> tuple[Floats, Floats, bool]:
    """Fit collapsed visits: coefficients, inverse of the information, and whether the search converged."""
    b, converged = _climb(design)
    inverse: Floats = np.linalg.inv(_information(design, expit(design.matrix @ b))).astype(np.float64)
    return b, inverse, converged


def _climb(design: Design) -> tuple[Floats, bool]:
    """Newton's method, as statsmodels goes: the coefficients, and whether the steps have ended."""
    b = _average(design)
    for _ in range(_MAX_ITERATIONS):
        p = expit(design.matrix @ b)
        step = np.linalg.solve(_information(design, p), design.matrix.T @ (design.n_requests - design.n_visits * p))
        b += step
        if np.abs(step).max() <= _TOLERANCE:
            return b, True
    return b, False


def _average(design: Design) -> Floats:
    """Every visit as likely to end in a request as the average one: nearer than 0, where all are as likely as not."""
    start = np.zeros(len(design.terms))
    start[0] = np.log(design.n_requests.sum() / (design.n_visits - design.n_requests).sum())
    return start


def _start(design: Design) -> Floats:
    """Where to begin with single visits: at the maximum for every tenth of them, which is near and costs a tenth."""
    part = slice(None, None, _START_SHARE)
    outcome = design.outcome[part]
    n_requests = outcome.sum()
    if min(n_requests, len(outcome) - n_requests) < len(design.terms):
        return _average(design)
    sample = replace(
        design, matrix=design.matrix[part], n_visits=np.ones(len(outcome)), n_requests=outcome, outcome=outcome
    )
    try:
        start, converged = _climb(sample)
    except np.linalg.LinAlgError:
        converged = False
    return start if converged else _average(design)


def _information(design: Design, p: Floats) -> Floats:
    """Fisher's information: minus the second derivatives of the log-likelihood."""
    information: Floats = (design.matrix.T * (design.n_visits * p * (1 - p))) @ design.matrix
    return information


def _cluster_robust(inverse: Floats, design: Design, p: Floats, clusters: Integers) -> Floats:
    """Covariance that allows for what a cluster's visits share, with statsmodels' and Stata's small-sample correction.

    Source: A. C. Cameron and D. L. Miller, Journal of Human Resources 50 (2015) 317–372, section II.C.
    """
    pattern = np.arange(len(p)) if design.pattern is None else design.pattern
    n_clusters, n, n_terms = int(clusters.max()) + 1, len(design.outcome), len(design.terms)
    residuals = coo_array((design.outcome - p[pattern], (clusters, pattern)), shape=(n_clusters, len(p)))
    scores = residuals.tocsr() @ design.matrix
    correction = n_clusters / (n_clusters - 1) * (n - 1) / (n - n_terms)
    covariance = inverse @ (scores.T @ scores) @ inverse * correction
    return np.asarray(covariance)


def _refuse_separated(fit: LogitFit, terms: tuple[str, ...]) -> None:
    """Refuse what betrays a separation that no single signal shows."""
    b, se, p = fit.coefficients, fit.standard_errors, fit.p_request
    faulty = ~(np.abs(b) <= _HUGE_COEFFICIENT) | ~(se <= _HUGE_STANDARD_ERROR)
    if faulty.any():
        named = ", ".join(f"{terms[j]} ({b[j]:.3g} ± {se[j]:.3g})" for j in np.flatnonzero(faulty))
        raise SeparationError(f"{_ADVICE}; see {named}")
    if p.min() < _SURE or p.max() > 1 - _SURE:
        raise SeparationError(f"{_ADVICE}; fitted probabilities reach {p.min():.1e} and {p.max():.10f}")
