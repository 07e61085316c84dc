"""Table of people: the person behind each browser, which is unobserved, to evaluate stitching and segments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

# Rows from which sorting and writing a part of the table is worth its fixed cost.
_MIN_PART_ROWS: Final = 100_000


def true_people(cohorts: Iterable[Cohort], population: Population, clock: Clock) -> Iterator[pl.DataFrame]:
    """All people who arrived before the end; columns as in :data:`PEOPLE_SCHEMA`, by first page view.

    Args:
        cohorts: The visitors, after the simulation, in the order of the schedule.
        population: Attributes of the visitors.
        clock: Start and end of the simulation.

    Yields:
        The table in parts, at least one. People who arrive before a cohort's earliest time are final once it is drawn.
    """
    waiting, in_order = PEOPLE_SCHEMA.to_frame(), ("first_seen_at", "anonymous_id")
    for cohort in cohorts:
        if waiting.height >= _MIN_PART_ROWS:
            is_settled = pl.col("first_seen_at") < pl.lit(clock.to_utc(cohort.earliest_ms), UTC_MS)
            yield waiting.filter(is_settled).sort(in_order)
            waiting = waiting.filter(~is_settled)
        waiting = pl.concat([waiting, _people_of(cohort, population, clock)])
    yield waiting.sort(in_order)


def _people_of(cohort: Cohort, population: Population, clock: Clock) -> pl.DataFrame:
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
        },
        schema=PEOPLE_SCHEMA,
    )
