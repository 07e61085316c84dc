"""Claims about the charts of the sales desk: the queue and the waits are those of the requests."""

from datetime import timedelta

import numpy as np
import polars as pl
from flat_events import START
from hypothesis import given, strategies as st

from analytics.charts.sales import queue_chart, queue_over_time, wait_chart, waits_in_classes
from analytics.charts.style import to_svg

DAY = timedelta(days=1)


def requests_of(*rows: tuple[float, float | None, float | None, float | None]) -> pl.DataFrame:
    """Requests with the seconds of their arrival, answer, booking and slot."""
    names = ["requested_s", "responded_s", "scheduled_s", "slot_s"]
    table = pl.DataFrame(list(rows), schema=dict.fromkeys(names, pl.Float64()), orient="row")
    return table.with_columns(response_minutes=(pl.col("responded_s") - pl.col("requested_s")) / 60)


SECONDS = st.floats(0, 86_400)
REQUESTS = st.lists(st.tuples(SECONDS, st.none() | SECONDS, st.none() | st.tuples(SECONDS, SECONDS)), max_size=20)


@given(REQUESTS)
def test_the_queue_is_counted_moment_by_moment(drawn: list[tuple[float, float | None, tuple[float, float] | None]]):
    """At every moment, requests without an answer wait, and booked demos that have not begun lie ahead."""
    rows = []
    for came, answer_after, slot in drawn:
        answered = None if answer_after is None else came + answer_after
        booked = None if answered is None or slot is None else answered + slot[0]
        rows.append((came, answered, booked, None if booked is None or slot is None else booked + slot[1]))
    queue = queue_over_time(requests_of(*rows), START, START + DAY)
    at = [(moment - START).total_seconds() for moment in queue["moment"]]
    unanswered = [sum(r[0] <= t and (r[1] is None or r[1] > t) for r in rows) for t in at]
    ahead = [sum(r[2] is not None and r[3] is not None and r[2] <= t < r[3] for r in rows) for t in at]
    assert queue["unanswered"].to_list() == unanswered
    assert queue["booked"].to_list() == ahead
    assert (queue["moment"][0], queue["moment"][-1]) == (START, START + DAY)


def test_each_request_is_in_one_class():
    """A wait of exactly five minutes is in the second class; requests without an answer have a class of their own."""
    table = requests_of((0, 299, None, None), (0, 300, None, None), (0, 86_400, None, None), (0, None, None, None))
    waits = waits_in_classes(table)
    counts = {row["wait"]: row["n"] for row in waits.to_dicts() if row["n"]}
    assert counts == {"up to 5 minutes": 1, "5 to 15 minutes": 1, "more than a day": 1, "not answered yet": 1}
    assert waits["n"].sum() == table.height


def test_charts_can_be_drawn_of_a_single_request():
    """One request without an answer makes charts, over a day and over a month."""
    table = requests_of((3600, None, None, None))
    for days in (1, 30):
        assert "<path" in to_svg(queue_chart(queue_over_time(table, START, START + days * DAY)), "queue")
    assert "not answered yet" in to_svg(wait_chart(waits_in_classes(table)), "waits")
    assert np.isfinite(queue_over_time(table, START, START + DAY)["unanswered"].to_numpy()).all()
