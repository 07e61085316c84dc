"""Claims about the counts and rates of the funnel."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import polars as pl
import pytest
from flat_events import DEMO, START
from hypothesis import given, settings, strategies as st

from analytics.errors import AnalyticsError
from analytics.events.dimensions import DIMENSIONS, NOT_SET, Dimension, DimensionError
from analytics.events.enrichment import conform, enrich
from analytics.statistics.funnel import FunnelStatistics
from analytics.statistics.intervals import wilson_interval

Row = dict[str, Any]
COUNTS = ["page_views", "visitors", "visits", "demo_requests"]
SCHEMA = {
    "type": pl.String,
    "anonymous_id": pl.String,
    "event": pl.String,
    "timestamp": pl.Datetime("ms", "UTC"),
    "category": pl.String,
    "funnel_stage": pl.String,
    "context_page_path": pl.String,
    "context_location_country": pl.String,
    "context_user_agent": pl.String,
}


def view(minute: float, who: str = "ann", category: str | None = None, **columns: object):
    """A page view."""
    moment = START + timedelta(minutes=minute)
    return {"type": "page", "anonymous_id": who, "timestamp": moment, "category": category, **columns}


def request(minute: float, who: str = "ann", **columns: object):
    """A demo request."""
    return view(minute, who, **columns) | {"type": "track", "event": DEMO}


def statistics(*rows: Row, **options: Any):
    """The statistics of these events."""
    return FunnelStatistics(conform(pl.DataFrame(list(rows), schema=SCHEMA)), **options)


def hour(n: int):
    """The start of an hour since the start."""
    return START + timedelta(hours=n)


def test_totals_count_views_visitors_visits_and_requests():
    """Two visitors, one with two visits and a request: conversion is one half, with Wilson's bounds."""
    totals = statistics(view(0), view(5), view(100), request(101), view(0, "bob")).totals()
    low, high = wilson_interval(1, 2)
    assert totals.rows(named=True) == [
        {
            "page_views": 4,
            "visitors": 2,
            "visits": 3,
            "demo_requests": 1,
            "converted": 1,
            "conversion": 0.5,
            "conversion_low": float(low),
            "conversion_high": float(high),
        }
    ]


def test_a_request_of_an_unseen_visitor_counts_but_not_in_the_rate():
    """An ad-blocked visitor's request is a request; conversion is of those who were seen."""
    totals = statistics(view(0), request(10, "ghost")).totals()
    assert totals.select("visitors", "demo_requests", "converted", "conversion").row(0) == (1, 1, 0, 0.0)


def test_two_requests_of_one_visitor_are_one_conversion():
    """Requests are counted, visitors converted."""
    totals = statistics(view(0), request(1), request(2)).totals()
    assert totals.select("demo_requests", "converted", "conversion").row(0) == (2, 1, 1.0)


def test_without_events_there_are_zeros_and_no_rates():
    """Nobody seen: counts are 0 and conversion is unknown, not 0; there are no hours and no segments."""
    nothing = statistics()
    assert nothing.totals().row(0) == (0, 0, 0, 0, 0, None, None, None)
    assert nothing.hourly().is_empty()
    assert nothing.segments("page_group").is_empty()
    assert nothing.funnel()["visitors"].to_list() == [0, 0, 0, 0]
    assert nothing.funnel().select("share", "step_rate", "step_rate_low").null_count().row(0) == (4, 4, 4)


def test_bots_are_left_out_unless_asked_for():
    """A crawler's views do not count by default."""
    rows = view(0), view(1, "bot", context_user_agent="Googlebot/2.1")
    assert statistics(*rows).totals()["page_views"].item() == 1
    assert statistics(*rows, include_bots=True).totals()["page_views"].item() == 2


def test_the_period_is_half_open():
    """An event at its start counts, one at its end does not; hours of the period without events are there."""
    rows = [view(59.9), view(60), view(179.9), view(180)]
    period = statistics(*rows, observed_from=hour(1), observed_until=hour(3))
    assert period.totals()["page_views"].item() == 2
    assert period.hourly().select("hour", "page_views").rows() == [(hour(1), 1), (hour(2), 1)]
    wide = statistics(*rows, observed_from=hour(-1).replace(tzinfo=None), observed_until=hour(5))
    assert wide.hourly()["page_views"].to_list() == [0, 1, 1, 1, 1, 0]


def test_a_period_that_ends_before_it_starts_is_refused():
    """The message names both ends."""
    with pytest.raises(AnalyticsError, match="before it starts"):
        statistics(observed_from=hour(2), observed_until=hour(1))


def test_hours_without_events_count_zero():
    """Between an event at 0:30 and one at 3:10 there are two hours of zeros."""
    assert statistics(view(30), view(190)).hourly()["page_views"].to_list() == [1, 0, 0, 1]


def test_the_same_hour_of_two_days_is_two_hours():
    """An event at noon today and one at noon tomorrow do not meet."""
    hourly = statistics(view(0), view(24 * 60)).hourly()
    assert hourly.height == 25
    assert hourly["page_views"].sum() == 2
    assert hourly["page_views"].max() == 1


def test_a_visit_counts_in_the_hour_in_which_it_starts():
    """A visit from 0:50 to 1:10 shows its visitor in both hours and itself in the first."""
    hourly = statistics(view(50), view(70), request(71)).hourly()
    assert hourly.select("visitors", "visits", "demo_requests").rows() == [(1, 1, 0), (1, 0, 1)]


def test_hours_by_segment_are_filled_for_every_segment():
    """Each hour has a row for each country, also where nobody came."""
    rows = view(0, "ann", context_location_country="DE"), view(70, "bob", context_location_country="US")
    hourly = statistics(*rows).hourly("country")
    assert hourly.select("hour", "country", "page_views").rows() == [
        (hour(0), "DE", 1),
        (hour(0), "US", 0),
        (hour(1), "DE", 0),
        (hour(1), "US", 1),
    ]


def test_moving_averages_run_over_hours_without_events():
    """Views in hours 0 and 4 alone average 1/3 and 1/3 over three hours, not 1; the first two hours have no average."""
    averages = statistics(view(0), view(240)).moving_average(3)["page_views"].to_list()
    assert averages[:2] == [None, None]
    assert averages[2:] == pytest.approx([1 / 3, 0, 1 / 3], abs=1e-12)


def test_moving_averages_stay_within_their_segment():
    """The average of a country never takes an hour of another's."""
    rows = [view(60 * h, "ann", context_location_country="DE") for h in range(4)]
    rows += [view(60 * h + i, f"bob{h}{i}", context_location_country="US") for h in range(4) for i in range(10)]
    averages = statistics(*rows).moving_average(2, by="country")
    assert averages.filter(country="DE")["page_views"].to_list() == [None, 1, 1, 1]
    assert averages.filter(country="US")["page_views"].to_list() == [None, 10, 10, 10]


def test_a_window_has_at_least_one_hour():
    """An average over no hour is refused; over one hour it is the count."""
    some = statistics(view(0), view(70))
    assert some.moving_average(1)["page_views"].to_list() == some.hourly()["page_views"].to_list()
    with pytest.raises(AnalyticsError, match="at least 1 hour"):
        some.moving_average(0)


def test_first_touch_gives_each_visitor_one_segment():
    """Who is first seen in Germany counts there throughout, also when seen in France; an unknown country is named."""
    rows = [view(0, context_location_country=None), view(1, context_location_country="DE")]
    rows += [view(2, context_location_country="FR"), request(3), view(0, "bob")]
    segments = statistics(*rows).segments("country")
    assert segments.select("country", "page_views", "converted", "n").rows() == [("DE", 3, 1, 1), (NOT_SET, 1, 0, 1)]


def test_a_request_counts_only_for_content_seen_before_it():
    """Pricing seen before the request gets it; careers seen after it, and security at the very moment, do not."""
    rows = [view(0, category="pricing"), request(5), view(5, category="security"), view(6, category="careers")]
    segments = statistics(*rows).segments("page_group")
    assert dict(segments.select("page_group", "demo_requests").rows()) == {"pricing": 1, "security": 0, "careers": 0}
    assert dict(segments.select("page_group", "conversion").rows()) == {"pricing": 1.0, "security": 0.0, "careers": 0.0}


def test_geography_by_content_is_a_table_of_pairs():
    """Each pair that occurs has its visitors and conversion; pairs that do not occur have no row."""
    rows = [view(0, "ann", "pricing", context_location_country="DE"), request(1, "ann")]
    rows += [view(0, "bob", "pricing", context_location_country="US"), view(1, "bob", "blog")]
    segments = statistics(*rows).segments(["country", "page_group"])
    assert sorted(segments.select("country", "page_group", "n", "conversion").rows()) == [
        ("DE", "pricing", 1, 1.0),
        ("US", "blog", 1, 0.0),
        ("US", "pricing", 1, 0.0),
    ]


def test_a_dimension_of_ones_own_can_be_used():
    """Any expression on an event is a dimension."""
    section = Dimension("section", "first folder", pl.col("context_page_path").str.extract("^/([^/]*)"), "any")
    rows = view(0, context_page_path="/docs/a"), view(1, context_page_path="/docs/b")
    assert statistics(*rows).segments(section).select("section", "page_views").rows() == [("docs", 2)]


def test_an_unknown_dimension_gets_a_suggestion():
    """The message names the nearest dimension and lists all there are."""
    with pytest.raises(DimensionError, match=r"'contry'; did you mean 'country'\?.*region, country, device"):
        statistics().segments("contry")


@pytest.mark.parametrize("by", [["region", "region"], ["region", "device", "page_group"]])
def test_segments_refuse_a_dimension_twice_and_more_than_two(by: list[str]):
    """Both are mistakes of the analyst, and are named."""
    with pytest.raises(DimensionError, match=r"twice|at most 2"):
        statistics().segments(by)


def test_the_registry_of_dimensions_can_be_read_as_a_table():
    """Every dimension is there with its meaning and touch."""
    table = statistics().dimensions
    assert table["dimension"].to_list() == list(DIMENSIONS)
    assert set(table["touch"]) == {"first", "any"}


def test_the_funnel_falls_from_stage_to_stage():
    """Who lands at the bottom has reached the middle; who asks has reached everything; who sees no stage, nothing."""
    rows = [view(0, "ann", funnel_stage="top"), view(0, "bob", funnel_stage="bottom"), view(0, "cy"), request(1, "cy")]
    funnel = statistics(*rows, view(0, "dee"), request(0, "ghost")).funnel()
    assert funnel["stage"].to_list() == ["top", "middle", "bottom", "demo request"]
    assert funnel["visitors"].to_list() == [3, 2, 2, 1]
    assert funnel["share"].to_list() == [0.75, 0.5, 0.5, 0.25]
    assert funnel["step_rate"].to_list() == [None, 2 / 3, 1.0, 0.5]
    assert funnel["n"].to_list() == [4] * 4
    assert funnel["n_step"].to_list() == [None, 3, 2, 2]
    low, high = wilson_interval(1, 2)
    assert funnel.select("step_rate_low", "step_rate_high").row(3) == (float(low), float(high))


def test_enriched_and_flat_events_give_the_same_statistics():
    """It does not matter whether the derived columns are there already."""
    rows = [view(0, category="blog"), view(40), request(41)]
    flat = conform(pl.DataFrame(rows, schema=SCHEMA))
    assert FunnelStatistics(flat).segments("channel").equals(FunnelStatistics(enrich(flat)).segments("channel"))


EVENTS = st.lists(
    st.builds(
        lambda make, minute, who, category, stage, country: make(
            minute, who, category=category, funnel_stage=stage, context_location_country=country
        ),
        make=st.sampled_from([view, view, view, request]),
        minute=st.integers(0, 30).map(lambda step: 10 * step),
        who=st.sampled_from(["ann", "bob", "cy"]),
        category=st.sampled_from(["pricing", "blog", None]),
        stage=st.sampled_from(["top", "bottom"]),
        country=st.sampled_from(["DE", "US"]),
    ),
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(rows=EVENTS)
def test_counts_by_content_equal_a_recount_by_hand(rows: list[Row]):
    """Views, visitors, requests and conversion of each content equal loops over the events."""
    segments = statistics(*rows).segments("page_group")
    views = [row for row in rows if row["type"] == "page"]
    for segment in segments.iter_rows(named=True):
        content = None if segment["page_group"] == NOT_SET else segment["page_group"]
        of_it = [row for row in views if row["category"] == content]
        first_seen: dict[str, datetime] = {}
        for row in of_it:
            who = row["anonymous_id"]
            first_seen[who] = min(first_seen.get(who, row["timestamp"]), row["timestamp"])
        asked = [
            row["anonymous_id"]
            for row in rows
            if row["type"] == "track" and row["timestamp"] > first_seen.get(row["anonymous_id"], row["timestamp"])
        ]
        expected = (len(of_it), len(first_seen), len(asked), len(set(asked)), len(set(asked)) / len(first_seen))
        names = ["page_views", "visitors", "demo_requests", "converted", "conversion"]
        assert tuple(segment[name] for name in names) == expected
    assert set(segments["page_group"]) == {row["category"] or NOT_SET for row in views}


CUTS = st.sampled_from([[], ["country"], ["page_group"], ["country", "page_group"], ["page_group", "stage"]])


@settings(max_examples=60, deadline=None)
@given(rows=EVENTS, by=CUTS)
def test_every_count_equals_a_recount_by_hand(rows: list[Row], by: list[str]):
    """All four counts and the conversions, over the whole and by hour, by dimensions of either touch, equal loops."""
    some = statistics(*rows)
    facts = [fact for who in {row["anonymous_id"] for row in rows} for fact in facts_of(who, rows, by)]
    for segment in {fact.segment for fact in facts}:
        of_it = [fact for fact in facts if fact.segment == segment]
        whole = (some.segments(by) if by else some.totals()).filter(**dict(zip(by, segment, strict=True)))
        assert whole.select(*COUNTS, "converted").rows() == [(*count(of_it, of_it), n_converted(of_it, rows))]
        by_hour = some.hourly(by).filter(**dict(zip(by, segment, strict=True)))
        for moment, *counts in by_hour.select("hour", *COUNTS).iter_rows():
            assert tuple(counts) == count([fact for fact in of_it if fact.time.replace(minute=0) == moment], of_it)
    assert {row[: len(by)] for row in some.segments(by).rows() if by} == {fact.segment for fact in facts if by}


class Fact(NamedTuple):
    """Something to be counted: a page view in a visit, or, outside all, a request that counts for a segment."""

    who: str
    visit: int | None
    time: datetime
    segment: tuple[str, ...]


def facts_of(who: str, rows: list[Row], by: list[str]):
    """Walk through a visitor's events in order of time, views before requests."""
    own = sorted((row for row in rows if row["anonymous_id"] == who), key=lambda row: (row["timestamp"], row["type"]))
    country = next((row["context_location_country"] for row in own if row["context_location_country"]), NOT_SET)
    visit, last, since = 0, datetime.min.replace(tzinfo=UTC), {}
    for row in own:
        time = row["timestamp"]
        values = {"country": country, "page_group": row["category"], "stage": row.get("funnel_stage")}
        segment = tuple(values[name] or NOT_SET for name in by)
        if row["type"] == "page":
            visit, last = visit + (time - last > timedelta(minutes=30)), time
            since.setdefault(segment, time)
            yield Fact(who, visit, time, segment)
        elif set(by) <= {"country"}:
            yield Fact(who, None, time, segment)
        else:
            yield from (Fact(who, None, time, seen) for seen, seen_at in since.items() if seen_at < time)


def count(facts: list[Fact], of_all_hours: list[Fact]):
    """Views, visitors, visits that first come to the segment here, and requests."""
    views = [fact for fact in facts if fact.visit is not None]
    comes = {(fact.who, fact.visit): fact.time for fact in sorted(of_all_hours, key=lambda fact: fact.time)[::-1]}
    visits = {(fact.who, fact.visit) for fact in views if comes[fact.who, fact.visit] == fact.time}
    return len(views), len({fact.who for fact in views}), len(visits), len(facts) - len(views)


def n_converted(facts: list[Fact], rows: list[Row]):
    """Visitors with a request of whom a page view was seen at all."""
    seen = {row["anonymous_id"] for row in rows if row["type"] == "page"}
    return len({fact.who for fact in facts if fact.visit is None} & seen)


@settings(max_examples=40, deadline=None)
@given(rows=EVENTS)
def test_first_touch_segments_and_hours_add_up_to_the_whole(rows: list[Row]):
    """Every view, visitor, visit and request is in one country, and every view, visit and request in one hour."""
    some = statistics(*rows)
    whole = some.totals().select(COUNTS).row(0)
    by_country = some.segments("country").select(pl.col(COUNTS).sum()).row(0)
    by_hour = some.hourly("country").select(pl.col("page_views", "visits", "demo_requests").sum()).row(0)
    assert by_country == whole
    assert by_hour == (whole[0], whole[2], whole[3])
