"""Outages: visits that start while the site fails end with their first page view."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from simulator.engine.arrays import Bools, Integers
from simulator.engine.clock import Clock
from simulator.settings.traffic import WorldEventSettings
from simulator.visitors.journey import Journeys


def in_outage(start_ms: Integers, events: Iterable[WorldEventSettings], clock: Clock) -> Bools:
    """Whether each visit starts during an outage.

    Args:
        start_ms: Start of each visit in ms since the start of the simulation; shape (visits,).
        events: World events; only the outages matter.
        clock: Start of the simulation.

    Returns:
        Truth values; shape (visits,).
    """
    fails = np.zeros(len(start_ms), dtype=bool)
    for event in events:
        if event.kind == "outage":
            since, until = clock.to_ms(event.start), clock.to_ms(event.end)
            fails |= (start_ms >= since) & (start_ms < until)
    return fails


def cut_to_first_page(journeys: Journeys, visits: Bools) -> Journeys:
    """Reduce some visits to their first page view, without a form.

    All other visits keep their times, later visits of the same visitor included.

    Args:
        journeys: Journeys of a cohort.
        visits: Whether to cut each visit; shape (visits,).
    """
    # Most worlds have no outage; copying all arrays would be wasted.
    if not visits.any():
        return journeys
    first = np.zeros(len(journeys.page), dtype=bool)
    first[journeys.first_view] = True
    cut = visits[journeys.visit_of_view]
    stays = ~cut | first
    # The visit ends when its second page would have opened; without one it ends as planned.
    second_ms = journeys.view_ms[np.minimum(journeys.first_view + 1, len(journeys.page) - 1)]
    first_read_ms = np.where(journeys.n_pages > 1, second_ms, journeys.end_ms)
    return replace(
        journeys,
        n_pages=np.where(visits, 1, journeys.n_pages),
        page=journeys.page[stays],
        view_ms=journeys.view_ms[stays],
        submit_ms=np.where(cut, -1, journeys.submit_ms)[stays],
        end_ms=np.where(visits, first_read_ms, journeys.end_ms),
    )
