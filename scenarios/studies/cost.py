"""Cost of a study, estimated from its smallest and its largest replication, which are run first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics import intent
from scenarios.measures.model import MODEL_MEASURES
from scenarios.studies.replication import Replicated, Replication, references_of, replicate

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_MODEL: Final = frozenset(each.name for each in MODEL_MEASURES)
"""Measures that need the intent model, whose libraries the first replication of a worker would otherwise load."""


@dataclass(frozen=True)
class StudyCost:
    """The estimated cost of a study.

    Args:
        n_replications: Replications still to run, as far as that is known.
        work_s: Seconds of one core that they take.
        n_workers: Workers that share them.
        is_open: Whether more may be needed to reach the target precision.

    >>> print(StudyCost(n_replications=100, work_s=300.0, n_workers=2))
    100 replications of about 3 s each: about 2 min on 2 workers
    """

    n_replications: int
    work_s: float
    n_workers: int
    is_open: bool = False

    def __str__(self) -> str:
        # Workers without a replication do not shorten the study.
        workers = min(self.n_workers, self.n_replications)
        least = "at least " if self.is_open else ""
        each = _duration(self.work_s / self.n_replications)
        return (
            f"{least}{self.n_replications:,} replications of about {each} each: "
            f"about {_duration(self.work_s / workers)} on {workers} worker{'s' if workers > 1 else ''}"
        )


def clocked(replication: Replication) -> tuple[Replicated, float]:
    """Run a replication, in a worker; return it with the seconds it took, without those of loading libraries.

    Args:
        replication: The replication to run.
    """
    if any(reference.name in _MODEL for reference in references_of(replication)):
        _ = intent.IntentModel  # naming it loads statsmodels, which must not count as work
    began = time.perf_counter()
    replicated = replicate(replication)
    return replicated, time.perf_counter() - began


def expected_visitors(replication: Replication) -> float:
    """Expected visitors of a replication's ordinary traffic, in proportion to which its cost grows.

    Args:
        replication: The replication.

    Returns:
        Visitors over the whole clock.
    """
    world = replication.scenario
    return float(world.traffic.visitors_per_day * world.clock.hours / 24)


def pilots_first(replications: Sequence[Replication]) -> tuple[list[Replication], int]:
    """Put the largest and the smallest replication first.

    Args:
        replications: What is to be run; at least one.

    Returns:
        The same in another order, and how many of them are pilots: two, or one where all are of a size.
    """
    sizes = [expected_visitors(each) for each in replications]
    # The largest first: it takes longest, and the other pilot runs beside it. Equal sizes leave one pilot.
    ends = dict.fromkeys([int(np.argmax(sizes)), int(np.argmin(sizes))])
    others = (each for place, each in enumerate(replications) if place not in ends)
    return [*(replications[place] for place in ends), *others], len(ends)


@dataclass
class CostGauge:
    """Estimates the cost of a study and announces it once, when its pilots have finished.

    Args:
        replications: What is to be run, pilots first.
        n_pilots: How many are pilots.
        n_workers: Workers that share them.
        is_open: Whether more may be needed.
        announce: Called with the cost.
    """

    replications: Sequence[Replication]
    n_pilots: int
    n_workers: int
    is_open: bool
    announce: Callable[[StudyCost], None]

    def __post_init__(self) -> None:
        self._waits_for = list(self.replications[: self.n_pilots])
        self._seen: list[tuple[float, float]] = []

    def note(self, replication: Replication, seconds: float | None) -> None:
        """Record a finished replication and its seconds; None for one that was lost.

        Args:
            replication: The replication.
            seconds: Seconds it took, or None.
        """
        if replication not in self._waits_for:
            return
        self._waits_for.remove(replication)
        if seconds is not None:
            self._seen.append((expected_visitors(replication), seconds))
        if not self._waits_for and self._seen:
            self.announce(StudyCost(len(self.replications), self._work_s(), self.n_workers, self.is_open))

    def _work_s(self) -> float:
        """Seconds of all replications, on a straight line through the pilots that does not fall with the traffic."""
        sizes = np.array([expected_visitors(each) for each in self.replications])
        size, seconds = (np.array(column) for column in zip(*self._seen, strict=True))
        slope = max(float(np.ptp(seconds) / np.ptp(size)), 0.0) if np.ptp(size) else 0.0
        # A pilot that was slow by chance, as the first of a worker, must not turn the line.
        slope = slope if seconds[np.argmax(size)] >= seconds[np.argmin(size)] else 0.0
        line = seconds.mean() + slope * (sizes - size.mean())
        # A safeguard: no replication takes less than 0 s.
        return float(np.maximum(line, 0.0).sum())


def _duration(seconds: float) -> str:
    """Write a time in the unit in which it is easily read.

    Args:
        seconds: The time.

    >>> _duration(3.456), _duration(90.0), _duration(600.0), _duration(3 * 86_400)
    ('3.5 s', '90 s', '10 min', '3 days')
    """
    for unit, name in ((_DAY_S, "days"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"  # noqa: PLR2004 - two digits are enough
