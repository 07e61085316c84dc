"""Occurrences: what visitors and the sales desk have done, as whole numbers, in the order in which it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import polars as pl

from simulator.arrays import Bools, Integers, Words, first_rows
from simulator.cohort import Cohort, Happenings
from simulator.sales import SALES_EVENTS

__all__ = ["ASK", "IDENTIFY", "SALES", "SUBMIT", "VIEW", "Occurrences", "occurrences"]

VIEW, IDENTIFY, SUBMIT, ASK, SALES = range(5)
"""Kinds of occurrence, in the order in which one visitor's occurrences of the same millisecond are told. From the last
on, each event of the sales desk is a kind."""

_KIND_BITS: Final = 4


@dataclass(frozen=True)
class Occurrences:
    """What happened in some cohorts, one row each; shapes (n,).

    Attributes:
        time_ms: When, in ms since the start of the simulation.
        kind: What, one of the kinds above.
        visitor: Who, as a row of the cohorts' visitors one after the other.
        browser: In which browser, as a row of the cohorts' browsers one after the other.
        page: On which page, −1 for none.
        came_from: Page before it in the same visit, −1 for none.
        channel: How the visitor came, where this is the first page of all; −1 elsewhere.
        number: Number of the page view among those of its visitor, from 0; 0 where there is none.
        known: Whether the browser knows its person by now.
        words: The browser's random words; shape (n, 2).
        profile: What is known of the browser; shape (n, tables).
    """

    time_ms: Integers
    kind: Integers
    visitor: Integers
    browser: Integers
    page: Integers
    came_from: Integers
    channel: Integers
    number: Integers
    known: Bools
    words: Words
    profile: Integers

    def __len__(self) -> int:
        return len(self.time_ms)


def occurrences(happened: Sequence[tuple[Cohort, Happenings]], profile_of: Callable[[Cohort], Integers]) -> Occurrences:
    """Bring what has happened in several cohorts into the order of time.

    Those of the same millisecond follow the order of the cohorts, of their visitors, and of the kinds.

    Args:
        happened: Cohorts, each with what its visitors have done; at least one.
        profile_of: What is known of each browser of a cohort; shape (browsers, tables).
    """
    sizes = np.array([len(cohort) for cohort, _ in happened])
    parts = [
        _of_cohort(cohort, what, profile_of(cohort), int(first))
        for (cohort, what), first in zip(happened, first_rows(sizes), strict=True)
    ]
    together = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Occurrences)
    }
    # One whole number a row, so that a single sort does: time, visitor (so cohort, too), kind.
    time = together["time_ms"] - together["time_ms"].min() if len(together["time_ms"]) else together["time_ms"]
    visitor_bits = int(sizes.sum()).bit_length()
    key = (((time << visitor_bits) | together["visitor"]) << _KIND_BITS) | together["kind"]
    order = pl.Series(key).arg_sort().to_numpy()
    return Occurrences(**{name: np.take(values, order, axis=0) for name, values in together.items()})


def _of_cohort(cohort: Cohort, happened: Happenings, profile: Integers, first_visitor: int) -> Occurrences:
    """Page views first, then forms (each as two calls), requests, and what the sales desk did."""
    journeys = cohort.journeys
    lived = (np.array(rows, dtype=np.int64) for rows in (happened.viewed, happened.sent))
    viewed, sent = (np.concatenate(both) for both in zip(lived, happened.planned, strict=True))
    asked = np.array(happened.asked, dtype=np.int64)
    steps = [
        (cohort.asked_in[visitor], time_ms, SALES + SALES_EVENTS.index(event))
        for visitor, time_ms, event in happened.sales
    ]
    visits, steps_ms, step = np.array(steps, dtype=np.int64).reshape(-1, 3).T
    view = np.concatenate((viewed, sent, sent))
    on_page = len(view)

    visit = np.concatenate((journeys.visit_of_view[view], asked, visits))
    sent_ms = cohort.sent_at(sent)
    time_ms = np.concatenate((cohort.view_ms[viewed], sent_ms, sent_ms, cohort.end_ms[asked], steps_ms))
    counts = [len(viewed), len(sent), len(sent), len(asked)]
    kind = np.concatenate((np.repeat(np.arange(SALES), counts), step))
    visitor = journeys.visitor[visit]
    browser = cohort.browser[visit]

    page, came_from, channel = (np.full(len(visit), -1) for _ in range(3))
    number = np.zeros(len(visit), dtype=np.int64)
    page[:on_page] = journeys.page[view]
    opens = view == journeys.first_view[visit[:on_page]]
    came_from[:on_page] = np.where(opens, -1, journeys.page[np.maximum(view - 1, 0)])
    lands = opens & (journeys.number[visit[:on_page]] == 1)
    channel[:on_page] = np.where(lands, cohort.people.channel[visitor[:on_page]], -1)
    number[:on_page] = view - journeys.first_view[journeys.first_visit[visitor[:on_page]]]
    return Occurrences(
        time_ms=time_ms,
        kind=kind,
        visitor=visitor + first_visitor,
        browser=browser + 2 * first_visitor,
        page=page,
        came_from=came_from,
        channel=channel,
        number=number,
        known=(time_ms >= cohort.identified_ms[browser]) | (kind >= ASK),
        words=np.take(cohort.identities, browser, axis=0),
        profile=np.take(profile, browser, axis=0),
    )
