"""How many visitors tracking has lost: estimates from known loss rates, or from requests without a visit.

Where the loss of each class of browsers is known, each visitor counts for as many as they stand for: D. G. Horvitz and
D. J. Thompson, JASA 47 (1952) 663–685. Where it is not, but requests come from a server that misses none, pages and
requests are two captures of one population, and the share of requesters who were seen is an estimate of the share of
all: D. G. Chapman, University of California Publications in Statistics 1 (1951) 131–160. That assumes that who
requests a demo is as likely to be seen as who does not; :func:`captured_twice` gives bounds without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from math import exp, log, sqrt
from statistics import NormalDist
from typing import Final

import polars as pl

from analytics.events.dimensions import dimensions_of
from analytics.events.tracking_plan import UTC_MS, CallType, EventName
from analytics.sessions.timeline import VISITOR
from analytics.sessions.visits import IS_HUMAN
from analytics.statistics.intervals import wilson_interval

P_SEEN: Final = "p_seen"
"""Column of the probability that a visitor is seen at all."""

DEPENDENCE: Final = 2.0
"""Largest odds ratio between being seen and requesting a demo, either way, of the bounds."""

LossRates = Mapping[str, Mapping[str, float]]
"""Share of browsers of which nothing is seen, by dimension and its value; 0 for values that are not named."""


@dataclass(frozen=True)
class Estimated:
    """An estimate with its interval.

    Args:
        value: The estimate.
        low: Lower end of the interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def probability_seen(loss_rates: LossRates) -> pl.Expr:
    """Return the probability of being seen, as an expression on columns with the names of the dimensions.

    Losses of several dimensions are independent of each other: 1 − p is multiplied over them.

    Args:
        loss_rates: Loss rates.

    >>> rates = {"device": {"desktop": 0.5}, "region": {"europe": 0.2}}
    >>> of = pl.DataFrame({"device": ["desktop", "mobile"], "region": ["europe", None]})
    >>> of.select(probability_seen(rates))["p_seen"].to_list()
    [0.4, 1.0]
    """
    seen = pl.lit(1.0)
    for dimension, rates in loss_rates.items():
        seen *= 1 - pl.col(dimension).cast(pl.String).replace_strict(rates, default=0.0, return_dtype=pl.Float64)
    return seen.alias(P_SEEN)


def visitors_seen(events: pl.DataFrame, loss_rates: LossRates) -> pl.DataFrame:
    """Return the probability with which each visitor was seen, by the first known value of each dimension.

    Args:
        events: Enriched events as they are counted.
        loss_rates: Loss rates.

    Returns:
        One row per visitor: ``anonymous_id`` and ``p_seen``.
    """
    known = [dimension.expression.alias(dimension.name) for dimension in dimensions_of(list(loss_rates))]
    first = (
        events.lazy()
        .filter(IS_HUMAN)
        .select(VISITOR.cast(pl.String).alias("anonymous_id"), "event_time", *known)
        .drop_nulls("anonymous_id")
        .sort("event_time", maintain_order=True)
        .group_by("anonymous_id", maintain_order=True)
        .agg(pl.col(name).drop_nulls().first() for name in loss_rates)
    )
    return first.select("anonymous_id", probability_seen(loss_rates)).collect()


def unseen_requesters(events: pl.DataFrame, begin: datetime | None, end: datetime | None) -> int:
    """Count the people with a request in a period of whom no page view was ever seen, however often they asked.

    Args:
        events: Enriched events as they are counted, all of a person or none.
        begin: Beginning of the period; that of the events unless given.
        end: End of the period, itself excluded; that of the events unless given.
    """
    known = events.lazy().filter(IS_HUMAN).with_columns(VISITOR).drop_nulls("visitor")
    asked = known.filter(pl.col("event") == EventName.DEMO_REQUESTED)
    if begin is not None:
        asked = asked.filter(pl.col("event_time") >= pl.lit(begin, dtype=UTC_MS))
    if end is not None:
        asked = asked.filter(pl.col("event_time") < pl.lit(end, dtype=UTC_MS))
    seen = known.filter(pl.col("type") == CallType.PAGE)
    unseen = asked.select("visitor").unique().join(seen, on="visitor", how="anti")
    return int(unseen.select(pl.len()).collect().item())


def weighted_total(counts: pl.DataFrame, name: str, level: float) -> Estimated:
    """Estimate a total by weights, with an interval for what chance has lost.

    Units are lost one by one: of visits and page views, which are lost by the visitor, the interval would be too
    narrow.

    Args:
        counts: One row for each class of visitors, with ``p_seen``.
        name: Column of the counts.
        level: Confidence level, between 0 and 1.

    >>> half = pl.DataFrame({"p_seen": [0.5, 1.0], "visitors": [100, 50]})
    >>> weighted_total(half, "visitors", 0.95).value
    250.0
    """
    n, p = counts[name].cast(pl.Float64), counts[P_SEEN]
    total = float((n / p).sum())
    half = _quantile(level) * sqrt(float((n * (1 - p) / p**2).sum()))
    # There are at least as many as were seen.
    return Estimated(total, max(total - half, float(n.sum())), total + half)


def weighted_rate(counts: pl.DataFrame, level: float) -> Estimated:
    """Estimate the conversion of all visitors by weights: the ratio of two weighted totals.

    Its interval is Wilson's for the number of visitors of which a plain rate would have the same variance; the variance
    of the ratio is that of linearisation (C.-E. Särndal, B. Swensson and J. Wretman, Model Assisted Survey Sampling,
    Springer 1992, section 5.6).

    Args:
        counts: One row for each class of visitors, of which there are some: ``n``, ``converted`` and ``p_seen``.
        level: Confidence level, between 0 and 1.
    """
    weight, n, y = 1 / counts[P_SEEN], counts["n"].cast(pl.Float64), counts["converted"].cast(pl.Float64)
    total = float((weight * n).sum())
    rate = float((weight * y).sum()) / total
    # Of n visitors, y have the residual 1 − rate, and the others −rate.
    variance = float((weight**2 * (y * (1 - rate) ** 2 + (n - y) * rate**2)).sum()) / total**2
    return _of_effective(rate, variance, total**2 / float((weight**2 * n).sum()), level)


def expected_unseen(counts: pl.DataFrame) -> float:
    """Return how many people with a request are expected to be unseen, if all requests arrive.

    Args:
        counts: One row for each class of visitors: ``converted`` and ``p_seen``.

    >>> expected_unseen(pl.DataFrame({"p_seen": [0.5, 1.0], "converted": [10, 50]}))
    10.0
    """
    return float((counts["converted"] * (1 / counts[P_SEEN] - 1)).sum())


def rate_of_all(n_requests: int, visitors: Estimated, level: float) -> Estimated:
    """Return requests, all of which are known, as a share of an estimated number of visitors.

    The interval is Wilson's for the number of visitors of which a plain rate would have the same variance, which is
    that of the requests and, by the delta method, that of the number of visitors.

    Args:
        n_requests: Visitors with a request, seen or not.
        visitors: Number of visitors, with its interval at the same level.
        level: Confidence level, between 0 and 1.

    >>> rate = rate_of_all(300, Estimated(20_000, 19_800, 20_200), 0.95)
    >>> round(rate.value, 4), round(rate.low, 4), round(rate.high, 4)
    (0.015, 0.0134, 0.0168)
    """
    total, rate = visitors.value, min(n_requests / visitors.value, 1.0)
    relative = (visitors.high - total) / _quantile(level) / total
    variance = rate * (1 - rate) / total + (rate * relative) ** 2
    return _of_effective(rate, variance, total, level)


def captured_twice(n_seen: int, n_both: int, n_requests_only: int, level: float) -> tuple[Estimated, Estimated] | None:
    """Estimate the number of visitors from pages and requests, which are two captures of them.

    Args:
        n_seen: Visitors who were seen.
        n_both: Of these, the ones who requested a demo.
        n_requests_only: People with a request who were not seen.
        level: Confidence level, between 0 and 1.

    Returns:
        Chapman's estimate with a log-normal interval for the number that was not seen (K. P. Burnham et al., American
        Fisheries Society Monograph 5 (1987), page 212); and the number at an odds ratio between being seen and
        requesting of 1, with that of an odds ratio of 1/2 and of 2 as bounds. None where nobody was lost or captured
        twice, or everybody requested a demo.

    >>> estimate, bounds = captured_twice(700, 70, 30, 0.95)
    >>> round(estimate.value), round(bounds.low), round(bounds.high)
    (996, 865, 1270)
    """
    if not n_both or not n_requests_only or n_seen == n_both:
        return None
    n_requests, seen_only = n_both + n_requests_only, n_seen - n_both
    known = float(n_seen + n_requests_only)
    value = (n_seen + 1) * (n_requests + 1) / (n_both + 1) - 1
    variance = (n_seen + 1) * (n_requests + 1) * seen_only * n_requests_only / ((n_both + 1) ** 2 * (n_both + 2))
    unseen = value - known
    factor = exp(_quantile(level) * sqrt(log(1 + variance / unseen**2)))
    # In the table of seen × requested, the cell of neither is the odds ratio times this.
    neither = seen_only * n_requests_only / n_both
    return (
        Estimated(value, known + unseen / factor, known + unseen * factor),
        Estimated(known + neither, known + neither / DEPENDENCE, known + neither * DEPENDENCE),
    )


def _of_effective(rate: float, variance: float, n_without: float, level: float) -> Estimated:
    """A rate with Wilson's interval for the number of visitors of which a plain rate would have the same variance.

    Args:
        rate: The rate.
        variance: Its variance.
        n_without: That number where the variance is 0, as of a rate of 0.
        level: Confidence level, between 0 and 1.
    """
    effective = rate * (1 - rate) / variance if variance else n_without
    low, high = wilson_interval(rate * effective, effective, level)
    return Estimated(rate, float(low), float(high))


def _quantile(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + level / 2)
