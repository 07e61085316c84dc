"""Whether several signals together tell anything of demo requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import chdtrc

from analytics.errors import IntentModelError, TooFewVisitsError
from analytics.logit.design import Design
from analytics.logit.estimation import Estimate
from analytics.logit.firth import PenalisedLogit

__all__ = ["JointTest", "joint_test"]


@dataclass(frozen=True)
class JointTest:
    """A test that the coefficients of some terms are all 0.

    Args:
        terms: Names of the terms.
        statistic: Chi-square with ``degrees_of_freedom`` if they are.
        degrees_of_freedom: How many terms there are.
        p_value: Probability of so great a statistic, or a greater one, if they are 0.
        kind: ``wald``, with the covariance of the model; or ``penalised likelihood ratio``, where terms are separated:
            it supposes that visits are independent.
    """

    terms: tuple[str, ...]
    statistic: float
    degrees_of_freedom: int
    p_value: float
    kind: Literal["wald", "penalised likelihood ratio"]


def joint_test(design: Design, estimate: Estimate, n_clusters: int | None, terms: Sequence[str]) -> JointTest:
    """Test that the coefficients of some terms are all 0.

    Args:
        design: What was fitted.
        estimate: Its coefficients.
        n_clusters: Clusters that the covariance is robust to; none for that of independent visits.
        terms: Names of terms of the model, each once.

    Raises:
        IntentModelError: A term is not in the model, named twice, or none is named.
        TooFewVisitsError: So few clusters that their covariance does not span the terms.
    """
    unknown = [term for term in terms if term not in design.terms]
    if unknown or not terms or len(set(terms)) < len(terms):
        raise IntentModelError(
            f"terms: must be different terms of the model (got {', '.join(terms) or 'none'}); "
            f"it holds {', '.join(design.terms)}"
        )
    places = [design.terms.index(term) for term in terms]
    if estimate.estimator == "firth":
        penalised = PenalisedLogit(design.matrix, design.n_visits, design.n_requests)
        statistic, p_value = penalised.test(places)
        return JointTest(tuple(terms), statistic, len(terms), p_value, "penalised likelihood ratio")
    if n_clusters is not None and n_clusters <= len(terms):
        raise TooFewVisitsError(
            f"{n_clusters} accounts cannot carry a joint test of {len(terms)} terms; test fewer at once"
        )
    b, covariance = estimate.fit.coefficients[places], estimate.fit.covariance[np.ix_(places, places)]
    statistic = float(b @ np.linalg.solve(covariance, b))
    return JointTest(tuple(terms), statistic, len(terms), float(chdtrc(len(terms), statistic)), "wald")
