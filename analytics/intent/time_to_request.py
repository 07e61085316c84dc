"""Curves of the time to a request: the share of visitors without one after each visit, observed and by the model."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from analytics.intent.baseline import days_since_first, visit_numbers
from analytics.intent.fit_context import FitContext
from analytics.logit.clusters import ACCOUNT_COLUMNS, VISITOR_COLUMNS
from analytics.logit.fit import quantile
from analytics.logit.matrix import Floats, Integers
from analytics.logit.robust import sums_by_cluster

_DAY: Final = pl.duration(days=1)

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
"""Columns of the curves, one row per visit number; with the baseline ``time``, ``day`` in place of ``visit``.

``n_at_risk`` visitors had this visit, completed and without a request before, or were observed on this day without one;
``requests`` of them made theirs.
``observed`` is the share without a request after it by Kaplan and Meier, ``fitted`` that of the model, each with the
ends of its pointwise interval; null where there is none, before the first request and where no visitor is left. Where
few visitors are at risk and none of them asks, Greenwood's interval stays as it was: go by ``n_at_risk``.
"""


def request_curves(basis: FitContext, level: float) -> pl.DataFrame:
    """Return the share of visitors without a request after each visit, if all came back so often, or after each day.

    The observed curve is Kaplan and Meier's: the product of 1 − requests / visitors at risk. Over visit numbers, a
    visitor who does not come back, whose colleague has requested a demo, or of whom observation ends, is censored after
    the last visit at risk. Over days since the first visit, with the baseline ``time``, visitors who stay away are at
    risk until observation ends, at the last visit of all, or a colleague requests a demo; a day without any visit has
    no row. The variance is Greenwood's, which takes visitors as independent. The model's curve is the product of 1 −
    the fitted probabilities of the visits / visitors at risk, by the delta method with the covariance of the model,
    given the visits and their signals. Both intervals are symmetric in log(−log S), so that they stay between 0 and 1.
    Sources: E. L. Kaplan and P. Meier, JASA 53 (1958) 457–481; J. D. Kalbfleisch and R. L. Prentice, The Statistical
    Analysis of Failure Time Data (2nd ed., Wiley 2002), section 1.4.

    Args:
        basis: A fit, of visits with numbers.
        level: Confidence level of the intervals, between 0 and 1.

    Returns:
        Table of :data:`CURVE_SCHEMA`.

    Raises:
        VisitTableError: The fitted table has no visit numbers.
    """
    by_day = basis.baseline.kind == "time"
    numbers, place, n = (_days if by_day else _visits)(basis)
    design, fit = basis.design, basis.estimate.fit
    p = design.by_visit(fit.p_request)
    requests, expected = (np.bincount(place, each) for each in (design.outcome, p))
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
    table = table.with_columns(pl.col(pl.Float64).fill_nan(None)).cast(CURVE_SCHEMA)
    return table.rename({"visit": "day"}) if by_day else table


def _visits(basis: FitContext) -> tuple[Integers, Integers, Floats]:
    """Visit numbers, the place of each visit among them, and visitors at risk at each."""
    numbers, place = np.unique(visit_numbers(basis.people).to_numpy(), return_inverse=True)
    return numbers, place, np.bincount(place).astype(np.float64)


def _days(basis: FitContext) -> tuple[Integers, Integers, Floats]:
    """Days with visits since the first visit of each, the place of each visit among them, and visitors at risk."""
    visits = basis.people.with_columns(day=days_since_first(basis.people), asked=pl.Series(basis.design.outcome) > 0)
    visitor = next(name for name in VISITOR_COLUMNS if name in visits.columns)
    account = next((name for name in ACCOUNT_COLUMNS if name in visits.columns), None)
    first_request = pl.col("started_at").filter("asked").min()
    ends = [first_request.over(visitor), pl.col("started_at").max()]
    if account is not None:
        of_account = pl.when(pl.col(account).is_not_null()).then(first_request.over(account))
        # Where an account requests one demo, none of its visits is at risk after that; where visitors do, some are.
        if not visits.select((pl.col("started_at") > of_account).any()).item():
            ends.append(of_account)
    # Before the visitors are grouped, as the end of observation is the last visit of all.
    until = visits.with_columns(until=pl.min_horizontal(ends)).group_by(visitor)
    last = until.agg(((pl.col("until").first() - pl.col("started_at").min()) / _DAY).floor())
    numbers, place = np.unique(visits["day"].floor().cast(pl.Int64).to_numpy(), return_inverse=True)
    followed = np.sort(last.drop(visitor).to_series().cast(pl.Int64).to_numpy())
    return numbers, place, (len(followed) - np.searchsorted(followed, numbers)).astype(np.float64)


def _with_ends(log_share: Floats, half: Floats) -> dict[str, Floats]:
    """A share by its logarithm, and the ends of an interval of log(−log)."""
    inside = (log_share < 0) & np.isfinite(log_share)
    factor = np.exp(np.where(inside, half, np.nan))
    return {"": np.exp(log_share), "_low": np.exp(log_share * factor), "_high": np.exp(log_share / factor)}
