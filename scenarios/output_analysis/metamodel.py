"""Metamodel: a response as a polynomial of the factors, by least squares over the design points."""

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

Floats = NDArray[np.float64]

_MIN_DEGREES_OF_FREEDOM: Final = 2
"""Points beyond the number of terms, without which the fit cannot be judged."""

_MIN_SLACK: Final = 1e-12
"""Smallest 1 − leverage to divide by: the polynomial passes through a point of leverage 1, but for rounding."""


@dataclass(frozen=True, eq=False)
class Metamodel:
    """A polynomial fitted to the means of a response at the design points.

    Args:
        response: Name of the response.
        terms: One row per term: ``term``, ``coefficient``, ``standard_error``, and the ends ``ci_low`` and ``ci_high``
            of its 95 % interval. A main effect is the change of the response from the centre of a factor's range to its
            upper end; the intercept is the response at the centre point.
        degree: ``main effects``, ``interactions`` or ``quadratic``.
        r2: Share of the variance between the points that the polynomial explains.
        r2_predicted: The same for each point predicted by a fit to the others (from the PRESS statistic; D. M. Allen,
            Technometrics 16 (1974) 125-127). A value far below ``r2`` shows overfitting.
    """

    response: str
    terms: pl.DataFrame
    degree: str
    r2: float
    r2_predicted: float

    def __repr__(self) -> str:
        return f"<{self.degree} of {self.response}: R² {self.r2:.3f}, predicted {self.r2_predicted:.3f}>"


def fit_metamodel(results: StudyResults, response: str) -> Metamodel:
    """Fit the polynomial of the highest degree for which there are enough points.

    Factors are coded from −1 (lowest value) to 1 (highest), so that coefficients can be compared.

    Args:
        results: Results of a study whose factors are numbers and vary together (not one at a time).
        response: Name of a response.

    Raises:
        InputError: There is no such response, a factor is not a number, a factor or the response does not vary, or
            there are too few points.
    """
    names = [name for name in results.design.columns if name not in {"point", "scenario"}]
    means = results.summary.filter(pl.col("response") == response).select("point", "mean")
    if means.is_empty():
        raise InputError(f"{response!r} is no response of this study; it has {', '.join(results.plan.responses)}")
    table = results.design.with_columns(pl.col("point").cast(pl.UInt32)).join(means, on="point").drop_nulls("mean")
    if table["mean"].n_unique() == 1:
        # Its coefficients would all be 0, with intervals of no width.
        raise InputError(f"{response}: does not vary between the points")
    coded = [_coded(table, name) for name in names]
    degree, labels, matrix = _richest(names, coded, table.height)
    return _fitted(response, degree, labels, matrix, table["mean"].to_numpy())


def _coded(table: pl.DataFrame, factor: str) -> Floats:
    """Values of a factor from −1 to 1, shape (points,)."""
    if not table[factor].dtype.is_numeric():
        raise InputError(f"{factor}: is not a number, so it cannot be a term of a polynomial")
    values = table[factor].cast(pl.Float64).to_numpy()
    if not np.ptp(values) > 0:
        raise InputError(f"{factor}: does not vary")
    return np.asarray(2 * (values - values.min()) / np.ptp(values) - 1)


def _richest(names: Sequence[str], coded: Sequence[Floats], n_points: int) -> tuple[str, list[str], Floats]:
    """Degree, names and columns of the polynomial with the most terms that the points identify."""
    main = list(zip(names, coded, strict=True))
    products = [(f"{a} × {b}", x * y) for (a, x), (b, y) in combinations(main, 2)]
    squares = [(f"{name}²", values**2) for name, values in main]
    for degree, terms in (
        ("quadratic", [*main, *products, *squares]),
        ("interactions", [*main, *products]),
        ("main effects", main),
    ):
        matrix = np.column_stack([np.ones(n_points), *(column for _, column in terms)])
        # Two levels of a factor cannot identify its square, however many points there are.
        is_identified = np.linalg.matrix_rank(matrix) == matrix.shape[1]
        if n_points >= matrix.shape[1] + _MIN_DEGREES_OF_FREEDOM and is_identified and names:
            return degree, ["intercept (centre point)", *(name for name, _ in terms)], matrix
    raise InputError(f"{n_points} points with a number are too few for a polynomial of {len(names)} factors")


def _fitted(response: str, degree: str, labels: Sequence[str], matrix: Floats, y: Floats) -> Metamodel:
    # Takes two seconds to import, which only a report of a study with factors must wait for.
    from statsmodels.regression.linear_model import OLS  # noqa: PLC0415

    fit = OLS(y, matrix).fit()
    low, high = fit.conf_int(alpha=0.05).T
    slack = np.maximum(1 - fit.get_influence().hat_matrix_diag, _MIN_SLACK)
    # statsmodels divides by zero where the response is the same at all points.
    total = float(fit.centered_tss)
    r2, r2_predicted = (1 - float(e @ e) / total if total > 0 else float("nan") for e in (fit.resid, fit.resid / slack))
    columns = {"coefficient": fit.params, "standard_error": fit.bse, "ci_low": low, "ci_high": high}
    return Metamodel(response, pl.DataFrame({"term": labels, **columns}), degree, r2, r2_predicted)
