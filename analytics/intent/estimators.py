"""Estimators of the same coefficients, to be shown side by side: what each corrects, and their common table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import polars as pl

from analytics.errors import IntentModelError
from analytics.intent.random_intercept import RandomIntercept
from analytics.intent.results import IntentResults
from analytics.intent.weighted import weighted_coefficients
from analytics.logit.estimation import Estimator
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


class Fits(Protocol):
    """An analysis whose intent model can be fitted in several ways."""

    @property
    def intent(self) -> IntentResults:
        """The model by the settings."""

    @property
    def without_suspected_bots(self) -> Fits:
        """The same without visitors at the pace of bots."""

    def with_estimator(self, estimator: Estimator) -> Fits:
        """The same with another estimator."""

    def random_intercept(self) -> RandomIntercept:
        """The model with a random intercept."""


def estimated_by(estimator: EstimatorName, fits: Fits, weights: Callable[[], pl.Series | None]) -> pl.DataFrame:
    """Return the coefficients by an estimator, beside the true ones.

    Args:
        estimator: One of :data:`ESTIMATORS`.
        fits: The analysis.
        weights: Returns how many visits each visit of the model stands for, where that is known.

    Returns:
        One row per term; columns as in :data:`ESTIMATE_SCHEMA`.

    Raises:
        IntentModelError: There is no such estimator, or it cannot be used here; the message says why.
    """
    match estimator:
        case "ml" | "firth":
            return _table(fits.with_estimator(estimator).intent.coefficients)
        case "no_bots":
            return _table(fits.without_suspected_bots.intent.coefficients)
        case "random_intercept":
            return _beside_truth(fits.random_intercept().coefficients, fits.with_estimator("ml").intent)
        case "weighted":
            pass
        case unknown:
            raise IntentModelError(f"estimator: must be one of {', '.join(ESTIMATORS)} (got {unknown!r})")
    if (known := weights()) is None:
        raise IntentModelError("weighted: needs the shares of browsers that are never seen (analytics.loss_rates)")
    model = fits.intent
    return _beside_truth(weighted_coefficients(model.basis, known.to_numpy(), model.level), model)


def _beside_truth(found: pl.DataFrame, model: IntentResults) -> pl.DataFrame:
    truth = model.coefficients.select("signal", "true_coefficient")
    known = found.join(truth, on="signal", how="left", maintain_order="left")
    return _table(known.with_columns(ci_covers_truth=pl.col("true_coefficient").is_between("ci_low", "ci_high")))


def _table(estimates: pl.DataFrame) -> pl.DataFrame:
    return estimates.select(pl.col(name).cast(dtype) for name, dtype in ESTIMATE_SCHEMA.items())
