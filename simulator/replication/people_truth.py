"""Table of people: the person behind each browser, which is unobserved, to evaluate stitching and segments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np
import polars as pl

from analytics.events.tracking_plan import UTC_MS
from simulator.engine.clock import Clock
from simulator.visitors.cohort import Cohort
from simulator.world.population import Population

PEOPLE_SCHEMA: Final = pl.Schema(
    {
        "anonymous_id": pl.String(),
        "person_id": pl.String(),
        "user_id": pl.String(),
        "persona": pl.String(),
        "device": pl.String(),
        "country": pl.String(),
        "account": pl.String(),
        "inflow": pl.String(),
        "invited_by": pl.String(),
        "first_seen_at": UTC_MS,
    }
)
"""Columns of the table of people, one row for each browser that was used.

``person_id`` is the ``anonymous_id`` of the person's first browser; ``user_id`` is the person's identifier in events
after identification; ``inflow`` is the arrival source: a campaign or launch, empty for the ordinary traffic, with the
ending ``invited`` for invited colleagues; ``invited_by`` is the inviter; ``first_seen_at`` is the browser's first page
view.
"""

PLANNED_SCHEMA: Final = pl.Schema({**PEOPLE_SCHEMA, "place": pl.UInt32(), "visitor": pl.UInt32(), "visit": pl.UInt32()})
"""Columns of people as they were planned: also the place of the cohort, the row of the visitor in it, and that of the
first visit with the browser."""

# Rows from which sorting and writing a part of the table is worth its fixed cost.
_MIN_PART_ROWS: Final = 20_000


def true_people(by_cohort: Iterable[tuple[int, pl.DataFrame]], clock: Clock) -> Iterator[pl.DataFrame]:
    """All people who arrived before the end; columns as in :data:`PEOPLE_SCHEMA`, by first page view.

    Args:
        by_cohort: For each cohort, in the order of the schedule, the time before which nobody of it or a later one
            arrives, in ms, and its people, by :func:`people_of`.
        clock: Start and end of the simulation.

    Yields:
        The table in parts, at least one. People who arrive before a cohort's earliest time are final once it is drawn.
    """
    waiting, in_order = PEOPLE_SCHEMA.to_frame(), ("first_seen_at", "anonymous_id")
    for earliest_ms, people in by_cohort:
        if waiting.height >= _MIN_PART_ROWS:
            is_settled = pl.col("first_seen_at") < pl.lit(clock.to_utc(earliest_ms), UTC_MS)
            yield waiting.filter(is_settled).sort(in_order)
            waiting = waiting.filter(~is_settled)
        waiting = pl.concat([waiting, people.select(waiting.columns)])
    yield waiting.sort(in_order)


def last_visits_of(visitors: Mapping[tuple[int, int], int]) -> pl.DataFrame:
    """The last visit that took place as planned, of visitors who did not keep to their plan, as a table.

    Args:
        visitors: The row of the visit, by place of the cohort and visitor.
    """
    rows = [(place, visitor, last) for (place, visitor), last in visitors.items()]
    return pl.DataFrame(
        rows, schema={"place": pl.UInt32(), "visitor": pl.UInt32(), "last_visit": pl.Int64()}, orient="row"
    )


def without_unused(people: pl.DataFrame, last_visits: pl.DataFrame) -> pl.DataFrame:
    """People as planned, without the browsers of which every visit was cancelled.

    Args:
        people: The people of some cohorts; see :func:`people_of`.
        last_visits: As of :func:`last_visits_of`.
    """
    known = people.join(last_visits, on=["place", "visitor"], how="left", maintain_order="left")
    return known.filter((pl.col("visit") <= pl.col("last_visit")).fill_null(value=True)).drop("last_visit")


def people_of(cohort: Cohort, population: Population, clock: Clock) -> pl.DataFrame:
    """People of a cohort, one row for each browser that was used; columns as in :data:`PLANNED_SCHEMA`.

    Args:
        cohort: The visitors: before the simulation with all visits that they plan, after it with those that they made.
        population: Attributes of the visitors.
        clock: Start and end of the simulation.
    """
    visits_made = cohort.visits_made(clock.length_ms)
    # Visits of a visitor are in order, so the first row of a browser is its earliest.
    browser, first = np.unique(cohort.browser[visits_made], return_index=True)
    visit = visits_made[first]
    visitor, people = cohort.journeys.visitor[visit], cohort.people
    device = people.device_used(visitor, cohort.second_browser[visit])
    return pl.DataFrame(
        {
            "anonymous_id": cohort.browser_ids.gather(browser),
            "person_id": cohort.person_ids.gather(visitor),
            "user_id": cohort.user_ids.gather(visitor),
            "persona": pl.Series(population.personas, dtype=pl.String).gather(people.persona[visitor]),
            "device": pl.Series(population.devices).gather(device),
            "country": pl.Series(population.countries).gather(people.country[visitor]),
            "account": cohort.accounts.gather(visitor),
            "inflow": pl.Series([cohort.arrival_source]).new_from_index(0, len(visit)),
            "invited_by": cohort.invited_by.gather(visitor),
            "first_seen_at": clock.timestamps(cohort.view_ms[cohort.journeys.first_view[visit]]),
            "place": np.full(len(visit), cohort.place),
            "visitor": visitor,
            "visit": visit,
        },
        schema=PLANNED_SCHEMA,
    )
