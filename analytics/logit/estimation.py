"""Estimation: maximum likelihood where it exists, else Firth's penalised likelihood."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from analytics.errors import SeparationError
from analytics.logit.design import Design
from analytics.logit.firth import PenalisedLogit, intercept_shift
from analytics.logit.fit import LogitFit, quantile, two_sided
from analytics.logit.likelihood import Maximum, log_likelihood, maximise
from analytics.logit.matrix import Floats, Integers
from analytics.logit.robust import Inference, clustered
from analytics.logit.scaling import Scaling
from analytics.logit.separation import find_separation

Estimator = Literal["ml", "firth"]
"""``ml``: maximum likelihood; ``firth``: maximum penalised likelihood."""


_ENOUGH_EVENTS_PER_VARIABLE: Final = 100
"""Events per variable from which Wald intervals are as good as profile intervals."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """Coefficients with their tests and intervals.

    Args:
        fit: Coefficients, covariance and fitted probabilities.
        estimator: Kind of likelihood.
        separated: Terms whose coefficients would be infinite without the penalty.
        z: Test statistic of each term: the Wald ratio, which is a t statistic with clusters; or the signed root of the
            penalised likelihood ratio.
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


def estimate(
    design: Design, clusters: Integers | None, level: float, *, penalise: bool = True, estimator: Estimator = "ml"
) -> Estimate:
    """Estimate the coefficients, with Firth's penalty where the likelihood has no maximum, or on request.

    With the penalty, intervals are of the profile penalised likelihood. It assumes independent visits and needs many
    fits. So it is used for all terms where visits are independent and requests few, and only for the separated terms
    where visits are clustered or requests many. The other terms then have Wald intervals.

    Args:
        design: Design matrix and outcomes.
        clusters: Cluster of each visit; None where visits are independent.
        level: Confidence level of the intervals, between 0 and 1.
        penalise: Penalise the likelihood where terms are separated; if False, raise instead.
        estimator: ``firth`` penalises in any case.

    Raises:
        SeparationError: Terms are separated, and ``penalise`` is False.
        ConvergenceError: The maximisation did not converge.
    """
    if estimator == "firth":
        found = find_separation(design.matrix.dense(), design.n_visits, design.n_requests)
        separated = tuple(term for term, way in zip(design.terms, found.direction, strict=True) if way)
        return _penalised(design, clusters, level, separated)
    try:
        top = maximise(design)
    except SeparationError as error:
        if not penalise:
            raise
        return _penalised(design, clusters, level, error.terms)
    return _wald(_fit(top, clusters), level)


def _fit(top: Maximum, clusters: Integers | None, infinite: NDArray[np.bool_] | None = None) -> LogitFit:
    """The fit at a maximum, with coefficients of the columns in their own units."""
    covariance, inference = top.inverse, Inference()
    if clusters is not None:
        covariance, inference = clustered(top.inverse, top.design, top.p_request, clusters, top.scaling.back)
    if clusters is not None and infinite is not None:
        covariance = _no_smaller(covariance, top.inverse, infinite)
    return LogitFit(
        coefficients=top.scaling.coefficients(top.coefficients),
        covariance=top.scaling.covariance(covariance),
        log_likelihood=log_likelihood(top.design, top.p_request),
        p_request=top.p_request,
        inference=inference,
        root=top.scaling.root(covariance),
    )


def _wald(fit: LogitFit, level: float) -> Estimate:
    b, se, freedom = fit.coefficients, fit.standard_errors, fit.degrees_of_freedom
    half, z = quantile(level, freedom) * se, b / se
    return Estimate(fit, "ml", (), z, two_sided(z, freedom), b - half, b + half, np.zeros(len(b), dtype=np.bool_))


def _penalised(design: Design, clusters: Integers | None, level: float, separated: tuple[str, ...]) -> Estimate:
    """Estimate by Firth's penalised likelihood, with columns far from 0 centred, as they would all seem constant."""
    scaling = Scaling.of(design.matrix)
    scaled = replace(design, matrix=scaling.apply(design.matrix))
    penalised = PenalisedLogit(scaled.matrix.dense(), design.n_visits, design.n_requests)
    b, p = penalised.coefficients, expit(scaled.matrix @ penalised.coefficients)
    # Where every outcome is predicted, no coefficient has a finite estimate, whichever direction was found.
    infinite = np.isin(design.terms, separated) | _predicts_all(design, p)
    top = Maximum(b, penalised.inverse_information, p, scaling, scaled)
    shift = intercept_shift(scaled.matrix, design.n_visits, design.n_requests, b)
    fit = replace(_fit(top, clusters, infinite), p_request=expit(scaled.matrix @ b + shift), intercept_shift=shift)
    found = replace(_wald(fit, level), estimator="firth", separated=separated)
    profiled = infinite | (clusters is None and _has_few_requests(design))
    # The intercept of centred columns is not that of the model, which lies far outside of the data.
    profiled[0] &= not scaling.centre.any()
    for j in map(int, np.flatnonzero(profiled)):
        statistic, found.p_values[j] = penalised.test([j])
        found.z[j] = np.sign(b[j]) * np.sqrt(statistic)
        found.low[j], found.high[j] = penalised.interval(j, level) / scaling.size[j]
    return replace(found, profiled=profiled)


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
