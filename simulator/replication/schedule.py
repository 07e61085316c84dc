"""Schedule of the cohorts of all arrival sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from simulator.visitors.cohort_sampler import CohortSampler


@dataclass(frozen=True)
class ScheduledCohort:
    """A cohort, and the colleagues invited by its visitors, before they are drawn.

    Attributes:
        place: Position in the schedule, from 0.
        earliest_ms: Time before which none of its visitors arrives, in ms since the start.
        arrival_source: Index of the arrival source.
        index: Number of the cohort within the source.
    """

    place: int
    earliest_ms: int
    arrival_source: int
    index: int


def schedule_of(samplers: Sequence[CohortSampler], length_ms: int) -> Iterator[ScheduledCohort]:
    """All cohorts with arrivals before the end, by earliest arrival; ties in the order in which they were queued.

    Args:
        samplers: Sampler of each arrival source.
        length_ms: Length of the simulation in ms.
    """
    waiting = [(sampler.earliest_ms(0), turn, turn, 0) for turn, sampler in enumerate(samplers) if sampler.n_cohorts]
    heapify(waiting)
    # The turn breaks ties, so that the order never depends on the heap's internals.
    turn, place = len(samplers), 0
    while waiting:
        earliest_ms, _, arrival_source, index = heappop(waiting)
        if earliest_ms >= length_ms:
            continue
        yield ScheduledCohort(place, earliest_ms, arrival_source, index)
        place, turn = place + 1, turn + 1
        if index + 1 < samplers[arrival_source].n_cohorts:
            heappush(waiting, (samplers[arrival_source].earliest_ms(index + 1), turn, arrival_source, index + 1))
