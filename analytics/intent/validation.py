"""Validation of the intent model: discrimination, accuracy and calibration, in sample and cross-validated.

All measures are computed on cells: a prediction, the number of its visits and the requests among them. So many visits
with the same prediction cost no more than one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit, logit, xlog1py, xlogy

from analytics.errors import OneOutcomeError, TooFewVisitsError
from analytics.logit.clusters import name_keys
from analytics.logit.design import Design
from analytics.logit.firth import PenalisedLogit, intercept_shift
from analytics.logit.likelihood import maximum
from analytics.logit.matrix import DesignMatrix, Floats, Integers
from analytics.logit.scaling import Scaling
from analytics.statistics.intervals import wilson_interval


@dataclass(frozen=True)
class PredictiveQuality:
    """Quality of predictions on visits that are not in the fit.

    Args:
        auc: Area under the ROC curve: the share of pairs (a visit with a request, one without) that are ranked
            correctly; 0.5 is no discrimination.
        brier: Brier score: mean squared difference of prediction and outcome.
        brier_of_base_rate: Brier score of the base rate as prediction for all, the reference value.
        log_loss: Mean negative log-likelihood per visit.
        calibration_slope: Factor by which log-odds must be multiplied to fit; below 1, predictions are too extreme.
            None where predictions do not differ or separate the outcomes.
        calibration_intercept: Shift that log-odds need to fit; 0 where predicted and observed numbers of requests are
            equal.
        n_folds: Number of folds; each was predicted from the others.
        calibration: Predicted and observed shares; see :func:`calibration_table`.
    """

    auc: float
    brier: float
    brier_of_base_rate: float
    log_loss: float
    calibration_slope: float | None
    calibration_intercept: float | None
    n_folds: int
    calibration: pl.DataFrame = field(compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON, with the calibration as a list of groups."""
        return {**vars(self), "calibration": self.calibration.to_dicts()}


def predictive_quality(p: Floats, n_visits: Floats, n_requests: Floats, n_folds: int) -> PredictiveQuality:
    """Score predictions.

    Calibration is a logit of the outcome on the predicted log-odds: the slope with a free intercept, the intercept with
    the slope fixed at 1. Sources: G. W. Brier, Monthly Weather Review 78 (1950) 1–3; D. R. Cox, Biometrika 45 (1958)
    562–565; B. Van Calster et al., BMC Medicine 17 (2019) 230.

    Args:
        p: Predicted probability of each cell.
        n_visits: Visits of each cell.
        n_requests: Of these, the ones that ended in a request.
        n_folds: Number of folds.
    """
    used = n_visits > 0
    p, n, y = p[used], n_visits[used], n_requests[used]
    total, rate = n.sum(), y.sum() / n.sum()
    # A prediction of exactly 0 or 1 has infinite log-odds.
    log_odds = logit(np.clip(p, 1e-15, 1 - 1e-15))
    line = DesignMatrix({"log-odds": log_odds}, [(), ("log-odds",)], len(p))
    # One prediction for all has no slope.
    slope = maximum(line, n, y, np.zeros(2)) if np.ptp(log_odds) > 0 else None
    intercept = maximum(line.choose([0]), n, y, np.zeros(1), log_odds)
    return PredictiveQuality(
        auc=area_under_curve(y, n - y, p),
        brier=float((y * (1 - p) ** 2 + (n - y) * p**2).sum() / total),
        brier_of_base_rate=float(rate * (1 - rate)),
        log_loss=float(-(xlogy(y, p) + xlog1py(n - y, -p)).sum() / total),
        calibration_slope=None if slope is None else float(slope[1]),
        calibration_intercept=None if intercept is None else float(intercept[0]),
        n_folds=n_folds,
        calibration=calibration_table(p, n, y),
    )


def calibration_table(
    p: Floats, n_visits: Floats, n_requests: Floats, n_groups: int = 10, level: float = 0.95
) -> pl.DataFrame:
    """Compare predicted and observed shares of requests, in groups of increasing prediction.

    Requests are rare, so most groups of equally many visits would have hardly any. Each group here has about the same
    number of predicted requests.

    Args:
        p: Predicted probability of each cell.
        n_visits: Visits of each cell.
        n_requests: Of these, the ones that ended in a request.
        n_groups: Maximum number of groups; equal predictions stay together.
        level: Confidence level of the intervals (Wilson), between 0 and 1.

    Returns:
        One row per group: ``predicted``, the mean prediction; ``n`` visits; ``requests`` among them; ``share``, their
        quotient, with ``share_low`` and ``share_high``.

    >>> p, n, requests = np.array([0.01, 0.2]), np.array([1000.0, 50.0]), np.array([12.0, 9.0])
    >>> calibration_table(p, n, requests, n_groups=2).select("predicted", "n", "share").rows()
    [(0.01, 1000, 0.012), (0.2, 50, 0.18)]
    """
    cells = pl.DataFrame({"p": p, "n": n_visits, "requests": n_requests}).group_by("p").agg(pl.all().sum()).sort("p")
    predicted = pl.col("p") * pl.col("n")
    # A cell belongs to the group in which the centre of its own predicted requests falls.
    place = (predicted.cum_sum() - predicted / 2) / predicted.sum() * n_groups
    groups = (
        cells.group_by(group=place.floor().clip(0, n_groups - 1), maintain_order=True)
        .agg(predicted=predicted.sum() / pl.col("n").sum(), n=pl.col("n").sum(), requests=pl.col("requests").sum())
        .drop("group")
    )
    low, high = wilson_interval(groups["requests"].to_numpy(), groups["n"].to_numpy(), level)
    return groups.with_columns(
        # Sums of whole numbers, although kept as floats.
        pl.col("n", "requests").round().cast(pl.UInt32),
        share=pl.col("requests") / pl.col("n"),
        share_low=pl.Series(low),
        share_high=pl.Series(high),
    )


def area_under_curve(n_ones: Floats, n_zeros: Floats, score: Floats) -> float:
    """Return the AUC: the share of pairs of a one and a zero that the score ranks correctly, ties counting half.

    Source: J. A. Hanley and B. J. McNeil, Radiology 143 (1982) 29–36 (the Mann–Whitney statistic).

    Args:
        n_ones: Number of ones at each score, at least one in total; shape (scores,).
        n_zeros: Number of zeros at each score, at least one in total.
        score: Scores, higher for a more likely one.

    >>> area_under_curve(np.array([0.0, 1.0, 1.0]), np.array([2.0, 1.0, 0.0]), np.array([0.1, 0.2, 0.3]))
    0.9166666666666666
    """
    distinct, place = np.unique(score, return_inverse=True)
    ones, zeros = (np.bincount(place, n, minlength=len(distinct)) for n in (n_ones, n_zeros))
    below = np.cumsum(zeros) - zeros
    return float(ones @ (below + zeros / 2) / (ones.sum() * zeros.sum()))


def coefficient_of_discrimination(n_ones: Floats, n_zeros: Floats, p: Floats) -> float:
    """Return Tjur's R²: the mean prediction for ones less that for zeros.

    Source: T. Tjur, American Statistician 63 (2009) 366–372.

    Args:
        n_ones: Number of ones at each prediction, at least one in total; shape (predictions,).
        n_zeros: Number of zeros at each prediction, at least one in total.
        p: Predicted probabilities.

    >>> round(coefficient_of_discrimination(np.array([1.0, 3.0]), np.array([8.0, 2.0]), np.array([0.1, 0.6])), 3)
    0.275
    """
    return float(n_ones @ p / n_ones.sum() - n_zeros @ p / n_zeros.sum())


_FAR_OUT: Final = 15.0
"""A coefficient beyond this, in log-odds, comes from separation among the training visits."""


def folds_by_name(names: pl.Series, n_folds: int) -> Integers:
    """Assign a fold to each name by its hash, so that it is independent of the other names.

    Args:
        names: Names, with repetitions.
        n_folds: Number of folds.

    Returns:
        The fold of each name, from 0; shape (names,).

    >>> folds = folds_by_name(pl.Series(["acme", "initech", "acme"]), 5)
    >>> bool(folds[0] == folds[2])
    True
    """
    return _folds(name_keys(names), n_folds)


def _folds(keys: pl.Series, n_folds: int) -> Integers:
    return (keys % n_folds).cast(pl.Int64).to_numpy()


def out_of_fold_quality(design: Design, keys: pl.Series, start: Floats, n_folds: int) -> PredictiveQuality:
    """Cross-validate: predict each fold from a fit on the others, and score all predictions.

    A term that the training visits of a fold do not identify has coefficient 0 there.

    Args:
        design: Design of the model.
        keys: Key of each visit's cluster, as of :func:`analytics.logit.clusters.cluster_keys`. Visits of a cluster
            share a fold.
        start: Coefficients of the full fit, from which the search starts.
        n_folds: Number of folds, at least 2.

    Raises:
        TooFewVisitsError: There are fewer clusters than folds, or an empty fold.
        OneOutcomeError: The training visits of a fold have one outcome only.
    """
    fold = _folds(keys, n_folds)
    if len(np.unique(fold)) < n_folds:
        raise TooFewVisitsError(
            f"{keys.n_unique()} accounts or visitors do not fill {n_folds} folds; ask for fewer, or observe longer"
        )
    whole = _counts(design, np.ones(len(fold), dtype=np.bool_))
    predictions, cells = [], []
    for number in range(n_folds):
        held_out = _counts(design, fold == number)
        # Counts add up, so the training visits need no counting of their own.
        left = whole - held_out
        is_scored = held_out[0] > 0
        predictions.append(expit(design.matrix @ _fitted(design.matrix, left, start))[is_scored])
        cells.append(held_out[:, is_scored])
    n, y = np.concatenate(cells, axis=1)
    return predictive_quality(np.concatenate(predictions), n, y, n_folds)


def _counts(design: Design, chosen: NDArray[np.bool_]) -> Floats:
    """Visits and requests of each pattern among the chosen visits, in two rows."""
    pattern = np.arange(len(design.outcome)) if design.pattern is None else design.pattern
    n, outcome = design.matrix.n_rows, design.outcome
    return np.array([np.bincount(pattern[chosen], minlength=n), np.bincount(pattern[chosen], outcome[chosen], n)])


def _fitted(matrix: DesignMatrix, counts: Floats, start: Floats) -> Floats:
    """Coefficients of the model on some visits, penalised where the likelihood has no maximum."""
    used = counts[0] > 0
    x, (n, y) = matrix.take(used), counts[:, used]
    if y.sum() in {0, n.sum()}:
        raise OneOutcomeError("without one of the folds all visits have the same outcome; ask for fewer folds")
    # A rare signal may be constant without one of the folds.
    identified = _independent(Scaling.of(x).apply(x))
    b = np.zeros(len(start))
    b[identified] = _maximum(x.choose(identified.tolist()), n, y, start[identified])
    return b


def _independent(matrix: DesignMatrix) -> Integers:
    """Indices of the columns that are not linear combinations of earlier ones."""
    triangle = matrix.triangle()
    # The columns of the triangle are as long as those of the matrix.
    diagonal = np.abs(np.diag(triangle)) / np.maximum(np.linalg.norm(triangle, axis=0)[: len(triangle)], 1e-300)
    return np.flatnonzero(diagonal > 1e-8)  # noqa: PLR2004 - the share of its length that a column adds


def _has_empty_cell(x: DesignMatrix, n: Floats, y: Floats) -> bool:
    """Whether a signal has a value with which every visit, or none, ended in a request."""
    signals = np.flatnonzero(x.is_binary & (x.extent[0] == 0))
    requests, others = (y @ x)[signals], ((n - y) @ x)[signals]
    return bool(np.isin([requests, others, y.sum() - requests, (n - y).sum() - others], 0).any())


def _maximum(x: DesignMatrix, n: Floats, y: Floats, start: Floats) -> Floats:
    # With an empty cell the search would run away until it gives up, which takes most of the time.
    b = None if _has_empty_cell(x, n, y) else maximum(x, n, y, start)
    if b is not None and (np.abs(b) * (x.extent[1] - x.extent[0]) < _FAR_OUT).all():
        return b
    scaling = Scaling.of(x)
    scaled = scaling.apply(x)
    b = PenalisedLogit(scaled.dense(), n, y).coefficients
    b[0] += intercept_shift(scaled, n, y, b)
    return scaling.coefficients(b)
