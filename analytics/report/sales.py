"""The sales desk: who waits over time, how long requests waited, and the desk's measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from analytics.charts.chart import Chart, chart_of
from analytics.charts.sales import queue_chart, queue_over_time, wait_chart, waits_in_classes
from analytics.html.numbers import count, decimal, moment, percent
from analytics.report.data import ReportData, SalesDesk


@dataclass(frozen=True)
class Sales:
    """The section on the sales desk.

    Args:
        measures: Formatted values by the name of the measure.
        queue: Who waits over time; None where the requests themselves are not known.
        waits: How long requests waited for an answer; None likewise.
    """

    measures: Mapping[str, str]
    queue: Chart | None
    waits: Chart | None


@dataclass(frozen=True)
class SpeedToLead:
    """How long requests waited for an answer.

    Args:
        median_minutes: Time within which half of them were answered; None where not half of them were.
        n_requests: Requests at the desk.
        n_unanswered: Those without an answer at the end.
    """

    median_minutes: float | None
    n_requests: int
    n_unanswered: int


def speed_to_lead(desk: SalesDesk | None) -> SpeedToLead | None:
    """How long requests waited for an answer, those counted that still wait.

    The median is that of Kaplan and Meier: a request without an answer has waited at least until the end. The mean of
    those answered alone would be the shorter, the more are left waiting.

    Args:
        desk: The requests.
    """
    if desk is None or desk.requests.is_empty():
        return None
    end_s = (desk.end - desk.start).total_seconds()
    waited = pl.col("response_minutes").fill_null((end_s - pl.col("requested_s")) / 60).alias("minutes")
    answered = pl.col("response_minutes").is_not_null().sum()
    curve = desk.requests.group_by(waited).agg(answered.alias("answered"), n=pl.len()).sort("minutes")
    at_risk = pl.col("n").cum_sum(reverse=True)
    left = curve.with_columns(share=(1 - pl.col("answered") / at_risk).cum_prod())
    # A product of shares is one half up to rounding.
    reached = left.filter(pl.col("answered") > 0, pl.col("share") <= 0.5 + 1e-9)["minutes"].to_list()
    n_unanswered = desk.requests["response_minutes"].null_count()
    return SpeedToLead(reached[0] if reached else None, desk.requests.height, n_unanswered)


def sales_view(data: ReportData) -> Sales | None:
    """Collect what is known of the sales desk.

    Args:
        data: Contents of the report.

    Returns:
        Measures, and charts if there are requests; None for events without a sales desk.
    """
    if data.sales is None:
        return None
    measures = {name: _value(name, value) for name, value in data.sales.items()}
    # Summaries from elsewhere have measures, but not the single requests that a drawing needs.
    if data.sales_desk is None or data.sales_desk.requests.is_empty():
        return Sales(measures, None, None)
    return Sales(measures, _queue(data.sales_desk), _waits(data.sales_desk))


def _queue(desk: SalesDesk) -> Chart:
    queue = queue_over_time(desk.requests, desk.start, desk.end)
    # Stable: of several moments with the longest queue, the first is named.
    longest = queue.sort("unanswered", descending=True, maintain_order=True).row(0, named=True)
    title = (
        f"Requests waiting for an answer, at most {count(longest['unanswered'])} on {moment(longest['moment'])} UTC; "
        f"upcoming demos, {count(queue['booked'][-1])} at the end"
    )
    return chart_of(queue_chart(queue), "queue", title)


def _waits(desk: SalesDesk) -> Chart:
    waits = waits_in_classes(desk.requests)
    classes = "; ".join(f"{row['wait']}: {count(row['n'])}" for row in waits.to_dicts())
    return chart_of(wait_chart(waits), "waits", f"Time to an answer: {classes}")


def _value(name: str, value: float | None) -> str:
    # By name: measures of one's own may come too, and say no more of their unit than that.
    if name.endswith(("_rate", "_utilisation")):
        return percent(value)
    return count(value) if value is None or float(value).is_integer() else decimal(value, 1)
