"""What the intent model says: numbers in attributes, one tidy table of coefficients, and their rendering."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.intent_design import design_matrix

__all__ = ["COEFFICIENT_SCHEMA", "IntentResults"]

COEFFICIENT_SCHEMA: Final = pl.Schema(
    {
        "signal": pl.String(),
        "coefficient": pl.Float64(),
        "standard_error": pl.Float64(),
        "z": pl.Float64(),
        "p_value": pl.Float64(),
        "p_adjusted": pl.Float64(),
        "ci_low": pl.Float64(),
        "ci_high": pl.Float64(),
        "odds_ratio": pl.Float64(),
        "odds_ratio_low": pl.Float64(),
        "odds_ratio_high": pl.Float64(),
        "average_marginal_effect": pl.Float64(),
        "average_marginal_effect_se": pl.Float64(),
        "truth": pl.Float64(),
        "covered": pl.Boolean(),
        "n_seen": pl.UInt32(),
        "requests_seen": pl.UInt32(),
    }
)
"""Columns of the table of coefficients, one row per term, the intercept first.

``coefficient`` and its interval are log-odds per unit of the signal, ``odds_ratio`` their exponential. ``p_value`` is
of the two-sided Wald test that the coefficient is 0; ``p_adjusted`` is Holm's, over the terms other than the intercept.
``average_marginal_effect`` is the change in the probability of a request in a visit; null for the intercept and for
interactions, which have none of their own. ``truth`` is null when it is not known, ``covered`` whether the interval
holds it. ``n_seen`` counts the visits with the signal, ``requests_seen`` those that ended in a request.
"""

_SUMMARY: Final = (
    "signal",
    "coefficient",
    "standard_error",
    "p_adjusted",
    "odds_ratio",
    "odds_ratio_low",
    "odds_ratio_high",
    "average_marginal_effect",
    "truth",
    "covered",
)


@dataclass(frozen=True, eq=False, repr=False)
class IntentResults:
    """A fitted intent model: which behaviour foretells a demo request, and how sure that is.

    Args:
        coefficients: One row per term; columns as in :data:`COEFFICIENT_SCHEMA`.
        n_visits: Visits in the fit: a first request could be made, and the visit is known to be over.
        n_visitors: Visitors of these visits.
        n_accounts: Companies of these visitors, as far as known.
        n_requests: Visits that ended in a demo request.
        log_likelihood: Natural logarithm of the likelihood at its maximum.
        pseudo_r2: McFadden's: 1 − log-likelihood / log-likelihood of the intercept alone.
        auc_in_sample: Share of pairs (a visit with a request, one without) that the model ranks rightly, on the very
            visits it was fitted on: flattering.
        covariance: Kind of covariance: ``nonrobust`` or ``cluster by account``.
        covariance_matrix: Covariance of the coefficients, terms × terms.
        level: Confidence level of the intervals.
        warnings: What the reader must know before using the numbers.
        left_out: Terms that the data could not tell, with the reason.
    """

    coefficients: pl.DataFrame
    n_visits: int
    n_visitors: int
    n_accounts: int
    n_requests: int
    log_likelihood: float
    pseudo_r2: float
    auc_in_sample: float
    covariance: str
    covariance_matrix: NDArray[np.float64]
    level: float
    warnings: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the terms in the model, the intercept first."""
        return tuple(self.coefficients["signal"])

    @property
    def summary(self) -> pl.DataFrame:
        """The columns of the coefficients that fit a screen."""
        return self.coefficients.select(_SUMMARY)

    def predict(self, visits: pl.DataFrame) -> pl.Series:
        """Return the probability that each visit ends in a request, had the visitor not asked before.

        Args:
            visits: Table with a column for each signal of the model, such as a visit table.

        Raises:
            VisitTableError: A signal is missing or has no value somewhere.
        """
        log_odds = design_matrix(visits, self.terms) @ self.coefficients["coefficient"].to_numpy()
        # Workers that never predict anything need not wait for it.
        from scipy.special import expit  # noqa: PLC0415

        return pl.Series("p_request", expit(log_odds), dtype=pl.Float64)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the covariance matrix, ready for JSON: what is not a number is null."""
        return {
            "n_visits": self.n_visits,
            "n_visitors": self.n_visitors,
            "n_accounts": self.n_accounts,
            "n_requests": self.n_requests,
            "log_likelihood": self.log_likelihood,
            "pseudo_r2": self.pseudo_r2,
            "auc_in_sample": self.auc_in_sample,
            "covariance": self.covariance,
            "level": self.level,
            "coefficients": [_finite(row) for row in self.coefficients.iter_rows(named=True)],
            "left_out": dict(self.left_out),
            "warnings": list(self.warnings),
        }

    def __repr__(self) -> str:
        with pl.Config(
            tbl_rows=-1, tbl_cols=-1, tbl_hide_column_data_types=True, tbl_width_chars=160, float_precision=3
        ):
            table = str(self.summary)
        return "\n".join([self._headline, table, *self._remarks])

    def _repr_html_(self) -> str:
        remarks = "".join(f"<li>{html.escape(remark)}</li>" for remark in self._remarks)
        with pl.Config(tbl_rows=-1, tbl_cols=-1):
            table = self.summary._repr_html_()
        return f"<p>{html.escape(self._headline)}</p>{table}<ul>{remarks}</ul>"

    @property
    def _headline(self) -> str:
        return (
            f"IntentModel: {self.n_requests:,} requests in {self.n_visits:,} visits of {self.n_visitors:,} visitors, "
            f"{self.n_accounts:,} accounts; standard errors {self.covariance}; McFadden R² {self.pseudo_r2:.3f}, "
            f"AUC {self.auc_in_sample:.3f} (in sample)"
        )

    @property
    def _remarks(self) -> list[str]:
        left_out = [f"left out: {term} ({reason})" for term, reason in self.left_out.items()]
        return [*left_out, *(f"warning: {warning}" for warning in self.warnings)]


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
