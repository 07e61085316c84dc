"""Claims about speed-to-lead: requests that still wait are counted, so that a desk that answers fewer is not faster."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction

import polars as pl
import pytest
from flat_events import START, make_events
from hypothesis import given, strategies as st
from pages import Page

from analytics.report.data import ReportData, SalesDesk
from analytics.report.render import render_report
from analytics.report.sales import SpeedToLead, speed_to_lead
from analytics.statistics.funnel import FunnelStatistics

DAY_MINUTES = 1440


def desk_of(*requests: tuple[float, float | None]) -> SalesDesk:
    """A desk of one day: for each request, minutes from the beginning, and minutes to its answer."""
    minutes = {"requested": [row[0] for row in requests], "response_minutes": [row[1] for row in requests]}
    schema = dict.fromkeys(["requested", "response_minutes"], pl.Float64())
    table = pl.DataFrame(minutes, schema=schema).with_columns(requested_s=60 * pl.col("requested"))
    answered = (60 * (pl.col("requested") + pl.col("response_minutes"))).alias("responded_s")
    none = (pl.lit(None, pl.Float64()).alias(name) for name in ("scheduled_s", "slot_s"))
    return SalesDesk(table.with_columns(answered, *none), START, START + timedelta(minutes=DAY_MINUTES))


def test_the_median_counts_those_who_still_wait() -> None:
    """By hand: S(10) = 4/5; one leaves the risk set at 20; S(30) = 4/5 · 2/3 = 8/15; S(60) = 4/15, so 60 minutes.

    The median of the three that were answered is 30.
    """
    desk = desk_of((0, 10.0), (0, 30.0), (DAY_MINUTES - 20, None), (0, 60.0), (0, None))
    assert speed_to_lead(desk) == SpeedToLead(60.0, 5, 2)


@pytest.mark.parametrize(
    ("requests", "found"),
    [
        ([(0, 10.0), (0, 20.0), (0, 30.0)], SpeedToLead(20.0, 3, 0)),
        ([(0, 1.0), (0, 2.0), (0, None), (0, None)], SpeedToLead(2.0, 4, 2)),
        ([(0, 1.0), (0, None), (0, None)], SpeedToLead(None, 3, 2)),
        ([(0, None), (700, None)], SpeedToLead(None, 2, 2)),
        ([(5, 0.0)], SpeedToLead(0.0, 1, 0)),
    ],
)
def test_half_must_be_answered(requests: list[tuple[float, float | None]], found: SpeedToLead) -> None:
    """Exactly half is enough; with fewer there is no median, but there are counts."""
    assert speed_to_lead(desk_of(*requests)) == found


def test_without_requests_there_is_no_speed() -> None:
    """Neither without a desk."""
    assert speed_to_lead(None) is None
    assert speed_to_lead(desk_of()) is None


def median_of(waits: Sequence[tuple[int, bool]]) -> int | None:
    """The definition, in fractions: the first wait at which at most half are left without an answer."""
    left = Fraction(1)
    for wait in sorted({minutes for minutes, is_answered in waits if is_answered}):
        n_at_risk = sum(minutes >= wait for minutes, _ in waits)
        left *= 1 - Fraction(sum(is_answered and minutes == wait for minutes, is_answered in waits), n_at_risk)
        if left <= Fraction(1, 2):
            return wait
    return None


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=30))
def test_the_median_is_that_of_kaplan_and_meier(waits: list[tuple[int, bool]]) -> None:
    """Whatever was answered, and however long the others have waited; ties among them."""
    requests = [(DAY_MINUTES - minutes, minutes if is_answered else None) for minutes, is_answered in waits]
    found = speed_to_lead(desk_of(*requests))
    assert found is not None
    assert found.median_minutes == median_of(waits)
    assert (found.n_requests, found.n_unanswered) == (len(waits), sum(not is_answered for _, is_answered in waits))


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        ([(0, 10.0), (0, 30.0), (0, None)], "Speed-to-lead\n30.0 min\nmedian of 3 requests, 1 unanswered"),
        ([(0, 0.4)], "Speed-to-lead\nunder 1 min\nmedian of 1 request, 0 unanswered"),
        ([(0, 1.0), (0, None), (0, None)], "not known\nfewer than half answered; 3 requests, 2 unanswered"),
    ],
)
@pytest.mark.usefixtures("no_drawings")
def test_the_page_says_how_many_were_answered(requests: list[tuple[float, float | None]], said: str) -> None:
    """Beside the median stands of how many it is."""
    data = ReportData(FunnelStatistics(make_events({"at": 0.0})), title="desk", sales_desk=desk_of(*requests))
    assert said in Page(render_report(data)).outline
