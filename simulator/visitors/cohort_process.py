"""Runs all visitors of a cohort on the SimPy clock, each step at its time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Final

import numpy as np
import polars as pl
import simpy

from simulator.engine.clock import Wait
from simulator.visitors.cohort import Cohort
from simulator.visitors.visitor import Visitor, WorldView

_VIEW: Final = 0
_SEND: Final = 1
_DECIDE: Final = 2


def activate(world: WorldView, cohort: Cohort, visitor: type[Visitor]) -> None:
    """Run all visitors of a cohort on the clock, page by page.

    The straightforward way is a process for each visitor and an event for each page; it is used where a subclass
    overrides the journey. Otherwise all steps are known in advance, and one loop over the sorted steps is much faster.

    Args:
        world: World of the visitors.
        cohort: The cohort.
        visitor: Class of the agents.
    """
    env = world.clock.env
    # Overridden steps are fine: the loop calls them on the agent.
    if visitor.journey is Visitor.journey and visitor.end_of is Visitor.end_of:
        env.step_through(_run_steps(world, cohort, visitor))
    else:
        env.process(_arrive(world, cohort, visitor))


def _arrive(world: WorldView, cohort: Cohort, visitor: type[Visitor]) -> Generator[simpy.Event, None, None]:
    """Start each visitor's journey at their arrival; a SimPy process."""
    arrivals = cohort.arrival_ms.tolist()
    # Stable, so that visitors of one millisecond start in the order of their rows.
    for number in np.argsort(cohort.arrival_ms, kind="stable").tolist():
        yield world.clock.until(arrivals[number])
        world.clock.env.process(visitor(world, cohort, number).journey())


def _run_steps(world: WorldView, cohort: Cohort, visitor: type[Visitor]) -> Iterator[Wait]:
    """Wait for each step of any visitor and execute it, as :meth:`Visitor.journey` does for one visitor."""
    agents: dict[int, Visitor] = {}
    gone: set[int] = set()
    rank = cohort.rank
    for moment, kind, row, number in _steps(cohort, world.clock.length_ms):
        # Visitors without further visits are skipped, and nobody requests twice.
        if number in gone or (kind == _DECIDE and number in cohort.request_visit):
            continue
        yield moment, (*rank, number) if kind == _DECIDE else None
        # Agents are created at their first step: a subclass may keep state from then on.
        agent = agents.get(number)
        if agent is None:
            agent = agents[number] = visitor(world, cohort, number)
        if kind == _VIEW:
            agent.view_page(row)
        elif kind == _SEND:
            agent.send_form(row)
        elif agent.wants_demo(row):
            agent.request_demo(row)
            if cohort.ends_with_request(number):
                gone.add(number)


def _steps(cohort: Cohort, length_ms: int) -> Iterator[tuple[float, int, int, int]]:
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

    moment, *others = (values[time_ms < length_ms][order] for values in (time_ms, kind, row, number))
    return zip((moment / 1000).tolist(), *(column.tolist() for column in others), strict=True)
