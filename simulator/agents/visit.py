"""A visit: what a visitor means to do, and what the visitor did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from simulator.engine.arrays import Integers
from simulator.engine.clock import MINUTE_MS
from simulator.errors import ComponentError
from simulator.settings.site import PageSettings
from simulator.visitors.journey import IDLE_MS, Journeys


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the site, as components see it.

    Attributes:
        index: Its row in all arrays.
        name: Its name in the scenario.
        settings: Path, title, category, funnel stage, form.
    """

    index: int
    name: str
    settings: PageSettings

    @property
    def category(self) -> str:
        """Page group: ``pricing``, ``security``, …."""
        return self.settings.category


class Itinerary(NamedTuple):
    """A visit before it is made: the pages and their times, if nothing intervenes.

    Attributes:
        row: Row of the visit in its cohort; below 0 for a visit that was not planned: −n for the visitor's n-th.
        pages: Page of each view, as an index.
        view_ms: Time of each page view in ms since the start of the simulation.
        submit_ms: Time at which the form of each page is submitted; −1 if it is not.
        end_ms: End of the visit, when the visitor decides.
        second_browser: Whether the visit is made with the visitor's second browser.
        origin: Index of the channel or campaign that leads to it; −1 for none.
        is_cut: Whether the site fails, so that the visit ends without a decision.
    """

    row: int
    pages: Sequence[int]
    view_ms: Sequence[int]
    submit_ms: Sequence[int]
    end_ms: int
    second_browser: bool = False
    origin: int = -1
    is_cut: bool = False


@dataclass(slots=True, eq=False)
class Visit:
    """A visit as it was made.

    Attributes:
        number: Number of the visit among the visitor's, from 1.
        itinerary: What was planned.
        times_ms: Time of each page view in ms since the start of the simulation.
        pages: Page of each view, as an index.
        forms: Page view (counted within the visit, from 0) and time in ms of each form sent.
        tracked: Time in ms and name of each event of a component.
        last_event_ms: Time of the last event of the browser.
        seen: Signals at its end or so far, one bit each.
        history: Whole numbers behind the signals that are more than a bit, at its end.
        end_ms: Time of its end; −1 before that.
        requested: Whether it ended in a demo request.
        shift: What components and the visible wait for a demo added to its decision, in log-odds; where it could not
            matter, they were not asked.
    """

    number: int
    itinerary: Itinerary
    times_ms: list[int] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    forms: list[tuple[int, int]] = field(default_factory=list)
    tracked: list[tuple[int, str]] = field(default_factory=list)
    last_event_ms: int = -1
    seen: int = 0
    history: tuple[int, ...] = ()
    end_ms: int = -1
    requested: bool = False
    shift: float = 0.0

    @property
    def minutes(self) -> float:
        """Minutes from the first to the last page view."""
        return (self.times_ms[-1] - self.times_ms[0]) / MINUTE_MS if self.times_ms else 0.0

    def refuse_pause(self, now_ms: int) -> None:
        """Refuse a page view after a pause that analysts would take for the end of the visit.

        Truth and events would disagree.

        Raises:
            ComponentError: The last event is too long ago.
        """
        if self.pages and now_ms - self.last_event_ms >= IDLE_MS:
            minutes, limit = (now_ms - self.last_event_ms) / MINUTE_MS, IDLE_MS // MINUTE_MS
            raise ComponentError(
                f"a visitor was kept for {minutes:.1f} minutes without an event, and after {limit} idle minutes "
                "a visit is over; let the visitor leave before that, or send an event"
            )


def journeys_of(visits: Sequence[Visit], visitor: Integers, arrival_ms: Integers) -> Journeys:
    """Visits that were made as arrays, like a plan; times relative to the arrival.

    Args:
        visits: The visits, by visitor and in order; each has a page view.
        visitor: Visitor of each; shape (visits,).
        arrival_ms: Arrival of each visitor; shape (visitors,).
    """
    n_pages = _integers(len(visit.pages) for visit in visits)
    view_ms = _integers(time for visit in visits for time in visit.times_ms)
    submit_ms = np.full(len(view_ms), -1)
    first = np.cumsum(n_pages) - n_pages
    for row, visit in zip(first.tolist(), visits, strict=True):
        for view, time_ms in visit.forms:
            submit_ms[row + view] = time_ms
    arrival = arrival_ms[visitor]
    arrival_of_view = np.repeat(arrival, n_pages)
    last_ms = _integers(max(visit.end_ms, visit.times_ms[-1]) for visit in visits)
    return Journeys(
        n_visits=np.bincount(visitor, minlength=len(arrival_ms)),
        visitor=visitor,
        number=_integers(visit.number for visit in visits),
        n_pages=n_pages,
        page=_integers(page for visit in visits for page in visit.pages),
        view_ms=view_ms - arrival_of_view,
        submit_ms=np.where(submit_ms >= 0, submit_ms - arrival_of_view, -1),
        end_ms=last_ms - arrival,
    )


def _integers(values: Iterable[int]) -> Integers:
    return np.fromiter(values, dtype=np.int64)
