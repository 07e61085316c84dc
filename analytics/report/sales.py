"""The sales desk: who waits over time, how long requests waited, and the desk's measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
