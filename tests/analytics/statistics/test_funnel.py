"""Claims about the counts and rates of the funnel."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import polars as pl
import pytest
from flat_events import START, Row, event, events_of, request, view
from hypothesis import given, settings, strategies as st
from pydantic import ValidationError

from analytics.errors import AnalyticsError
from analytics.events.dimensions import DIMENSIONS, NOT_SET, Dimension
from analytics.events.enrichment import enrich
from analytics.settings import AnalyticsSettings
from analytics.statistics.funnel import FunnelStatistics
from analytics.statistics.intervals import wilson_interval

COUNTS = ["page_views", "visitors", "visits", "demo_requests"]


def statistics(*rows: Row, **options: Any) -> FunnelStatistics:
    """The statistics of these events."""
    return FunnelStatistics(events_of(*rows), **options)


def hour(n: int) -> datetime:
    """The start of an hour since the start."""
    return START + timedelta(hours=n)


def test_totals_count_views_visitors_visits_and_requests():
    """Two visitors, one with two visits and two requests: conversion is one half, with Wilson's bounds.

    The request of a visitor who was never seen counts as a request, but not in the rate.
    """
    requests = request(101), request(102), request(10, "ghost")
    totals = statistics(view(0), view(5), view(100), view(0, "bob"), *requests).totals()
    low, high = wilson_interval(1, 2)
    assert totals.columns == [*COUNTS, "converted", "conversion", "conversion_low", "conversion_high"]
    assert totals.row(0) == (4, 2, 3, 3, 1, 0.5, float(low), float(high))


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


def test_the_same_hour_of_two_days_is_two_hours():
    """An event at noon today and one at noon tomorrow do not meet: between them are hours of zeros."""
    assert statistics(view(0), view(24 * 60)).hourly()["page_views"].to_list() == [1, *[0] * 23, 1]


def test_hours_by_segment_are_filled_for_every_segment():
    """Each hour has a row for each country, also where nobody came."""
    rows = view(0, "ann", country="DE"), view(70, "bob", country="US")
    hourly = statistics(*rows).hourly("country")
    assert hourly.select("hour", "country", "page_views").rows() == [
        (hour(0), "DE", 1),
        (hour(0), "US", 0),
        (hour(1), "DE", 0),
        (hour(1), "US", 1),
    ]


def test_moving_averages_run_over_hours_without_events():
    """Views in hours 0 and 4 alone average 1/3 and 1/3 over three hours, not 1; the first two hours have no average."""
    averages = statistics(view(0), view(240), observed_until=hour(5)).moving_average(3)["page_views"].to_list()
    assert averages[:2] == [None, None]
    assert averages[2:] == pytest.approx([1 / 3, 0, 1 / 3], abs=1e-12)


def test_moving_averages_stay_within_their_segment():
    """The average of a country never takes an hour of another's."""
    rows = [view(60 * h, "ann", country="DE") for h in range(4)]
    rows += [view(60 * h + i, f"bob{h}{i}", country="US") for h in range(4) for i in range(10)]
    averages = statistics(*rows, observed_until=hour(4)).moving_average(2, by="country")
    assert averages.filter(country="DE")["page_views"].to_list() == [None, 1, 1, 1]
    assert averages.filter(country="US")["page_views"].to_list() == [None, 10, 10, 10]


def test_over_one_hour_the_average_is_the_count():
    """The shortest window changes nothing."""
    some = statistics(view(0), view(70), observed_until=hour(2))
    assert some.moving_average(1)["page_views"].to_list() == some.hourly()["page_views"].to_list()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: statistics(observed_from=hour(2), observed_until=hour(1)), "before it starts"),
        (lambda: statistics().moving_average(0), "at least 1 hour"),
        (lambda: statistics().segments("contry"), r"'contry'; did you mean 'country'\?.*region, country, device"),
        (lambda: statistics().segments(["region", "region"]), "twice"),
        (lambda: statistics().segments(["region", "device", "page_group"]), "at most 2"),
    ],
    ids=["period", "window", "unknown dimension", "dimension twice", "three dimensions"],
)
def test_impossible_questions_are_refused(ask: Callable[[], object], message: str):
    """The message says what is wrong, and names the nearest dimension."""
    with pytest.raises(AnalyticsError, match=message):
        ask()


def test_a_dimension_of_ones_own_can_be_used():
    """Any expression on an event is a dimension."""
    section = Dimension("section", "first folder", pl.col("context_page_path").str.extract("^/([^/]*)"), "any")
    rows = view(0, context_page_path="/docs/a"), view(1, context_page_path="/docs/b")
    assert statistics(*rows).segments(section).select("section", "page_views").rows() == [("docs", 2)]


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
    flat = events_of(view(0, category="blog"), view(40), request(41))
    assert FunnelStatistics(flat).segments("channel").equals(FunnelStatistics(enrich(flat)).segments("channel"))


EVENTS = st.lists(
    st.builds(
        lambda make, minute, who, category, stage, country: make(
            minute, who, category=category, funnel_stage=stage, country=country
        ),
        make=st.sampled_from([view, view, view, request]),
        minute=st.integers(0, 30).map(lambda step: 10 * step),
        who=st.sampled_from(["ann", "bob", "cy"]),
        category=st.sampled_from(["pricing", "blog", None]),
        stage=st.sampled_from(["top", "bottom"]),
        country=st.sampled_from(["DE", "US", None]),
    ),
    max_size=20,
)


CUTS = st.sampled_from([[], ["country"], ["page_group"], ["country", "page_group"], ["page_group", "stage"]])


@settings(max_examples=60, deadline=None)
@given(rows=EVENTS, by=CUTS)
def test_every_count_equals_a_recount_by_hand(rows: list[Row], by: list[str]):
    """All four counts and the conversions, over the whole and by hour, by dimensions of either touch, equal loops.

    So each visitor is in the segment of their first touch, a request counts for the contents seen before it, a visit
    counts in the hour in which it starts, and first-touch segments and hours add up to the whole.
    """
    some = statistics(*rows)
    facts = [fact for who in {row["anonymous_id"] for row in rows} for fact in facts_of(who, rows, by)]
    for segment in {fact.segment for fact in facts}:
        of_it = [fact for fact in facts if fact.segment == segment]
        whole = (some.segments(by) if by else some.totals()).filter(**dict(zip(by, segment, strict=True)))
        counts, n = count(of_it, of_it), n_converted(of_it, rows)
        n_cases = counts[1] - n_too_late(of_it, rows)
        assert whole.select(*COUNTS, "converted", "conversion").rows() == [
            (*counts, n, n / n_cases if n_cases else None)
        ]
        assert not by or whole["n"].item() == n_cases
        by_hour = some.hourly(by).filter(**dict(zip(by, segment, strict=True)))
        assert by_hour.select(pl.col("page_views", "visits", "demo_requests").sum()).row(0) == counts[:1] + counts[2:]
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


def n_too_late(facts: list[Fact], rows: list[Row]):
    """Visitors who viewed the segment, but none of whose requests counts for it."""
    asked = {row["anonymous_id"] for row in rows if row["type"] == "track"}
    counted = {fact.who for fact in facts if fact.visit is None}
    return len(({fact.who for fact in facts} & asked) - counted)


def n_converted(facts: list[Fact], rows: list[Row]):
    """Visitors with a request of whom a page view was seen at all."""
    seen = {row["anonymous_id"] for row in rows if row["type"] == "page"}
    return len({fact.who for fact in facts if fact.visit is None} & seen)


def stages_of(*stages: str | None) -> list[Row]:
    """A view of a page with each stage, by a visitor each."""
    return [view(n, f"v{n}", funnel_stage=stage) for n, stage in enumerate(stages)]


def test_without_stages_the_funnel_is_unknown():
    """Never 0 %, and never 100 % of those who asked: only the requests are known."""
    unknown = statistics(*stages_of(None, None), request(5, "v0"))
    assert not unknown.has_stages
    assert unknown.funnel().select("stage", "visitors", "share", "step_rate", "n", "n_step").rows() == [
        *((stage, None, None, None, 2, None) for stage in ("top", "middle", "bottom")),
        ("demo request", 1, 0.5, None, 2, None),
    ]
    parts = FunnelStatistics(iter([events_of(*stages_of(None)), events_of(*stages_of(None, "top"))]))
    assert parts.has_stages
    assert parts.funnel()["visitors"].to_list() == [1, 0, 0, 0]


def own_steps(*steps: dict[str, Any], **settings: Any) -> Any:
    """Steps of an own funnel."""
    return AnalyticsSettings.model_validate({"funnel": steps, **settings}).funnel_steps


def test_steps_of_ones_own_are_reached_by_later_ones_in_any_order():
    """One rule for both funnels: who takes a later step reaches all before it, whatever came first."""
    steps = own_steps(
        {"step": "visit", "page": "*"},
        {"step": "pricing", "page": ["/pricing*", "costs"]},
        {"step": "signup", "event": ["Signed Up", "Joined"], "where": {"properties.plan": ["pro", "team"]}},
        {"step": "demo", "event": "Demo Requested"},
    )
    pro, free = (json.dumps({"properties": {"plan": plan}}) for plan in ("pro", "free"))
    rows = [
        view(0, "ann", context_page_path="/"),
        view(0, "bob", context_page_url="https://acme.io/Pricing/"),
        view(0, "cid", category="costs"),
        view(1, "dan"),
        event(0, "Joined", "dan", extra=pro),
        view(0, "eve"),
        event(1, "Signed Up", "eve", extra=free),
        view(0, "fay"),
        request(1, "fay"),
        # No visitor: nobody has seen a page view of them.
        request(1, "ghost"),
        # No page view: a click on the page with the prices is no view of it.
        view(0, "gus"),
        event(1, "Clicked", "gus", context_page_path="/pricing"),
    ]
    expected = [("visit", 7, 7, None), ("pricing", 4, 7, 7), ("signup", 2, 7, 4), ("demo", 1, 7, 2)]
    for events in (events_of(*rows), iter([events_of(*rows[:3]), events_of(*rows[3:])])):
        funnel = FunnelStatistics(events, funnel=steps).funnel()
        assert funnel.select("stage", "visitors", "n", "n_step").rows() == expected
        low, high = wilson_interval(4, 7)
        assert funnel.row(1, named=True)["share_low"] == pytest.approx(float(low))
        assert funnel.row(1, named=True)["step_rate_high"] == pytest.approx(float(high))


def test_a_step_may_name_an_event_as_it_was_sent():
    """The name of the settings' own renaming stands for the name that the event has after it."""
    steps = own_steps({"step": "demo", "event": "Booked"}, event_names={"Booked": "Demo Requested"})
    assert statistics(view(0), request(1), funnel=steps).funnel()["visitors"].to_list() == [1]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"step": "a"}, "give page or event"),
        ({"step": "a", "page": "/x", "event": "y"}, "give page or event"),
        ({"step": "a", "page": "/x?y"}, "page: '/x?y' is no glob"),
        ({"step": "a", "event": "y", "where": {"plan": "pro"}}, "did you mean 'properties.plan'?"),
        ({"step": "a", "event": "y", "where": {"region": 3}}, "must be strings for this attribute"),
        ({"step": "a", "event": []}, "at least 1 item"),
    ],
)
def test_what_makes_no_step_is_refused(step: dict[str, Any], message: str):
    """With what is wrong, and what would do."""
    with pytest.raises(ValidationError) as caught:
        own_steps(step)
    assert message in str(caught.value)
    with pytest.raises(ValidationError, match="two steps have the name 'b'"):
        own_steps({"step": "b", "page": "x"}, {"step": "b", "event": "y"})
