"""What of a stream is in no figure, and whose identity is in doubt, in sentences for a reader of the figures.

A rate of 0 % can mean that nobody asked, or that nothing in the events joins those who asked to those who looked. The
figures are the same; only the events tell the two apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from analytics.events.geography import country_of
from analytics.events.identifiers import identifier
from analytics.events.tracking_plan import CallType, EventName
from analytics.sessions.persons import Persons
from analytics.sessions.timeline import VISITOR
from analytics.statistics.event_names import near_names, unknown_names

_MOST_NAMED: Final = 3
"""Identifiers that a warning names; the rest is counted."""

_NO_COUNTRY: Final = frozenset({"XX", "ZZ"})
"""Codes that services write for an unknown country."""

_KINDS: Final = {
    "anonymous_id": ("browser", "browsers"),
    "user_id": ("user id", "user ids"),
    "previous_id": ("previousId", "previousIds"),
}

_DEMO: Final = str(EventName.DEMO_REQUESTED)


def coverage_warnings(events: pl.DataFrame, persons: Persons, *, stitch: bool = True) -> Iterator[str]:
    """Yield a sentence for each way in which figures of these events may mislead.

    Args:
        events: Enriched events as they are counted: stitched ones, where persons are counted.
        persons: The persons in them.
        stitch: Whether persons are counted, or browsers as they are.

    >>> rows = [{"type": "page", "anonymous_id": "a"}, {"type": "track", "event": "Demo Requested", "user_id": "u"}]
    >>> persons = Persons(pl.DataFrame(rows))
    >>> for warning in coverage_warnings(persons.stitched(), persons):
    ...     print(warning.split(";")[0])
    1 of 1 demo requests is of somebody of whom no page view was seen, and is in no conversion rate
    1 of 1 user ids was never seen with a browser
    """
    if events.is_empty():
        return
    yield from _no_page_views(events)
    yield from _requests_at_once(events)
    yield from _requests_without_page_view(events, stitch=stitch)
    yield from _users_without_browser(persons)
    yield from _unknown_countries(events)
    if stitch:
        yield from _shared_browsers(persons)
        yield from _over_merges(persons)


def name_warnings(events: pl.DataFrame) -> Iterator[str]:
    """Yield a sentence for each name that is nearly one of the tracking plan, and one where nobody requests a demo.

    Args:
        events: Flat or enriched events.

    >>> events = pl.DataFrame({"type": ["track"], "event": ["demo_requested"]})
    >>> [warning.partition(" (--")[0] for warning in name_warnings(events)]
    ["no event is called 'Demo Requested', but 'demo_requested', of 1 event, is near it and not counted as it"]
    """
    yield from no_requests(events)
    for theirs, ours, n in near_names(events):
        if ours != _DEMO or _has_requests(events):
            yield f"{_near(theirs, n)} {ours!r} but not counted as it {_renames(theirs, ours)}"


def no_requests(events: pl.DataFrame) -> Iterator[str]:
    """Yield a sentence where there is no demo request, but tracked events of other names.

    Args:
        events: Flat or enriched events.
    """
    if _has_requests(events):
        return
    near = [(theirs, n) for theirs, ours, n in near_names(events) if ours == _DEMO]
    for theirs, n in near:
        yield f"no event is called {_DEMO!r}, but {_near(theirs, n)} it and not counted as it {_renames(theirs, _DEMO)}"
    if not near and (names := unknown_names(events)):
        others = ", ".join(f"{name!r} ({n:,})" for name, n in names)
        yield (
            f"no event is called {_DEMO!r}, so nobody asks for a demo; the events have names of their own: {others} "
            f"(--rename-event 'THEIRS={_DEMO}' names the one to count)"
        )


def _has_requests(events: pl.DataFrame) -> bool:
    return not events.filter(pl.col("event") == _DEMO).is_empty()


def _near(theirs: str, n: int) -> str:
    return f"{theirs!r}, of {n:,} {'event' if n == 1 else 'events'}, is near"


def _renames(theirs: str, ours: str) -> str:
    return f"(--rename-event '{theirs}={ours}' renames it, as does analytics.event_names)"


def _no_page_views(events: pl.DataFrame) -> Iterator[str]:
    views = events.filter(pl.col("type") == CallType.PAGE)
    if views.is_empty():
        calls = events["type"].cast(pl.String).value_counts().sort("count", "type", descending=[True, False])
        kinds = ", ".join(f"{n:,} {call}" for call, n in calls.iter_rows())
        yield (
            f"there is no page view among these {events.height:,} events ({kinds}), so there are no visitors, visits "
            "or rates; page views are calls of type page: add the file or table that has them"
        )
    elif views["is_bot"].all():
        yield f"all {views.height:,} page views are of bots, so there are no visitors, visits or rates"


def _requests_at_once(events: pl.DataFrame) -> Iterator[str]:
    """The model goes by what was seen strictly before a request: nothing, where times are cut to the minute or day."""
    people = (
        events.lazy().filter(~pl.col("is_bot")).select(VISITOR, "event_time", "type", "event").drop_nulls("visitor")
    )
    times = people.group_by("visitor").agg(
        view=pl.col("event_time").filter(pl.col("type") == CallType.PAGE).min(),
        request=pl.col("event_time").filter(pl.col("event") == _DEMO).min(),
    )
    at_once, n = times.select((pl.col("view") == pl.col("request")).sum(), pl.col("request").count()).collect().row(0)
    if at_once:
        yield (
            f"{at_once:,} of {n:,} visitors with a demo request made it at the very time of their first page view, so "
            "that the model knows of no visit before it: were the times cut to the minute or the day?"
        )


def _requests_without_page_view(events: pl.DataFrame, *, stitch: bool) -> Iterator[str]:
    people = events.lazy().filter(~pl.col("is_bot")).select(VISITOR, "type", "event").drop_nulls("visitor")
    requests = people.filter(pl.col("event") == EventName.DEMO_REQUESTED)
    seen = people.filter(pl.col("type") == CallType.PAGE).select("visitor").unique()
    unmatched = requests.join(seen, on="visitor", how="anti")
    n, n_requests = (int(part.select(pl.len()).collect().item()) for part in (unmatched, requests))
    if n:
        why = (
            "no event joins them to a browser (an identify call with anonymousId and userId does, an alias call, or "
            "userId with the page views), or their page views are not among these events"
            if stitch
            else "browsers are counted as they are; without --no-stitch, events with anonymousId and userId join them"
        )
        yield (
            f"{n:,} of {n_requests:,} demo requests {'is of somebody' if n == 1 else 'are of people'} of whom no page "
            f"view was seen, and {'is' if n == 1 else 'are'} in no conversion rate; {why}"
        )


def _users_without_browser(persons: Persons) -> Iterator[str]:
    n, n_users = len(persons.users_without_browser), len(persons.users)
    # Where no event has a browser, people are known by their user ids alone, and nothing is missing.
    if n and persons.has_browsers:
        yield (
            f"{n:,} of {n_users:,} user ids {'was' if n == 1 else 'were'} never seen with a browser; if they visited "
            "the site, their page views count as those of somebody else"
        )


def _unknown_countries(events: pl.DataFrame) -> Iterator[str]:
    texts = events["context_location_country"].cast(pl.String).drop_nulls().value_counts()
    # What is written where no country is known, such as "(not set)", misleads nobody.
    unknown = [(text, n) for text, n in texts.iter_rows() if _is_unknown_country(text)]
    if not unknown:
        return
    n = sum(each for _, each in unknown)
    unknown.sort(key=lambda each: (-each[1], each[0]))
    named = ", ".join(f"{text!r} ({each:,})" for text, each in unknown[:_MOST_NAMED])
    more = f", and {len(unknown) - _MOST_NAMED:,} more" if len(unknown) > _MOST_NAMED else ""
    yield (
        f"{n:,} {'event has a country that is' if n == 1 else 'events have countries that are'} not known: "
        f"{named}{more}; the time zone, if there is one, gives their region"
    )


def _is_unknown_country(text: str) -> bool:
    return country_of(text) is None and identifier(text) is not None and text.strip().upper() not in _NO_COUNTRY


def _shared_browsers(persons: Persons) -> Iterator[str]:
    shared = persons.shared_browsers
    if shared.is_empty():
        return
    browser, n_users = shared.row(0)
    have = "1 browser has" if shared.height == 1 else f"{shared.height:,} browsers have"
    yield (
        f"{have} several user ids (such as {browser!r} with {n_users}): the people of one browser are counted as one "
        "person, with their other browsers; --no-stitch counts each browser as it is"
    )


def _over_merges(persons: Persons) -> Iterator[str]:
    found = persons.over_merges
    if found.is_empty():
        return
    named = ", ".join(
        f"the {_KINDS[column][0]} {identifier!r} was seen with {n:,} {_KINDS[joins][1]}"
        for column, identifier, joins, n in found.head(_MOST_NAMED).iter_rows()
    )
    more = f", and so on for {found.height - _MOST_NAMED:,} more" if found.height > _MOST_NAMED else ""
    yield (
        f"{named}{more}; stitching makes one person of all of them: if that stands for many people (a default value, a "
        "test account, a shared device), leave its events out, or count browsers with --no-stitch"
    )
