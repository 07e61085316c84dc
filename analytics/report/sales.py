"""The report's section on the sales desk: who waits over time, how long people waited, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from analytics.charts.sales import queue_chart, queue_over_time, wait_chart, waits_in_classes
from analytics.report.html import Html, count, decimal, element, figure, join, moment, number_table, percent

if TYPE_CHECKING:
    from analytics.report.data import ReportData, SalesDesk

__all__ = ["sales_section"]

_NAMES: Final = {
    "requests": "demo requests at the desk",
    "responded": "answered",
    "scheduled": "demos booked",
    "held": "demos held",
    "missed": "demos missed by the buyer",
    "opportunities": "opportunities",
    "deals_won": "deals won",
    "deal_value": "value of the deals won, US dollars a year",
    "held_rate": "share held of the demos whose time came",
    "no_show_rate": "share missed of the demos whose time came",
    "response_minutes_mean": "speed-to-lead: mean wait for an answer, minutes",
    "response_minutes_p90": "90% of those answered waited at most, minutes",
    "slot_wait_hours_mean": "mean wait from booking to demo, hours",
    "slot_wait_hours_p90": "90% of those booked wait at most, hours",
    "sdr_utilisation": "share of their office hours that development representatives spent on answers",
    "executive_utilisation": "share of their office hours that executives spent on demos",
}


def sales_section(data: ReportData) -> Html:
    """Lay out what is known of the sales desk; nothing where there is none.

    Args:
        data: What the report shows.
    """
    if data.sales is None:
        return Html("")
    rows = [(_NAMES.get(name, name), _value(name, value)) for name, value in data.sales.items()]
    table = number_table(["measure", "value"], rows, "What became of the requests")
    drawn = [] if data.sales_desk is None or data.sales_desk.requests.is_empty() else _drawn(data.sales_desk)
    return join([element("h2", "Sales desk"), *drawn, table])


def _drawn(desk: SalesDesk) -> list[Html]:
    queue, waits = queue_over_time(desk.requests, desk.start, desk.end), waits_in_classes(desk.requests)
    longest = queue.sort("unanswered", descending=True, maintain_order=True).row(0, named=True)
    queue_words = (
        f"Requests waiting for an answer, at most {count(longest['unanswered'])} on {moment(longest['moment'])} UTC; "
        f"booked demos ahead, {count(queue['booked'][-1])} at the end"
    )
    queue_caption = (
        "Who waits at each moment (UTC): requests nobody has answered, and booked demos whose time has not come."
    )
    wait_words = "; ".join(f"{row['wait']}: {count(row['n'])}" for row in waits.to_dicts())
    return [
        figure(queue_chart(queue), "queue", queue_caption, queue_words, "wide"),
        figure(wait_chart(waits), "waits", "How long requests waited for an answer.", wait_words, "middle"),
    ]


def _value(name: str, value: float | None) -> str:
    if name.endswith(("_rate", "_utilisation")):
        return percent(value)
    return count(value) if value is None or float(value).is_integer() else decimal(value, 1)
