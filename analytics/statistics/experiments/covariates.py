"""CUPED: a difference of means with less variance, by what is known of visitors before they were in an arm.

Randomisation makes what came before equal in both arms but for chance. As far as it predicts the outcome, that chance
is subtracted: the estimate stays unbiased, and its variance falls by the squared correlation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.statistics.experiments.outcomes import PREDICTORS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

_FOLDS: Final = 5
_LEAST_VISITORS: Final = 50
"""Visitors with a value of a predictor from which on it has a coefficient of its own."""
_LEAST_REQUESTS: Final = 20
"""Requests in all arms from which on they are predicted."""
_PENALTY: Final = 1.0
"""Precision of the normal prior of log odds ratios, whose standard deviation is 1: enough for the predictors here."""


@dataclass(frozen=True)
class AdjustedDifference:
    """A difference of means, adjusted for covariates.

    Args:
        difference: The adjusted difference.
        standard_error: Its standard error.
        low: Lower end of its interval.
        high: Upper end.
        variance_reduction: 1 minus its variance by that of the plain difference.
    """

    difference: float
    standard_error: float
    low: float
    high: float
    variance_reduction: float


def cuped(
    outcome: Floats, in_arm: Booleans, covariates: Floats, level: float = 0.95, *, design_effect: float = 1.0
) -> AdjustedDifference | None:
    """Adjust a difference of means for covariates that the arm cannot have changed.

    The outcome y is replaced by y − θ (x − x̄), with θ = cov(y, x) / var(x) pooled within the arms; of several
    covariates θ is the vector of the regression. Source: A. Deng, Y. Xu, R. Kohavi and T. Walker, Improving the
    Sensitivity of Online Controlled Experiments by Utilizing Pre-Experiment Data, WSDM 2013, 123–132.

    Args:
        outcome: Outcome of each visitor, shape (visitors,).
        in_arm: Whether the visitor is in the arm and not in the reference.
        covariates: Known before, shape (visitors, covariates).
        level: Confidence level.
        design_effect: Factor of the variance for visitors who are not independent.

    Returns:
        The adjusted difference; None where no covariate varies, or an arm has fewer than two visitors.

    >>> before, in_arm = np.array([1.0, 2, 3, 4, 2, 3, 4, 5]), np.arange(8) > 3
    >>> after = before + np.array([0.1, -0.1, -0.1, 0.1, 0.6, 0.4, 0.4, 0.6])
    >>> found = cuped(after, in_arm, before[:, None])
    >>> round(found.difference, 3), round(found.variance_reduction, 3)
    (0.5, 0.992)
    """
    if min(in_arm.sum(), (~in_arm).sum()) < 2:  # noqa: PLR2004 - a variance needs two
        return None
    y, x = _within(outcome[:, None], in_arm)[:, 0], _within(covariates, in_arm)
    if not x.any():
        return None
    theta = np.linalg.lstsq(x, y, rcond=None)[0]
    adjusted = outcome - covariates @ theta
    plain, variance = (_variance(values, in_arm) for values in (outcome, adjusted))
    if not plain > 0:
        return None
    difference = float(adjusted[in_arm].mean() - adjusted[~in_arm].mean())
    error = math.sqrt(design_effect * variance)
    half = NormalDist().inv_cdf(0.5 + level / 2) * error
    return AdjustedDifference(difference, error, difference - half, difference + half, 1 - variance / plain)


def _within(values: Floats, in_arm: Booleans) -> Floats:
    """Deviations from the mean of the arm."""
    means: Floats = np.where(in_arm[:, None], values[in_arm].mean(axis=0), values[~in_arm].mean(axis=0))
    return values - means


def _variance(values: Floats, in_arm: Booleans) -> float:
    """Variance of the difference of the means."""
    return float(sum(values[chosen].var(ddof=1) / chosen.sum() for chosen in (in_arm, ~in_arm)))


def covariates_of(visitors: pl.DataFrame) -> Floats:
    """Return what is known of visitors before they were in an arm, as covariates.

    Args:
        visitors: Outcomes of one experiment, in an order that does not depend on how they were read; in all arms.

    Returns:
        The logarithm of 1 plus the page views before, and the predicted probability of a request; shape (visitors, 2).
    """
    views = np.log1p(visitors["n_views_before"].to_numpy().astype(np.float64))
    return np.column_stack([views, predicted_requests(visitors)])


def predicted_requests(visitors: pl.DataFrame) -> Floats:
    """Predict requests by the predictors, whatever the arm: a ridge-penalised logit of visitors of other folds.

    Each visitor is predicted by visitors of other accounts only, so that the prediction knows nothing of the visitor's
    own outcome, which would bias the difference.

    Args:
        visitors: Columns of :data:`analytics.statistics.experiments.outcomes.OUTCOME_SCHEMA`, of one experiment.

    Returns:
        Probability of a request of each visitor, shape (visitors,); 0 for all where requests are too few to tell.
    """
    requested = visitors["requested_at"].is_not_null().to_numpy().astype(np.float64)
    if not _LEAST_REQUESTS <= requested.sum() <= len(requested) - _LEAST_REQUESTS:
        return np.zeros(len(requested))
    # Whole accounts: colleagues depend on each other. Ranks, so that folds are of one size.
    fold = cluster_codes(visitors) % _FOLDS
    patterns = visitors.select(PREDICTORS).unique(maintain_order=True).with_row_index("pattern")
    kinds = visitors.select(PREDICTORS).join(
        patterns, on=PREDICTORS, how="left", nulls_equal=True, maintain_order="left"
    )
    kind = kinds["pattern"].to_numpy()
    matrix = _indicators(patterns, np.bincount(kind))
    predicted = np.zeros(len(requested))
    for number in range(_FOLDS):
        others = fold != number
        n = np.bincount(kind[others], minlength=len(matrix)).astype(np.float64)
        requests = np.bincount(kind[others], requested[others], minlength=len(matrix)).astype(np.float64)
        predicted[~others] = (1 / (1 + np.exp(-matrix @ _ridge_logit(matrix, n, requests))))[kind[~others]]
    return predicted


def cluster_codes(visitors: pl.DataFrame) -> Integers:
    """Number the accounts of visitors, and each visitor without one by themselves; shape (visitors,)."""
    name = pl.coalesce(pl.lit("a:") + pl.col("account"), pl.lit("v:") + pl.col("visitor"))
    return visitors.select(name.rank("dense") - 1).to_series().cast(pl.Int64).to_numpy()


def _indicators(patterns: pl.DataFrame, n: Integers) -> Floats:
    """An intercept, and an indicator of each value that is frequent enough, but the most frequent of its predictor."""
    columns = [np.ones(patterns.height)]
    for name in PREDICTORS:
        values = patterns.select(pl.col(name), n=pl.Series(n))
        counted = values.group_by(name).agg(pl.col("n").sum()).sort("n", name, descending=[True, False])
        frequent = counted.filter(pl.col("n") >= _LEAST_VISITORS)[name].to_list()[1:]
        columns += [patterns.select(pl.col(name).eq_missing(value)).to_series().to_numpy() for value in frequent]
    return np.column_stack(columns).astype(np.float64)


def _ridge_logit(matrix: Floats, n: Floats, requests: Floats) -> Floats:
    """Coefficients of a logit with a penalty on all but the intercept, by Newton's method."""
    penalty = np.full(matrix.shape[1], _PENALTY)
    penalty[0] = 0
    b = np.zeros(matrix.shape[1])
    b[0] = math.log(requests.sum() / (n.sum() - requests.sum()))
    for _ in range(25):
        p = 1 / (1 + np.exp(-matrix @ b))
        gradient = matrix.T @ (requests - n * p) - penalty * b
        step = np.linalg.solve((matrix.T * (n * p * (1 - p))) @ matrix + np.diag(penalty), gradient)
        b += step
        if np.abs(step).max() < 1e-8:  # noqa: PLR2004 - far below what moves a prediction
            break
    return b
