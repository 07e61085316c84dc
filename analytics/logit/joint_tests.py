"""Joint tests that several coefficients are 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import chdtrc, fdtrc

from analytics.errors import IntentModelError, TooFewVisitsError
from analytics.logit.design import INTERCEPT, Design
from analytics.logit.estimation import Estimate
from analytics.logit.firth import PenalisedLogit
from analytics.logit.scaling import Scaling


@dataclass(frozen=True)
class JointTest:
    """A test that the coefficients of some terms are all 0.

    Args:
        terms: Names of the terms.
        statistic: χ² statistic with ``degrees_of_freedom``; with clustered errors, F statistic with these and
            ``denominator_degrees_of_freedom``.
        degrees_of_freedom: Number of terms.
        p_value: Probability of a statistic at least as large if all coefficients are 0.
        kind: ``wald``, with the covariance of the model; or ``penalised likelihood ratio``, where terms are separated,
            which assumes independent visits.
        denominator_degrees_of_freedom: Of the F statistic; None for χ².
    """

    terms: tuple[str, ...]
    statistic: float
    degrees_of_freedom: int
    p_value: float
    kind: Literal["wald", "penalised likelihood ratio"]
    denominator_degrees_of_freedom: float | None = None


def joint_test(design: Design, estimate: Estimate, n_clusters: int | None, terms: Sequence[str]) -> JointTest:
    """Test that the coefficients of some terms are all 0.

    Wald's statistic W of q terms is distributed as χ² with q degrees of freedom where visits are independent; with the
    covariance CR1 of G clusters, W / q as F(q, G − 1); with CR2, (η − q + 1) / (η q) · W as F(q, η − q + 1).
    Sources: A. C. Cameron and D. L. Miller, Journal of Human Resources 50 (2015) 317–372, section VI.A; for CR2, see
    :class:`analytics.logit.satterthwaite.Satterthwaite`.

    Args:
        design: Design of the model.
        estimate: Its estimate.
        n_clusters: Number of clusters of the covariance; None if it is nonrobust.
        terms: Names of terms of the model, each once.

    Raises:
        IntentModelError: A term is not in the model or is given twice, or no term is given.
        TooFewVisitsError: There are not more clusters than terms, so the covariance is singular; or fewer than three,
            or a term is known by one of them alone, or they are too unequal for a test of so many terms.
    """
    unknown = [term for term in terms if term not in design.terms]
    if unknown or not terms or len(set(terms)) < len(terms):
        raise IntentModelError(
            f"terms: must be different terms of the model (got {', '.join(terms) or 'none'}); "
            f"it has {', '.join(design.terms)}"
        )
    places = [design.terms.index(term) for term in terms]
    if estimate.estimator == "firth":
        # Columns far from 0 are centred; of all coefficients that changes the intercept alone.
        matrix = design.matrix if INTERCEPT in terms else Scaling.of(design.matrix).apply(design.matrix)
        penalised = PenalisedLogit(matrix.dense(), design.n_visits, design.n_requests)
        statistic, p_value = penalised.test(places)
        return JointTest(tuple(terms), statistic, len(terms), p_value, "penalised likelihood ratio")
    freedom = _denominator(estimate, n_clusters, places)
    covariance = estimate.fit.covariance[np.ix_(places, places)]
    error = np.sqrt(np.diag(covariance))
    # By correlations, whose condition does not depend on the units of the terms.
    z = estimate.fit.coefficients[places] / error
    wald, q = float(z @ np.linalg.solve(covariance / np.outer(error, error), z)), len(terms)
    if freedom is None:
        return JointTest(tuple(terms), wald, q, float(chdtrc(q, wald)), "wald")
    # For CR1 the F statistic is W / q, for CR2 it is smaller by the variance of the covariance itself.
    statistic = wald / q * (1 if estimate.fit.inference.kind == "CR1" else freedom / (freedom + q - 1))
    return JointTest(tuple(terms), statistic, q, float(fdtrc(q, freedom, statistic)), "wald", freedom)


def _denominator(estimate: Estimate, n_clusters: int | None, places: list[int]) -> float | None:
    """Degrees of freedom in the denominator of the F statistic; None for χ²."""
    if n_clusters is None:
        return None
    inference, q = estimate.fit.inference, len(places)
    if inference.satterthwaite is None:
        freedom = inference.degrees_of_freedom
    else:
        freedom = inference.satterthwaite.joint(np.eye(len(estimate.z))[places]) - q + 1
    # Scores of G clusters sum to 0, so they span G − 1 directions at most.
    if n_clusters <= q or not freedom > 0:
        raise TooFewVisitsError(f"{n_clusters} accounts are too few for a joint test of {q} terms; test fewer at once")
    return freedom
