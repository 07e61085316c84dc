"""A regression in place of a simulation: a response as a polynomial of the factors, and how far to believe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scenarios.errors import InputError
from scenarios.output_analysis.results import StudyResults

__all__ = ["MetaModel", "meta_model"]

Floats = NDArray[np.float64]

_SPARE: Final = 2
"""Points beyond the number of terms that leave something to judge the fit by."""


@dataclass(frozen=True, eq=False)
class MetaModel:
    """A polynomial fitted to the means of a response at the design points.

    Args:
        response: Name of the response.
        terms: One row per term: ``term``, ``coefficient`` (of a main effect: change of the response from the middle of
            a factor's range to its end), ``standard_error``, and the ends ``ci_low`` and ``ci_high`` of its 95 %
            interval.
        degree: ``main effects``, ``interactions`` or ``quadratic``.
        r2: Share of the variance between the points that the polynomial explains.
        r2_predicted: The same for points that it was fitted without, each in turn (from the PRESS statistic; D. M.
            Allen, Technometrics 16 (1974) 125-127). Far below ``r2``, the polynomial follows chance.
    """

    response: str
    terms: pl.DataFrame
    degree: str
    r2: float
    r2_predicted: float

    def __repr__(self) -> str:
        return f"<{self.degree} of {self.response}: R² {self.r2:.3f}, of prediction {self.r2_predicted:.3f}>"


def meta_model(results: StudyResults, response: str) -> MetaModel:
    """Fit a polynomial of the factors to a response: the richest that the number of points can bear.

    Each factor runs from −1 at its least value to 1 at its greatest, so that coefficients can be compared.

    Args:
        results: What a study found; its factors are numbers, and vary together (not one at a time).
        response: Name of a response.

    Raises:
        InputError: There is no such response, a factor is no number or does not vary, or there are too few points.
    """
    names = [name for name in results.design.columns if name not in {"point", "scenario"}]
    means = results.summary.filter(pl.col("response") == response).select("point", "mean")
    if means.is_empty():
        raise InputError(f"{response!r} is no response of this study; it has {', '.join(results.plan.responses)}")
    table = results.design.with_columns(pl.col("point").cast(pl.UInt32)).join(means, on="point").drop_nulls("mean")
    shares = np.column_stack([_from_end_to_end(table, name) for name in names]) if names else np.empty((0, 0))
    degree, labels, matrix = _richest(names, shares, table.height)
    return _fitted(response, degree, labels, matrix, table["mean"].to_numpy())


def _from_end_to_end(table: pl.DataFrame, factor: str) -> Floats:
    if not table[factor].dtype.is_numeric():
        raise InputError(f"{factor}: is no number, so that it can be no term of a polynomial")
    values = table[factor].cast(pl.Float64).to_numpy()
    if not np.ptp(values) > 0:
        raise InputError(f"{factor}: does not vary")
    return np.asarray(2 * (values - values.min()) / np.ptp(values) - 1)


def _richest(names: Sequence[str], shares: Floats, n_points: int) -> tuple[str, list[str], Floats]:
    """Degree, names and columns of the polynomial with the most terms that the points tell apart."""
    pairs = list(combinations(range(len(names)), 2))
    main = [*zip(names, shares.T, strict=True)]
    products = [(f"{names[i]} × {names[j]}", shares[:, i] * shares[:, j]) for i, j in pairs]
    squares = [(f"{name}²", share**2) for name, share in main]
    for degree, terms in (
        ("quadratic", [*main, *products, *squares]),
        ("interactions", [*main, *products]),
        ("main effects", main),
    ):
        matrix = np.column_stack([np.ones(n_points), *(column for _, column in terms)])
        is_told_apart = np.linalg.matrix_rank(matrix) == matrix.shape[1]
        if n_points >= matrix.shape[1] + _SPARE and is_told_apart and names:
            return degree, ["middle", *(name for name, _ in terms)], matrix
    raise InputError(f"{n_points} points with a number are too few for a polynomial of {len(names)} factors")


def _fitted(response: str, degree: str, labels: Sequence[str], matrix: Floats, y: Floats) -> MetaModel:
    from scipy.stats import t as student  # noqa: PLC0415 - slow to import

    n, k = matrix.shape
    inverse = np.linalg.inv(matrix.T @ matrix)
    b = inverse @ matrix.T @ y
    residuals = y - matrix @ b
    leverage = np.einsum("ij,jk,ik->i", matrix, inverse, matrix)
    se = np.sqrt(np.diag(inverse) * float(residuals @ residuals) / (n - k))
    half = float(student.ppf(0.975, n - k)) * se
    total = float(((y - y.mean()) ** 2).sum())
    # A point that the polynomial is forced through tells nothing of how it predicts.
    left_out = residuals / np.maximum(1 - leverage, 1e-12)
    shares = [1 - float(rest @ rest) / total if total > 0 else float("nan") for rest in (residuals, left_out)]
    columns = {"coefficient": b, "standard_error": se, "ci_low": b - half, "ci_high": b + half}
    return MetaModel(response, pl.DataFrame({"term": labels, **columns}), degree, *shares)
