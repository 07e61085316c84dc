"""Occurrences: what visitors and the sales desk do, as whole numbers, from which the tracker tells.

They are kept apart from the cohorts, hour by hour, with all that events need to know of the visits in which they fall:
so a cohort can be let go of as soon as it has been drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from analytics.events.times import HOUR_MS
from simulator.engine.arrays import Bools, Integers
from simulator.sales.desk import SALES_EVENTS
from simulator.visitors.cohort import Cohort

__all__ = [
    "ACTIVITY_RECORD",
    "IDENTIFY",
    "REQUEST",
    "SALES",
    "SUBMIT",
    "VIEW",
    "VISIT_RECORD",
    "HourActivity",
    "Records",
    "desk_activity",
    "logged_activity",
    "planned_activity",
    "sales_kind",
    "visits_of",
]

VIEW, IDENTIFY, SUBMIT, REQUEST, SALES = range(5)
"""Kinds of occurrence, in the order in which one visitor's occurrences of the same millisecond are told. From the last
on, each event of the sales desk is a kind."""

Records = npt.NDArray[Any]

VISIT_RECORD: Final = np.dtype(
    [
        ("words", np.uint64, 2),
        ("person", np.uint64),
        ("identified_ms", np.int64),
        ("cohort", np.int32),
        ("visitor", np.int32),
        ("visit", np.int32),
        ("account", np.int32),
        ("arms", np.int32),
        ("n", np.int32),
        ("device", np.int16),
        ("country", np.int16),
        ("zone", np.int16),
        ("persona", np.int16),
        ("channel", np.int16),
        ("company_email", np.bool_),
        ("may_request", np.bool_),
    ],
    align=True,
)
"""What is known of a visit, or of the part of it that falls into an hour.

``words`` are the random words of its browser, ``person`` the first of the person's first browser; ``identified_ms`` is
when the browser first sends a form. ``cohort`` is the place of the cohort among all, ``visitor`` and ``visit`` are the
rows there; ``n`` is how many occurrences there are. The others are indices of the population; ``may_request`` is whether
the visitor may request a demo in any visit.
"""

ACTIVITY_RECORD: Final = np.dtype(
    [
        ("time_ms", np.int64),
        ("number", np.int32),
        ("page", np.int16),
        ("came_from", np.int16),
        ("kind", np.int8),
    ],
    align=True,
)
"""Something that happened: when, in ms since the start; the number of the page view among those of its visitor, from 0;
on which page and after which in the same visit, −1 for none; and what, one of the kinds above."""

_NONE: Final = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class HourActivity:
    """What happens in an hour.

    Attributes:
        visits: Records of :data:`VISIT`, in any order; a visit may have several.
        occurrences: Records of :data:`OCCURRENCE`: those of the first visit, then those of the second, and so on.
    """

    visits: Records
    records: Records

    def __bool__(self) -> bool:
        return len(self.records) > 0

    @classmethod
    def of(cls, parts: Sequence[HourActivity]) -> HourActivity:
        """What several parts of the hour hold together."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            _joined([part.visits for part in parts], VISIT_RECORD),
            _joined([part.records for part in parts], ACTIVITY_RECORD),
        )

    def of_visits(self, kept: Bools) -> HourActivity:
        """What happens in some of the visits; shape (visits,)."""
        if kept.all():
            return self
        of_kept = np.repeat(kept, self.visits["n"])
        return HourActivity(self.visits.compress(kept), self.records.compress(of_kept))

    def chunks(self, max_records: int) -> Iterator[HourActivity]:
        """The same in stretches of time, one after the other, that hold about so many occurrences at most."""
        n, time_ms = len(self.records), self.records["time_ms"]
        if n <= max_records:
            yield self
            return
        # Where the traffic changes within the hour, so does the length of the stretches.
        bounds = np.quantile(time_ms, np.linspace(0, 1, 1 + -(-n // max_records))[1:-1], method="lower")
        chunk = np.searchsorted(bounds, time_ms, side="left")
        visit = np.repeat(np.arange(len(self.visits)), self.visits["n"])
        for number in range(len(bounds) + 1):
            rows = np.flatnonzero(chunk == number)
            counts = np.bincount(visit[rows], minlength=len(self.visits))
            visits = self.visits.compress(counts > 0)
            visits["n"] = counts[counts > 0]
            yield HourActivity(visits, self.records.take(rows))


def _joined(parts: Sequence[Records], dtype: np.dtype[Any]) -> Records:
    """Records one after the other; copied as octets, since NumPy would copy them field by field."""
    octets = [np.empty(0, dtype=np.uint8), *(np.ascontiguousarray(part).view(np.uint8) for part in parts)]
    return np.concatenate(octets).view(dtype)


def planned_activity(cohort: Cohort, length_ms: int) -> Iterator[tuple[int, HourActivity]]:
    """All that the visitors of a cohort will do on the site unless the world stops them, by hour.

    Args:
        cohort: The cohort.
        length_ms: Length of the simulation; what lies beyond it is never done.
    """
    viewed = np.flatnonzero(cohort.view_ms < length_ms)
    submitted = cohort.sends[cohort.sent_at(cohort.sends) < length_ms]
    visit, records = _on_site(cohort, viewed, submitted)
    hour = records["time_ms"] // HOUR_MS
    first, last = (int(hour.min()), int(hour.max())) if len(hour) else (0, -1)
    # Whole numbers of sixteen bits are sorted by counting, several times faster than longer ones.
    order = np.argsort((hour - first).astype(np.min_scalar_type(max(last - first, 0))), kind="stable")
    visit, hour, records = visit[order], hour[order], np.take(records, order)
    begins = np.flatnonzero(np.diff(visit, prepend=-1) | np.diff(hour, prepend=-1))
    visits = visits_of(cohort, visit[begins])
    visits["n"] = np.diff(begins, append=len(visit))
    hours = np.arange(first, last + 2)
    bounds_of_visits = np.searchsorted(hour[begins], hours).tolist()
    bounds = np.searchsorted(hour, hours).tolist()
    for place in range(last + 1 - first):
        if bounds[place] < bounds[place + 1]:
            # Copies, so that an hour that has passed takes no room, whatever the others do.
            yield (
                first + place,
                HourActivity(
                    visits[bounds_of_visits[place] : bounds_of_visits[place + 1]].copy(),
                    records[bounds[place] : bounds[place + 1]].copy(),
                ),
            )


def logged_activity(cohort: Cohort, viewed: Integers, submitted: Integers) -> HourActivity:
    """What the agents of a cohort have done on the site.

    Args:
        cohort: The cohort.
        viewed: Rows of the page views, in any order; shape (n,).
        sent: Rows of the page views whose form was sent; shape (n,).
    """
    visit, records = _on_site(cohort, viewed, submitted)
    begins = np.flatnonzero(np.diff(visit, prepend=-1))
    visits = visits_of(cohort, visit[begins])
    visits["n"] = np.diff(begins, append=len(visit))
    return HourActivity(visits, records)


def desk_activity(visits: Records, times_ms: Sequence[int], kinds: Sequence[int]) -> HourActivity:
    """Requests, and what the sales desk did about them.

    Args:
        visits: The visit that ended in the request, for each of them; shape (n,).
        times_ms: When; shape (n,).
        kinds: :data:`ASK`, or :data:`SALES` and beyond.
    """
    records = np.zeros(len(visits), dtype=ACTIVITY_RECORD)
    records["time_ms"], records["kind"] = times_ms, kinds
    records["page"] = records["came_from"] = -1
    visits = visits.copy()
    visits["n"] = 1
    return HourActivity(visits, records)


def sales_kind(event: str) -> int:
    """Kind of an event of the sales desk."""
    return SALES + SALES_EVENTS.index(event)


def visits_of(cohort: Cohort, visits: Integers) -> Records:
    """What is known of some visits of a cohort: records of :data:`VISIT`; shape (n,)."""
    people, journeys, browser = cohort.people, cohort.journeys, cohort.browser[visits]
    visitor = journeys.visitor[visits]
    may_request = np.zeros(len(cohort), dtype=bool)
    may_request[journeys.visitor[cohort.decision_margin > 0]] = True
    records = np.zeros(len(visits), dtype=VISIT_RECORD)
    records["words"] = np.take(cohort.identities, browser, axis=0)
    records["person"] = cohort.identities[visitor, 0]
    records["identified_ms"] = cohort.identified_ms[browser]
    records["cohort"] = cohort.place
    records["visitor"], records["visit"] = visitor, visits
    records["device"] = people.device_used(visitor, cohort.second_browser[visits])
    records["arms"], records["may_request"] = cohort.arms[visitor], may_request[visitor]
    for name in ("account", "country", "zone", "persona", "channel", "company_email"):
        records[name] = getattr(people, name)[visitor]
    return records


def _on_site(cohort: Cohort, viewed: Integers, submitted: Integers) -> tuple[Integers, Records]:
    """Page views and forms (each as two calls), visit after visit: the visit of each, and what it is."""
    journeys, sent_ms = cohort.journeys, cohort.sent_at(submitted)
    view = np.concatenate((viewed, submitted, submitted))
    # Three runs that are in order each, which a merge sort puts together without much ado.
    order = np.argsort(view, kind="stable")
    view = view[order]
    visit = journeys.visit_of_view[view]
    records = np.zeros(len(view), dtype=ACTIVITY_RECORD)
    records["time_ms"] = np.concatenate((cohort.view_ms[viewed], sent_ms, sent_ms))[order]
    records["kind"] = np.repeat(np.arange(REQUEST), [len(viewed), len(submitted), len(submitted)])[order]
    records["page"] = journeys.page[view]
    opens = view == journeys.first_view[visit]
    records["came_from"] = np.where(opens, -1, journeys.page[np.maximum(view - 1, 0)])
    records["number"] = view - journeys.first_view[journeys.first_visit[journeys.visitor[visit]]]
    return visit, records
