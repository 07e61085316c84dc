"""Estimation: maximum likelihood where it exists, else Firth's penalised likelihood."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from analytics.errors import SeparationError
from analytics.logit.design import Design
from analytics.logit.firth import PenalisedLogit
from analytics.logit.likelihood import LogitFit, cluster_robust, log_likelihood, maximise
from analytics.logit.matrix import Floats, Integers
from analytics.logit.scaling import Scaling

Estimator = Literal["ml", "firth"]
"""``ml``: maximum likelihood; ``firth``: maximum penalised likelihood, because some terms are separated."""


_ENOUGH_EVENTS_PER_VARIABLE: Final = 100
"""Events per variable from which Wald intervals are as good as profile intervals."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """Coefficients with their tests and intervals.

    Args:
        fit: Coefficients, covariance and fitted probabilities.
        estimator: Kind of likelihood.
        separated: Terms whose coefficients would be infinite without the penalty.
        z: Test statistic of each term: the Wald ratio, or the signed root of the penalised likelihood ratio.
        p_values: P-values of the two-sided tests that a coefficient is 0.
        low: Lower ends of the intervals.
        high: Upper ends of the intervals.
        profiled: Whether a term's test and interval are of the profile penalised likelihood.
    """

    fit: LogitFit
    estimator: Estimator
    separated: tuple[str, ...]
    z: Floats
    p_values: Floats
    low: Floats
    high: Floats
    profiled: NDArray[np.bool_]


def estimate(design: Design, clusters: Integers | None, level: float, *, penalise: bool = True) -> Estimate:
    """Estimate the coefficients, with Firth's penalty where the likelihood has no maximum.

    With the penalty, intervals are of the profile penalised likelihood. It assumes independent visits and needs many
    fits. So it is used for all terms where visits are independent and requests few, and only for the separated terms
    where visits are clustered or requests many. The other terms then have Wald intervals.

    Args:
        design: Design matrix and outcomes.
        clusters: Cluster of each visit; None where visits are independent.
        level: Confidence level of the intervals, between 0 and 1.
        penalise: Penalise the likelihood where terms are separated; if False, raise instead.

    Raises:
        SeparationError: Terms are separated, and ``penalise`` is False.
        ConvergenceError: The maximisation did not converge.
    """
    try:
        fit = maximise(design, clusters)
    except SeparationError as error:
        if not penalise:
            raise
        return _penalised(design, clusters, level, error.terms)
    b, se = fit.coefficients, fit.standard_errors
    quantile = NormalDist().inv_cdf(0.5 + level / 2)
    none_profiled = np.zeros(len(b), dtype=np.bool_)
    return Estimate(fit, "ml", (), b / se, fit.p_values, b - quantile * se, b + quantile * se, none_profiled)


def _penalised(design: Design, clusters: Integers | None, level: float, separated: tuple[str, ...]) -> Estimate:
    """Estimate by Firth's penalised likelihood, with columns far from 0 centred, as they would all seem constant."""
    scaling = Scaling.of(design.matrix)
    scaled = replace(design, matrix=scaling.apply(design.matrix))
    penalised = PenalisedLogit(scaled.matrix.dense(), design.n_visits, design.n_requests)
    b, p = penalised.coefficients, expit(scaled.matrix @ penalised.coefficients)
    # Where every outcome is predicted, no coefficient has a finite estimate, whichever direction was found.
    infinite = np.isin(design.terms, separated) | _predicts_all(design, p)
    covariance = penalised.inverse_information
    if clusters is not None:
        covariance = _no_smaller(cluster_robust(covariance, scaled, p, clusters), covariance, infinite)
    root = scaling.root(covariance)
    fitted, covariance = scaling.coefficients(b), scaling.covariance(covariance)
    se = np.sqrt(np.diag(covariance))
    quantile = NormalDist().inv_cdf(0.5 + level / 2)
    z, low, high = fitted / se, fitted - quantile * se, fitted + quantile * se
    p_values = 2 * ndtr(-np.abs(z))
    profiled = infinite | (clusters is None and _has_few_requests(design))
    # The intercept of centred columns is not that of the model, which lies far outside of the data.
    profiled[0] &= not scaling.centre.any()
    for j in map(int, np.flatnonzero(profiled)):
        statistic, p_values[j] = penalised.test([j])
        z[j] = np.sign(b[j]) * np.sqrt(statistic)
        low[j], high[j] = penalised.interval(j, level) / scaling.size[j]
    fit = LogitFit(fitted, se, p_values, covariance, log_likelihood(design, p), p, root)
    return Estimate(fit, "firth", separated, z, p_values, low, high, profiled)


def _predicts_all(design: Design, p: Floats) -> bool:
    """Whether the signals predict the outcome of every visit."""
    requested = design.n_requests > 0
    return bool((requested == (design.n_requests == design.n_visits)).all() and (requested == (p > 1 / 2)).all())


def _has_few_requests(design: Design) -> bool:
    n_requests = design.n_requests.sum()
    return bool(min(n_requests, design.n_visits.sum() - n_requests) < _ENOUGH_EVENTS_PER_VARIABLE * len(design.terms))


def _no_smaller(robust: Floats, nonrobust: Floats, infinite: NDArray[np.bool_]) -> Floats:
    """The robust covariance, with variances of separated terms at least the nonrobust ones."""
    # The residuals of their visits are nearly 0, so robust variances would be far too small.
    excess = np.diag(nonrobust) - np.diag(robust)
    return np.asarray(robust + np.diag(np.where(infinite, np.maximum(excess, 0.0), 0.0)))
