"""Charts of the sales desk: requests and demos that wait at each moment, and the time to an answer.

Importing this module imports Altair.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import altair as alt
import numpy as np
import polars as pl

from analytics.charts.style import BLUE, GREY, INK, VERMILLION, inline, layered, time_axis

_STEPS: Final = 200
"""Moments at which the queue is counted, however long the time."""

# Narrow at first, because speed-to-lead is compared in minutes; then wide, because nights lie between.
_EDGES_MINUTES: Final = (0, 5, 15, 60, 240, 720, 1440, float("inf"))
_CLASSES: Final = (
    "up to 5 minutes",
    "5 to 15 minutes",
    "15 to 60 minutes",
    "1 to 4 hours",
    "4 to 12 hours",
    "12 to 24 hours",
    "more than a day",
)
NOT_ANSWERED: Final = "not answered yet"


def queue_over_time(requests: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    """Count requests and demos that wait, at evenly spaced moments.

    Args:
        requests: One row per request: ``requested_s``, ``responded_s`` and ``slot_s``, in seconds since the start; null
            where it has not happened.
        start: When the clock started, UTC.
        end: When it stopped.

    Returns:
        One row per ``moment``: ``unanswered`` requests, and ``booked``, demos that lie ahead.

    >>> start, end = datetime(2026, 3, 3), datetime(2026, 3, 4)
    >>> times = {"requested_s": [60.0], "responded_s": [600.0], "scheduled_s": [600.0], "slot_s": [None]}
    >>> queue = queue_over_time(pl.DataFrame(times, schema=dict.fromkeys(times, pl.Float64)), start, end)
    >>> queue["unanswered"].to_list()[:4]  # every 432 seconds
    [0, 1, 0, 0]
    """
    length_s = (end - start).total_seconds()
    moments = np.linspace(0, length_s, _STEPS + 1)
    came = np.sort(requests["requested_s"].to_numpy())
    answered, slots = (np.sort(requests[name].drop_nulls().to_numpy()) for name in ("responded_s", "slot_s"))
    # A demo lies ahead from its booking to its slot; a request without a slot has neither.
    booked = np.sort(requests.filter(pl.col("slot_s").is_not_null())["scheduled_s"].to_numpy())

    def until(times: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[int]:
        return [int(n) for n in np.searchsorted(times, moments, side="right")]

    return pl.DataFrame(
        {
            "moment": [start + timedelta(seconds=float(second)) for second in moments],
            # What came less what left is the length of a queue at any moment, without following it.
            "unanswered": np.subtract(until(came), until(answered)),
            "booked": np.subtract(until(booked), until(slots)),
        }
    )


def queue_chart(queue: pl.DataFrame) -> alt.VConcatChart:
    """Draw the requests that wait for an answer and the upcoming demos, over time.

    Args:
        queue: As of :func:`queue_over_time`.
    """
    # As texts that end in Z: other moments would be shown in the time zone of this machine.
    rows = queue.with_columns(pl.col("moment").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    axis = time_axis(*queue["moment"].dt.timestamp("ms").gather([0, -1]))
    panels = [
        _steps(rows, "unanswered", "Waiting for an answer", VERMILLION, axis),
        _steps(rows, "booked", "Upcoming demos", BLUE, axis),
    ]
    return alt.vconcat(*panels, spacing=18)


def _steps(rows: pl.DataFrame, count: str, title: str, colour: str, axis: alt.Axis) -> alt.LayerChart:
    scale = alt.Scale(type="utc", nice=False)
    # At least 1, because an empty queue has an axis too.
    ends = alt.Scale(domain=[0, max(1, *rows[count])], nice=True)
    area = (
        alt.Chart(inline(rows.select("moment", count).to_dicts()))
        .mark_area(color=colour, opacity=0.3, interpolate="step-after", line={"color": colour, "strokeWidth": 2})
        .encode(
            x=alt.X("moment:T", title=None, scale=scale, axis=axis),
            y=alt.Y(f"{count}:Q", title=None, scale=ends, axis=alt.Axis(format=",d", tickCount=4, minExtent=48)),
        )
    )
    return layered(area, width=780, height=90, title=title)


def waits_in_classes(requests: pl.DataFrame) -> pl.DataFrame:
    """Count requests by how long they waited for an answer.

    Args:
        requests: One row per request; ``response_minutes`` is null where it has no answer yet.

    Returns:
        One row per class, the shortest first: its name ``wait``, and ``n`` requests; at the end those not answered.

    >>> waits_in_classes(pl.DataFrame({"response_minutes": [2.0, 90.0, None]})).filter(pl.col("n") > 0).rows()
    [('up to 5 minutes', 1), ('1 to 4 hours', 1), ('not answered yet', 1)]
    """
    waits = requests["response_minutes"].drop_nulls().to_numpy()
    counts = np.histogram(waits, np.array(_EDGES_MINUTES))[0].tolist()
    return pl.DataFrame({"wait": [*_CLASSES, NOT_ANSWERED], "n": [*counts, requests.height - len(waits)]})


def wait_chart(waits: pl.DataFrame) -> alt.LayerChart:
    """Draw the number of requests by time to an answer.

    Args:
        waits: As of :func:`waits_in_classes`.
    """
    total = max(1, int(waits["n"].sum()))
    rows = [
        {
            "wait": row["wait"],
            "n": row["n"],
            "count": f"{row['n']:,} · {100 * row['n'] / total:.0f}%",
            "colour": GREY if row["wait"] == NOT_ANSWERED else BLUE,
        }
        for row in waits.to_dicts()
    ]
    most = max(1, *waits["n"])
    base = alt.Chart(inline(rows)).encode(
        y=alt.Y("wait:N", sort=None, title=None, axis=alt.Axis(domain=False, ticks=False, minExtent=120)),
        # Room on the right for the numbers beside the bars.
        x=alt.X("n:Q", axis=None, scale=alt.Scale(domain=[0, 1.3 * most])),
    )
    bars = base.mark_bar(height=16).encode(color=alt.Color("colour:N", scale=None))
    counts = base.mark_text(align="left", dx=6, color=INK, fontSize=12).encode(text=alt.Text("count:N"))
    return layered(bars, counts, width=360, height=alt.Step(24))
