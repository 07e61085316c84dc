"""Claims about visits and the visit table."""

import math
from datetime import datetime, timedelta
from typing import Any, get_args

import polars as pl
import pytest
from flat_events import START
from hypothesis import given, settings, strategies as st
from polars.testing import assert_frame_equal

from analytics.events.enrichment import conform, enrich
from analytics.events.tracking_plan import EventName
from analytics.sessions.timeline import timeline
from analytics.sessions.visits import assign_visits, visit_table
from analytics.signals.definitions import SIGNALS, ConversionUnit, EverSeen, SessionLength, visit_schema

Row = dict[str, Any]
END = START + timedelta(days=1)
IDLE = timedelta(minutes=30)
MOMENT = timedelta(milliseconds=1)
DEMO, HELD = str(EventName.DEMO_REQUESTED), str(EventName.DEMO_HELD)
SCHEMA = {
    "type": pl.String,
    "anonymous_id": pl.String,
    "user_id": pl.String,
    "event": pl.String,
    "timestamp": pl.Datetime("ms", "UTC"),
    "category": pl.String,
    "email": pl.String,
    "context_campaign_medium": pl.String,
    "context_group_id": pl.String,
    "context_user_agent": pl.String,
}


def event(minute: float, kind: str = "page", who: str | None = "ann", **columns: object):
    """One event; a kind other than a call of Segment is the name of a track call."""
    call = kind if kind in {"page", "identify"} else "track"
    name = kind if call == "track" else None
    return {"type": call, "event": name, "anonymous_id": who, "timestamp": START + timedelta(minutes=minute), **columns}


def events_of(*rows: Row):
    """The flat table of these events."""
    return conform(pl.DataFrame(list(rows), schema=SCHEMA))


def visits_of(*rows: Row):
    """The visit number of each event, in the order of the result."""
    return assign_visits(events_of(*rows))["visit"].to_list()


def test_a_gap_of_exactly_the_time_out_stays_and_a_longer_one_opens_a_visit():
    """30 minutes of silence are still the same visit; a millisecond more is another."""
    assert visits_of(event(0), event(30), event(60 + 1 / 60_000)) == [1, 1, 2]


def test_midnight_does_not_split_a_visit():
    """A visit that continues past midnight, UTC or local, is one."""
    assert visits_of(*(event(24 * 60 + minute) for minute in (-25, -1, 0, 20))) == [1, 1, 1, 1]


def test_a_late_event_may_join_two_visits():
    """Two visits 50 minutes apart are one when it turns out that something happened in between."""
    early, late = event(0), event(50)
    assert visits_of(early, late) == [1, 2]
    assert visits_of(early, late, event(25)) == [1, 1, 1]
    assert visit_table(events_of(early, late, event(25)))["n_page_views"].to_list() == [3]


def test_a_visit_lasts_a_day_at_most():
    """Exactly 24 hours after its first event a visit continues; a millisecond later the next one opens, and so on."""
    steps = [event(30 * n) for n in range(49)]
    assert set(visits_of(*steps)) == {1}
    assert visits_of(*steps, event(24 * 60 + 1 / 60_000))[-1] == 2
    without_end = visits_of(*(event(29 * n) for n in range(300)))
    # 49 events 29 minutes apart fit into a day.
    assert without_end == [1 + n // 50 for n in range(300)]


@settings(max_examples=60)
@given(
    gaps=st.lists(st.sampled_from([0, 10, 29, 30, 31, 400]), min_size=1, max_size=150),
    servers=st.sets(st.integers(0, 150)),
    n_visitors=st.integers(1, 3),
)
def test_visits_are_cut_as_one_would_by_hand(gaps: list[int], servers: set[int], n_visitors: int):
    """Event by event: a gap too long or a day since the first event opens a visit; server-side events never do."""
    minute, rows = 0, []
    for n, gap in enumerate(gaps):
        minute += gap
        rows += [event(minute, HELD if n in servers else "page", f"v{k}") for k in range(n_visitors)]
    expected, opened, latest, visit = [], -(10**9), -(10**9), 0
    for row in (row for row in rows if row["anonymous_id"] == "v0"):
        at = (row["timestamp"] - START) / timedelta(minutes=1)
        if row["event"] is None:
            if at - latest > 30 or at - opened > 24 * 60:
                visit, opened = visit + 1, at
            latest = at
        # At one time the browser's events come first.
        expected.append((at, row["event"] is not None, visit if at - latest <= 30 else None))
    table = assign_visits(events_of(*rows))
    for k in range(n_visitors):
        own = table.filter(pl.col("anonymous_id") == f"v{k}")
        pages = own.filter(pl.col("type") == "page")["visit"].to_list()
        assert pages == [number for _, by_server, number in expected if not by_server]


def test_the_idle_time_out_can_be_chosen():
    """With a time-out of 5 minutes, 10 minutes of silence open a visit."""
    table = assign_visits(events_of(event(0), event(10)), idle_minutes=5)
    assert table["visit"].to_list() == [1, 2]


@pytest.mark.parametrize("minutes", [0, -1, math.nan])
def test_an_idle_time_out_must_be_positive(minutes: float):
    """Nothing, less than nothing and NaN are no time-out."""
    with pytest.raises(ValueError, match="idle_minutes"):
        assign_visits(events_of(), idle_minutes=minutes)


def test_a_server_side_event_neither_opens_nor_prolongs_a_visit():
    """A request between two page views 50 minutes apart does not make them one visit."""
    assert visits_of(event(0), event(25, DEMO), event(50)) == [1, 1, 2]


def test_a_request_belongs_to_the_visit_it_falls_in_or_to_none():
    """Within 30 minutes of the last page it is in the visit; later, or without any page before, in none."""
    assert visits_of(event(0), event(30, DEMO)) == [1, 1]
    assert visits_of(event(0), event(31, DEMO)) == [1, None]
    assert visits_of(event(0, DEMO), event(1)) == [None, 1]


def test_a_request_at_the_very_moment_of_a_page_view_is_in_its_visit_whatever_their_order():
    """Ties are settled by what the events are, not by the row they happen to stand in."""
    assert visits_of(event(0, DEMO), event(0)) == visits_of(event(0), event(0, DEMO)) == [1, 1]


def test_events_come_sorted_by_visitor_time_and_given_order():
    """At equal times the given order stays; the columns of the enriched events are all there."""
    table = assign_visits(events_of(event(5, who="bob"), event(1, category="b"), event(1, category="a"), event(0)))
    assert table["anonymous_id"].to_list() == ["ann", "ann", "ann", "bob"]
    assert table["category"].to_list() == [None, "b", "a", None]
    assert table.columns == [*enrich(events_of()).columns, "visit"]


def test_without_a_browser_the_person_is_the_visitor():
    """An event without anonymous_id counts for its user_id; one with neither is kept, without a visit."""
    table = assign_visits(
        events_of(event(0, who=None, user_id="u1"), event(5, who=None, user_id="u1"), event(9, who=None))
    )
    assert table.select("anonymous_id", "visit").rows() == [("u1", 1), ("u1", 1), (None, None)]
    assert visit_table(events_of(event(0, who=None, user_id="u1"), event(9, who=None)))["anonymous_id"].to_list() == [
        "u1"
    ]


def test_the_timeline_has_one_row_per_event_with_its_row_in_the_table():
    """`order` leads back from the timeline to the table of events."""
    table = enrich(events_of(event(9), event(0, DEMO), event(1)))
    rows = timeline(table, idle_minutes=30).select("order", "page", "request", "visit_so_far", "in_visit").rows()
    assert rows == [(1, False, True, 0, False), (2, True, False, 1, True), (0, True, False, 1, True)]


def test_signals_accumulate_over_visits():
    """What was seen in the first visit is still known in the second, and not the other way round."""
    table = visit_table(events_of(event(0, category="security"), event(100, category="pricing")))
    assert table["security_page_view"].to_list() == [True, True]
    assert table["pricing_page_view"].to_list() == [False, True]


def test_what_comes_with_or_after_the_request_does_not_count_for_its_visit_but_for_the_next():
    """The pricing page at the moment of the request and the careers page after it led to nothing."""
    rows = [event(0), event(10, category="security"), event(20, category="pricing"), event(20, DEMO)]
    table = visit_table(events_of(*rows, event(25, category="careers"), event(100)))
    assert table["security_page_view"].to_list() == [True, True]
    assert table["pricing_page_view"].to_list() == table["careers_page_view"].to_list() == [False, True]
    assert table["n_page_views"].to_list() == [2, 1]
    assert table["log_session_minutes"].to_list() == pytest.approx([math.log(11), 0.0], abs=1e-15)
    assert table["ended_at"].to_list() == [START + timedelta(minutes=10), START + timedelta(minutes=100)]


def test_the_hazard_ends_with_the_first_request():
    """The visit that ends in the first request is at risk; later visits are not, and their requests do not count."""
    table = visit_table(events_of(event(0), event(100), event(101, DEMO), event(200), event(201, DEMO)))
    assert table["at_risk"].to_list() == [True, True, False]
    assert table["requested_demo"].to_list() == [False, True, False]


def test_a_request_outside_any_visit_ends_the_hazard_without_a_visit_to_show_for_it():
    """The visit before it was at risk and did not end in it; the visit after it is no longer at risk."""
    table = visit_table(events_of(event(0), event(60, DEMO), event(100)))
    assert table.select("at_risk", "requested_demo").rows() == [(True, False), (False, False)]


def acme(minute: float, who: str, kind: str = "page", account: str | None = "acme"):
    """An event of somebody from Acme, or from elsewhere."""
    return event(minute, kind, who, context_group_id=account)


def test_once_a_colleague_has_asked_visits_are_no_longer_at_risk():
    """A visit whose last page view is at the account's first request or later is out, an earlier one is not.

    Strangers, and visitors of whom no company is known, go on.
    """
    rows = [acme(0, "ann"), acme(20, "ann", DEMO)]
    others = [acme(9, "bob"), acme(19.5, "bob"), acme(5, "cy"), acme(20, "cy"), acme(300, "di")]
    strangers = [acme(300, "ed", account="other"), acme(300, "flo", account=None)]
    table = visit_table(events_of(*rows, *others, *strangers)).sort("anonymous_id")
    at_risk = dict(table.select("anonymous_id", "at_risk").iter_rows())
    assert at_risk == {"ann": True, "bob": True, "cy": False, "di": False, "ed": True, "flo": True}
    assert table["requested_demo"].to_list() == [True, *[False] * 5]
    assert visit_table(events_of(*rows, *others, *strangers), conversion_unit="visitor")["at_risk"].all()


def test_a_second_request_of_an_account_counts_for_its_visitor_only():
    """Where people ask for themselves both visits count; where the account asks once, only that of the first."""
    rows = [acme(0, "ann"), acme(20, "ann", DEMO), acme(100, "bob"), acme(101, "bob", DEMO)]
    each, one = (visit_table(events_of(*rows), conversion_unit=per) for per in ("visitor", "account"))
    assert each["at_risk"].to_list() == [True, True]
    assert one["at_risk"].to_list() == [True, False]
    assert each["requested_demo"].to_list() == one["requested_demo"].to_list() == [True, True]


def test_a_request_that_belongs_to_no_visit_speaks_for_the_account_as_well():
    """A colleague whose tracker was blocked leaves the request alone, and that is enough."""
    table = visit_table(events_of(acme(0, "ann", DEMO), acme(50, "bob"), event(60, DEMO, "bob")))
    assert table.select("anonymous_id", "at_risk").rows() == [("bob", False)]


def test_an_account_learnt_after_the_request_counts():
    """The company first known of who asked is the company that has asked, whenever it was learnt."""
    table = visit_table(events_of(event(0), event(1, DEMO), acme(500, "ann"), acme(100, "bob")))
    assert (
        dict(table.select("anonymous_id", "at_risk").unique("anonymous_id", keep="first").iter_rows())["bob"] is False
    )


def test_who_asks_must_be_known():
    """A misspelt `conversion_unit` is refused with what there is."""
    with pytest.raises(ValueError, match="conversion_unit: must be one of account, visitor"):
        visit_table(events_of(), conversion_unit="company")


def test_a_visit_without_a_page_view_has_no_row_but_keeps_its_number():
    """A download alone is a visit that the table leaves out, and what it showed counts later."""
    table = visit_table(events_of(event(0, str(EventName.WHITE_PAPER_DOWNLOADED)), event(100)))
    assert table.select("visit", "white_paper_download").rows() == [(2, True)]


def test_a_visit_is_censored_until_the_time_out_has_passed():
    """Observed until exactly 30 minutes after the last page a visit is over; a millisecond less and it is not."""
    frame = events_of(event(0), event(10))
    over = START + timedelta(minutes=40)
    assert visit_table(frame, observed_until=over)["censored"].to_list() == [False]
    assert visit_table(frame, observed_until=over - timedelta(milliseconds=1))["censored"].to_list() == [True]
    assert visit_table(frame, observed_until=over.replace(tzinfo=None))["censored"].to_list() == [False]
    assert visit_table(frame)["censored"].to_list() == [True]


def test_the_account_is_the_first_that_is_known_of_the_visitor():
    """A company learnt late holds for all visits; a second company changes nothing."""
    rows = event(0), event(100, context_group_id="acme"), event(200, context_group_id="other")
    assert visit_table(events_of(*rows))["account"].to_list() == ["acme"] * 3


def test_bots_have_no_visits_unless_asked_for():
    """A crawler's page views make no row by default."""
    crawler = event(0, context_user_agent="Googlebot/2.1")
    assert visit_table(events_of(crawler)).is_empty()
    assert visit_table(events_of(crawler), include_bots=True).height == 1


def test_signals_can_be_chosen():
    """Signals of one's own become the columns, in their order and with their types."""
    signals = (
        SessionLength("minutes", "minutes of the visit", "high", "minutes"),
        EverSeen("blog_view", "has read the blog", "low", "category", ("blog",)),
    )
    table = visit_table(events_of(event(0, category="blog"), event(12.5)), signals=signals)
    assert table.schema == visit_schema(signals)
    assert table.select("minutes", "blog_view").rows() == [(12.5, True)]


def test_no_events_make_no_visits():
    """Empty in, empty out, with the right columns."""
    assert visit_table(events_of()).schema == visit_schema()
    assert assign_visits(events_of()).is_empty()


WHO = st.sampled_from(["ann", "bob", "cy", None])
ROWS = st.lists(
    st.builds(
        event,
        # Five-minute steps make equal times and gaps of exactly the time-out common.
        minute=st.integers(0, 40).map(lambda step: 5 * step),
        kind=st.sampled_from(
            ["page"] * 5 + ["identify", str(EventName.WHITE_PAPER_DOWNLOADED), DEMO, DEMO, HELD],
        ),
        who=WHO,
        user_id=st.sampled_from(["u1", None]),
        category=st.sampled_from(["security", "pricing", None, None]),
        email=st.sampled_from(["a@acme.example.com", "a@gmail.com", None, None]),
        context_campaign_medium=st.sampled_from(["cpc", None, None]),
        context_group_id=st.sampled_from(["g1", "g2", None, None]),
        context_experiments=st.sampled_from(["e=a", None, None]),
    ),
    max_size=25,
)


@settings(max_examples=80, deadline=None)
@given(rows=ROWS, until=st.integers(0, 240), conversion_unit=st.sampled_from(get_args(ConversionUnit)))
def test_the_visit_table_equals_a_recount_by_hand(rows: list[Row], until: int, conversion_unit: ConversionUnit):
    """Whatever happens, the table equals one made visitor by visitor and event by event in plain Python."""
    observed_until = START + timedelta(minutes=until)
    frame = events_of(*rows)
    recounted = recount(enrich(frame).to_dicts(), observed_until, conversion_unit)
    expected = pl.DataFrame(recounted, schema=visit_schema(), orient="row")
    table = visit_table(frame, observed_until=observed_until, conversion_unit=conversion_unit)
    assert_frame_equal(table, expected, abs_tol=1e-12)


@settings(max_examples=30, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 100))
def test_the_order_of_delivery_does_not_matter(rows: list[Row], seed: int):
    """Shuffled events make the same visit table."""
    # Which of two companies named at the same time comes first is the one thing that the order decides.
    one_company = [row | {"context_group_id": "g1"} for row in rows]
    frame = events_of(*one_company)
    assert_frame_equal(visit_table(frame), visit_table(frame.sample(fraction=1, shuffle=True, seed=seed)))


def recount(events: list[Row], observed_until: datetime, conversion_unit: ConversionUnit):
    """Make the rows of the visit table the slow way."""
    by_visitor = {}
    for row in events:
        key = row["anonymous_id"] or row["user_id"]
        if key is not None:
            by_visitor.setdefault(key, []).append(row)
    settled = dict[str | None, datetime]()
    for own in by_visitor.values() if conversion_unit == "account" else ():
        account, request = account_and_request(own)
        if request is not None:
            settled[account] = min(request, settled.get(account, request))
    settled.pop(None, None)
    rows = [row for key, own in by_visitor.items() for row in recount_visitor(key, own, observed_until, settled)]
    return sorted(rows, key=lambda row: (row[4], row[0], row[1]))


def account_and_request(events: list[Row]) -> tuple[str | None, datetime | None]:
    """The account first known of a visitor, and when they first asked."""
    account = next((row["context_group_id"] for row in in_order(events) if row["context_group_id"]), None)
    return account, min((row["event_time"] for row in events if row["event"] == DEMO), default=None)


def in_order(events: list[Row]) -> list[Row]:
    """Events by time; at equal times the server's come last."""
    return sorted(events, key=lambda row: (row["event_time"], row["event"] in {DEMO, HELD}))


def recount_visitor(key: str, events: list[Row], observed_until: datetime, settled: dict[str | None, datetime]):
    """Make the rows of one visitor, given when each account had asked."""
    events = in_order(events)
    account, request = account_and_request(events)
    arms = next((row["context_experiments"] for row in events if row["context_experiments"]), None)
    client = [row for row in events if row["event"] not in {DEMO, HELD}]
    visits = []
    for row in client:
        if not visits or row["event_time"] - visits[-1][-1]["event_time"] > IDLE:
            visits.append([])
        visits[-1].append(row)
    for number, visit in enumerate(visits, start=1):
        opened = visit[0]["event_time"]
        touched = [row["event_time"] for row in visit if request is not None and row["event_time"] <= request]
        following = visits[number] if number < len(visits) else None
        asked = bool(touched) and request - max(touched) <= IDLE
        asked = asked and not (following and following[0]["event_time"] <= request)
        counted = [row for row in visit if not asked or row["event_time"] < request]
        pages = [row["event_time"] for row in counted if row["type"] == "page"]
        if not pages:
            continue
        over = min(visit[-1]["event_time"] + IDLE, following[0]["event_time"] - MOMENT if following else END)
        over = request - MOMENT if asked else over
        so_far = [row for row in events if row["event_time"] <= over]
        minutes = (pages[-1] - pages[0]).total_seconds() / 60
        shown = [
            math.log1p(minutes)
            if isinstance(signal, SessionLength)
            else any(row[signal.column] in signal.values for row in so_far)
            for signal in SIGNALS
        ]
        at_risk = (request is None or request >= opened) and not (account in settled and pages[-1] >= settled[account])
        censored = pages[-1] + IDLE > observed_until
        yield (key, number, account, arms, pages[0], pages[-1], len(pages), *shown, at_risk, censored, asked)
