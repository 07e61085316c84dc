"""Claims about identities: which browsers are one person, and how well that was found."""

from datetime import timedelta
from itertools import combinations

import polars as pl
import pytest
from flat_events import DEMO, START, TIMES, events_of
from hypothesis import given, settings, strategies as st
from polars.testing import assert_frame_equal

from analytics.errors import AnalyticsError
from analytics.events.enrichment import enrich
from analytics.sessions.identity import score_stitching, stitch, stitched
from analytics.sessions.persons import IDENTITY_SCHEMA
from analytics.sessions.visits import visit_table
from analytics.statistics.funnel import FunnelStatistics

Sighting = tuple[int | None, str | None, str | None]


def sightings(*rows: Sighting, **columns: object) -> pl.DataFrame:
    """Flat page views by minute, browser and user id."""
    table = []
    for minute, browser, user in rows:
        at = None if minute is None else START + timedelta(minutes=minute)
        table.append({"type": "page", "anonymous_id": browser, "user_id": user, **dict.fromkeys(TIMES, at), **columns})
    return events_of(*table)


def persons(*rows: Sighting) -> dict[str, str]:
    """The person found for each browser."""
    return dict(stitch(sightings(*rows)).select("anonymous_id", "person_id").iter_rows())


def identities(**of: str) -> pl.DataFrame:
    """A table of the person of each browser."""
    return pl.DataFrame(list(of.items()), schema={"anonymous_id": pl.String, "person_id": pl.String}, orient="row")


def test_browsers_of_one_user_are_one_person_named_after_the_first_seen():
    """The name is that of the browser seen first, also when it was seen before anybody had said who they are."""
    found = persons((5, "laptop", "u1"), (3, "phone", None), (9, "phone", "u1"), (0, "other", None))
    assert found == {"laptop": "phone", "phone": "phone", "other": "other"}


def test_a_shared_browser_merges_its_users_and_is_counted():
    """The over-merge of deterministic stitching happens, spreads from user to user, and shows in `n_users`."""
    rows = [(0, "anns", "ann"), (1, "kiosk", "ann"), (2, "kiosk", "bob"), (3, "bobs", "bob"), (4, "cys", "cy")]
    found = stitch(sightings(*rows))
    assert found["person_id"].n_unique() == 2
    assert found.filter(pl.col("n_users") > 1)["anonymous_id"].to_list() == ["kiosk"]
    assert found.schema == IDENTITY_SCHEMA


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_an_empty_identifier_joins_nobody(nothing: str | None):
    """Browsers without a user stay apart, and so do users whose server-side events carry no anonymous id."""
    found = stitch(sightings((0, "a", nothing), (1, "b", nothing)))
    assert found.select("person_id", "n_users").rows() == [("a", 0), ("b", 0)]
    assert persons((0, "a", "u1"), (1, nothing, "u1"), (1, nothing, "u2"), (2, "b", "u2")) == {"a": "a", "b": "b"}


def test_one_user_id_on_thousands_of_browsers_is_one_person():
    """A test login on 20,000 browsers makes one person of them, and leaves a stranger alone."""
    rows = [(i, f"b{i:05d}", "qa") for i in range(20_000)]
    found = stitch(sightings(*rows, (0, "stranger", "u")))
    assert found.group_by("person_id").len().sort("len")["len"].to_list() == [1, 20_000]
    assert found["person_id"].unique().sort().to_list() == ["b00000", "stranger"]


def test_no_events_hold_no_browsers():
    """Empty in, empty out, with the right columns; nor do events without any browser."""
    assert stitch(sightings()).schema == stitch(sightings((0, None, "u"))).schema == IDENTITY_SCHEMA
    assert stitch(sightings((0, None, "u"))).is_empty()
    assert stitched(sightings()).is_empty()


NAMES = st.sampled_from([*"abcdef", "", None])
USERS = st.sampled_from(["u", "v", "w", "a", "", None, None])
ROWS = st.lists(st.tuples(st.one_of(st.integers(0, 6), st.none()), NAMES, USERS), max_size=14)


def by_union_find(rows: list[Sighting]) -> dict[str, str]:
    """The person of each browser, the slow way: one union after the other."""
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(node: tuple[str, str]) -> tuple[str, str]:
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    first: dict[str, int] = {}
    for minute, browser, user in rows:
        if browser:
            first[browser] = min(first.get(browser, 1000), 1000 if minute is None else minute)
            parent[root(("browser", browser))] = root(("user", user) if user else ("browser", browser))
    groups: dict[tuple[str, str], list[str]] = {}
    for browser in sorted(first, key=lambda name: (first[name], name)):
        groups.setdefault(root(("browser", browser)), []).append(browser)
    return {browser: group[0] for group in groups.values() for browser in group}


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_the_persons_are_those_of_a_union_find(rows: list[Sighting]):
    """Whatever was seen, the persons and their names equal those joined sighting by sighting in plain Python.

    Of browsers seen at once the smaller name is the person's; a browser of unknown time comes after all others.
    """
    found = stitch(sightings(*rows))
    assert dict(found.select("anonymous_id", "person_id").iter_rows()) == by_union_find(rows)
    users = {browser: {u for _, b, u in rows if b == browser and u} for browser in found["anonymous_id"]}
    assert dict(found.select("anonymous_id", "n_users").iter_rows()) == {b: len(of) for b, of in users.items()}


@settings(max_examples=25, deadline=None)
@given(rows=ROWS, seed=st.integers(0, 100))
def test_the_order_of_events_does_not_matter(rows: list[Sighting], seed: int):
    """Shuffled events hold the same persons, and become events of the same persons."""
    frame = sightings(*rows)
    order = pl.int_range(frame.height, eager=True).sample(fraction=1, shuffle=True, seed=seed)
    assert_frame_equal(stitch(frame[order]), stitch(frame))
    assert_frame_equal(stitched(frame[order]), stitched(frame)[order])


@settings(max_examples=25, deadline=None)
@given(rows=ROWS)
def test_stitching_is_done_once(rows: list[Sighting]):
    """Stitched events hold only persons, each by their own name: stitching them again changes nothing."""
    once = stitched(sightings(*rows))
    assert_frame_equal(stitched(once), once)


def test_stitched_events_say_nothing_else_than_before():
    """Only the anonymous id changes; derived columns and order stay."""
    frame = sightings((5, "b", "u"), (0, "a", "u"), (9, "c", None))
    after = stitched(frame)
    assert after["anonymous_id"].to_list() == ["a", "a", "c"]
    assert_frame_equal(after.drop("anonymous_id"), enrich(frame).drop("anonymous_id"))


def test_an_event_without_a_browser_becomes_that_of_its_user():
    """A server-side event is the person's whose user id it names; of a user no browser knows, it has none.

    So it is with identities that are given, the truth for one: browsers that they do not name stay as they are.
    """
    rows = [(5, "b", "u"), (0, "a", "u"), (9, None, "u"), (9, "", "u"), (9, None, "x"), (9, "", None)]
    assert stitched(sightings(*rows))["anonymous_id"].to_list() == ["a", "a", "a", "a", None, None]
    after = stitched(sightings((0, "a", None), (1, "b", None), (2, "c", "u"), (3, None, "u")), identities(a="p", c="q"))
    assert after["anonymous_id"].to_list() == ["p", "b", "q", "q"]


def test_visits_and_statistics_of_stitched_events_count_persons():
    """Two devices of one buyer are one visitor, whose first device's signals count for the request on the second."""
    phone = sightings((0, "phone", None), (1, "phone", "u"), category="security")
    laptop = sightings((100, "laptop", "u"), (101, "laptop", "u"))
    request = sightings((102, "laptop", "u"), type="track", event=DEMO)
    events = pl.concat([phone, laptop, request])
    browsers, people = (FunnelStatistics(events, stitch=stitch).totals().row(0, named=True) for stitch in (False, True))
    assert (browsers["visitors"], people["visitors"]) == (2, 1)
    assert people["conversion"] == 1
    visits = visit_table(events)
    assert_frame_equal(visit_table(stitched(events)), visits)
    assert visits.select("anonymous_id", "visit", "requested_demo", "security_page_view").rows() == [
        ("phone", 1, False, True),
        ("phone", 2, True, True),
    ]


def test_the_score_of_a_worked_example():
    """Of true persons {a b c} {d e} {f}, found as {a b} {c d} {e} {f}: one pair of two found and of four is right."""
    truth, found = (
        identities(a="1", b="1", c="1", d="2", e="2", f="3"),
        identities(a="x", b="x", c="y", d="y", e="z", f="f"),
    )
    score = score_stitching(found, truth)
    assert (score.n_true_pairs, score.n_found_pairs, score.n_common_pairs) == (4, 2, 1)
    assert (score.precision, score.recall) == (1 / 2, 1 / 4)
    assert (score.n_split, score.n_merged, score.n_browsers, score.n_unscored) == (2, 1, 6, 0)


PARTITION = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("pqr"))


@settings(max_examples=60, deadline=None)
@given(found=PARTITION, truth=PARTITION)
def test_the_score_counts_pairs(found: dict[str, str], truth: dict[str, str]):
    """All counts equal those of going through the pairs of browsers one by one; truth against itself is perfect.

    Browsers that only one of them knows, lost by tracking or those of bots, are counted but make no pair.
    """
    both = sorted(found.keys() & truth.keys())
    pairs = list(combinations(both, 2))
    right, seen = ({pair for pair in pairs if of[pair[0]] == of[pair[1]]} for of in (truth, found))
    score = score_stitching(identities(**found), identities(**truth))
    assert (score.n_true_pairs, score.n_found_pairs, score.n_common_pairs) == (len(right), len(seen), len(right & seen))
    assert (score.n_browsers, score.n_unscored) == (len(both), len(found.keys() ^ truth.keys()))
    assert score.precision == (len(right & seen) / len(seen) if seen else None)
    assert score.recall == (len(right & seen) / len(right) if right else None)
    assert score.n_split == len({truth[a] for a, _ in right - seen})
    assert score.n_merged == len({found[a] for a, _ in seen - right})
    perfect = score_stitching(identities(**truth), identities(**truth))
    assert perfect.n_common_pairs == perfect.n_true_pairs == perfect.n_found_pairs
    assert perfect.n_split == perfect.n_merged == perfect.n_unscored == 0


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pl.DataFrame({"anonymous_id": ["a"]}), "no column person_id"),
        (pl.DataFrame({"anonymous_id": ["a", "a"], "person_id": ["p", "q"]}), "browser 'a' is in several rows"),
        (pl.DataFrame({"anonymous_id": ["a", None], "person_id": ["p", "q"]}), "1 rows lack"),
        (pl.DataFrame({"anonymous_id": ["a"], "person_id": [None]}), "1 rows lack"),
    ],
)
def test_a_table_that_does_not_say_whose_each_browser_is_is_refused(table: pl.DataFrame, message: str):
    """Missing columns, gaps and double entries are refused, with the table's name."""
    with pytest.raises(AnalyticsError, match=f"truth: .*{message}"):
        score_stitching(identities(a="p"), table)
    with pytest.raises(AnalyticsError, match=f"found: .*{message}"):
        score_stitching(table, identities(a="p"))
    with pytest.raises(AnalyticsError, match=f"identities: .*{message}"):
        stitched(sightings((0, "a", None)), table)
