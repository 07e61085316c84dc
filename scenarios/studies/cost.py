"""What a study will cost: its smallest and its largest replication are made first, and tell what all will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics import intent
from scenarios.measures.model import MODEL_WORDS
from scenarios.studies.replication import Replicated, Replication, references_of, replicate

__all__ = ["CostGauge", "StudyCost", "clocked", "expected_visitors", "pilots_first"]

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_MODEL: Final = frozenset(word.name for word in MODEL_WORDS) - {"true_coefficient"}
"""Words that need the intent model, whose libraries the first replication of a worker would load in its own time."""


@dataclass(frozen=True)
class StudyCost:
    """What a study will cost.

    Args:
        n_replications: Replications that are still to be made, as far as that is known.
        work_s: Seconds of one core that they take.
        n_workers: Workers that share them.
        is_open: Whether more may be needed until responses are known well enough.
    """

    n_replications: int
    work_s: float
    n_workers: int
    is_open: bool = False

    def __str__(self) -> str:
        workers = min(self.n_workers, self.n_replications)
        least = "at least " if self.is_open else ""
        return (
            f"{least}{self.n_replications:,} replications of about {_told(self.work_s / self.n_replications)} each: "
            f"about {_told(self.work_s / workers)} on {workers} worker{'s' if workers > 1 else ''}"
        )


def clocked(replication: Replication) -> tuple[Replicated, float]:
    """Make a replication, in a worker, and say how many seconds it took, without those of loading libraries."""
    if any(reference.name in _MODEL for reference in references_of(replication)):
        _ = intent.IntentModel  # naming it loads statsmodels, which must not count as work
    began = time.perf_counter()
    replicated = replicate(replication)
    return replicated, time.perf_counter() - began


def expected_visitors(replication: Replication) -> float:
    """Visitors whom the ordinary traffic of a replication brings: what its cost grows with."""
    world = replication.scenario
    return float(world.traffic.visitors_per_day * world.clock.hours / 24)


def pilots_first(replications: Sequence[Replication]) -> tuple[list[Replication], int]:
    """Put the largest and the smallest replication first.

    Args:
        replications: What is to be made; at least one.

    Returns:
        The same in another order, and how many of them are pilots: two, or one where all are of a size.
    """
    sizes = [expected_visitors(each) for each in replications]
    ends = dict.fromkeys([int(np.argmax(sizes)), int(np.argmin(sizes))])
    others = (each for place, each in enumerate(replications) if place not in ends)
    return [*(replications[place] for place in ends), *others], len(ends)


class CostGauge:
    """Tells the cost of a study, once, as soon as its pilots are back.

    Args:
        replications: What is to be made, pilots first.
        n_pilots: How many are pilots.
        n_workers: Workers that share them.
        is_open: Whether more may be needed.
        announce: Told the cost.
    """

    def __init__(
        self,
        replications: Sequence[Replication],
        n_pilots: int,
        n_workers: int,
        *,
        is_open: bool,
        announce: Callable[[StudyCost], None],
    ) -> None:
        self._sizes = [expected_visitors(each) for each in replications]
        self._waits_for = list(replications[:n_pilots])
        self._seen: list[tuple[float, float]] = []
        self._shape = (n_workers, is_open)
        self._announce = announce

    def note(self, replication: Replication, seconds: float | None) -> None:
        """Take note of a replication that has come back, in so many seconds; or never, if None."""
        if replication not in self._waits_for:
            return
        self._waits_for.remove(replication)
        if seconds is not None:
            self._seen.append((expected_visitors(replication), seconds))
        if not self._waits_for and self._seen:
            self._announce(StudyCost(len(self._sizes), self._work_s(), *self._shape))

    def _work_s(self) -> float:
        """Seconds of all: on the straight line through what was seen, which never falls as the traffic grows."""
        size, seconds = (np.array(column) for column in zip(*self._seen, strict=True))
        slope = max(float(np.ptp(seconds) / np.ptp(size)), 0.0) if np.ptp(size) else 0.0
        slope = slope if seconds[np.argmax(size)] >= seconds[np.argmin(size)] else 0.0
        line = seconds.mean() + slope * (np.array(self._sizes) - size.mean())
        return float(np.maximum(line, 0.0).sum())


def _told(seconds: float) -> str:
    """Write a time as people say it."""
    for unit, name in ((_DAY_S, "days"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"  # noqa: PLR2004 - two digits are enough
