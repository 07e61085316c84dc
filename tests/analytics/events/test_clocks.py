"""One wrong clock never sets the span of the tables."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from flat_events import make_events

from analytics.events.clocks import are_impossible
from analytics.events.enrichment import enrich
from analytics.events.tracking_plan import UTC_MS
from analytics.sessions.partitions import partitions_by_visitor
from analytics.sessions.visits import visit_table, visit_table_of_parts
from analytics.statistics.funnel import FunnelStatistics

BULK = [{"at": hour, "anonymous_id": "abc"[hour]} for hour in range(3)]
DAY = timedelta(days=1)


@pytest.mark.parametrize("year", [1970, 2000, 2024, 2030, 2099])
@pytest.mark.parametrize("first", [True, False])
def test_one_impossible_clock_is_in_no_figure(year: int, *, first: bool):
    """Hours are those of the other events, on whichever side of them the clock is, and the event is counted apart."""
    times = dict.fromkeys(("original_timestamp", "timestamp"), datetime(year, 1, 1, tzinfo=UTC))
    wrong = {"anonymous_id": "w", "sent_at": None, "received_at": None, **times}
    statistics = FunnelStatistics(make_events(*([wrong, *BULK] if first else [*BULK, wrong])))
    assert statistics.n_impossible_times == 1
    assert statistics.hourly()["page_views"].to_list() == [1, 1, 1]
    assert statistics.totals()["visitors"].item() == 3


def impossible(events: pl.DataFrame) -> pl.Series:
    """Whether each is impossible, with a column of the known arrivals."""
    return are_impossible(events, pl.col("received_at"))


def of_devices(times: Iterable[datetime | None], devices: Iterable[object] | None = None, **more: Any) -> pl.DataFrame:
    """Events of devices, by default of one each, of which nothing but the time is known."""
    known = list(times)
    names = [str(each) for each in (range(len(known)) if devices is None else devices)]
    columns = {"event_time": known, "received_at": None, "anonymous_id": names, "user_id": None} | more
    return pl.DataFrame(columns, {"event_time": UTC_MS, "received_at": UTC_MS, "anonymous_id": str, "user_id": str})


def test_history_is_not_impossible():
    """Neither long uniform or growing traffic, nor what was imported of earlier years, is taken for a wrong clock."""
    start, random = datetime(2016, 1, 1, tzinfo=UTC), np.random.default_rng(7)
    uniform = random.uniform(0, 3650, 2000)
    growing = 3650 - random.exponential(180, 2000).clip(max=3650)
    imported = np.concatenate([random.uniform(0, 30, 100), random.uniform(3600, 3630, 1900)])
    for days in (uniform, growing, imported, uniform[:0], uniform[:1]):
        assert not impossible(of_devices(start + day * DAY for day in days)).any()
    few = of_devices([start, None, start + 400 * DAY, start])
    assert impossible(few).to_list() == [False, False, True, False]


@pytest.mark.parametrize("year", [1970, 2016, 2090, 2124])
@pytest.mark.parametrize("n_wrong", [1, 11, 100])
@pytest.mark.parametrize("good", ["one device", "40 devices"])
def test_many_events_of_one_device_are_one_clock(year: int, n_wrong: int, good: str):
    """However many events it has, and also if they are most; two devices alone are not told apart by their numbers."""
    wrong, bulk = ([datetime(each, 3, 3, tzinfo=UTC)] for each in (year, 2026))
    devices = [*("w" * n_wrong), *(range(40) if good == "40 devices" else "a" * 40)]
    found = impossible(of_devices(n_wrong * wrong + 40 * bulk, devices)).to_list()
    expected = n_wrong * [True] + 40 * [False]
    if good == "one device" and n_wrong == 100 and year in {2016, 2090}:
        expected = [not each for each in expected]
    assert found == expected


def test_many_devices_are_history():
    """Eleven of 51 devices years ago are no accident, in whatever order."""
    times = [datetime(year, 3, 3, tzinfo=UTC) for year in (*11 * [2019], *40 * [2026])]
    assert not impossible(of_devices(times)).any()


def test_impossible_years_and_arrivals_need_no_bulk():
    """Beside one good event, the year or the latest arrival tells; an arrival of the same era vouches for a year."""
    good, *wrong = (datetime(year, 3, 3, tzinfo=UTC) for year in (2026, 1970, 2124, 2090))
    for time in wrong:
        assert impossible(of_devices([good, time], received_at=[good, None])).to_list() == [False, True]
    for time in wrong[:2]:
        assert impossible(of_devices([time])).to_list() == [True]
        assert impossible(of_devices([time], received_at=[time])).to_list() == [False]


def test_a_time_after_its_arrival_counts_at_the_arrival():
    """In statistics as in a store: the event is in the hour in which it came."""
    claims = dict.fromkeys(("original_timestamp", "timestamp"), datetime(2124, 1, 1, tzinfo=UTC))
    statistics = FunnelStatistics(make_events(*BULK, {"at": 2, "anonymous_id": "w", **claims}))
    assert statistics.n_impossible_times == 0
    assert statistics.hourly()["page_views"].to_list() == [1, 1, 2]


@pytest.mark.parametrize("year", [1970, 2016, 2090])
def test_visits_and_parts_leave_out_what_statistics_do(year: int):
    """Figures agree, whether of the whole or in parts, and the parts say how many events are in none."""
    nowhere = {"sent_at": None, "received_at": None}
    times = dict.fromkeys(("original_timestamp", "timestamp"), datetime(year, 1, 1, tzinfo=UTC))
    events = make_events(*BULK, {"anonymous_id": "w", **nowhere, **times})
    assert FunnelStatistics(events).totals()["visitors"].item() == visit_table(events).height == 3
    texts = events.with_columns(pl.col("timestamp", "original_timestamp").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    for table in (events, texts, enrich(events)):
        with pytest.warns(UserWarning, match="1 events are in no part"):
            parts = list(partitions_by_visitor(table, 2))
        assert sum(part.height for part in parts) == 3
        assert FunnelStatistics(parts).totals()["visitors"].item() == visit_table_of_parts(parts).height == 3
    own_parts = [events[:2], events[2:]]
    n_left = 3 if year == 1970 else 4
    assert visit_table_of_parts(own_parts).height == n_left
    assert FunnelStatistics(own_parts).totals()["visitors"].item() == n_left
    assert FunnelStatistics(own_parts).n_impossible_times == 4 - n_left
