"""Claims about calls that belong to the form of a demo request."""

from datetime import datetime, timedelta

import polars as pl
import pytest
from flat_events import DEMO, Row, event, events_of
from hypothesis import given, settings, strategies as st

from analytics.events.tracking_plan import EventName
from analytics.sessions.visits import visit_table
from analytics.signals.definitions import EventCount, EverSeen

PAPER = str(EventName.WHITE_PAPER_DOWNLOADED)
SECOND = 1 / 60
EMAIL = "ann@acme.example.com"
SIGNALS = (
    EverSeen("company_email", "has given a company e-mail address", "high", "company_email", (True,)),
    EverSeen("plan", "has the plan pro", "context", "traits.plan", ("pro",)),
    EverSeen("in_acme", "is from Acme", "context", "context_group_id", ("acme",)),
    EventCount("n_events", "number of events", "context", "events"),
)


def identify(minute: float, who: str | None = "ann", **columns: object) -> Row:
    """The visitor gives an address and a plan."""
    return event(minute, "identify", who, email=EMAIL, extra='{"traits":{"plan":"pro"}}', **columns)


def group(minute: float) -> Row:
    """The visitor is named as one of Acme."""
    return event(minute) | {"type": "group", "context_group_id": "acme"}


def table_of(*rows: Row) -> pl.DataFrame:
    """The visit table of some events, with the signals that these calls may give."""
    return visit_table(events_of(*rows), signals=SIGNALS)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([event(0), identify(10), event(10 + SECOND / 1000, DEMO)], [False], id="a millisecond before"),
        pytest.param([event(0), identify(10), event(10.5, DEMO)], [False], id="30 seconds before"),
        pytest.param([event(0), identify(10), event(10.5 + SECOND / 1000, DEMO)], [True], id="longer before"),
        pytest.param([event(0), identify(9.8), identify(9.9), event(10, DEMO)], [False], id="twice"),
        pytest.param([event(0), identify(10), event(10.1), event(10.2, DEMO)], [False], id="with a page in between"),
        pytest.param([event(0), identify(10), event(10, PAPER), event(10.1, DEMO)], [True], id="with a download"),
        pytest.param([event(0), event(10, PAPER), identify(10), event(10.1, DEMO)], [True], id="in either order"),
        pytest.param([event(0), event(9.8, PAPER), identify(10), event(10.1, DEMO)], [False], id="a download before"),
        pytest.param([event(0), event(9.9, PAPER), identify(10), event(10.1, DEMO)], [True], id="of the download"),
        pytest.param([event(0), identify(5), identify(10), event(10.1, DEMO)], [True], id="known before"),
        pytest.param(
            [event(0), identify(10), event(10, who="bob"), event(10.2, DEMO, "bob")], [True, False], id="whose"
        ),
        pytest.param([event(0), identify(10), event(100)], [True, True], id="no request"),
        pytest.param([event(0), identify(10), event(10.1, DEMO), event(100)], [False, True], id="known from then on"),
    ],
)
def test_an_address_given_with_the_form_of_a_request_is_no_signal_before_it(rows: list[Row], expected: list[bool]):
    """An identify call counts with the request if that is the next track call, of the same visitor, in 30 seconds."""
    assert table_of(*rows)["company_email"].to_list() == expected
    assert table_of(*reversed(rows))["company_email"].to_list() == expected


def test_what_other_signals_read_of_these_calls_goes_with_them():
    """Traits, companies of group calls and numbers of events; the pages seen in between stay what they are."""
    rows = [event(0), event(9), identify(10), group(10.1), event(10.2), event(10.3, DEMO), event(100)]
    table = table_of(*rows)
    assert table.select("plan", "in_acme", "n_events", "n_page_views", "requested_demo").rows() == [
        (False, False, 3, 3, True),
        (True, True, 7, 1, False),
    ]
    assert table["account"].to_list() == ["acme", "acme"]


def test_a_person_known_to_the_server_by_user_id_alone_is_the_same_person():
    """The form names the browser's user; the server's request has the user id alone."""
    rows = [event(0), identify(10, user_id="u1"), event(10.01, DEMO, None, user_id="u1")]
    assert table_of(*rows).select("company_email", "requested_demo").rows() == [(False, True)]


def test_an_outcome_of_another_name_has_the_rule_once_it_is_renamed():
    """Names are replaced before visits are made, so the rule holds for whatever is the demo request."""
    rows = [event(0), identify(10), event(10.01, "Call Booked")]
    booked = events_of(*rows).with_columns(pl.col("event").cast(pl.String).replace("Call Booked", DEMO))
    assert table_of(*rows)["company_email"].to_list() == [True]
    assert visit_table(booked, signals=SIGNALS)["company_email"].to_list() == [False]


def test_a_visit_of_nothing_but_the_form_has_no_row():
    """An identify call may open a visit; no page view, no row, and the visit before keeps its own."""
    rows = [event(0), identify(100), event(100.1, DEMO)]
    assert table_of(*rows).select("visit", "company_email", "requested_demo").rows() == [(1, False, False)]


ROWS = st.lists(
    st.builds(
        event,
        # Ten-second steps make equal times and waits of exactly 30 seconds common.
        minute=st.integers(0, 12).map(lambda step: step / 6),
        name=st.sampled_from(["page", "page", "identify", "identify", PAPER, DEMO, str(EventName.DEMO_HELD)]),
        who=st.sampled_from(["ann", "bob"]),
        email=st.just(EMAIL),
    ),
    max_size=12,
)


@settings(max_examples=100, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 100))
def test_the_rule_equals_a_recount_by_hand_in_any_order(rows: list[Row], seed: int):
    """An address is known in the visit with the request if any identify call before it is not of a form."""
    pages = [event(-1, who=who) for who in ("ann", "bob")]
    rows = [*pages, *(row if row["type"] == "identify" else row | {"email": None} for row in rows)]
    frame = events_of(*rows).sample(fraction=1, shuffle=True, seed=seed)
    table = visit_table(frame, signals=SIGNALS[:1], conversion_unit="visitor")
    for who, visit, known, asked in table.select("anonymous_id", "visit", "company_email", "requested_demo").rows():
        own = [row for row in rows if row["anonymous_id"] == who]
        asking = min((row["timestamp"] for row in own if row["event"] == DEMO), default=None)
        assert (visit, asked) == (1, asking is not None)
        calls = [row["timestamp"] for row in own if row["type"] == "identify"]
        assert known == any(not of_form(call, own) for call in calls if asking is None or call < asking)


def of_form(call: datetime, own: list[Row]) -> bool:
    """Whether the next moment with a track call is soon and has a request, and no other track call is as near."""
    others = [row["timestamp"] for row in own if row["type"] == "track" and row["event"] != DEMO]
    tracks = [row for row in own if row["type"] == "track" and row["timestamp"] >= call]
    first = min((row["timestamp"] for row in tracks), default=None)
    return (
        first is not None
        and first - call <= timedelta(seconds=30)
        and any(row["event"] == DEMO for row in tracks if row["timestamp"] == first)
        and not any(call - (first - call) <= other <= call for other in others)
    )
