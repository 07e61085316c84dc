"""Claims about persons: connected components of browsers and user ids, in whatever order and parts events come."""

from datetime import timedelta

import polars as pl
import pytest
from flat_events import DEMO, START, TIMES, Row, events_of
from hypothesis import given, settings, strategies as st
from polars.testing import assert_frame_equal

from analytics.analysis import Analysis
from analytics.events.dimensions import dimensions_of
from analytics.sessions import persons
from analytics.sessions.identity import stitch, stitched
from analytics.sessions.partitions import partitions_by_visitor
from analytics.sessions.persons import Persons, identifiers_seen_together
from analytics.sessions.timeline import VISITOR
from analytics.sessions.visits import assign_visits, visit_table, visit_table_of_parts
from analytics.settings import AnalyticsSettings
from analytics.statistics.funnel import FunnelStatistics
from analytics.statistics.segment_content import segment_content


def seen(minute: int, browser: str | None = None, user: str | None = None, **columns: object) -> Row:
    """A page view, or another call, of a browser or of somebody."""
    times = dict.fromkeys(TIMES, START + timedelta(minutes=minute))
    return {"type": "page", "anonymous_id": browser, "user_id": user, **times, **columns}


def alias(minute: int, previous: str | None, user: str | None, browser: str | None = None) -> Row:
    """An alias call."""
    return seen(minute, browser, user, type="alias", previous_id=previous)


def request(minute: int, browser: str | None = None, user: str | None = None) -> Row:
    """A demo request."""
    return seen(minute, browser, user, type="track", event=DEMO)


def identify(minute: int, browser: str, user: str) -> Row:
    """An identify call."""
    return seen(minute, browser, user, type="identify")


def visitors(*rows: Row) -> list[str | None]:
    """The visitor of each event."""
    return stitched(events_of(*rows)).select(VISITOR).to_series().to_list()


def totals(*rows: Row, stitch: bool = True) -> tuple[int, int, int, float]:
    """Visitors, requests, converted visitors and conversion."""
    table = FunnelStatistics(events_of(*rows), stitch=stitch).totals()
    return table.select("visitors", "demo_requests", "converted", "conversion").row(0)


def test_a_request_from_a_server_is_that_of_the_person():
    """A server names the user alone; who that is was seen in the browser, before or after."""
    rows = [seen(0, "a"), identify(1, "a", "u"), request(2, user="u")]
    assert totals(*rows) == (1, 1, 1, 1.0)
    assert totals(*rows[::-1]) == (1, 1, 1, 1.0)
    assert totals(*rows, stitch=False) == (1, 1, 0, 0.0)


def test_requests_with_and_without_a_browser_count_alike():
    """Of ten requests five name the user alone: all ten people have converted."""
    people = [seen(n, f"b{n}", f"u{n}") for n in range(10)]
    requests = [request(20 + n, f"b{n}" if n % 2 else None, f"u{n}") for n in range(10)]
    assert totals(*people, *requests) == (10, 10, 10, 1.0)
    assert totals(*people, *requests, stitch=False)[3] == 0.5


@pytest.mark.parametrize("previous", ["anon", "old"])
def test_an_alias_joins_a_browser_or_an_earlier_user_id(previous: str):
    """Whichever of the two previousId names, the person of today is the one of then."""
    then = seen(0, "anon", "old" if previous == "old" else None)
    rows = [then, alias(5, previous, "new"), seen(9, "phone", "new")]
    assert visitors(*rows) == ["anon"] * 3
    assert totals(*rows)[0] == 1
    assert totals(*rows, stitch=False)[0] == 2


def test_an_alias_of_an_unknown_identifier_joins_those_who_name_it():
    """Two user ids with one previous identifier are one person, also if that was never seen on its own."""
    assert visitors(alias(0, "p", "u"), alias(1, "p", "v"), seen(2, "b", "v"), seen(3, "c", "u")) == ["b"] * 4
    assert visitors(seen(0, user="u"), alias(1, "u", "v"), seen(2, user="v")) == ["u"] * 3
    assert visitors(seen(0, "a"), alias(1, "a", None, browser="b"), seen(2, "b")) == ["a"] * 3


def test_only_alias_calls_have_a_previous_identifier():
    """A table's other rows may have anything there, and nobody is joined by it; nor by what stands for nobody."""
    assert visitors(seen(0, "a", previous_id="b"), seen(1, "b")) == ["a", "b"]
    for nobody in ("", " ", "undefined", "null", "[object Object]", "00000000-0000-0000-0000-000000000000"):
        assert visitors(alias(0, nobody, "u"), alias(1, nobody, "v")) == ["u", "v"]


def test_people_without_a_browser_keep_their_user_ids():
    """Where no event has a browser, the user id is the visitor, and an alias joins two of them."""
    rows = [seen(0, user="u"), seen(1, user="v"), request(2, user="v")]
    assert visitors(*rows) == ["u", "v", "v"]
    assert totals(*rows) == (2, 1, 1, 0.5)
    people = Persons(events_of(*rows))
    assert people.stitched()["anonymous_id"].to_list() == [None] * 3
    assert people.users_without_browser.to_list() == ["u", "v"]
    assert people.identities.n_browsers == 0


def test_where_everybody_has_one_browser_nothing_is_changed():
    """Several users of one browser, and browsers of nobody, need no graph: the very same table is returned."""
    table = Persons(events_of(seen(0, "a", "u"), seen(1, "a", "v"), seen(2, "b"), request(3, "a", "u")))
    assert table.stitched() is table._events
    assert table.browsers.rows() == [("a", "a", 2), ("b", "b", 0)]


BROWSERS, USERS = st.sampled_from([*"abcd", None, None]), st.sampled_from([*"uvwx", None, None])
ROWS = st.lists(
    st.builds(
        lambda minute, browser, user, kind, previous: seen(
            minute,
            browser,
            user,
            type=kind,
            event=DEMO if kind == "track" else None,
            previous_id=previous if kind == "alias" else None,
            category="security" if minute % 2 else "blog",
            context_location_country="DE" if minute % 3 else "US",
        ),
        minute=st.integers(0, 200),
        browser=BROWSERS,
        user=USERS,
        kind=st.sampled_from(["page", "page", "page", "track", "identify", "alias"]),
        previous=st.sampled_from([*"abcduvwxyz", None]),
    ).filter(lambda row: row["anonymous_id"] or row["user_id"]),
    max_size=16,
)


def by_union_find(rows: list[Row]) -> list[str]:
    """The name of the person of each event, one union after the other."""
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(node: tuple[str, str]) -> tuple[str, str]:
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    def nodes(row: Row) -> list[tuple[str, str]]:
        named = [("1 browser", row["anonymous_id"]), ("2 user", row["user_id"])]
        return [node for node in named if node[1]]

    first: dict[tuple[str, str], tuple[str, object, str]] = {}
    for row in rows:
        mine = nodes(row)
        previous = row["previous_id"]
        for node in [*mine, *([("1 browser", previous), ("2 user", previous)] if previous else [])]:
            parent[root(node)] = root(mine[0])
        for kind, name in mine:
            at = (kind, row["timestamp"], name)
            first[kind, name] = min(first.get((kind, name), at), at)
    names = {}
    for node, _ in sorted(first.items(), key=lambda item: item[1]):
        names.setdefault(root(node), node[1])
    return [names[root(nodes(row)[0])] for row in rows]


@settings(max_examples=100, deadline=None)
@given(rows=ROWS)
def test_the_persons_are_those_of_a_union_find(rows: list[Row]):
    """Whatever was seen, each event is that of the person whom a union-find in plain Python finds."""
    assert visitors(*rows) == by_union_find(rows)


@settings(max_examples=15, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 100), n_parts=st.integers(1, 4))
def test_neither_order_nor_parts_nor_stitching_before_matter(rows: list[Row], seed: int, n_parts: int):
    """Statistics and visits are those of the persons, by default, in any order, of all parts and of stitched events."""
    frame = events_of(*rows)
    shuffled = frame.sample(fraction=1, shuffle=True, seed=seed)
    by_hand = frame.with_columns(anonymous_id=pl.Series(by_union_find(rows), dtype=pl.String))
    counts = FunnelStatistics(by_hand, stitch=False).segments("page_group")
    visits = visit_table(by_hand, stitch=False)
    assert_frame_equal(stitch(shuffled), stitch(frame))
    for events in (frame, shuffled, stitched(frame)):
        assert_frame_equal(FunnelStatistics(events).segments("page_group"), counts)
        assert_frame_equal(visit_table(events), visits)
    parts = list(partitions_by_visitor(frame, n_parts))
    assert sum(map(len, parts)) == len(frame)
    assert_frame_equal(FunnelStatistics(parts).segments("page_group"), counts)
    assert_frame_equal(visit_table_of_parts(parts), visits)


@settings(max_examples=25, deadline=None)
@given(rows=ROWS)
def test_other_tables_count_the_same_persons(rows: list[Row]):
    """Visits of events and conversion by segment and content go by persons as the visit table does."""
    frame = events_of(*rows)
    both = (frame, stitched(frame))
    one, other = (assign_visits(events).select(VISITOR, "event_time", "type", "visit") for events in both)
    assert_frame_equal(one, other)
    one, other = (segment_content(events, "region").conversion for events in both)
    assert_frame_equal(one, other)


def test_identifiers_of_any_type_are_kept_together():
    """Parts of raw tables, with numbers as floats and texts that stand for nobody, are parts of the persons."""
    raw = pl.DataFrame(
        {
            "type": ["page", "track", "page", "page"],
            "anonymous_id": ["a", "undefined", "b", "c"],
            "user_id": [12345.0, 12345.0, 12345.0, None],
            "event": [None, DEMO, None, None],
            "timestamp": [START + timedelta(minutes=n) for n in range(4)],
        }
    )
    whole = FunnelStatistics(raw).totals()
    assert whole.select("visitors", "converted").row(0) == (2, 1)
    for n_parts in range(1, 6):
        assert_frame_equal(FunnelStatistics(partitions_by_visitor(raw, n_parts)).totals(), whole)


def test_identifiers_that_join_implausibly_many_are_found():
    """A test account, a shared computer, a default previousId, and an identifier on more than half of all browsers."""
    account = [seen(n, f"b{n}", "qa") for n in range(12)]
    kiosk = [seen(n, "kiosk", f"u{n}") for n in range(11)]
    default = [alias(n, "default", f"v{n}") for n in range(13)]
    plausible = [seen(n, f"c{n % 10}", "ann") for n in range(10)] + [seen(n, "shared", f"w{n}") for n in range(10)]
    found = Persons(events_of(*account, *kiosk, *default, *plausible)).identities.over_merges
    assert found.rows() == [
        ("previous_id", "default", "user_id", 13),
        ("user_id", "qa", "anonymous_id", 12),
        ("anonymous_id", "kiosk", "user_id", 11),
    ]
    few = [seen(n, f"b{n}", "demo") for n in range(5)]
    assert Persons(events_of(*few, *(seen(n, f"s{n}") for n in range(4)))).identities.over_merges["n"].to_list() == [5]
    assert Persons(events_of(*few, *(seen(n, f"s{n}") for n in range(5)))).identities.over_merges.is_empty()


def test_an_analysis_is_by_person_and_finds_persons_once(monkeypatch: pytest.MonkeyPatch):
    """Visits, accounts, first touch, arms and naive analyses are those of the person; the graph is searched once."""
    searched = []

    def counted(events: pl.LazyFrame) -> pl.DataFrame:
        searched.append(events)
        return identifiers_seen_together(events)

    monkeypatch.setattr(persons, "identifiers_seen_together", counted)
    phone = {"context_group_id": "acme", "context_location_country": "DE", "context_experiments": "e=a"}
    laptop = {"context_location_country": "US", "context_experiments": "e=b"}
    rows = [seen(0, "phone", "u", **phone), seen(90, "laptop", "u", **laptop), request(95, user="u")]
    found = {}
    for is_stitched in (True, False):
        analysis = Analysis(lambda: events_of(*rows), AnalyticsSettings(stitch=is_stitched))
        found[is_stitched] = (
            analysis.visits.select("anonymous_id", "visit", "account", "requested_demo").rows(),
            analysis.segments(*dimensions_of(["region"])).select("region", "visitors", "converted").rows(),
            analysis.experiments.in_several_arms["visitor"].to_list(),
            analysis.persons.browsers["person_id"].unique().to_list(),
        )
        assert analysis.content_by("region").conversion.height == analysis.side_by_side.table.height == 0
    assert found[True] == (
        [("phone", 1, "acme", False), ("phone", 2, "acme", True)],
        [("europe", 1, 1)],
        ["phone"],
        ["phone"],
    )
    assert found[False] == (
        [("phone", 1, "acme", False), ("laptop", 1, None, False)],
        [("europe", 1, 0), ("north_america", 1, 0), ("(not set)", 0, 0)],
        [],
        ["phone"],
    )
    assert len(searched) == 2
