"""Claims about hours that were observed in part: the end of the data must not look like the end of the traffic."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import polars as pl
import pytest
from flat_events import START, event, events_of, make_events, view

from analytics.charts.style import to_svg
from analytics.charts.traffic import hourly_chart, traffic_by
from analytics.statistics.funnel import FunnelStatistics
from analytics.store.event_store import EventStore
from scenarios.scenario import Scenario

BROKEN_OFF = [view(0.5 + minute, f"v{minute}") for minute in range(186)]
"""60 views in each of three hours, and 6 in the first minutes of the fourth, from half a minute past midnight on."""


def hour(number: float) -> datetime:
    """So many hours after START."""
    return START + timedelta(hours=number)


def marks(*rows: dict[str, object], by: str | None = None, **period: datetime) -> list[bool]:
    """Which hours are partial."""
    return FunnelStatistics(events_of(*rows), **period).hourly(by)["partial"].to_list()


def test_the_first_and_the_last_hour_are_partial() -> None:
    """60, 60, 60, 6 is no fall: both ends are marked, and so are the averages with them; counts are as before.

    Averages are of whole hours: the last is 60, not 33.
    """
    statistics = FunnelStatistics(events_of(*BROKEN_OFF))
    assert statistics.hourly()["page_views"].to_list() == [60, 60, 60, 6]
    assert statistics.hourly()["partial"].to_list() == [True, False, False, True]
    averages = statistics.moving_average(2)
    assert averages["page_views"].to_list() == [None, 60, 60, 60]
    assert statistics.moving_average(1)["page_views"].to_list() == [None, 60, 60, None]
    assert averages["partial"].to_list() == [True, True, False, True]
    by_country = statistics.moving_average(2, "country")
    assert by_country.select("hour", "partial").equals(averages.select("hour", "partial"))


@pytest.mark.parametrize(
    ("rows", "period", "expected"),
    [
        ([view(0), view(61)], {}, [False, True]),
        ([view(0), view(120 - 1 / 60_000)], {}, [False, False]),
        ([view(5)], {}, [True]),
        ([view(5), view(61)], {"observed_from": hour(0), "observed_until": hour(2)}, [False, False]),
        ([view(5), view(61)], {"observed_from": hour(-0.5), "observed_until": hour(2.5)}, [True, False, False, True]),
        ([view(5), view(61)], {"observed_until": hour(2)}, [True, False]),
        ([view(5), view(61)], {"observed_from": hour(0)}, [False, True]),
        ([], {"observed_from": hour(0), "observed_until": hour(2)}, [False, False]),
        ([], {}, []),
    ],
)
def test_an_hour_is_whole_if_the_period_covers_it(
    rows: list[dict[str, object]], period: dict[str, datetime], expected: list[bool]
) -> None:
    """The period is what is given of it, else from the first event to the last."""
    assert marks(*rows, **period) == expected


def test_each_segment_has_the_marks_of_the_hours() -> None:
    """An hour is partial for every country, also for one without events there."""
    rows = view(30, country="DE"), view(150, "bob", country="US")
    assert marks(*rows, by="country") == [True, True, False, False, True, True]


def test_simulated_hours_are_whole() -> None:
    """A run observes all of its hours, whenever its first and last events are."""
    run = Scenario(name="small").replace({"clock.hours": 3, "traffic.visitors_per_day": 400}).run(seed=1)
    assert run.analysis.hourly()["partial"].to_list() == [False] * 3
    assert not run.analysis.tables()["moving_average"]["partial"].any()


def test_partial_hours_are_drawn_dashed_and_left_out_of_the_line() -> None:
    """Whole hours are bars as before; the others are outlines, with a word in the title, and the line has none."""
    statistics = FunnelStatistics(events_of(*BROKEN_OFF))
    _, _, traffic = traffic_by(statistics.hourly(), statistics.moving_average(2))
    assert traffic["partial_mean"].to_list() == [True, True, False, True]
    svg = to_svg(hourly_chart(traffic), "t")
    assert len(re.findall(r'<path[^>]*opacity="0.35"', svg)) == 2 * 2
    assert len(re.findall(r"<path[^>]*stroke-dasharray", svg)) == 2 * 2
    assert {"Page views (dashed: observed in part)", "Demo requests (dashed: observed in part)"} <= set(
        re.findall(r">([^<]+)</text>", svg)
    )
    whole = FunnelStatistics(events_of(*BROKEN_OFF), observed_from=hour(0), observed_until=hour(4))
    drawn = to_svg(hourly_chart(traffic_by(whole.hourly(), whole.moving_average(2))[2]), "t")
    assert "stroke-dasharray" not in drawn
    assert "dashed" not in drawn


def test_days_with_too_few_hours_are_partial() -> None:
    """Summed by the day, the first and the last one may lack hours, though each of theirs is whole."""
    rows = [view(60 * number + 5, f"v{number}") for number in range(20 * 24)]
    period = {"observed_from": hour(0), "observed_until": hour(20 * 24)}
    shifted = [each | {"timestamp": each["timestamp"] + timedelta(hours=6)} for each in rows]
    for events, moved, expected in ((rows, 0, set()), (shifted, 6, {0, 20})):
        observed = {name: time + timedelta(hours=moved) for name, time in period.items()}
        statistics = FunnelStatistics(events_of(*events), **observed)
        grain, window, traffic = traffic_by(statistics.hourly(), statistics.moving_average(3))
        assert (grain, window) == ("day", 7)
        assert set(traffic["partial"].arg_true()) == expected
        assert traffic["partial_mean"].sum() == (8 if expected else 0)


def test_a_store_marks_the_current_hour_and_those_before_its_first_event() -> None:
    """Until stream time is at the end of the hour; the first hour is whole only once it is known that it was."""
    store = EventStore(window_hours=3)
    assert store.hourly()["partial"].to_list() == []
    store.append(make_events({"at": 5.5}))
    assert store.hourly()["partial"].to_list() == [True, True, True]
    store.append(make_events({"at": 6.2, "message_id": "n"}))
    assert store.hourly()["partial"].to_list() == [True, True, True]
    store.advance_to(hour(7) - timedelta(milliseconds=1))
    assert store.hourly()["partial"].to_list() == [True, True, False]
    store.advance_to(hour(8.5))
    assert store.hourly()["partial"].to_list() == [False, False, True]
    store.append(make_events({"at": 14.2, "message_id": "o"}))
    assert store.hourly(evicted=True)["partial"].to_list() == [False] * 5 + [True]


def test_stores_and_tables_have_the_column() -> None:
    """It is in the exported tables too, so that no reader of a file has to guess."""
    statistics = FunnelStatistics(events_of(event(1, "page"), event(70, "page")))
    assert statistics.hourly().schema["partial"] == statistics.moving_average().schema["partial"] == pl.Boolean
    assert "partial" in statistics.hourly().write_csv().splitlines()[0]
