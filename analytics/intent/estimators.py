"""Estimators of the same coefficients, to be shown side by side: what each corrects, and their common table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import polars as pl

from analytics.errors import IntentModelError
from analytics.intent.results import IntentResults
from analytics.intent.weighted import weighted_coefficients
from analytics.settings import EstimatorName

ESTIMATORS: Final[Mapping[EstimatorName, str]] = {
    "ml": "maximum likelihood, and Firth's penalised likelihood where signals are separated",
    "firth": "Firth's penalised likelihood, nearly unbiased with few requests",
    "weighted": "maximum likelihood, visits weighted by how many they stand for (`analytics.loss_rates`)",
    "random_intercept": "maximum likelihood with a random intercept by account: effects within accounts",
    "no_bots": "that of the settings, without visitors at the pace of bots (`analytics.find_bots`)",
}
"""What each estimator is."""

ESTIMATE_SCHEMA: Final = pl.Schema(
    {
        "signal": pl.String(),
        "coefficient": pl.Float64(),
        "standard_error": pl.Float64(),
        "p_value": pl.Float64(),
        "ci_low": pl.Float64(),
        "ci_high": pl.Float64(),
        "true_coefficient": pl.Float64(),
        "ci_covers_truth": pl.Boolean(),
    }
)
"""Columns of estimates, one row per term; as in :data:`analytics.intent.coefficients.COEFFICIENT_SCHEMA`."""


def estimated_by(
    estimator: EstimatorName,
    plain: Callable[[], IntentResults],
    refitted: Callable[..., IntentResults],
    weights: Callable[[], pl.Series | None],
) -> pl.DataFrame:
    """Return the coefficients by an estimator, beside the true ones.

    Args:
        estimator: One of :data:`ESTIMATORS`.
        plain: Returns the model by the settings of the analysis.
        refitted: Returns it with other settings.
        weights: Returns how many visits each visit of the model stands for, where that is known.

    Returns:
        One row per term; columns as in :data:`ESTIMATE_SCHEMA`.

    Raises:
        IntentModelError: There is no such estimator, or it cannot be used here; the message says why.
    """
    if estimator not in ESTIMATORS:
        raise IntentModelError(f"estimator: must be one of {', '.join(ESTIMATORS)} (got {estimator!r})")
    if estimator in {"ml", "firth"}:
        return _table(refitted(estimator=estimator).coefficients)
    if estimator == "no_bots":
        return _table(refitted(find_bots=True).coefficients)
    model = plain()
    if estimator == "random_intercept":
        found = model.random_intercept().coefficients
    elif (known := weights()) is not None:
        found = weighted_coefficients(model.basis, known.to_numpy(), model.level)
    else:
        raise IntentModelError("weighted: needs the shares of browsers that are never seen (analytics.loss_rates)")
    truth = model.coefficients.select("signal", "true_coefficient")
    covers = pl.col("true_coefficient").is_between("ci_low", "ci_high")
    return _table(
        found.join(truth, on="signal", how="left", maintain_order="left").with_columns(ci_covers_truth=covers)
    )


def _table(estimates: pl.DataFrame) -> pl.DataFrame:
    return estimates.select(pl.col(name).cast(dtype) for name, dtype in ESTIMATE_SCHEMA.items())
