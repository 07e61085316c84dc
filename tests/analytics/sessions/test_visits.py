"""Claims about visits and the visit table."""

import math
from datetime import datetime, timedelta
from typing import get_args

import polars as pl
import pytest
from flat_events import CRAWLER, DEMO, HELD, START, UNCOUNTED, Row, are_countable, event, events_of
from hypothesis import assume, given, settings, strategies as st
from polars.testing import assert_frame_equal

from analytics.events.enrichment import enrich
from analytics.events.tracking_plan import EventName
from analytics.sessions.identity import stitched
from analytics.sessions.partitions import partitions_by_visitor
from analytics.sessions.visits import assign_visits, visit_table, visit_table_of_parts
from analytics.signals.definitions import SIGNALS, ConversionUnit, SessionLength, visit_schema

END = START + timedelta(days=1)
IDLE = timedelta(minutes=30)
MOMENT = timedelta(milliseconds=1)
PAPER = str(EventName.WHITE_PAPER_DOWNLOADED)


def visits_of(*rows: Row):
    """The visit number of each event, in the order of the result."""
    return assign_visits(events_of(*rows))["visit"].to_list()


@pytest.mark.parametrize(
    ("rows", "visits"),
    [
        pytest.param(
            [event(0), event(30), event(60 + 1 / 60_000)], [1, 1, 2], id="a gap of exactly the time-out stays"
        ),
        pytest.param([event(1440 + minute) for minute in (-25, -1, 0, 20)], [1] * 4, id="midnight splits no visit"),
        pytest.param([event(0), event(50)], [1, 2], id="two visits"),
        pytest.param([event(0), event(50), event(25)], [1, 1, 1], id="which a late event joins"),
        pytest.param([event(0), event(25, DEMO), event(50)], [1, 1, 2], id="a server's event prolongs no visit"),
        pytest.param([event(0), event(30, DEMO)], [1, 1], id="a request within the time-out is in the visit"),
        pytest.param([event(0), event(31, DEMO)], [1, None], id="a later one in none"),
        pytest.param([event(0, DEMO), event(1)], [None, 1], id="nor one before any page"),
        pytest.param([event(0, DEMO), event(0)], [1, 1], id="a request at the moment of a page is in its visit"),
        pytest.param([event(0), event(0, DEMO)], [1, 1], id="whatever their order"),
    ],
)
def test_visits_are_cut_by_what_the_browser_does(rows: list[Row], visits: list[int | None]):
    """30 minutes of silence are still the same visit, a millisecond more is another; servers open and prolong none."""
    assert visits_of(*rows) == visits


SERVERS = pytest.mark.parametrize(
    "sent",
    [
        {"extra": '{"channel":"server"}'},
        {"extra": '{"channel":"Server"}', "context_library_name": "analytics.js"},
        {"context_library_name": "analytics-node"},
        {"context_library_name": "@segment/analytics-node"},
        {"context_library_name": "rudder-sdk-python"},
        {"context_library_name": "RudderStack Node.js SDK"},
        {"context_library_name": "http"},
        {"context_library_name": "posthog-php"},
    ],
)


@SERVERS
@pytest.mark.parametrize("name", ["Invoice Paid", "identify"])
def test_events_of_servers_never_join_visits(sent: Row, name: str):
    """Whatever their name: two page views 50 minutes apart are two visits, although a server wrote in between."""
    events = events_of(event(0), event(25, name, **sent), event(50))
    assert visit_table(events).height == 2
    assert visit_table(events_of(event(0, name, **sent))).is_empty()
    assert visit_table_of_parts(partitions_by_visitor(events, 2)).height == 2
    by_browser = {"extra": '{"channel":"client"}', "context_library_name": "@segment/analytics-next"}
    assert visit_table(events_of(event(0), event(25, name, **by_browser), event(50))).height == 1


@SERVERS
def test_page_views_that_a_server_reports_are_the_visitors(sent: Row):
    """A site that renders its pages on a server tracks them there: its visits are cut like any other's."""
    events = events_of(*(event(minute, **sent) for minute in (0, 5, 180)))
    assert visit_table(events)["visit"].to_list() == [1, 2]


def test_a_visit_lasts_a_day_at_most():
    """Exactly 24 hours after its first event a visit continues; a millisecond later the next one opens, and so on."""
    steps = [event(30 * n) for n in range(49)]
    assert set(visits_of(*steps)) == {1}
    assert visits_of(*steps, event(24 * 60 + 1 / 60_000))[-1] == 2
    without_end = visits_of(*(event(29 * n) for n in range(300)))
    # 49 events 29 minutes apart fit into a day.
    assert without_end == [1 + n // 50 for n in range(300)]


@settings(max_examples=40)
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
    """With a time-out of 5 minutes, 10 minutes of silence open a visit; none, less than none and NaN are refused."""
    assert assign_visits(events_of(event(0), event(10)), idle_minutes=5)["visit"].to_list() == [1, 2]
    for minutes in (0, -1, math.nan):
        with pytest.raises(ValueError, match="idle_minutes"):
            assign_visits(events_of(), idle_minutes=minutes)


def test_events_come_sorted_by_visitor_time_and_given_order():
    """At equal times the given order stays; the columns of the enriched events are all there."""
    table = assign_visits(events_of(event(5, who="bob"), event(1, category="b"), event(1, category="a"), event(0)))
    assert table["anonymous_id"].to_list() == ["ann", "ann", "ann", "bob"]
    assert table["category"].to_list() == [None, "b", "a", None]
    assert table.columns == [*enrich(events_of()).columns, "visit"]


@UNCOUNTED
def test_without_a_browser_the_person_is_the_visitor():
    """An event without anonymous_id counts for its user_id; one with neither is kept, without a visit."""
    events = events_of(event(0, who=None, user_id="u1"), event(5, who=None, user_id="u1"), event(9, who=None))
    assert assign_visits(events).select("anonymous_id", "visit").rows() == [("u1", 1), ("u1", 1), (None, None)]
    assert visit_table(events)["anonymous_id"].to_list() == ["u1"]


@pytest.mark.parametrize(
    ("rows", "columns", "expected"),
    [
        pytest.param(
            [event(0, category="security"), event(100, category="pricing")],
            ("security_page_view", "pricing_page_view"),
            [(True, False), (True, True)],
            id="signals accumulate over visits",
        ),
        pytest.param(
            [event(0), event(100), event(101, DEMO), event(200), event(201, DEMO)],
            ("at_risk", "requested_demo"),
            [(True, False), (True, True), (False, False)],
            id="the hazard ends with the first request",
        ),
        pytest.param(
            [event(0), event(60, DEMO), event(100)],
            ("at_risk", "requested_demo"),
            [(True, False), (False, False)],
            id="also with one outside any visit",
        ),
        pytest.param(
            [event(0, who="bob", context_group_id="acme"), event(-50, DEMO, context_group_id="acme")],
            ("anonymous_id", "at_risk"),
            [("bob", False)],
            id="which speaks for the account as well",
        ),
        pytest.param(
            [
                event(0),
                event(1, DEMO),
                event(500, context_group_id="acme"),
                event(100, who="b", context_group_id="acme"),
            ],
            ("anonymous_id", "at_risk"),
            [("ann", True), ("b", False), ("ann", False)],
            id="whenever the account was learnt",
        ),
        pytest.param(
            [event(0), event(100, context_group_id="acme"), event(200, context_group_id="other")],
            ("account",),
            [("acme",)] * 3,
            id="the account is the first that is known of the visitor",
        ),
        pytest.param(
            [event(0, PAPER), event(100)],
            ("visit", "white_paper_download"),
            [(2, True)],
            id="a visit without a page view has no row but keeps its number",
        ),
        pytest.param(
            [event(0), event(3, HELD, category="security"), event(5), event(7, HELD, category="pricing"), event(100)],
            ("security_page_view", "pricing_page_view"),
            [(True, False), (True, True)],
            id="a server event after the last browser event counts from the next visit on",
        ),
        pytest.param(
            [event(0), event(5), event(5, HELD, category="pricing"), event(7, DEMO), event(9), event(100)],
            ("requested_demo", "pricing_page_view"),
            [(True, False), (False, True)],
            id="also in the visit that ends in a request",
        ),
    ],
)
def test_a_row_of_the_visit_table_says_what_was_known_at_its_end(
    rows: list[Row], columns: tuple[str, ...], expected: list[tuple[object, ...]]
):
    """What an earlier visit showed still counts, a later one not; the first request ends the risk of its account."""
    assert visit_table(events_of(*rows)).select(columns).rows() == expected


def test_what_comes_with_or_after_the_request_does_not_count_for_its_visit_but_for_the_next():
    """The pricing page at the moment of the request and the careers page after it led to nothing."""
    rows = [event(0), event(10, category="security"), event(20, category="pricing"), event(20, DEMO)]
    table = visit_table(events_of(*rows, event(25, category="careers"), event(100)))
    assert table["security_page_view"].to_list() == [True, True]
    assert table["pricing_page_view"].to_list() == table["careers_page_view"].to_list() == [False, True]
    assert table["n_page_views"].to_list() == [2, 1]
    assert table["log_session_minutes"].to_list() == pytest.approx([math.log(11), 0.0], abs=1e-15)
    assert table["ended_at"].to_list() == [START + timedelta(minutes=10), START + timedelta(minutes=100)]


def acme(minute: float, who: str, name: str = "page", account: str | None = "acme") -> Row:
    """An event of somebody from Acme, or from elsewhere."""
    return event(minute, name, who, context_group_id=account)


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
    with pytest.raises(ValueError, match="conversion_unit: must be one of account, visitor"):
        visit_table(events_of(), conversion_unit="company")


def test_a_visit_is_censored_until_the_time_out_has_passed():
    """Observed until exactly 30 minutes after the last page a visit is over; a millisecond less and it is not."""
    frame = events_of(event(0), event(10))
    over = START + timedelta(minutes=40)
    assert visit_table(frame, observed_until=over)["censored"].to_list() == [False]
    assert visit_table(frame, observed_until=over - timedelta(milliseconds=1))["censored"].to_list() == [True]
    assert visit_table(frame, observed_until=over.replace(tzinfo=None))["censored"].to_list() == [False]
    assert visit_table(frame)["censored"].to_list() == [True]


def test_no_events_and_bots_make_no_visits():
    """Empty in, empty out, with the right columns; a crawler's page views make a row only if one asks for bots."""
    assert visit_table(events_of()).schema == visit_schema()
    assert assign_visits(events_of()).is_empty()
    crawler = events_of(event(0, context_user_agent=CRAWLER))
    assert [visit_table(crawler, include_bots=bots).height for bots in (False, True)] == [0, 1]


WHO = st.sampled_from(["ann", "bob", "cy", None])
ROWS = st.lists(
    st.builds(
        event,
        # Five-minute steps make equal times and gaps of exactly the time-out common.
        minute=st.integers(0, 40).map(lambda step: 5 * step),
        name=st.sampled_from(
            ["page"] * 5 + ["identify", PAPER, DEMO, DEMO, HELD],
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


@UNCOUNTED
@settings(max_examples=50, deadline=None)
@given(
    rows=ROWS,
    until=st.integers(0, 240),
    conversion_unit=st.sampled_from(get_args(ConversionUnit)),
    stitch=st.booleans(),
)
def test_the_visit_table_equals_a_recount_by_hand(
    rows: list[Row], until: int, conversion_unit: ConversionUnit, *, stitch: bool
):
    """Whatever happens, the table equals one made visitor by visitor and event by event in plain Python."""
    assume(are_countable(rows))
    observed_until = START + timedelta(minutes=until)
    frame = events_of(*rows)
    of_visitors = stitched(frame) if stitch else enrich(frame)
    recounted = recount(of_visitors.to_dicts(), observed_until, conversion_unit)
    expected = pl.DataFrame(recounted, schema=visit_schema(), orient="row")
    table = visit_table(frame, observed_until=observed_until, conversion_unit=conversion_unit, stitch=stitch)
    assert_frame_equal(table, expected, abs_tol=1e-12)


@UNCOUNTED
@settings(max_examples=30, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 100))
def test_the_order_of_delivery_does_not_matter(rows: list[Row], seed: int):
    """Shuffled events make the same visit table."""
    assume(are_countable(rows))
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
        # By place, not by time: a server's event at the time of the last browser event comes after it.
        last = next(place for place, row in enumerate(events) if row is counted[-1])
        so_far = events[: last + 1]
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
