"""Visitors on the clock whom nothing touches: whole cohorts page by page, or candidates at their decisions only."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Final, Protocol

import numpy as np
import polars as pl
import simpy

from simulator.engine.clock import Clock, Wait
from simulator.replication.candidates import Candidates
from simulator.visitors.cohort import Cohort

_VIEW: Final = 0
_SEND: Final = 1
_DECIDE: Final = 2


class Deciding(Protocol):
    """The part of the world that matters to decisions."""

    clock: Clock

    def request_demo(self, cohort: Cohort, visitor: int, visit: int) -> None:
        """Submit the demo form."""

    def is_woken(self, candidates: Candidates, number: int) -> bool:
        """Whether a candidate has left the plan before now."""

    def penalty_of(self, cohort: Cohort, visitor: int) -> float:
        """Effect of the state of the world on the decision to request a demo in log-odds; 0 or below."""


def activate(world: Deciding, cohort: Cohort) -> None:
    """Run all visitors of a cohort on the clock, page by page.

    The straightforward way is a process for each visitor and an event for each page. All steps are known in advance
    here, and one loop over the sorted steps is much faster.

    Args:
        world: World of the visitors.
        cohort: The cohort.
    """
    world.clock.env.step_through(_run_steps(world, cohort))


def decisions(world: Deciding, candidates: Candidates, number: int) -> Generator[simpy.Event, None, None]:
    """Go through those decisions of a candidate that the world can change; a SimPy process.

    The world can only discourage, so a visit without a positive margin ends without a request. All other activity
    affects nobody and is computed from the arrays.

    Args:
        world: World of the candidate.
        candidates: The candidates of a cohort.
        number: Row of the candidate.
    """
    journeys = candidates.journeys
    first = int(journeys.first_visit[number])
    for visit in range(first, first + int(journeys.n_visits[number])):
        yield world.clock.until(int(candidates.end_ms[visit]), _rank(candidates, number))
        # A visitor who was woken before the end of the visit decides there.
        if world.is_woken(candidates, number):
            return
        if _wants_demo(world, candidates, number, visit):
            world.request_demo(candidates, number, visit)
            return


def _rank(cohort: Cohort, number: int) -> tuple[int, ...]:
    """Rank of a decision: those of one millisecond are ordered by who decides, no matter who else is on the clock."""
    return (*cohort.rank, int(cohort.numbers[number]))


def _wants_demo(world: Deciding, cohort: Cohort, number: int, visit: int) -> bool:
    margin = float(cohort.decision_margin[visit])
    # The world can only discourage: without a positive margin its state does not matter.
    return margin > 0 and margin + world.penalty_of(cohort, number) > 0


def _run_steps(world: Deciding, cohort: Cohort) -> Iterator[Wait]:
    """Wait for each step of any visitor and execute it."""
    gone: set[int] = set()
    for moment, kind, row, number in _steps(cohort, world.clock.length_ms):
        # Visitors without further visits are skipped, and nobody requests twice.
        if number in gone or (kind == _DECIDE and number in cohort.request_visit):
            continue
        yield moment, _rank(cohort, number) if kind == _DECIDE else None
        if kind == _VIEW:
            cohort.activity.viewed.append(row)
        elif kind == _SEND:
            cohort.activity.submitted.append(row)
        elif _wants_demo(world, cohort, number, row):
            world.request_demo(cohort, number, row)
            if cohort.ends_with_request(number):
                gone.add(number)


def _steps(cohort: Cohort, length_ms: int) -> Iterator[tuple[int, int, int, int]]:
    """Time, kind, row of the page view or visit, and visitor of each step; by time, decisions last, then by visitor."""
    journeys, sends = cohort.journeys, cohort.sends
    time_ms = np.concatenate((cohort.view_ms, cohort.sent_at(sends), cohort.end_ms))
    visit = np.concatenate((journeys.visit_of_view, journeys.visit_of_view[sends], np.arange(len(cohort.end_ms))))
    row = np.concatenate((np.arange(len(cohort.view_ms)), sends, np.arange(len(cohort.end_ms))))
    kind = np.repeat((_VIEW, _SEND, _DECIDE), (len(cohort.view_ms), len(sends), len(cohort.end_ms)))
    number = journeys.visitor[visit]
    # One whole number a step, so that a single sort does.
    # Decisions after page views and forms of the same millisecond.
    key = (((time_ms << 1) | (kind == _DECIDE)) << len(cohort).bit_length()) | number
    order = pl.Series(key[time_ms < length_ms]).arg_sort().to_numpy()

    columns = (values[time_ms < length_ms][order].tolist() for values in (time_ms, kind, row, number))
    return zip(*columns, strict=True)
