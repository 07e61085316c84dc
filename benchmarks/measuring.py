"""Comparisons and how they are measured: in turns, so that a slow phase of the machine affects all subjects alike.

Every turn begins with a clean heap: otherwise Python would collect what one subject left while the next is timed. A
subject that switches the collector off, as a simulation does, would so be timed at the cost of its neighbour.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

ON_ONE_CORE: Final = """
import os, sys
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Python that becomes another command, which is kept to one core."""

_ALONE: Final = "FUNNELSIM_BENCHMARK_ON_ONE_CORE"


@dataclass(frozen=True)
class Work:
    """Work of a subject that runs in its own processes.

    Args:
        n_items: Events, visitors, starts, … processed.
        peak_mib: Largest memory of its largest process, in MiB.
    """

    n_items: int
    peak_mib: float


Subject = Callable[[], int | Work]
"""Does the work once and returns the number of items (events, rows, visits, starts) processed."""


@dataclass(frozen=True)
class Comparison:
    """Subjects that do the same work, and the yardstick for them.

    Args:
        name: Short name, for ``--only``.
        title: What is compared, for the table.
        items: What is counted: ``events``, ``rows``, …
        prepare: Prepares the data and returns the subjects by name; the first is the yardstick.
        goals: The ratio that a subject should reach, by its name: at least in speed, at most in memory.
        of: What the ratio is of.
        rounds: How often to measure at most: long runs differ little.
        one_core: Whether all subjects are kept to one core, with one thread of Polars: where the yardstick is plain
            Python, which has no use for another.
    """

    name: str
    title: str
    items: str
    prepare: Callable[[], Mapping[str, Subject]]
    goals: Mapping[str, float] = field(default_factory=dict)
    of: Literal["speed", "memory"] = "speed"
    rounds: int = 1_000
    one_core: bool = False

    @property
    def is_long(self) -> bool:
        """Whether a single run takes so long that there is no warm-up."""
        return self.rounds == 1


@dataclass(frozen=True)
class Result:
    """Result of a subject.

    Args:
        comparison: Name of the comparison.
        subject: Name of the subject.
        of: What the ratio is of, ``speed`` or ``memory``.
        ratio: Median over the rounds of its speed, or peak memory, relative to the yardstick's in the same round.
        per_second: Median speed, in items a second.
        seconds: Median time of one run in seconds.
        peak_mib: Median peak of its memory, in MiB; None for subjects in this process.
        goal: The ratio that it should reach, at least in speed and at most in memory; None when there is none.
    """

    comparison: str
    subject: str
    of: str
    ratio: float
    per_second: float
    seconds: float
    peak_mib: float | None
    goal: float | None


@dataclass(frozen=True)
class _Run:
    """One run of one subject."""

    n_items: int
    seconds: float
    peak_mib: float | None

    @property
    def per_second(self) -> float:
        return self.n_items / self.seconds

    def over(self, other: _Run, of: str) -> float:
        """Speed or peak memory as a ratio to another's."""
        if of == "speed":
            return self.per_second / other.per_second
        return (self.peak_mib or 0.0) / (other.peak_mib or 1.0)


def measure(comparison: Comparison, rounds: int) -> list[Result]:
    """Let all subjects warm up, then take turns."""
    if comparison.one_core and _ALONE not in os.environ:
        return _on_one_core(comparison, rounds)
    subjects = comparison.prepare()
    if not comparison.is_long:
        for subject in subjects.values():
            subject()
    runs = [{name: _run(subject) for name, subject in subjects.items()} for _ in range(min(rounds, comparison.rounds))]
    yardstick = next(iter(subjects))
    return [
        Result(
            comparison=comparison.name,
            subject=name,
            of=comparison.of,
            ratio=statistics.median(run[name].over(run[yardstick], comparison.of) for run in runs),
            per_second=statistics.median(run[name].per_second for run in runs),
            seconds=statistics.median(run[name].seconds for run in runs),
            peak_mib=_median([run[name].peak_mib for run in runs]),
            goal=comparison.goals.get(name),
        )
        for name in subjects
    ]


def _on_one_core(comparison: Comparison, rounds: int) -> list[Result]:
    """The results of a process of its own: the threads of Polars are counted when it is imported."""
    here = [sys.executable, "-c", ON_ONE_CORE, "-m", "benchmarks"]
    command = [*here, "--json", "--only", comparison.name, "--rounds", str(rounds)]
    alone = {**os.environ, _ALONE: "1", "POLARS_MAX_THREADS": "1"}
    printed = subprocess.run(command, env=alone, check=True, stdout=subprocess.PIPE).stdout
    return [Result(**result) for result in json.loads(printed)["results"]]


def _run(subject: Subject) -> _Run:
    gc.collect()
    started = time.perf_counter()
    done = subject()
    seconds = time.perf_counter() - started
    return _Run(done.n_items, seconds, done.peak_mib) if isinstance(done, Work) else _Run(done, seconds, None)


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
