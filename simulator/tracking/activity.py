"""Activity records: everything that visitors and the sales desk do, as integers; the tracker turns them into events.

They are kept by hour, with all visit properties that events need, so that a cohort can be released once it has been
drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from analytics.events.times import HOUR_MS
from simulator.engine.arrays import Bools, Integers
from simulator.sales.desk import SALES_EVENTS
from simulator.visitors.cohort import Cohort

VIEW, IDENTIFY, SUBMIT, REQUEST, SALES = range(5)
"""Kinds of activity, in the order of their events when one visitor has several in one millisecond. From ``SALES`` on,
each event of the sales desk is its own kind, and after these each event of a component.
"""

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
        # Small types: a plan holds one record for each visit and hour.
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
"""One visit, or the part of it that falls into an hour.

``words`` are the random words of its browser, ``person`` the first word of the person's first browser;
``identified_ms`` is the first form submission in the browser. ``cohort`` is the place of the cohort, ``visitor`` and
``visit`` are rows in it; ``n`` is the number of activity records. The other integers are indices of the population;
``may_request`` is whether the visitor may request a demo in any visit.
"""

ACTIVITY_RECORD: Final = np.dtype(
    [
        ("time_ms", np.int64),
        ("number", np.int32),
        ("page", np.int16),
        ("previous_page", np.int16),
        ("origin", np.int16),
        ("kind", np.int8),
        ("extra", np.int32),
    ],
    align=True,
)
"""One activity: time in ms since the start; number of the page view among those of the visitor, from 0; the page and
the previous page of the visit, −1 for none; the origin whose link or referrer opened the page, −1 for none; the kind,
one of those above; and the row of further properties in the hour's ``extras``, −1 for none.
"""

_NONE: Final = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class HourActivity:
    """Activity of an hour.

    Attributes:
        visits: Records of :data:`VISIT_RECORD`, in any order; one visit may have several.
        records: Records of :data:`ACTIVITY_RECORD`, grouped by visit, in the order of ``visits``.
        extras: Further properties of components' events, as JSON.
    """

    visits: Records
    records: Records
    extras: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return len(self.records) > 0

    @classmethod
    def of(cls, parts: Sequence[HourActivity]) -> HourActivity:
        """Concatenate several parts of an hour."""
        if len(parts) == 1:
            return parts[0]
        records, n_extras = [], 0
        for part in parts:
            # Only events of components have further properties: most parts have none to renumber.
            of_part = part.records
            if part.extras and n_extras:
                of_part = of_part.copy()
                of_part["extra"] += n_extras * (of_part["extra"] >= 0)
            records.append(of_part)
            n_extras += len(part.extras)
        return cls(
            _joined([part.visits for part in parts], VISIT_RECORD),
            _joined(records, ACTIVITY_RECORD),
            tuple(extra for part in parts for extra in part.extras),
        )

    def of_visits(self, kept: Bools) -> HourActivity:
        """Activity of some visits only.

        Args:
            kept: Whether to keep each visit; shape (visits,).
        """
        if kept.all():
            return self
        of_kept = np.repeat(kept, self.visits["n"])
        return replace(self, visits=self.visits.compress(kept), records=self.records.compress(of_kept))

    def chunks(self, max_records: int) -> Iterator[HourActivity]:
        """Split the hour into consecutive time windows.

        Args:
            max_records: Approximate maximum of activity records in each.
        """
        n, time_ms = len(self.records), self.records["time_ms"]
        if n <= max_records:
            yield self
            return
        # Quantiles, so that windows are short where the traffic of the hour is high.
        bounds = np.quantile(time_ms, np.linspace(0, 1, 1 + -(-n // max_records))[1:-1], method="lower")
        chunk = np.searchsorted(bounds, time_ms, side="left")
        visit = np.repeat(np.arange(len(self.visits)), self.visits["n"])
        for number in range(len(bounds) + 1):
            rows = np.flatnonzero(chunk == number)
            counts = np.bincount(visit[rows], minlength=len(self.visits))
            visits = self.visits.compress(counts > 0)
            visits["n"] = counts[counts > 0]
            yield replace(self, visits=visits, records=self.records.take(rows))


def _joined(parts: Sequence[Records], dtype: np.dtype[Any]) -> Records:
    """Concatenate records as bytes; NumPy would copy them field by field."""
    octets = [np.empty(0, dtype=np.uint8), *(np.ascontiguousarray(part).view(np.uint8) for part in parts)]
    return np.concatenate(octets).view(dtype)


def planned_activity(cohort: Cohort, length_ms: int) -> Iterator[tuple[int, HourActivity]]:
    """All planned activity of a cohort's visitors who are not awake, by hour, before any visit is cancelled.

    Args:
        cohort: The cohort.
        length_ms: Length of the simulation; later activity is dropped.

    Yields:
        Number of the hour, and its activity.
    """
    sleeps = ~cohort.awake[cohort.journeys.visitor][cohort.journeys.visit_of_view]
    viewed = np.flatnonzero((cohort.view_ms < length_ms) & sleeps)
    submitted = cohort.sends[(cohort.sent_at(cohort.sends) < length_ms) & sleeps[cohort.sends]]
    visit, records = _on_site(cohort, viewed, submitted)
    hour = records["time_ms"] // HOUR_MS
    first, last = (int(hour.min()), int(hour.max())) if len(hour) else (0, -1)
    # 16-bit integers have a radix sort, several times faster than the sort of longer ones.
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
            # Copies, so that an hour can be released without the others.
            yield (
                first + place,
                HourActivity(
                    _joined([visits[bounds_of_visits[place] : bounds_of_visits[place + 1]]], VISIT_RECORD),
                    _joined([records[bounds[place] : bounds[place + 1]]], ACTIVITY_RECORD),
                ),
            )


def logged_activity(cohort: Cohort, viewed: Integers, submitted: Integers) -> HourActivity:
    """Activity on the site that agents of a cohort have logged.

    Args:
        cohort: The cohort.
        viewed: Rows of the page views, in any order; shape (n,).
        submitted: Rows of the page views whose form was submitted; shape (n,).
    """
    visit, records = _on_site(cohort, viewed, submitted)
    begins = np.flatnonzero(np.diff(visit, prepend=-1))
    visits = visits_of(cohort, visit[begins])
    visits["n"] = np.diff(begins, append=len(visit))
    return HourActivity(visits, records)


def desk_activity(visits: Records, times_ms: Sequence[int], kinds: Sequence[int]) -> HourActivity:
    """Demo requests and steps at the sales desk.

    Args:
        visits: Record of the visit that ended in the request, for each activity; shape (n,).
        times_ms: Time of each; shape (n,).
        kinds: :data:`REQUEST`, or :data:`SALES` and above; shape (n,).
    """
    records = np.zeros(len(visits), dtype=ACTIVITY_RECORD)
    records["time_ms"], records["kind"] = times_ms, kinds
    records["page"] = records["previous_page"] = records["origin"] = records["extra"] = -1
    visits = visits.copy()
    visits["n"] = 1
    return HourActivity(visits, records)


def sales_kind(event: str) -> int:
    """Kind of an event of the sales desk."""
    return SALES + SALES_EVENTS.index(event)


def visits_of(cohort: Cohort, visits: Integers) -> Records:
    """Visit records of some visits of a cohort.

    Args:
        cohort: The cohort.
        visits: Rows of visits; shape (n,).

    Returns:
        Records of :data:`VISIT_RECORD`, with ``n`` still 0; shape (n,).
    """
    people, journeys, browser = cohort.people, cohort.journeys, cohort.browser[visits]
    visitor = journeys.visitor[visits]
    # Marks the visitors whose plan a request may cancel; all others need no look-up.
    may_request = np.zeros(len(cohort), dtype=bool)
    may_request[journeys.visitor[cohort.decision_margin > 0]] = True
    records = np.zeros(len(visits), dtype=VISIT_RECORD)
    records["words"] = np.take(cohort.identities, browser, axis=0)
    records["person"] = cohort.identities[visitor, 0]
    records["identified_ms"] = cohort.identified_ms[browser]
    # The place, not the index: it is unique over all arrival sources.
    records["cohort"] = cohort.place
    records["visitor"], records["visit"] = cohort.numbers[visitor], cohort.visit_rows[visits]
    records["device"] = people.device_used(visitor, cohort.second_browser[visits])
    records["arms"], records["may_request"] = cohort.arms[visitor], may_request[visitor]
    for name in ("account", "country", "zone", "persona", "channel", "company_email"):
        records[name] = getattr(people, name)[visitor]
    return records


def _on_site(cohort: Cohort, viewed: Integers, submitted: Integers) -> tuple[Integers, Records]:
    """Page views and forms (two calls each), grouped by visit: the visit of each record, and the records."""
    journeys, sent_ms = cohort.journeys, cohort.sent_at(submitted)
    view = np.concatenate((viewed, submitted, submitted))
    # Three sorted runs: the stable merge sort is nearly linear on them.
    order = np.argsort(view, kind="stable")
    view = view[order]
    visit = journeys.visit_of_view[view]
    records = np.zeros(len(view), dtype=ACTIVITY_RECORD)
    records["time_ms"] = np.concatenate((cohort.view_ms[viewed], sent_ms, sent_ms))[order]
    records["kind"] = np.repeat(np.arange(REQUEST), [len(viewed), len(submitted), len(submitted)])[order]
    records["page"], records["extra"] = journeys.page[view], -1
    opens = view == journeys.first_view[visit]
    records["previous_page"] = np.where(opens, -1, journeys.page[np.maximum(view - 1, 0)])
    visitor = journeys.visitor[visit]
    records["number"] = view - journeys.first_view[journeys.first_visit[visitor]]
    # Only the first page view of all has the campaign and referrer of the visitor's channel.
    records["origin"] = np.where(records["number"] == 0, cohort.people.channel[visitor], -1)
    return visit, records
