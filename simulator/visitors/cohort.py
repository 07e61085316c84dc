"""A cohort: some thousands of visitors, everything about them that depends on nothing but themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from analytics.events.tracking_plan import EventName
from simulator.engine.arrays import Bools, Floats, Integers, Words
from simulator.visitors.journey import Journeys
from simulator.visitors.signals import SignalValues
from simulator.world.arrival_sources import ORDINARY
from simulator.world.population import People

__all__ = ["ActivityLog", "Cohort", "hexadecimal"]


@dataclass
class ActivityLog:
    """What the agents of a cohort have done since somebody last looked.

    Attributes:
        viewed: Rows of page views.
        submitted: Rows of page views whose form was sent.
        requested: Rows of visits that ended in a demo request.
        sales: Visitor, time in ms and event of what the sales desk told of.
    """

    viewed: list[int] = field(default_factory=list)
    submitted: list[int] = field(default_factory=list)
    requested: list[int] = field(default_factory=list)
    sales: list[tuple[int, int, EventName]] = field(default_factory=list)


@dataclass(eq=False)
class Cohort:
    """The visitors of a cohort who arrive before the simulation ends, in the order in which they were drawn.

    Times are whole milliseconds since the start of the simulation.

    Attributes:
        index: Number of the cohort within its inflow.
        rows: Place of each visitor in the cohort as drawn, or address of each guest; shape (visitors,).
        people: Who they are.
        arrival_ms: When each arrives; shape (visitors,).
        journeys: What they will do unless the world stops them; times since the arrival.
        signals: Signals of each visit at its end.
        decision_margin: Log-odds of a request at the end of each visit less the logit of the decision's uniform number:
            above 0 the visitor requests a demo; shape (visits,).
        buyer_draws: The fields of each visitor's :class:`BuyerDraws`, in order; shape (visitors, fields).
        identities: Two random words for each browser, those of all first browsers before those of the second ones;
            shape (2 × visitors, 2).
        second_browser: Whether each visit is made with the visitor's second browser; shape (visits,).
        accounts: Domain of each visitor's company, null without one; shape (visitors,).
        arms: Combination of experiment arms of each visitor; shape (visitors,).
        experiments: The same as events say it, null without experiments; shape (visitors,).
        comes_again: Rows of the visitors who will go on visiting after a request, in order; shape (n,).
        inflow: Name of the inflow whose visitors they are, or of those whom its visitors have invited.
        invited_by: Person who has invited each visitor, null for who came unasked; shape (visitors,).
        rank: Place of the cohort among all others: inflow, whether they are guests, number.
        place: Its place in the order in which cohorts open, which is that of visitors of one millisecond in the stream.
        opens_ms: Moment before which nobody of this cohort, or of those in later places, arrives.
    """

    index: int
    rows: Integers
    people: People
    arrival_ms: Integers
    journeys: Journeys
    signals: SignalValues
    decision_margin: Floats
    buyer_draws: Floats
    identities: Words
    second_browser: Bools
    accounts: pl.Series
    arms: Integers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    experiments: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.String))
    returns_after_request: Integers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    arrival_source: str = ORDINARY
    invited_by: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.String))
    rank: tuple[int, ...] = ()
    place: int = 0
    earliest_ms: int = 0
    activity: ActivityLog = field(default_factory=ActivityLog)
    request_visit: dict[int, int] = field(default_factory=dict)
    """Visit in which each visitor who has asked did so, by visitor."""

    def __len__(self) -> int:
        return len(self.people)

    @cached_property
    def view_ms(self) -> Integers:
        """When each page is opened; shape (views,)."""
        arrival = self.arrival_ms.take(self.journeys.visitor)
        return self.journeys.view_ms + arrival.take(self.journeys.visit_of_view)

    @property
    def submit_ms(self) -> Integers:
        """When the form on each page is sent, −1 if it is not; shape (views,)."""
        # Few pages have a form that is sent: not worth the room of another time for every page view.
        sent = np.full(len(self.journeys.page), -1)
        sent[self.sends] = self.sent_at(self.sends)
        return sent

    @cached_property
    def sends(self) -> Integers:
        """Rows of the page views whose form will be sent."""
        return np.flatnonzero(self.journeys.submit_ms >= 0)

    def sent_at(self, views: Integers) -> Integers:
        """When the forms on some pages are sent; shape (n,).

        Args:
            views: Rows of page views whose form is sent; shape (n,).
        """
        journeys = self.journeys
        return journeys.submit_ms[views] + self.arrival_ms[journeys.visitor[journeys.visit_of_view[views]]]

    @cached_property
    def end_ms(self) -> Integers:
        """When each visit is over; shape (visits,)."""
        return self.journeys.end_ms + self.arrival_ms[self.journeys.visitor]

    @cached_property
    def browser(self) -> Integers:
        """Browser of each visit, as a row of ``identities``; shape (visits,)."""
        return self.journeys.visitor + len(self) * self.second_browser

    @cached_property
    def identified_ms(self) -> Integers:
        """When a form is first sent in each browser, a time beyond all others if never; shape (2 × visitors,)."""
        first = np.full(2 * len(self), np.iinfo(np.int64).max)
        np.minimum.at(first, self.browser[self.journeys.visit_of_view[self.sends]], self.sent_at(self.sends))
        return first

    @cached_property
    def browser_ids(self) -> pl.Series:
        """Anonymous identifier of each browser, 32 hexadecimal digits, in the order of ``identities``.

        Null for second browsers where no visit is made with one.
        """
        if self.second_browser.any():
            return hexadecimal(self.identities)
        return hexadecimal(self.identities[: len(self)]).extend_constant(None, len(self)).rechunk()

    @cached_property
    def person_ids(self) -> pl.Series:
        """Identifier of each person: that of the first browser."""
        return self.browser_ids.head(len(self))

    def persons(self, visitors: Integers) -> pl.Series:
        """Identifier of some persons, given their rows; shape (n,)."""
        return hexadecimal(self.identities[visitors])

    @cached_property
    def user_ids(self) -> pl.Series:
        """What events call each person once they have said who they are."""
        return "user-" + hexadecimal(self.identities[: len(self), :1])

    @cached_property
    def _returns_after_request(self) -> frozenset[int]:
        return frozenset(self.returns_after_request.tolist())

    def ends_with_request(self, visitor: int) -> bool:
        """Whether a request would be the last that is seen of a visitor."""
        return visitor not in self._returns_after_request

    @property
    def request_visit_array(self) -> Integers:
        """Visit in which each visitor asked, a number beyond all others if in none; shape (visitors,)."""
        visit = np.full(len(self), np.iinfo(np.int64).max)
        visit[list(self.request_visit)] = list(self.request_visit.values())
        return visit

    @property
    def last_visit(self) -> Integers:
        """Visit that ended each visitor's journey, a number beyond all others if none has; shape (visitors,)."""
        last = self.request_visit_array
        last[self.returns_after_request] = np.iinfo(np.int64).max
        return last

    def visits_made(self, length_ms: int) -> Integers:
        """Rows of the visits that have taken place: begun before the end, and none after a journey's end.

        Args:
            length_ms: Length of the simulation, in ms.
        """
        begun = self.view_ms[self.journeys.first_view] < length_ms
        return np.flatnonzero(begun & (np.arange(len(begun)) <= self.last_visit[self.journeys.visitor]))

    @cached_property
    def timetable(self) -> Timetable:
        """The journeys as Python lists, for agents that go through them page by page."""
        journeys = self.journeys
        return Timetable(
            first_visit=journeys.first_visit.tolist(),
            n_visits=journeys.n_visits.tolist(),
            first_view=journeys.first_view.tolist(),
            n_pages=journeys.n_pages.tolist(),
            view_ms=self.view_ms.tolist(),
            submit_ms=self.submit_ms.tolist(),
        )

    @property
    def requested(self) -> Bools:
        """Whether each visit ended in a demo request; shape (visits,)."""
        requested = np.zeros(len(self.end_ms), dtype=bool)
        requested[list(self.request_visit.values())] = True
        return requested


@dataclass(frozen=True)
class Timetable:
    """Plain lists of a cohort's journeys; times in milliseconds since the start of the simulation."""

    first_visit: list[int]
    n_visits: list[int]
    first_view: list[int]
    n_pages: list[int]
    view_ms: list[int]
    submit_ms: list[int]

    def visits(self, visitor: int) -> range:
        """Visits of a visitor."""
        first = self.first_visit[visitor]
        return range(first, first + self.n_visits[visitor])

    def views(self, visit: int) -> range:
        """Page views of a visit."""
        first = self.first_view[visit]
        return range(first, first + self.n_pages[visit])


def hexadecimal(words: Words) -> pl.Series:
    """Each row of random words as one text of hexadecimal digits; shape (n, words) to (n,)."""
    digits = _HEX_FOURS[words.astype(">u8").view(">u2")].view(np.uint8)
    # Lists of octets become binaries, and these texts, without a Python object for any of them.
    return pl.Series(digits).cast(pl.List(pl.UInt8)).cast(pl.Binary).cast(pl.String)


_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_HEX_FOURS = (
    np.stack(np.broadcast_arrays(*np.ix_(_HEX, _HEX, _HEX, _HEX)), axis=-1).reshape(-1, 4).view(np.uint32).ravel()
)
"""The four digits of each number of 16 bits."""
