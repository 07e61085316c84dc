"""A cohort: some thousand visitors, and everything about them that does not depend on the state of the world."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from analytics.events.tracking_plan import EventName
from simulator.engine.arrays import Bools, Floats, Integers, Words
from simulator.visitors.journey import Journeys
from simulator.visitors.signals import SignalValues
from simulator.world.arrival_sources import ORDINARY
from simulator.world.population import People


@dataclass
class ActivityLog:
    """What the agents of a cohort have done since the log was last read.

    Attributes:
        viewed: Rows of page views.
        submitted: Rows of page views whose form was submitted.
        requested: Rows of visits that ended in a demo request.
        sales: Visitor, time in ms and event of each step at the sales desk.
    """

    viewed: list[int] = field(default_factory=list)
    submitted: list[int] = field(default_factory=list)
    requested: list[int] = field(default_factory=list)
    sales: list[tuple[int, int, EventName]] = field(default_factory=list)


@dataclass(eq=False)
class Cohort:
    """Visitors of a cohort who arrive before the simulation ends, in the order in which they were drawn.

    Times are whole milliseconds since the start of the simulation.

    Attributes:
        index: Number of the cohort within its arrival source.
        rows: Row of each visitor in the cohort as drawn, or address of each invited colleague; shape (visitors,).
        people: Attributes of the visitors.
        arrival_ms: Arrival time of each; shape (visitors,).
        journeys: Planned visits and page views; times since the arrival.
        signals: Signals at the end of each visit.
        decision_margin: Log-odds of a request at the end of each visit minus the logit of the decision's uniform
            number; above 0 the visitor requests a demo; shape (visits,).
        buyer_draws: Fields of each visitor's :class:`BuyerDraws`, in order; shape (visitors, fields).
        identities: Two random words for each browser, all first browsers before all second ones; shape (2 × visitors,
            2).
        second_browser: Whether each visit is made with the visitor's second browser; shape (visits,).
        accounts: Domain of each visitor's company, null without one; shape (visitors,).
        arms: Combination of experiment arms of each visitor; shape (visitors,).
        experiments: The same as event property, null without experiments; shape (visitors,).
        returns_after_request: Rows of the visitors who keep visiting after a request, in order; shape (n,).
        arrival_source: Name of the visitors' arrival source, or of the colleagues invited by its visitors.
        invited_by: Person who invited each visitor, null for visitors who were not invited; shape (visitors,).
        rank: Sort key of the cohort among all others: arrival source, whether its visitors were invited, number.
        place: Position of the cohort in the schedule; it orders visitors within one millisecond of the event stream.
        earliest_ms: Time before which no visitor of this cohort or of a later place arrives.
        numbers: Row of each visitor in the cohort as drawn, which orders visitors in any part of it; shape (visitors,).
        visit_rows: Row of each visit in the cohort as drawn; shape (visits,).
        awake: Visitors who live on the clock, and not by their plan; shape (visitors,).
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
    numbers: Integers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    visit_rows: Integers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    awake: Bools = field(default_factory=lambda: np.empty(0, dtype=bool))
    activity: ActivityLog = field(default_factory=ActivityLog)
    request_visit: dict[int, int] = field(default_factory=dict)
    """Visit in which each visitor requested a demo, by visitor; only visitors who did."""

    def __post_init__(self) -> None:
        if not len(self.numbers):
            self.numbers = np.arange(len(self))
        if not len(self.visit_rows):
            self.visit_rows = np.arange(len(self.journeys.visitor))
        if not len(self.awake):
            self.awake = np.zeros(len(self), dtype=bool)

    def __len__(self) -> int:
        return len(self.people)

    def take(self, visitors: Integers) -> Cohort:
        """Some visitors, with all their visits.

        Args:
            visitors: Their rows, in order; shape (n,).
        """
        inside = np.zeros(len(self), dtype=bool)
        inside[visitors] = True
        visits = np.flatnonzero(inside[self.journeys.visitor])
        return Cohort(
            **self.of_visitors(visitors),
            journeys=self.journeys.take(visitors),
            signals=self.signals.take(visits),
            decision_margin=self.decision_margin[visits],
            second_browser=self.second_browser[visits],
            visit_rows=self.visit_rows[visits],
        )

    def of_visitors(self, visitors: Integers) -> dict[str, Any]:
        """Attributes of some visitors, as arguments of a cohort; what belongs to their visits is left out.

        Args:
            visitors: Their rows, in order; shape (n,).
        """
        return {
            "index": self.index,
            "rows": self.rows[visitors],
            "people": self.people.take(visitors),
            "arrival_ms": self.arrival_ms[visitors],
            "buyer_draws": self.buyer_draws[visitors],
            "identities": self.identities[np.concatenate((visitors, visitors + len(self)))],
            "accounts": self.accounts.gather(visitors),
            "arms": self.arms[visitors],
            "returns_after_request": np.flatnonzero(np.isin(visitors, self.returns_after_request)),
            "experiments": self.experiments.gather(visitors),
            "arrival_source": self.arrival_source,
            "invited_by": self.invited_by.gather(visitors),
            "rank": self.rank,
            "place": self.place,
            "earliest_ms": self.earliest_ms,
            "numbers": self.numbers[visitors],
        }

    @cached_property
    def view_ms(self) -> Integers:
        """Time of each page view; shape (views,)."""
        arrival = self.arrival_ms.take(self.journeys.visitor)
        return self.journeys.view_ms + arrival.take(self.journeys.visit_of_view)

    @property
    def submit_ms(self) -> Integers:
        """Time at which the form on each page is submitted, −1 if it is not; shape (views,)."""
        # Few forms are submitted: an array of times for every page view would waste memory.
        sent = np.full(len(self.journeys.page), -1)
        sent[self.sends] = self.sent_at(self.sends)
        return sent

    @cached_property
    def sends(self) -> Integers:
        """Rows of the page views whose form will be submitted; shape (n,)."""
        return np.flatnonzero(self.journeys.submit_ms >= 0)

    def sent_at(self, views: Integers) -> Integers:
        """Submission times of some forms.

        Args:
            views: Rows of page views whose form is submitted; shape (n,).

        Returns:
            Times in ms since the start; shape (n,).
        """
        journeys = self.journeys
        return journeys.submit_ms[views] + self.arrival_ms[journeys.visitor[journeys.visit_of_view[views]]]

    @cached_property
    def end_ms(self) -> Integers:
        """End of each visit; shape (visits,)."""
        return self.journeys.end_ms + self.arrival_ms[self.journeys.visitor]

    @cached_property
    def browser(self) -> Integers:
        """Browser of each visit, as a row of ``identities``; shape (visits,)."""
        return self.journeys.visitor + len(self) * self.second_browser

    @cached_property
    def identified_ms(self) -> Integers:
        """First form submission in each browser, the maximum integer if there is none; shape (2 × visitors,)."""
        first = np.full(2 * len(self), np.iinfo(np.int64).max)
        # A person is known per browser: each has to identify itself by a form.
        np.minimum.at(first, self.browser[self.journeys.visit_of_view[self.sends]], self.sent_at(self.sends))
        return first

    @cached_property
    def browser_ids(self) -> pl.Series:
        """Anonymous identifier of each browser, 32 hexadecimal digits, in the order of ``identities``.

        Null for second browsers where no visit is made with one.
        """
        if self.second_browser.any():
            return hexadecimal(self.identities)
        # Most worlds have no second browsers, and identifiers are the costly part of a cohort.
        return hexadecimal(self.identities[: len(self)]).extend_constant(None, len(self)).rechunk()

    @cached_property
    def person_ids(self) -> pl.Series:
        """Identifier of each person: that of the first browser; shape (visitors,)."""
        return self.browser_ids.head(len(self))

    def persons(self, visitors: Integers) -> pl.Series:
        """Identifier of some persons, given their rows; shape (n,)."""
        return hexadecimal(self.identities[visitors])

    @cached_property
    def user_ids(self) -> pl.Series:
        """``userId`` of each person in events after identification; shape (visitors,)."""
        return "user-" + hexadecimal(self.identities[: len(self), :1])

    @cached_property
    def _returns_after_request(self) -> frozenset[int]:
        return frozenset(self.returns_after_request.tolist())

    def ends_with_request(self, visitor: int) -> bool:
        """Whether a visitor makes no further visit after a request."""
        return visitor not in self._returns_after_request

    @property
    def request_visit_array(self) -> Integers:
        """Visit in which each visitor requested a demo, the maximum integer if none; shape (visitors,)."""
        visit = np.full(len(self), np.iinfo(np.int64).max)
        visit[list(self.request_visit)] = list(self.request_visit.values())
        return visit

    @property
    def last_visit(self) -> Integers:
        """Last visit of each visitor because of a request, the maximum integer if none; shape (visitors,)."""
        # The property builds a new array each time, so it can be changed here.
        last = self.request_visit_array
        last[self.returns_after_request] = np.iinfo(np.int64).max
        return last

    def visits_made(self, length_ms: int) -> Integers:
        """Rows of the planned visits that took place: started before the end, and not cancelled by a request.

        The visits of those who are awake are not among them: they were made on the clock.

        Args:
            length_ms: Length of the simulation in ms.
        """
        # A visit exists once its first page view does, even if the end of the clock cuts it short.
        visitor = self.journeys.visitor
        begun = (self.view_ms[self.journeys.first_view] < length_ms) & ~self.awake[visitor]
        return np.flatnonzero(begun & (np.arange(len(begun)) <= self.last_visit[visitor]))

    @cached_property
    def timetable(self) -> Timetable:
        """Planned journeys as Python lists, for agents that process them page by page."""
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
    """Hexadecimal digits of random words, concatenated by row.

    Args:
        words: Random 64-bit words; shape (n, words).

    Returns:
        Text of 16 digits a word; shape (n,).

    >>> hexadecimal(np.array([[1, 255]], dtype=np.uint64)).to_list()
    ['000000000000000100000000000000ff']
    """
    # Sixteen bits at a time, big-endian, so that digits are in the usual order.
    digits = _HEX_FOURS[words.astype(">u8").view(">u2")].view(np.uint8)
    # Bytes become binaries, and these texts, without a Python object for any of them.
    return pl.Series(digits).cast(pl.List(pl.UInt8)).cast(pl.Binary).cast(pl.String)


_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_HEX_FOURS = (
    np.stack(np.broadcast_arrays(*np.ix_(_HEX, _HEX, _HEX, _HEX)), axis=-1).reshape(-1, 4).view(np.uint32).ravel()
)
"""The four hexadecimal digits of each 16-bit number."""
