"""Signals that are more than "has ever seen": counts, minutes, sequences and what happened of late.

They do not carry over from visit to visit by a simple OR of bits. So each has a whole number at the end of each visit,
computed from all that the visitor has done until then: a count, milliseconds, or 1 for true. Plans of a cohort, what
awake visitors did, and a single visitor about to decide are read by the same function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analytics.signals.definitions import EventCount, EverSeen, SeenInOrder, SeenRecently, SessionLength, Signal
from analytics.signals.expressions import hours_in_ms
from simulator.engine.arrays import Bools, Floats, Integers, Words
from simulator.visitors.journey import Journeys
from simulator.visitors.shown import Fact

_MS_PER_MINUTE = 60_000

Histories = dict[str, Integers]
"""A whole number at the end of each visit, by name of the signal; shapes (visits,)."""


def facts_of(signal: Signal) -> list[Fact]:
    """What an event has to show for a signal, one fact for each step of it.

    >>> facts_of(SeenInOrder("checked", "", "high", ("security", "pricing")))[0]
    (('category', ('security',)), ('event', ('security',)))
    """
    match signal:
        case SeenInOrder():
            return [(("category", (step,)), ("event", (step,))) for step in signal.steps]
        case EverSeen() | SeenRecently():
            return [((signal.column, signal.values),)]
        case EventCount(column=str(column)):
            return [((column, signal.values),)]
        case _:
            return []


def scaled(signal: Signal, history: Integers) -> Floats | Bools | Integers:
    """Values of a signal as the visit table has them.

    Args:
        signal: The signal.
        history: Its whole numbers; shape (visits,).

    >>> scaled(SessionLength("long", "", "high", "minutes", longer_than=2.0), np.array([60_000, 180_000]))
    array([False,  True])
    """
    match signal:
        case SessionLength(longer_than=float() | int() as threshold):
            return np.asarray(history > threshold * _MS_PER_MINUTE)
        case SessionLength():
            minutes = history / _MS_PER_MINUTE
            return np.log1p(minutes) if signal.scale == "log1p" else minutes
        case EventCount(at_least=int(threshold)):
            return np.asarray(history >= threshold)
        case EventCount():
            return np.log1p(history.astype(np.float64)) if signal.scale == "log1p" else history
        case _:
            return np.asarray(history > 0)


@dataclass(frozen=True)
class Happenings:
    """What the visitors of a cohort did, in their order: a place for each page view and for the form on each page.

    Attributes:
        journeys: The visits.
        shown: Facts that a page view (even places) or a form (odd places) shows; shape (2 × views,).
        is_seen: Whether each page view happened before the end of observation; shape (views,).
        begin_ms, end_ms: First and last page view of each visit that was observed; shape (visits,).
    """

    journeys: Journeys
    shown: Words
    is_seen: Bools
    begin_ms: Integers
    end_ms: Integers

    @cached_property
    def first_place(self) -> Integers:
        """First place of each visit; shape (visits,)."""
        return 2 * self.journeys.first_view

    @cached_property
    def last_place(self) -> Integers:
        """Last place of each visit; shape (visits,)."""
        return 2 * (self.journeys.first_view + self.journeys.n_pages) - 1

    @cached_property
    def since(self) -> Integers:
        """First place of the visitor of each visit; shape (visits,)."""
        return self.first_place[self.journeys.first_visit[self.journeys.visitor]]

    @cached_property
    def time_ms(self) -> Integers:
        """Time of each place; shape (2 × views,)."""
        return np.stack((self.journeys.view_ms, self.journeys.submit_ms), axis=1).ravel()

    def has(self, bit: int) -> Bools:
        """Whether each place shows a fact; shape (2 × views,)."""
        shows: Bools = (self.shown >> np.uint64(bit)) & np.uint64(1) == 1
        return shows

    def last_of(self, shows: Bools) -> Integers:
        """The last place so far with something, of any visitor, −1 for none; shape (2 × views,)."""
        found: Integers = np.maximum.accumulate(np.where(shows, np.arange(len(shows)), -1))
        return found

    def n_in_visit(self, shows: Bools) -> Integers:
        """Number of places of each visit with something; shape (visits,)."""
        so_far = np.concatenate(([0], np.cumsum(shows)))
        n: Integers = so_far[self.last_place + 1] - so_far[self.first_place]
        return n

    def sum_so_far(self, amounts: Integers) -> Integers:
        """Sum of something over the visits of each visitor so far; shape (visits,)."""
        total = np.cumsum(amounts)
        summed: Integers = total - (total - amounts)[self.journeys.first_visit[self.journeys.visitor]]
        return summed


class HistoryReader:
    """Computes the histories of signals.

    Args:
        signals: The signals; those of the kind "has ever seen" have no history and are left out.

    Attributes:
        signals: The signals that have a history.
        facts: The facts that they need of events, by bit.
    """

    def __init__(self, signals: Sequence[Signal]) -> None:
        self.signals = tuple(signal for signal in signals if not isinstance(signal, EverSeen))
        self.facts: list[Fact] = []
        self._first_bit: dict[str, int] = {}
        for signal in self.signals:
            self._first_bit[signal.name] = len(self.facts)
            self.facts += facts_of(signal)

    def read(self, done: Happenings) -> Histories:
        """The history of each signal."""
        return {signal.name: self._history(signal, done, self._first_bit[signal.name]) for signal in self.signals}

    def _history(self, signal: Signal, done: Happenings, bit: int) -> Integers:
        match signal:
            case SessionLength():
                length_ms = done.end_ms - done.begin_ms
                return length_ms if signal.within == "visit" else done.sum_so_far(length_ms)
            case EventCount():
                return _count(signal, done, bit)
            case SeenRecently():
                return _is_recent(signal, done, done.last_of(done.has(bit))[done.last_place]).astype(np.int64)
            case SeenInOrder():
                return _is_in_order(len(signal.steps), done, bit).astype(np.int64)
            case _:
                raise TypeError(f"{signal.name} has no history")


def _count(signal: EventCount, done: Happenings, bit: int) -> Integers:
    if signal.of == "visits":
        count = done.journeys.number
    else:
        shows = done.has(bit) if signal.column else np.ones(len(done.shown), dtype=bool)
        if signal.of == "page_views":
            shows[0::2] &= done.is_seen
            shows[1::2] = False
        count = done.n_in_visit(shows)
        count = count if signal.within == "visit" else done.sum_so_far(count)
    # What cannot be told apart must not make a visitor leave the plan.
    return count if signal.at_most is None else np.minimum(count, signal.at_most)


def _is_recent(signal: SeenRecently, done: Happenings, last: Integers) -> Bools:
    ever = last >= done.since
    # Without any, the first place stands in; `ever` discards it.
    place, number = np.maximum(last, 0), done.journeys.number
    if signal.hours is None:
        ago = number - number[done.journeys.visit_of_view[place // 2]]
        return np.asarray(ever & (ago < signal.visits))
    return np.asarray(ever & (done.end_ms - done.time_ms[place] <= hours_in_ms(signal)))


def _is_in_order(n_steps: int, done: Happenings, bit: int) -> Bools:
    journeys = done.journeys
    since = np.repeat(done.since[journeys.visit_of_view], 2)
    before = np.ones(len(done.shown), dtype=bool)
    last = np.full(len(done.shown), -1)
    for step in range(n_steps):
        last = done.last_of(done.has(bit + step) & before)
        # A step counts from the next event on: one page does not make two steps.
        before = np.concatenate(([-1], last[:-1])) >= since
    return np.asarray(last[done.last_place] >= done.since)
