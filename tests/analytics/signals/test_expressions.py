"""Claims about how signals of one's own are read off events."""

import json
import math
from datetime import timedelta
from itertools import accumulate
from typing import Any

import pytest
from flat_events import DEMO, HELD, Row, event as flat_event, events_of
from hypothesis import given, settings, strategies as st

from analytics.events.enrichment import enrich
from analytics.sessions.visits import assign_visits, visit_table
from analytics.signals.definitions import (
    EventCount,
    EverSeen,
    SeenInOrder,
    SeenRecently,
    SessionLength,
    Signal,
    visit_schema,
)

IDLE = timedelta(minutes=30)


def event(minute: float, name: str = "page", who: str = "ann", plan: str | None = None, **columns: object) -> Row:
    """One event; the plan stands below ``properties``."""
    extra = None if plan is None else json.dumps({"properties": {"plan": plan}})
    return flat_event(minute, name, who, **{"extra": extra, **columns})


def values_of(signal: Signal, *rows: Row) -> list[object]:
    """The signal in each visit of these events, in order."""
    return visit_table(events_of(*rows), signals=(signal,))[signal.name].to_list()


def count(**options: Any) -> EventCount:
    """A count with these options."""
    return EventCount("n", "", "context", **options)


def test_thresholds_make_yes_or_no():
    """At least 2 is 2 or more; longer than 15 minutes is not exactly 15."""
    assert values_of(count(at_least=2), event(0), event(100)) == [False, True]
    longer = SessionLength("m", "", "context", "minutes", longer_than=15)
    assert values_of(longer, event(0), event(15)) == [False]
    assert values_of(longer, event(0), event(15 + 1 / 60_000)) == [True]


def test_a_sequence_takes_its_steps_in_order_and_one_at_a_time():
    """Prices before security are no prices after security; visits do not matter, and one page is one step."""
    after = SeenInOrder("s", "", "high", ("security", "pricing"))
    security, pricing = event(0, category="security"), event(100, category="pricing")
    assert values_of(after, security, pricing) == [False, True]
    assert values_of(after, event(0, category="pricing"), event(100, category="security")) == [False, False]
    twice = SeenInOrder("s", "", "high", ("pricing", "pricing"))
    assert values_of(twice, pricing, event(101, category="pricing"), event(300)) == [True, True]
    assert values_of(twice, pricing, event(300)) == [False, False]
    # The steps of another visitor do not count.
    assert values_of(after, security, event(100, who="bob", category="pricing")) == [False, False]


def test_what_is_recent_is_so_until_its_time_is_over():
    """Two visits are this one and the one before; an hour is counted back from the last page view of the visit."""
    seen = [event(0, category="pricing"), event(60), event(120)]
    two_visits = SeenRecently("r", "", "high", "category", ("pricing",), visits=2)
    an_hour = SeenRecently("r", "", "high", "category", ("pricing",), hours=1.0)
    assert values_of(two_visits, *seen) == [True, True, False]
    assert values_of(an_hour, *seen) == [True, True, False]
    assert values_of(an_hour, event(0, category="pricing"), event(61), event(200, category="pricing")) == [
        *(True, False, True)
    ]


def test_beyond_its_cap_a_count_stays_the_same():
    """At most 2 is 2 for 3 page views, on either scale."""
    pages = [event(0), event(1), event(2)]
    assert values_of(count(at_most=2), *pages) == [2]
    assert values_of(count(at_most=2, scale="log1p"), *pages) == [pytest.approx(math.log(3))]


def test_a_value_without_a_column_is_found_by_its_path():
    """What senders put below properties is compared by its text, also of a track call, where a column is for pages."""
    plan = EverSeen("pro", "", "context", "properties.plan", ("pro", "team"))
    assert values_of(plan, event(0), event(1, "Trial Started", plan="pro"), event(100)) == [True, True]
    assert values_of(plan, event(0, plan="free")) == [False]
    category = EverSeen("tv", "", "context", "properties.category", ("tv",))
    of_a_track = event(1, "Video Watched", extra='{"properties":{"category":"tv"}}')
    assert values_of(category, event(0), of_a_track) == values_of(category, event(0, category="tv")) == [True]
    spaced = EverSeen("s", "", "context", "traits.Plan Type", ("5",))
    assert values_of(spaced, event(0, extra='{"traits":{"Plan Type":5}}')) == [True]


@pytest.mark.parametrize("name", ["row", "page", "visitor", "request", "order", "tail", "in_visit", "opened_at"])
def test_a_signal_may_be_called_as_anything_but_a_column_of_the_visit_table(name: str):
    """Names that the computation uses for columns of its own are free."""
    signals = (
        EverSeen(name, "", "context", "category", ("docs",)),
        EventCount("n_pages", "", "context"),
        SessionLength("m", "", "context", "minutes", "visitor"),
    )
    table = visit_table(events_of(event(0, category="docs"), event(9), event(90)), signals=signals)
    assert table.schema == visit_schema(signals)
    assert table.select(name, "n_pages", "m").rows() == [(True, 2, 9.0), (True, 3, 9.0)]


SIGNALS: tuple[Signal, ...] = (
    EverSeen("pro", "", "context", "properties.plan", ("pro",)),
    EverSeen("video", "", "context", "event", ("Video Watched",)),
    EverSeen("held", "", "context", "event", (HELD,)),
    EventCount("pages", "", "context"),
    EventCount("pages_here", "", "context", within="visit"),
    EventCount("log_pages", "", "context", within="visit", scale="log1p"),
    EventCount("events", "", "context", of="events"),
    EventCount("events_here", "", "context", of="events", within="visit"),
    EventCount("docs", "", "context", column="category", values=("docs",), at_least=2),
    EventCount("read", "", "context", column="category", values=("docs", "pricing")),
    EventCount("watched", "", "context", of="events", column="event", values=("Video Watched",)),
    EventCount("visits", "", "context", of="visits"),
    SessionLength("all_minutes", "", "context", "minutes", "visitor"),
    SessionLength("log_minutes", "", "context", "log1p", "visitor"),
    SessionLength("minutes", "", "context", "minutes"),
    SessionLength("long", "", "context", "minutes", longer_than=10.0),
    EventCount("capped", "", "context", at_most=2),
    EventCount("log_capped", "", "context", within="visit", scale="log1p", at_most=2),
    SeenInOrder("in_order", "", "context", ("docs", "pricing")),
    SeenInOrder("there_and_back", "", "context", ("docs", "Video Watched", "docs")),
    SeenRecently("this_visit_or_last", "", "context", "category", ("docs",), visits=2),
    SeenRecently("within_the_hour", "", "context", "event", ("Video Watched",), hours=1.0),
)
ROWS = st.lists(
    st.builds(
        event,
        minute=st.integers(0, 40).map(lambda step: 5 * step),
        name=st.sampled_from(["page"] * 5 + ["Video Watched", DEMO, DEMO, HELD]),
        who=st.sampled_from(["ann", "bob"]),
        plan=st.sampled_from(["pro", "free", None, None]),
        category=st.sampled_from(["docs", "pricing", None]),
    ),
    max_size=25,
)


@settings(max_examples=50, deadline=None)
@given(rows=ROWS)
def test_every_kind_of_signal_equals_a_recount_by_hand(rows: list[Row]):
    """Whatever happens, each signal equals one made visit by visit and event by event in plain Python.

    So they carry over visits unless they are about the visit. What comes with or after the request, or from a server
    after the visit's last browser event, counts from the next visit on.
    """
    frame = events_of(*rows)
    events = assign_visits(frame).to_dicts()
    for row in visit_table(enrich(frame), signals=SIGNALS).to_dicts():
        own = [each for each in events if each["anonymous_id"] == row["anonymous_id"]]
        expected = recount(own, row["visit"], asked=row["requested_demo"])
        assert {name: row[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def recount(events: list[Row], visit: int, *, asked: bool) -> dict[str, object]:
    """The signals at the end of a visitor's visit; events of one moment are ordered browser first, servers second."""
    events = sorted(events, key=lambda each: (each["event_time"], each["event"] in {DEMO, HELD}))
    known = events[: end_of(events, visit, asked=asked)]
    here = [each for each in known if each["visit"] == visit]
    pages, pages_here = ([each for each in some if each["type"] == "page"] for some in (known, here))
    lengths = [length([each for each in pages if each["visit"] == number]) for number in range(1, visit + 1)]
    return {
        "pro": any('"pro"' in (each["extra"] or "") for each in known),
        "video": any(each["event"] == "Video Watched" for each in known),
        "held": any(each["event"] == HELD for each in known),
        "pages": len(pages),
        "pages_here": len(pages_here),
        "log_pages": math.log(1 + len(pages_here)),
        "events": len(known),
        "events_here": len(here),
        "docs": sum(each["category"] == "docs" for each in pages) >= 2,
        "read": sum(each["category"] in {"docs", "pricing"} for each in pages),
        "watched": sum(each["event"] == "Video Watched" for each in known),
        "visits": visit,
        "all_minutes": sum(lengths),
        "log_minutes": math.log1p(sum(lengths)),
        "minutes": lengths[-1],
        "long": lengths[-1] > 10,
        "capped": min(2, len(pages)),
        "log_capped": math.log(1 + min(2, len(pages_here))),
        "in_order": in_order(known, ["docs", "pricing"]),
        "there_and_back": in_order(known, ["docs", "Video Watched", "docs"]),
        "this_visit_or_last": any(
            each["category"] == "docs" and visit - visit_so_far < 2
            for each, visit_so_far in zip(known, accumulate((each["visit"] or 0 for each in known), max), strict=True)
        ),
        "within_the_hour": any(
            each["event"] == "Video Watched" and pages_here[-1]["event_time"] - each["event_time"] <= 2 * IDLE
            for each in known
        ),
    }


def in_order(events: list[Row], steps: list[str]) -> bool:
    """Whether events take these steps one after another."""
    for each in events:
        if steps and steps[0] in {each["category"], each["event"]}:
            steps = steps[1:]
    return not steps


def end_of(events: list[Row], visit: int, *, asked: bool) -> int:
    """How many events are known at the end of a visit: those up to its last browser event before the request."""
    until = min(each["event_time"] for each in events if each["event"] == DEMO) if asked else None
    return 1 + max(
        place
        for place, each in enumerate(events)
        if each["visit"] == visit
        and each["event"] not in {DEMO, HELD}
        and (until is None or each["event_time"] < until)
    )


def length(pages: list[Row]) -> float:
    """Minutes from the first to the last of some page views."""
    times = [each["event_time"] for each in pages]
    return (max(times) - min(times)).total_seconds() / 60 if times else 0.0
