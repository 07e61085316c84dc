"""What of a stream is in no figure, and whose identity is in doubt, in sentences for a reader of the figures.

A rate of 0 % can mean that nobody asked, or that nothing in the events joins those who asked to those who looked. The
figures are the same; only the events tell the two apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from analytics.events.geography import country_of
from analytics.events.identifiers import identifier
from analytics.events.tracking_plan import CallType, EventName
from analytics.sessions.persons import Identities, Persons
from analytics.sessions.timeline import VISITOR
from analytics.statistics.event_names import most_frequent, near_names, unknown_names

_MOST_NAMED: Final = 3
"""Countries that a warning names; the rest is counted."""

_MOST_NAMES: Final = 5
"""Names of events that a warning lists."""

_NO_COUNTRY: Final = frozenset({"XX", "ZZ"})
"""Codes that services write for an unknown country."""

_DEMO: Final = str(EventName.DEMO_REQUESTED)


@dataclass(frozen=True)
class NameCounts:
    """The names of `track` events, as far as the tracking plan does not know them.

    Args:
        unknown: Events by name.
        has_requests: Whether there is a demo request.
    """

    unknown: Counter[str]
    has_requests: bool = False

    @classmethod
    def of(cls, events: pl.DataFrame) -> NameCounts:
        """Count the names of flat or enriched events."""
        return cls(unknown_names(events), not events.filter(pl.col("event") == _DEMO).is_empty())

    def warnings(self) -> Iterator[str]:
        """Yield a sentence for each name that is nearly one of the tracking plan, and one where nobody requests a demo.

        >>> events = pl.DataFrame({"type": ["track"], "event": ["demo_requested"]})
        >>> [warning.partition(" (--")[0] for warning in NameCounts.of(events).warnings()]
        ["no event is called 'Demo Requested', but 'demo_requested', of 1 event, is near it and not counted as it"]
        """
        yield from self.no_requests()
        for theirs, ours, n in near_names(self.unknown):
            if ours != _DEMO or self.has_requests:
                yield f"{_near(theirs, n)} {ours!r} but not counted as it {_renames(theirs, ours)}"

    def no_requests(self) -> Iterator[str]:
        """Yield a sentence where there is no demo request, but tracked events of other names."""
        if self.has_requests:
            return
        near = [(theirs, n) for theirs, ours, n in near_names(self.unknown) if ours == _DEMO]
        for theirs, n in near:
            yield (
                f"no event is called {_DEMO!r}, but {_near(theirs, n)} it and not counted as it "
                f"{_renames(theirs, _DEMO)}"
            )
        if not near and self.unknown:
            others = ", ".join(f"{name!r} ({n:,})" for name, n in most_frequent(self.unknown)[:_MOST_NAMES])
            yield (
                f"no event is called {_DEMO!r}, so nobody asks for a demo; the events have names of their own: "
                f"{others} (--rename-event 'THEIRS={_DEMO}' names the one to count)"
            )


@dataclass(frozen=True)
class Coverage:
    """What of events is in no figure, and whose identity is in doubt, in counts that add up over people.

    Args:
        calls: Events by call.
        n_bot_views: Page views of bots.
        n_requesters: Visitors with a demo request.
        n_at_once: Of these, those who made it at the very time of their first page view.
        n_requests: Demo requests of people.
        n_unseen: Of these, requests of people of whom no page view was seen.
        countries: Events by country, where that is not known.
        identities: The browsers and user ids.
    """

    calls: Counter[str]
    n_bot_views: int
    n_requesters: int
    n_at_once: int
    n_requests: int
    n_unseen: int
    countries: Counter[str]
    identities: Identities

    @classmethod
    def of(cls, events: pl.DataFrame, persons: Persons) -> Coverage:
        """Count.

        Args:
            events: Enriched events as they are counted: stitched ones, where persons are counted.
            persons: The persons in them.
        """
        of_people = events.lazy().filter(~pl.col("is_bot")).select(VISITOR, "event_time", "type", "event")
        people = of_people.drop_nulls("visitor")
        texts = events["context_location_country"].cast(pl.String).drop_nulls().value_counts()
        views = events.filter(pl.col("type") == CallType.PAGE)
        n_requesters, n_at_once = _requests_at_once(people)
        n_requests, n_unseen = _requests_without_page_view(people)
        return cls(
            calls=Counter(dict(events["type"].cast(pl.String).fill_null("None").value_counts().iter_rows())),
            n_bot_views=int(views["is_bot"].sum()),
            n_requesters=n_requesters,
            n_at_once=n_at_once,
            n_requests=n_requests,
            n_unseen=n_unseen,
            # What is written where no country is known, such as "(not set)", misleads nobody.
            countries=Counter({text: n for text, n in texts.iter_rows() if _is_unknown_country(text)}),
            identities=persons.identities,
        )

    def warnings(self, *, stitch: bool = True) -> Iterator[str]:
        """Yield a sentence for each way in which figures of these events may mislead.

        Args:
            stitch: Whether persons are counted, or browsers as they are.

        >>> rows = [{"type": "page", "anonymous_id": "a"}, {"type": "track", "event": "Demo Requested", "user_id": "u"}]
        >>> persons = Persons(pl.DataFrame(rows))
        >>> for warning in Coverage.of(persons.stitched(), persons).warnings():
        ...     print(warning.split(";")[0])
        1 of 1 demo requests is of somebody of whom no page view was seen, and is in no conversion rate
        1 of 1 user ids was never seen with a browser
        """
        if not self.calls.total():
            return
        yield from self._no_page_views()
        if self.n_at_once:
            yield (
                f"{self.n_at_once:,} of {self.n_requesters:,} visitors with a demo request made it at the very time of "
                "their first page view, so that the model knows of no visit before it: were the times cut to the "
                "minute or the day?"
            )
        yield from self._requests_without_page_view(stitch=stitch)
        yield from self.identities.without_browser()
        yield from self._unknown_countries()
        if stitch:
            yield from self.identities.in_doubt()

    def _no_page_views(self) -> Iterator[str]:
        n_views = self.calls[CallType.PAGE]
        if not n_views:
            kinds = ", ".join(f"{n:,} {call}" for call, n in most_frequent(self.calls))
            yield (
                f"there is no page view among these {self.calls.total():,} events ({kinds}), so there are no visitors, "
                "visits or rates; page views are calls of type page: add the file or table that has them"
            )
        elif self.n_bot_views == n_views:
            yield f"all {n_views:,} page views are of bots, so there are no visitors, visits or rates"

    def _requests_without_page_view(self, *, stitch: bool) -> Iterator[str]:
        if not self.n_unseen:
            return
        why = (
            "no event joins them to a browser (an identify call with anonymousId and userId does, an alias call, or "
            "userId with the page views), or their page views are not among these events"
            if stitch
            else "browsers are counted as they are; without --no-stitch, events with anonymousId and userId join them"
        )
        one = self.n_unseen == 1
        yield (
            f"{self.n_unseen:,} of {self.n_requests:,} demo requests {'is of somebody' if one else 'are of people'} of "
            f"whom no page view was seen, and {'is' if one else 'are'} in no conversion rate; {why}"
        )

    def _unknown_countries(self) -> Iterator[str]:
        if not self.countries:
            return
        n, unknown = self.countries.total(), most_frequent(self.countries)
        named = ", ".join(f"{text!r} ({each:,})" for text, each in unknown[:_MOST_NAMED])
        more = f", and {len(unknown) - _MOST_NAMED:,} more" if len(unknown) > _MOST_NAMED else ""
        yield (
            f"{n:,} {'event has a country that is' if n == 1 else 'events have countries that are'} not known: "
            f"{named}{more}; the time zone, if there is one, gives their region"
        )


def _near(theirs: str, n: int) -> str:
    return f"{theirs!r}, of {n:,} {'event' if n == 1 else 'events'}, is near"


def _renames(theirs: str, ours: str) -> str:
    return f"(--rename-event '{theirs}={ours}' renames it, as does analytics.event_names)"


def _requests_at_once(people: pl.LazyFrame) -> tuple[int, int]:
    """Visitors with a request, and those who made it at the time of their first page view.

    The model goes by what was seen strictly before a request: nothing, where times are cut to the minute or day.
    """
    times = people.group_by("visitor").agg(
        view=pl.col("event_time").filter(pl.col("type") == CallType.PAGE).min(),
        request=pl.col("event_time").filter(pl.col("event") == _DEMO).min(),
    )
    counts = times.select(pl.col("request").count(), at_once=(pl.col("view") == pl.col("request")).sum())
    n, at_once = counts.collect().row(0)
    return n, at_once


def _requests_without_page_view(people: pl.LazyFrame) -> tuple[int, int]:
    """Requests, and those of people without a page view."""
    requests = people.filter(pl.col("event") == EventName.DEMO_REQUESTED)
    seen = people.filter(pl.col("type") == CallType.PAGE).select("visitor").unique()
    unseen = requests.join(seen, on="visitor", how="anti")
    n, n_unseen = (int(part.select(pl.len()).collect().item()) for part in (requests, unseen))
    return n, n_unseen


def _is_unknown_country(text: str) -> bool:
    return country_of(text) is None and identifier(text) is not None and text.strip().upper() not in _NO_COUNTRY
