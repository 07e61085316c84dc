"""Claims about Firth's intervals where maximum likelihood often has none: their coverage is nominal."""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.special import expit

from analytics.logit.firth import PenalisedLogit
from analytics.logit.separation import find_separation

N_WITH, N_WITHOUT, TRUTH = 12, 88, np.array([1.0, -1.5])
MATRIX = np.array([[1.0, 1.0], [0.0, 1.0]])
"""A rare signal, and the intercept; the patterns are the visits with it and those without."""


def tables(n: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Visits of each pattern, and the requests among them, in tables of 100 visits."""
    rng = np.random.default_rng(2002)
    visits = np.array([N_WITH, N_WITHOUT])
    for _ in range(n):
        yield visits.astype(float), rng.binomial(visits, expit(MATRIX @ TRUTH)).astype(float)


@pytest.mark.validation
def test_profile_intervals_hold_the_truth_and_estimates_are_nearly_unbiased():
    """Of 2,000 tables, separated ones too, at least 95 % less 3 Monte-Carlo errors of the intervals cover the truth.

    The outcomes of twelve visits are few, so coverage jumps by the probability of one of them and may lie above the
    nominal. The penalty removes the bias of order 1 / n: the mean estimate misses the truth by no more than 4 standard
    errors and what is left of order 1 / n², of the twelve visits 1 / 144.
    """
    n = 2_000
    covered, estimates, separated = np.zeros(2), [], 0
    for visits, requests in tables(n):
        fit = PenalisedLogit(MATRIX, visits, requests)
        ends = np.array([fit.interval(term, 0.95) for term in range(2)])
        covered += (ends[:, 0] <= TRUTH) & (ends[:, 1] >= TRUTH)
        estimates.append(fit.coefficients)
        separated += find_separation(MATRIX, visits, requests).found
    coverage, bias = covered / n, np.mean(estimates, axis=0) - TRUTH
    error = np.std(estimates, axis=0) / np.sqrt(n)
    print(f"coverage {coverage}, bias {bias} ± {error}, separated {separated}")
    assert separated > 0
    assert (coverage > 0.95 - 3 * np.sqrt(0.95 * 0.05 / n)).all()
    assert (np.abs(bias) < 4 * error + 1 / 144).all()
