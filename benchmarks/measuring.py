"""Comparisons and how they are measured: in turns, so that a machine that slows down slows all subjects alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["Comparison", "Result", "Subject", "measure"]

Subject = Callable[[], int]
"""Does the work once and says how many items (events, rows, visits, starts) it has dealt with."""


@dataclass(frozen=True)
class Comparison:
    """Subjects that do the same work, and the yardstick that they are held against.

    Args:
        name: Short name, for ``--only``.
        title: What is compared, for the table.
        items: What is counted: ``events``, ``rows``, …
        prepare: Makes the data and returns the subjects by name; the first is the yardstick.
        goals: Smallest ratio that a subject should reach, by its name.
    """

    name: str
    title: str
    items: str
    prepare: Callable[[], Mapping[str, Subject]]
    goals: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """How a subject did.

    Args:
        comparison: Name of the comparison.
        subject: Name of the subject.
        ratio: Median over the rounds of its speed relative to the yardstick's in the same round.
        per_second: Median speed, in items a second.
        seconds: Median time of one go, in seconds.
        goal: Smallest ratio that it should reach; None when there is none.
    """

    comparison: str
    subject: str
    ratio: float
    per_second: float
    seconds: float
    goal: float | None


def measure(comparison: Comparison, rounds: int) -> list[Result]:
    """Let all subjects warm up, then take turns."""
    subjects = comparison.prepare()
    for subject in subjects.values():
        subject()
    goes = [{name: _timed(subject) for name, subject in subjects.items()} for _ in range(rounds)]
    yardstick = next(iter(subjects))
    return [
        Result(
            comparison=comparison.name,
            subject=name,
            ratio=statistics.median(_speed(go[name]) / _speed(go[yardstick]) for go in goes),
            per_second=statistics.median(_speed(go[name]) for go in goes),
            seconds=statistics.median(go[name][1] for go in goes),
            goal=comparison.goals.get(name),
        )
        for name in subjects
    ]


def _timed(subject: Subject) -> tuple[int, float]:
    started = time.perf_counter()
    n_items = subject()
    return n_items, time.perf_counter() - started


def _speed(go: tuple[int, float]) -> float:
    n_items, seconds = go
    return n_items / seconds
