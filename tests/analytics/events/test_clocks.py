"""One wrong clock never sets the span of the tables."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from flat_events import make_events

from analytics.events.clocks import are_impossible
from analytics.statistics.funnel import FunnelStatistics

BULK = [{"at": hour, "anonymous_id": "abc"[hour]} for hour in range(3)]
DAY = timedelta(days=1)


@pytest.mark.parametrize("year", [1970, 2000, 2024, 2030, 2099])
@pytest.mark.parametrize("first", [True, False])
def test_one_impossible_clock_is_in_no_figure(year: int, *, first: bool):
    """Hours are those of the other events, on whichever side of them the clock is, and the event is counted apart."""
    times = dict.fromkeys(("original_timestamp", "timestamp"), datetime(year, 1, 1, tzinfo=UTC))
    wrong = {"anonymous_id": "w", **times}
    statistics = FunnelStatistics(make_events(*([wrong, *BULK] if first else [*BULK, wrong])))
    assert statistics.n_impossible_times == 1
    assert statistics.hourly()["page_views"].to_list() == [1, 1, 1]
    assert statistics.totals()["visitors"].item() == 3


def test_history_is_not_impossible():
    """Neither long uniform or growing traffic, nor what was imported of earlier years, is taken for a wrong clock."""
    start, random = datetime(2016, 1, 1, tzinfo=UTC), np.random.default_rng(7)
    uniform = random.uniform(0, 3650, 2000)
    growing = 3650 - random.exponential(180, 2000).clip(max=3650)
    imported = np.concatenate([random.uniform(0, 30, 100), random.uniform(3600, 3630, 1900)])
    for days in (uniform, growing, imported, uniform[:0], uniform[:1]):
        times = pl.Series([start + day * DAY for day in days], dtype=pl.Datetime("ms", "UTC"))
        assert not are_impossible(times).any()
    assert are_impossible(pl.Series([start, None, start + 400 * DAY, start])).to_list() == [False, False, True, False]
