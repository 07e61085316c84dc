"""The intent model with visits weighted by how many they stand for, where known shares of them were never seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from analytics.errors import IntentModelError
from analytics.intent.fit_context import FitContext
from analytics.logit.fit import quantile, two_sided
from analytics.logit.likelihood import maximise
from analytics.logit.matrix import Floats
from analytics.logit.robust import MIN_CLUSTERS, effective_clusters, squared_scores


def weighted_coefficients(basis: FitContext, weights: Floats, level: float) -> pl.DataFrame:
    """Fit a model by weighted maximum likelihood, with cluster-robust errors.

    With inverse probabilities of being seen as weights, the coefficients estimate those of all visits, seen or not.
    Where the model is right they are those of the plain fit, which is then more precise; where effects differ between
    people who are lost more and less often, the plain fit gives those of who is seen. The errors are those of the
    sandwich with weighted scores, with Student's t of the effective number of clusters less one; there is no correction
    for few of them. Source: D. A. Binder, International Statistical Review 51 (1983) 279–292.

    Args:
        basis: Context of the plain fit.
        weights: One for each visit of the fit, positive.
        level: Confidence level of the intervals.

    Returns:
        One row per term: ``signal``, ``coefficient``, ``standard_error``, ``p_value``, ``ci_low`` and ``ci_high``.

    Raises:
        SeparationError: Terms are separated.
        IntentModelError: There are fewer than three accounts.
    """
    design = basis.design
    of_pattern = np.arange(len(weights)) if design.pattern is None else design.pattern
    n_patterns = len(design.n_visits)
    weighted = replace(
        design,
        n_visits=np.bincount(of_pattern, weights, n_patterns).astype(np.float64),
        n_requests=np.bincount(of_pattern, weights * design.outcome, n_patterns).astype(np.float64),
        # Of weighted visits, single ones are no longer a logit of zeros and ones.
        pattern=of_pattern,
    )
    top = maximise(weighted)
    clusters = np.arange(len(weights)) if basis.clusters is None else basis.clusters
    n_clusters = int(clusters.max()) + 1
    if n_clusters < MIN_CLUSTERS:
        raise IntentModelError(f"weights: {n_clusters} accounts are too few for standard errors")
    residuals = weights * (design.outcome - top.design.by_visit(top.p_request))
    squares = squared_scores(top.design, residuals, clusters)
    covariance = top.scaling.covariance(top.inverse @ squares @ top.inverse * n_clusters / (n_clusters - 1))
    b, errors = top.scaling.coefficients(top.coefficients), np.sqrt(np.diag(covariance))
    effective = effective_clusters(top.inverse, top.design, top.p_request, clusters, top.scaling.back, weights=weights)
    freedom = np.maximum(effective - 1, 1.0)
    half = quantile(level, freedom) * errors
    ends = {"ci_low": b - half, "ci_high": b + half}
    estimates = {"coefficient": b, "standard_error": errors, "p_value": two_sided(b / errors, freedom)}
    return pl.DataFrame({"signal": design.terms, **estimates, **ends})
