"""Openings: when each cohort is drawn, and so the order of all cohorts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from simulator.visitors.cohort_sampler import CohortSampler

__all__ = ["ScheduledCohort", "schedule_of"]


@dataclass(frozen=True)
class ScheduledCohort:
    """A cohort, and those whom its visitors invite, before they are drawn.

    Attributes:
        place: Place among all, from 0.
        opens_ms: Moment before which none of them arrives, in ms since the start.
        inflow: Number of the inflow.
        index: Number of the cohort within it.
    """

    place: int
    earliest_ms: int
    arrival_source: int
    index: int


def schedule_of(samplers: Sequence[CohortSampler], length_ms: int) -> Iterator[ScheduledCohort]:
    """All cohorts that open before the end, in order; of those that open at once, whose turn came first is first.

    Args:
        makers: What draws the cohorts of each inflow.
        length_ms: Length of the simulation, in ms.
    """
    waiting = [(sampler.earliest_ms(0), turn, turn, 0) for turn, sampler in enumerate(samplers) if sampler.n_cohorts]
    heapify(waiting)
    turn, place = len(samplers), 0
    while waiting:
        earliest_ms, _, arrival_source, index = heappop(waiting)
        if earliest_ms >= length_ms:
            continue
        yield ScheduledCohort(place, earliest_ms, arrival_source, index)
        place, turn = place + 1, turn + 1
        if index + 1 < samplers[arrival_source].n_cohorts:
            heappush(waiting, (samplers[arrival_source].earliest_ms(index + 1), turn, arrival_source, index + 1))
