"""Candidates: the visitors of a cohort who may request a demo.

Only they can change the state of the world, so all others can be released.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from simulator.engine.arrays import Integers
from simulator.tracking.activity import VISIT_RECORD, Records, visits_of
from simulator.visitors.cohort import Cohort
from simulator.visitors.journey import Journeys

_NONE = np.empty(0, dtype=np.int64)


@dataclass(eq=False)
class Candidates(Cohort):
    """Cohort of candidates only, with only the visits in which they may request; it has no page views.

    Attributes:
        visit_records: Record of each visit, with its position in the whole cohort; shape (visits,).
        n_later: Later visits of the visitor before the end, which a request would cancel; shape (visits,).
    """

    visit_records: Records = field(default_factory=lambda: np.empty(0, dtype=VISIT_RECORD))
    n_later: Integers = field(default_factory=lambda: _NONE)


def candidates_of(cohort: Cohort, length_ms: int) -> Candidates:
    """Candidates of a cohort: visitors who are not awake, with a visit in which they may request a demo before the end.

    Args:
        cohort: The cohort.
        length_ms: Length of the simulation in ms.
    """
    journeys = cohort.journeys
    may_request = (cohort.decision_margin > 0) & (cohort.end_ms < length_ms) & ~cohort.awake[journeys.visitor]
    visits = np.flatnonzero(may_request)
    # The world can only discourage, so a visit without a positive margin never ends in a request.
    visitors, visitor = np.unique(journeys.visitor[visits], return_inverse=True)
    return Candidates(
        **cohort.of_visitors(visitors),
        journeys=_without_pages(journeys, visits, visitor),
        signals=cohort.signals.take(visits),
        decision_margin=cohort.decision_margin[visits],
        second_browser=cohort.second_browser[visits],
        visit_records=visits_of(cohort, visits),
        # Visitors who keep visiting after a request have no visit that it would cancel.
        n_later=np.where(
            np.isin(journeys.visitor[visits], cohort.returns_after_request),
            0,
            (_n_begun(cohort, length_ms)[journeys.visitor] - journeys.number)[visits],
        ),
    )


def _without_pages(journeys: Journeys, visits: Integers, visitor: Integers) -> Journeys:
    """Some visits of some visitors, without page views; times are still relative to the arrival."""
    return Journeys(
        n_visits=np.bincount(visitor),
        visitor=visitor,
        number=journeys.number[visits],
        n_pages=np.zeros(len(visits), dtype=np.int64),
        page=_NONE,
        view_ms=_NONE,
        submit_ms=_NONE,
        end_ms=journeys.end_ms[visits],
    )


def _n_begun(cohort: Cohort, length_ms: int) -> Integers:
    """Visits of each visitor that start before the end unless a request cancels them; shape (visitors,)."""
    begun = cohort.view_ms[cohort.journeys.first_view] < length_ms
    return np.bincount(cohort.journeys.visitor[begun], minlength=len(cohort))
