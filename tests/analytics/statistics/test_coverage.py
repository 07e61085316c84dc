"""Claims about warnings: figures that may mislead are never without a word, and those that do not have none."""

import pytest
from flat_events import CRAWLER, DEMO, Row, event, events_of

from analytics.sessions.persons import Persons
from analytics.statistics.coverage import Coverage, NameCounts


def warnings(*rows: Row, stitch: bool = True) -> list[str]:
    """The warnings about these events."""
    persons = Persons(events_of(*rows))
    events = persons.stitched() if stitch else events_of(*rows)
    return list(Coverage.of(Persons(events)._events, persons).warnings(stitch=stitch))


def known(n: int) -> list[Row]:
    """People with a browser, a user id and a demo request."""
    return [
        row
        for number in range(n)
        for row in (
            event(number, who=f"b{number}", user_id=f"u{number}"),
            event(number + 1, DEMO, who=None, user_id=f"u{number}"),
        )
    ]


def test_a_stream_that_misses_nothing_has_no_warning():
    """Requests of people who were seen need no word, nor does a stream in which nobody has a browser."""
    assert warnings(*known(3)) == []
    assert (
        warnings(*(event(n, who=None, user_id=f"u{n % 2}") for n in range(4)), event(9, DEMO, None, user_id="u1")) == []
    )
    assert warnings() == []


def test_requests_of_whom_no_page_view_was_seen_are_counted():
    """A server's user id that no event joins to a browser is counted in requests, and in no rate: that is said."""
    strangers = [event(30 + n, DEMO, who=None, user_id=f"s{n}") for n in range(2)]
    requests, users = warnings(*known(3), *strangers)
    assert requests.startswith(
        "2 of 5 demo requests are of people of whom no page view was seen, and are in no conversion rate; no event "
        "joins them to a browser"
    )
    assert users.startswith("2 of 5 user ids were never seen with a browser")
    blocked = [event(30, DEMO, who="blocked")]
    (only,) = warnings(*known(1), *blocked)
    assert only.startswith("1 of 2 demo requests is of somebody of whom no page view was seen")


def test_without_stitching_the_way_out_is_named():
    """Counted by browser, requests from servers are of nobody; the warning names the option that was chosen."""
    requests, *_ = warnings(*known(3), stitch=False)
    assert requests.startswith("3 of 3 demo requests are of people")
    assert "without --no-stitch" in requests


def test_requests_of_bots_are_not_those_of_people():
    """A bot's request without a page view is in no count at all."""
    assert warnings(*known(1), event(9, DEMO, who="bot", context_user_agent=CRAWLER)) == []


@pytest.mark.parametrize("calls", [["identify"], ["identify", "identify", "Signed Up"]])
def test_a_stream_without_page_views_is_named(calls: list[str]):
    """Zeros of a stream that has only calls we do not use come with the calls that it has."""
    (warning,) = warnings(*(event(n, call) for n, call in enumerate(calls)))
    assert f"no page view among these {len(calls)} events" in warning
    assert f"{calls.count('identify')} identify" in warning


def test_a_stream_of_bots_is_named():
    """Page views of bots alone make zeros; so many were left out."""
    (warning,) = warnings(event(0, context_user_agent=CRAWLER), event(1, context_user_agent=CRAWLER))
    assert warning.startswith("all 2 page views are of bots")


def test_a_stream_without_the_outcome_is_named():
    """Where no demo request is, the names of other events are given, one of which may be meant."""
    (names,) = NameCounts.of(events_of(event(0), event(1, "Demo Booked"))).warnings()
    assert "names of their own: 'Demo Booked' (1)" in names
    assert not list(NameCounts.of(events_of(event(0))).warnings())
    assert not list(NameCounts.of(events_of(event(0), event(1, DEMO))).warnings())
    assert not list(NameCounts.of(events_of()).warnings())


def test_a_near_name_of_the_outcome_is_one_warning():
    """Where nobody requests a demo, a name that is nearly right is why; other names are then no news."""
    (near,) = NameCounts.of(events_of(event(0), event(1, "demo_requested"), event(2, "other_thing"))).warnings()
    assert near == (
        "no event is called 'Demo Requested', but 'demo_requested', of 1 event, is near it and not counted as it "
        "(--rename-event 'demo_requested=Demo Requested' renames it, as does analytics.event_names)"
    )
    (beside,) = NameCounts.of(events_of(event(0, DEMO), event(1, "demo_requested"))).warnings()
    assert beside.startswith("'demo_requested', of 1 event, is near 'Demo Requested' but not counted as it (")
    none, other = NameCounts.of(events_of(event(0, "Whitepaper Download"), event(1, "Deal Signed"))).warnings()
    assert "is near 'White Paper Downloaded'" in other
    assert "names of their own: 'Deal Signed' (1), 'Whitepaper Download' (1)" in none


def test_identifiers_that_join_many_are_named_with_the_option():
    """A default user id on every browser is named with its count; of many such, the first three are."""
    everybody = [event(n, who=f"b{n}", user_id="default") for n in range(8)]
    (warning,) = warnings(*everybody)
    assert warning.startswith("the user id 'default' was seen with 8 browsers; stitching makes one person of all")
    assert warning.endswith("--no-stitch")
    assert warnings(*everybody, stitch=False) == []
    desks = [event(n, who=f"desk{desk}", user_id=f"{desk}-{n}") for desk in range(5) for n in range(11)]
    (warning,) = warnings(*desks)
    assert "the browser 'desk2' was seen with 11 user ids, and so on for 2 more" in warning


def test_browsers_that_people_share_are_counted():
    """Two user ids on one browser are one person, which is said with their number; a replaced user id is no second."""
    shared = [event(n, who="kiosk", user_id=f"v{n}") for n in range(2)]
    (warning,) = warnings(*known(3), *shared)
    assert warning.startswith("1 browser has several user ids (such as 'kiosk' with 2): the people of one browser")
    assert "--no-stitch" in warning
    assert warnings(*shared, stitch=False) == []
    more = [event(n, who="desk", user_id=f"w{n}") for n in range(3)]
    (warning,) = warnings(*shared, *more)
    assert warning.startswith("2 browsers have several user ids (such as 'desk' with 3)")
    renamed = event(5, who="kiosk", user_id="v1", previous_id="v0") | {"type": "alias"}
    assert warnings(*known(3), *shared, renamed) == []


def test_countries_that_are_not_known_are_counted_and_named():
    """The most frequent first; a text that says that none is known has no warning."""
    countries = ["Austria", "XX", "(not set)", "", None, "Narnia", "Lao PDR", "Lao PDR"]
    rows = [event(n, context_location_country=country) for n, country in enumerate(countries)]
    (only,) = warnings(*rows)
    assert only.startswith("3 events have countries that are not known: 'Lao PDR' (2), 'Narnia' (1); ")
    (only,) = warnings(*rows[:6])
    assert only.startswith("1 event has a country that is not known: 'Narnia' (1); ")
    (only,) = warnings(*(event(n, context_location_country=f"Nowhere {n}") for n in range(5)))
    assert "'Nowhere 2' (1), and 2 more; " in only
    assert warnings(*rows[:5]) == []
