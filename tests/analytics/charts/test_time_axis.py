"""Claims about the axis of time: it has dates and few ticks, whatever the span, and is in UTC for every reader."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import altair as alt
import pytest
from hypothesis import given, strategies as st

from analytics.charts.style import time_axis, to_svg

MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)
EVENING = MIDNIGHT + timedelta(hours=17, minutes=20)


def axis_of(start: datetime, span: timedelta) -> tuple[alt.Axis, list[int]]:
    """The axis, and its ends in epoch milliseconds."""
    ends = [round(moment.timestamp() * 1000) for moment in (start, start + span)]
    return time_axis(*ends), ends


def labels_of(start: datetime, span: timedelta) -> list[str]:
    """Labels as they are drawn, from left to right, with a bar between their lines."""
    axis, ends = axis_of(start, span)
    scale = alt.Scale(type="utc", domain=ends, nice=False)
    x = alt.X("t:T", title=None, scale=scale, axis=axis)
    points = alt.Chart(alt.InlineData([{"t": end} for end in ends])).mark_point().encode(x=x)
    texts = re.findall(r"<text[^>]*>(.*?)</text>", to_svg(points.properties(width=780), "t"))
    return [re.sub("<[^>]*>", "", text.replace("</tspan><tspan", "</tspan>|<tspan")) for text in texts]


HOURS, DAYS = timedelta(hours=1), timedelta(days=1)
MONTHS = ["May|2026", "Jul", "Sep", "Nov", "Jan|2027", "Mar"]
YEARS = ["Jul|2026", "Jan|2027", "Jul", "Jan|2028", "Jul", "Jan|2029", "Jul", "Jan|2030"]


@pytest.mark.parametrize(
    ("start", "span", "labels"),
    [
        (MIDNIGHT, 5 * HOURS, ["00:00|3 Mar", "01:00", "02:00", "03:00", "04:00", "05:00"]),
        (
            MIDNIGHT,
            24 * HOURS,
            ["00:00|3 Mar", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "00:00|4 Mar"],
        ),
        (EVENING, 24 * HOURS, ["18:00|3 Mar", "21:00", "00:00|4 Mar", "03:00", "06:00", "09:00", "12:00", "15:00"]),
        (
            MIDNIGHT,
            72 * HOURS,
            ["00:00|3 Mar", "12:00", "00:00|4 Mar", "12:00", "00:00|5 Mar", "12:00", "00:00|6 Mar"],
        ),
        (
            MIDNIGHT,
            16 * DAYS,
            ["3 Mar|2026", "5 Mar", "7 Mar", "9 Mar", "11 Mar", "13 Mar", "15 Mar", "17 Mar", "19 Mar"],
        ),
        (MIDNIGHT, 23 * DAYS, ["3 Mar|2026", "7 Mar", "11 Mar", "15 Mar", "19 Mar", "23 Mar"]),
        (EVENING, 23 * DAYS, ["4 Mar|2026", "8 Mar", "12 Mar", "16 Mar", "20 Mar", "24 Mar"]),
        (MIDNIGHT, 400 * DAYS, MONTHS),
        (MIDNIGHT, 1461 * DAYS, YEARS),
    ],
)
def test_every_span_has_dates(start: datetime, span: timedelta, labels: list[str]) -> None:
    """Ticks are round moments; the first has the date or year, as has each at which it changes."""
    assert labels_of(start, span) == labels


@pytest.mark.parametrize(
    ("start", "minutes", "labels"),
    [
        (MIDNIGHT - timedelta(minutes=20), 50, ["23:45|2 Mar", "00:00|3 Mar", "00:15", "00:30"]),
        (EVENING, 10, ["17:20|3 Mar", "17:25", "17:30"]),
        (EVENING + timedelta(minutes=3), 1, ["17:23|3 Mar"]),
    ],
)
def test_minutes_have_a_date_too(start: datetime, minutes: int, labels: list[str]) -> None:
    """Also where no round moment is among them."""
    assert labels_of(start, timedelta(minutes=minutes)) == labels


@given(st.integers(0, 60 * 365 * 1440), st.floats(0, 11 * 365.25))
def test_an_axis_has_at_most_ten_ticks(minute: int, days: float) -> None:
    """And one at least, of a single moment too, in order and within the span; a run lasts ten years at most."""
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    axis, (first, last) = axis_of(start, timedelta(days=days))
    values = axis.values
    assert 1 <= len(values) <= 10
    assert values == sorted(set(values))
    assert first <= values[0]
    assert values[-1] <= last
