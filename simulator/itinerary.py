"""Itineraries: what the visitors of a cohort will do unless the world stops them, hour by hour."""

from __future__ import annotations

import numpy as np

from simulator.arrays import Integers, first_rows
from simulator.clock import HOUR_MS
from simulator.cohort import Cohort

__all__ = ["Itinerary"]


class Itinerary:
    """The page views and forms of a cohort, in hours, read off its arrays.

    Args:
        cohort: The cohort.
        n_hours: Hours of the simulation; what lies beyond them is never done.
    """

    def __init__(self, cohort: Cohort, n_hours: int) -> None:
        self._cohort = cohort
        self._views = _Hours(np.arange(len(cohort.view_ms)), cohort.view_ms, n_hours)
        self._forms = _Hours(cohort.sends, cohort.sent_at(cohort.sends), n_hours)

    @property
    def last_hour(self) -> int:
        """The last hour in which anything is planned, −1 if nothing is."""
        return max(self._views.last, self._forms.last)

    def happen(self, hour: int) -> None:
        """Let everything of an hour happen that its visitors have not given up: a request ends their journey.

        Args:
            hour: Number of the hour, from 0, whose requests have all been made.
        """
        cohort, planned = self._cohort, (self._views.of(hour), self._forms.of(hour))
        if cohort.asked_in:
            last_visit = cohort.last_visit
            views, forms = planned
            planned = self._done(views, last_visit), self._done(forms, last_visit)
        cohort.happenings.planned = planned

    def _done(self, views: Integers, last_visit: Integers) -> Integers:
        """Those of some page views that their visitors have not given up."""
        journeys = self._cohort.journeys
        visit = journeys.visit_of_view[views]
        kept: Integers = views[visit <= last_visit[journeys.visitor[visit]]]
        return kept


class _Hours:
    """Rows sorted into the hours in which they fall.

    Args:
        rows: The rows; shape (n,).
        time_ms: When each is due; shape (n,).
        n_hours: Number of hours; what is due later is left out.
    """

    def __init__(self, rows: Integers, time_ms: Integers, n_hours: int) -> None:
        hour = np.minimum(time_ms // HOUR_MS, n_hours)
        first, last = (int(hour.min()), int(hour.max())) if len(hour) else (0, -1)
        self._first = first
        self.last = min(last, n_hours - 1)
        # Whole numbers of sixteen bits are sorted by counting, several times faster than longer ones.
        place = (hour - first).astype(np.min_scalar_type(max(last - first, 0)))
        self._rows = rows[np.argsort(place, kind="stable")]
        counts = np.bincount(hour - first, minlength=last - first + 1)
        self._starts = np.append(first_rows(counts), len(rows))

    def of(self, hour: int) -> Integers:
        """Rows that are due in an hour."""
        place = hour - self._first
        if not 0 <= place < len(self._starts) - 1 or hour > self.last:
            return self._rows[:0]
        return self._rows[self._starts[place] : self._starts[place + 1]]
