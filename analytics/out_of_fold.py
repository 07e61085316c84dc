"""Predictions of visits by a model that has not seen them, nor any other visit of their account."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit

from analytics.errors import OneOutcomeError, TooFewVisitsError
from analytics.logit.design import Design
from analytics.logit.firth import PenalisedLogit
from analytics.logit.likelihood import climb
from analytics.predictive_quality import PredictiveQuality, predictive_quality

__all__ = ["folds_by_name", "out_of_fold_quality"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_FAR_OUT: Final = 15.0
"""A coefficient beyond this, in log-odds, comes of a separation among the visits that are left."""


def folds_by_name(names: pl.Series, n_folds: int) -> Integers:
    """Assign a fold to each name: always the same one, whatever other names there are, in about equal numbers.

    Args:
        names: Names, any of them many times.
        n_folds: How many folds.
    """
    distinct = names.cast(pl.String).unique().sort()
    # Python's own hash of a text differs from process to process.
    folds = [int.from_bytes(blake2b(name.encode(), digest_size=8).digest()) % n_folds for name in distinct]
    return names.cast(pl.String).replace_strict(distinct, folds, return_dtype=pl.Int64).to_numpy()


def out_of_fold_quality(design: Design, names: pl.Series, start: Floats, n_folds: int) -> PredictiveQuality:
    """Fit the model on all folds but one, predict that one, and score the predictions of all.

    A term that says nothing among the visits left to fit on has coefficient 0 there.

    Args:
        design: What was fitted.
        names: Whom each visit belongs to: account, else visitor. Their visits share a fold.
        start: Coefficients of the whole, from which the search starts.
        n_folds: How many folds, at least 2.

    Raises:
        TooFewVisitsError: There are fewer names than folds, or no names in one.
        OneOutcomeError: The visits left to fit on have one outcome only.
    """
    fold = folds_by_name(names, n_folds)
    if len(np.unique(fold)) < n_folds:
        raise TooFewVisitsError(
            f"{names.n_unique()} accounts or visitors do not fill {n_folds} folds; ask for fewer, or observe longer"
        )
    whole = _counts(design, np.ones(len(fold), dtype=np.bool_))
    predictions, cells = [], []
    for number in range(n_folds):
        held_out = _counts(design, fold == number)
        left = whole - held_out
        predictions.append(expit(design.matrix @ _fitted(design.matrix, left, start)))
        cells.append(held_out)
    n, y = np.concatenate(cells, axis=1)
    return predictive_quality(np.concatenate(predictions), n, y, n_folds)


def _counts(design: Design, chosen: NDArray[np.bool_]) -> Floats:
    """Visits and requests of each pattern among the chosen visits, in two rows."""
    pattern = np.arange(len(design.outcome)) if design.pattern is None else design.pattern
    n, outcome = len(design.matrix), design.outcome
    return np.array([np.bincount(pattern[chosen], minlength=n), np.bincount(pattern[chosen], outcome[chosen], n)])


def _fitted(matrix: Floats, counts: Floats, start: Floats) -> Floats:
    """Coefficients of the model on some visits; with a penalty where they have no greatest likelihood."""
    used = counts[0] > 0
    x, (n, y) = matrix[used], counts[:, used]
    if y.sum() in {0, n.sum()}:
        raise OneOutcomeError("without one of the folds all visits have the same outcome; ask for fewer folds")
    telling = _independent(x)
    b = np.zeros(len(start))
    b[telling] = _maximum(x[:, telling], n, y, start[telling])
    return b


def _independent(matrix: Floats) -> Integers:
    """Columns that those before them do not determine."""
    scaled = matrix / np.maximum(np.linalg.norm(matrix, axis=0), 1e-300)
    diagonal = np.abs(np.diag(np.linalg.qr(scaled, mode="r")))
    return np.flatnonzero(diagonal > 1e-8)  # noqa: PLR2004 - the share of its length that a column adds


def _maximum(x: Floats, n: Floats, y: Floats, start: Floats) -> Floats:
    try:
        b, converged = climb(x, n, y, start)
    except np.linalg.LinAlgError:
        converged = False
    if converged and (np.abs(b) * np.ptp(x, axis=0) < _FAR_OUT).all():
        return b
    return PenalisedLogit(x, n, y).coefficients
