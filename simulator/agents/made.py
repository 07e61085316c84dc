"""What awake visitors did, in the shapes of a plan: activity of an hour for the tracker, and a cohort for the truth."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from simulator.agents.awake import AwakeCohort
from simulator.agents.visit import Visit, journeys_of
from simulator.errors import ComponentError
from simulator.tracking.activity import ACTIVITY_RECORD, VISIT_RECORD, HourActivity
from simulator.visitors.cohort import Cohort
from simulator.visitors.cohort_tables import WorldTables

NEVER_MS = int(np.iinfo(np.int64).max)


class Act(NamedTuple):
    """One activity of an awake visitor, or of the sales team for one.

    Attributes:
        cohort: Cohort of the visitor.
        row: The visitor's row in it.
        visit: The visit.
        identified_ms: First form of the visitor in each browser, by whether it is the second one; grows as time passes.
        record: Time in ms, number, page, previous page, origin and kind, as in
            :data:`simulator.tracking.activity.ACTIVITY_RECORD`.
        extra: Properties of the event as JSON, for events of components that have any.
    """

    cohort: AwakeCohort
    row: int
    visit: Visit
    identified_ms: dict[bool, int]
    record: tuple[int, int, int, int, int, int]
    extra: str = ""


def extra_of(event: str, properties: Mapping[str, object]) -> str:
    """Properties of an event as they are stored; empty without any.

    Args:
        event: Name of the event.
        properties: The properties, by name.

    Raises:
        ComponentError: They are no JSON.

    >>> extra_of("Chat Ended", {"minutes": 3})
    '{"properties":{"minutes":3}}'
    """
    if not properties:
        return ""
    try:
        return json.dumps({"properties": properties}, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ComponentError(f"{event!r}: its properties must be JSON, such as texts and numbers: {error}") from None


def activity_of(acts: Sequence[Act]) -> HourActivity:
    """Activity of an hour from what awake visitors did, in any order."""
    # By visit, in the order of their first act: the order of the events does not depend on it.
    by_visit: dict[int, list[Act]] = {}
    for act in acts:
        by_visit.setdefault(id(act.visit), []).append(act)
    visits = np.zeros(len(by_visit), dtype=VISIT_RECORD)
    for place, (first, *others) in enumerate(by_visit.values()):
        visits[place] = first.cohort.visit_records[first.cohort.record_row(first.row, first.visit)]
        visits[place]["identified_ms"] = first.identified_ms.get(first.visit.itinerary.second_browser, NEVER_MS)
        visits[place]["n"] = 1 + len(others)
    # On the clock, no request cancels anything afterwards.
    visits["may_request"] = False
    ordered = [act for of_visit in by_visit.values() for act in of_visit]
    extras = [act.extra for act in ordered if act.extra]
    numbers = iter(range(len(extras)))
    records = np.array([(*act.record, next(numbers) if act.extra else -1) for act in ordered], dtype=ACTIVITY_RECORD)
    return HourActivity(visits, records, tuple(extras))


def made_cohort(awake: AwakeCohort, visits: Sequence[Sequence[Visit]], tables: WorldTables, length_ms: int) -> Cohort:
    """Cohort whose journeys are the visits that were made, by those awake visitors who made any.

    Truth tables read it as they read the plan of those who slept.

    Args:
        awake: The awake visitors.
        visits: The visits of each, those without a page view included; shape (visitors,).
        tables: Tables of the world.
        length_ms: Length of the simulation.
    """
    # A visit exists once its first page view does.
    seen = [[visit for visit in of_visitor if visit.pages] for of_visitor in visits]
    came = np.flatnonzero([len(of_visitor) > 0 for of_visitor in seen])
    part = awake.cohort.take(came)
    of_each = [seen[row] for row in came.tolist()]
    made = [visit for of_visitor in of_each for visit in of_visitor]
    visitor = np.repeat(np.arange(len(came)), [len(of_visitor) for of_visitor in of_each])
    journeys = journeys_of(made, visitor, part.arrival_ms)
    second = np.array([visit.itinerary.second_browser for visit in made], dtype=bool)
    people = part.people
    origins = np.array([visit.itinerary.origin for visit in made], dtype=np.int64)
    signals = tables.reader.read(
        people, journeys, people.device_used(visitor, second), length_ms - part.arrival_ms, origins
    )
    cohort = replace(
        part,
        journeys=journeys,
        signals=signals,
        second_browser=second,
        visit_rows=np.arange(len(made)),
        decision_margin=np.full(len(made), -np.inf),
        # Visits that a request cancels were not made.
        returns_after_request=np.arange(len(came)),
    )
    cohort.request_visit = {int(visitor[row]): row for row, visit in enumerate(made) if visit.requested}
    return cohort
