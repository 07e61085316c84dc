"""Who stands behind each browser: what no analyst knows, so that stitching and segments can be scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import polars as pl

from analytics.events.tracking_plan import UTC_MS
from simulator.engine.clock import Clock
from simulator.visitors.cohort import Cohort
from simulator.world.population import Population

__all__ = ["PEOPLE_SCHEMA", "true_people"]

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

``person_id`` is the ``anonymous_id`` of the person's first browser; ``user_id`` is what events call the person once
they have said who they are; ``inflow`` is the campaign or launch that brought them, empty for the ordinary traffic, and
ends in ``invited`` for those whom a colleague has sent; ``invited_by`` is that colleague; ``first_seen_at`` is the
browser's first page view.
"""

_WORTH_A_PART: Final = 100_000


def true_people(cohorts: Iterable[Cohort], population: Population, clock: Clock) -> Iterator[pl.DataFrame]:
    """Everybody who came before the end; columns as in :data:`PEOPLE_SCHEMA`, in order of the first page view.

    Args:
        cohorts: The visitors, after the simulation, in the order in which their cohorts opened.
        population: Who they are.
        clock: Start and end of the simulation.

    Yields:
        The table in parts, at least one: who comes before a cohort opens is in order, whoever is drawn later.
    """
    waiting, in_order = PEOPLE_SCHEMA.to_frame(), ("first_seen_at", "anonymous_id")
    for cohort in cohorts:
        if waiting.height >= _WORTH_A_PART:
            is_settled = pl.col("first_seen_at") < pl.lit(clock.to_utc(cohort.earliest_ms / 1000), UTC_MS)
            yield waiting.filter(is_settled).sort(in_order)
            waiting = waiting.filter(~is_settled)
        waiting = pl.concat([waiting, _people_of(cohort, population, clock)])
    yield waiting.sort(in_order)


def _people_of(cohort: Cohort, population: Population, clock: Clock) -> pl.DataFrame:
    visits_made = cohort.visits_made(clock.length_ms)
    # Visits follow one another, so the first of a browser is its earliest.
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
