"""Curves of the time to a request: the share of visitors without one after each visit, observed and by the model."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from analytics.intent.baseline import visit_numbers
from analytics.intent.fit_context import FitContext
from analytics.logit.fit import quantile
from analytics.logit.matrix import Floats
from analytics.logit.robust import sums_by_cluster

CURVE_SCHEMA: Final = pl.Schema(
    {
        "visit": pl.Int64(),
        "n_at_risk": pl.UInt32(),
        "requests": pl.UInt32(),
        "observed": pl.Float64(),
        "observed_low": pl.Float64(),
        "observed_high": pl.Float64(),
        "fitted": pl.Float64(),
        "fitted_low": pl.Float64(),
        "fitted_high": pl.Float64(),
    }
)
"""Columns of the curves, one row per visit number.

``n_at_risk`` visitors had this visit, completed and without a request before; ``requests`` of them made theirs.
``observed`` is the share without a request after it by Kaplan and Meier, ``fitted`` that of the model, each with the
ends of its pointwise interval; null where there is none, before the first request and where no visitor is left. Where
few visitors are at risk and none of them asks, Greenwood's interval stays as it was: go by ``n_at_risk``.
"""


def request_curves(basis: FitContext, level: float) -> pl.DataFrame:
    """Return the share of visitors without a request after each visit, if all came back so often.

    The observed curve is Kaplan and Meier's over visit numbers: the product of 1 − requests / visitors at risk. A
    visitor who does not come back, whose colleague has requested a demo, or of whom observation ends, is censored after
    the last visit at risk. Its variance is Greenwood's, which takes visitors as independent. The model's curve is the
    product of 1 − the mean fitted probability of the visitors at risk, by the delta method with the covariance of the
    model, given their signals. Both intervals are symmetric in log(−log S), so that they stay between 0 and 1. Sources:
    E. L. Kaplan and P. Meier, JASA 53 (1958) 457–481; J. D. Kalbfleisch and R. L. Prentice, The Statistical Analysis
    of Failure Time Data (2nd ed., Wiley 2002), section 1.4.

    Args:
        basis: A fit, of visits with numbers.
        level: Confidence level of the intervals, between 0 and 1.

    Returns:
        Table of :data:`CURVE_SCHEMA`.

    Raises:
        VisitTableError: The fitted table has no visit numbers.
    """
    numbers, place = np.unique(visit_numbers(basis.people).to_numpy(), return_inverse=True)
    design, fit = basis.design, basis.estimate.fit
    p = design.by_visit(fit.p_request)
    n, requests, expected = (np.bincount(place, each) for each in (np.ones(len(p)), design.outcome, p))
    # With none left at risk the curve is 0, and Greenwood's variance infinite; before a request it is 1.
    with np.errstate(divide="ignore", invalid="ignore"):
        log_share = np.cumsum(np.log1p(-requests / n))
        half = quantile(level, np.array(np.inf)) * np.sqrt(np.cumsum(requests / n / (n - requests))) / -log_share
    log_fitted = np.cumsum(np.log1p(-expected / n))
    slopes = np.concatenate(list(sums_by_cluster(design, p * (1 - p), place)))
    # Of the sum of log(1 − mean), then of log(−that).
    gradients = np.cumsum(-slopes / (n - expected)[:, np.newaxis], axis=0) / log_fitted[:, np.newaxis]
    curves = {
        "observed": _with_ends(log_share, half),
        "fitted": _with_ends(log_fitted, fit.half_widths(gradients, level)),
    }
    columns = {f"{name}{end}": each for name, ends in curves.items() for end, each in ends.items()}
    table = pl.DataFrame({"visit": numbers, "n_at_risk": n, "requests": requests, **columns})
    return table.with_columns(pl.col(pl.Float64).fill_nan(None)).cast(CURVE_SCHEMA)


def _with_ends(log_share: Floats, half: Floats) -> dict[str, Floats]:
    """A share by its logarithm, and the ends of an interval of log(−log)."""
    inside = (log_share < 0) & np.isfinite(log_share)
    factor = np.exp(np.where(inside, half, np.nan))
    return {"": np.exp(log_share), "_low": np.exp(log_share * factor), "_high": np.exp(log_share / factor)}
