"""Claims about charts of small counts: bars of several hours or days in place of a comb, which lose no request."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, strategies as st

from analytics.charts.style import to_svg
from analytics.charts.traffic import hourly_chart, of_few, traffic_by
from analytics.events.tracking_plan import UTC_MS

TUESDAY = datetime(2026, 3, 3, tzinfo=UTC)


def traffic_of(requests: list[int], start: datetime = TUESDAY) -> pl.DataFrame:
    """Traffic of hours with these demo requests, and 50 page views each."""
    hours = pl.Series("hour", [start + timedelta(hours=i) for i in range(len(requests))], dtype=UTC_MS)
    hourly = pl.DataFrame({"hour": hours, "page_views": 50, "demo_requests": requests})
    return traffic_by(hourly, hourly.with_columns(pl.col("page_views", "demo_requests").rolling_mean(3)))[2]


@pytest.mark.parametrize(
    ("requests", "of", "counts"),
    [
        ([4] * 24, "", [4] * 24),
        ([2] * 24, "2 hours", [4] * 12),
        ([1] * 24, "3 hours", [3] * 8),
        ([0] * 23 + [1], "3 hours", [0] * 7 + [1]),
        ([1, 0, 0] * 24, "12 hours", [4] * 6),
        ([1, 0, 0, 0, 0, 0] * 32, "day", [4] * 8),
        ([0, 1] * 4, "", [0, 1] * 4),
    ],
)
def test_small_counts_share_a_bar(requests: list[int], of: str, counts: list[int]) -> None:
    """A bar has four requests on average where that leaves six bars; many, or few hours, are as they were."""
    traffic = traffic_of(requests)
    words, table = of_few(traffic, "demo_requests")
    assert (words, table["demo_requests"].to_list()) == (of, counts)
    assert of or table.equals(traffic)
    assert not table["partial"].any()


def test_the_line_is_over_three_bars() -> None:
    """Averages by hand of twelve bars of two hours."""
    counts = [0, 2, 4, 6, 8, *[4] * 7]
    words, table = of_few(traffic_of([count // 2 for count in counts for _ in range(2)]), "demo_requests")
    assert (words, table["demo_requests"].to_list()) == ("2 hours", counts)
    assert table["demo_requests_mean"].to_list()[:2] == [None, None]
    assert table["demo_requests_mean"].to_list()[2:] == pytest.approx([2, 4, 6, 6, 16 / 3, *[4] * 5])


def test_a_bar_that_is_cut_off_is_observed_in_part() -> None:
    """Hours from 10:00 on begin amid a bar of three hours: it is marked, and in no average."""
    words, table = of_few(traffic_of([1] * 24, TUESDAY + timedelta(hours=10)), "demo_requests")
    assert words == "3 hours"
    assert table["demo_requests"].to_list() == [2, *[3] * 7, 1]
    assert table["partial"].to_list() == [True, *[False] * 7, True]
    assert table["partial_mean"].to_list() == [True] * 3 + [False] * 5 + [True]
    assert (table["start"][0], table["end"][0]) == (TUESDAY + timedelta(hours=10), TUESDAY + timedelta(hours=12))
    assert (table["start"][-1], table["end"][-1]) == (TUESDAY + timedelta(hours=33), TUESDAY + timedelta(hours=34))


def test_days_share_weeks_and_months_are_left() -> None:
    """Sixty days with a request each are weeks from Monday on, of which the first and last are cut off."""
    words, table = of_few(traffic_of(([1] + [0] * 23) * 60), "demo_requests")
    assert (words, table["demo_requests"].to_list()) == ("7 days", [6, *[7] * 7, 5])
    assert table["partial"].to_list() == [True, *[False] * 7, True]
    assert {day.isoweekday() for day in table["start"][1:]} == {1}
    months = traffic_of([1] + [0] * (24 * 500))
    words, table = of_few(months, "demo_requests")
    assert words == ""
    assert table.equals(months)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=200), st.integers(0, 23))
def test_no_request_is_lost(requests: list[int], first: int) -> None:
    """The sum is kept and bars join, whatever the counts and whenever they begin."""
    traffic = traffic_of(requests, TUESDAY + timedelta(hours=first))
    words, table = of_few(traffic, "demo_requests")
    assert table["demo_requests"].sum() == sum(requests)
    assert (table["start"][1:] == table["end"][:-1]).all()
    assert (table["start"][0], table["end"][-1]) == (traffic["start"][0], traffic["end"][-1])
    assert not words or (table.height >= 6 and sum(requests) < 4 * len(requests))


def test_the_title_says_what_a_bar_is() -> None:
    """Demo requests are drawn in eight bars, and page views, of which there are many, in 24."""
    svg = to_svg(hourly_chart(traffic_of([1] * 24), " of Europe"), "t")
    assert "Page views of Europe<" in svg
    assert "Demo requests of Europe, per 3 hours<" in svg
    assert len(re.findall(r'<path[^>]*opacity="0.35"', svg)) == 24 + 8
