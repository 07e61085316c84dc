"""The maximum of the logit's likelihood, or the reason why there is none that could be used.

statsmodels does the arithmetic. It only warns, or says nothing, where a coefficient is infinite or the search has
stopped early; here that is an error.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.intent_design import Design
from analytics.intent_errors import ConvergenceError, SeparationError

__all__ = ["LogitFit", "maximise"]

Floats = NDArray[np.float64]

_MAX_ITERATIONS: Final = 100
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
        p_request: Fitted probability of each visit.
    """

    coefficients: Floats
    standard_errors: Floats
    p_values: Floats
    covariance: Floats
    log_likelihood: float
    p_request: Floats


def maximise(design: Design, clusters: NDArray[np.int64] | None) -> LogitFit:
    """Maximise the likelihood by Newton's method, which gives thirteen digits where quasi-Newton gives two.

    Args:
        design: What the likelihood is made of.
        clusters: Cluster of each visit for robust standard errors; none for those of independent visits.

    Raises:
        SeparationError: Coefficients would be infinite.
        ConvergenceError: No maximum was found.
    """
    from statsmodels.discrete.discrete_model import Logit  # noqa: PLC0415 - takes a second to import
    from statsmodels.tools.sm_exceptions import PerfectSeparationError, PerfectSeparationWarning  # noqa: PLC0415

    cluster = {} if clusters is None else {"cov_type": "cluster", "cov_kwds": {"groups": clusters}}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # The rank has been seen to already, and what has not converged is refused below.
            model = Logit(design.outcome, design.matrix, check_rank=False)
            fitted = model.fit(method="newton", maxiter=_MAX_ITERATIONS, disp=False, warn_convergence=False, **cluster)
    except (PerfectSeparationError, PerfectSeparationWarning) as error:
        raise SeparationError(_ADVICE) from error
    except (np.linalg.LinAlgError, Warning) as error:
        raise ConvergenceError(f"the likelihood could not be maximised ({error}); ask of fewer signals") from error
    fit = LogitFit(
        coefficients=np.asarray(fitted.params),
        standard_errors=np.asarray(fitted.bse),
        p_values=np.asarray(fitted.pvalues),
        covariance=np.asarray(fitted.cov_params()),
        log_likelihood=float(fitted.llf),
        p_request=np.asarray(fitted.predict()),
    )
    _refuse_separated(fit, design.terms)
    if not fitted.mle_retvals["converged"]:
        raise ConvergenceError(f"Newton's method did not converge in {_MAX_ITERATIONS} steps; ask of fewer signals")
    return fit


def _refuse_separated(fit: LogitFit, terms: tuple[str, ...]) -> None:
    """Refuse what betrays a separation that no single signal shows."""
    b, se, p = fit.coefficients, fit.standard_errors, fit.p_request
    faulty = ~(np.abs(b) <= _HUGE_COEFFICIENT) | ~(se <= _HUGE_STANDARD_ERROR)
    if faulty.any():
        named = ", ".join(f"{terms[j]} ({b[j]:.3g} ± {se[j]:.3g})" for j in np.flatnonzero(faulty))
        raise SeparationError(f"{_ADVICE}; see {named}")
    if p.min() < _SURE or p.max() > 1 - _SURE:
        raise SeparationError(f"{_ADVICE}; fitted probabilities reach {p.min():.1e} and {p.max():.10f}")
