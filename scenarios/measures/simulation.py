"""Measures of what happened in the simulation, which analysts cannot observe: counts, faults, people, the sales desk.

Counts of the event store are here too: they compare what was sent with what was accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache, partial
from operator import attrgetter
from typing import Final

import polars as pl

from analytics.events.geography import REGIONS
from analytics.sessions.identity import score_stitching
from analytics.store.counts import Counts
from scenarios.measures.definition import (
    MeasureDefinition,
    Parts,
    RunView,
    arguments_of,
    plain_measure,
    require_known,
    require_value,
)
from scenarios.measures.expressions import Reference
from simulator.sales.outcome import request_measures, sales_outcome
from simulator.tracking.labels import Label

_COUNTS: Final = {
    "visitors": "visitors",
    "visits": "visits",
    "demo_requests": "demo requests",
    "true_events": "true events",
    "true_page_views": "true page views",
    "events": "received events, including those of bots and duplicates",
    "page_views": "received page views, including those of bots and duplicates",
    "malformed_lines": "received lines that are malformed",
}
"""Counts of the manifest, and what they mean."""

_PEOPLE: Final[Mapping[str, tuple[str, Callable[[RunView], int]]]] = {
    "browsers": ("browsers that were used", lambda run: run.people.height),
    "persons": ("persons who visited the site", lambda run: run.people["person_id"].n_unique()),
    "accounts": ("companies with at least one visitor", lambda run: run.people["account"].drop_nulls().n_unique()),
    "invited": (
        "persons who came at the invitation of a colleague",
        lambda run: run.people.filter(pl.col("invited_by").is_not_null())["person_id"].n_unique(),
    ),
    "accounts_that_asked": (
        "companies with at least one demo request",
        lambda run: run.sales.requests["account"].drop_nulls().n_unique(),
    ),
    "requests_of_accounts": (
        "demo requests by people of known companies",
        lambda run: run.sales.requests["account"].count(),
    ),
}

_SALES: Final = {
    "requests": "demo requests that reached the sales desk",
    "responded": "demo requests that were answered",
    "scheduled": "demos booked",
    "held": "demos held",
    "missed": "demos that the buyer missed (no-shows)",
    "opportunities": "opportunities",
    "deals_won": "deals won",
    "deal_value": "value of the deals won, in US dollars a year",
    "held_rate": "share of due demos that were held",
    "no_show_rate": "share of due demos that the buyer missed",
    "response_minutes_mean": "mean time to the answer, in minutes",
    "response_minutes_p90": "90th percentile of the time to the answer, in minutes",
    "slot_wait_hours_mean": "mean time from booking to demo, in hours",
    "slot_wait_hours_p90": "90th percentile of the time from booking to demo, in hours",
    "sdr_utilisation": "utilisation of the sales development representatives",
    "executive_utilisation": "utilisation of the account executives",
}


# Functions that return functions, because lambdas in the loops below would all read the last name.
def _labelled(label: str) -> Callable[[RunView], float]:
    """Return a function that counts the events with a label."""
    return lambda run: run.labels.filter(pl.col("label") == label).height


def _store_measure(name: str) -> MeasureDefinition:
    """Return a counter of the event store as a measure.

    Args:
        name: A field of :class:`analytics.store.counts.Counts`.
    """
    meaning, read = f"events that the store counted as {name}", attrgetter(f"store.counts.{name}")
    return plain_measure(f"store.{name}", meaning, read, spans_clock=True)


def _counted(name: str) -> Callable[[RunView], float]:
    """Return a function that reads a count of the manifest."""
    return lambda run: run.outcome.counts[name]


def _sales_measure(key: str, meaning: str) -> MeasureDefinition:
    """Return a measure of the sales desk, which may be called with a region.

    Args:
        key: Key of the summary of the sales desk.
        meaning: Description of the number.
    """
    name = f"sales.{key}"

    def check(reference: Reference, _: Parts) -> None:
        if reference.is_call:
            require_known("region", arguments_of(reference, ("region",))["region"], REGIONS)

    def read(reference: Reference, run: RunView) -> float:
        region = str(arguments_of(reference, ("region",))["region"]) if reference.is_call else None
        summary = _sold(run, region) if run.window.is_whole else _sold_in_window(run, region)
        return require_value(summary[key], f"{reference.text}: no request to compute it from")

    # Working time is only known for the whole clock.
    spans_clock = key.endswith("_utilisation")
    usage, meaning = f'{name}, {name}(region="europe")', f"{meaning}, in total or for one region"
    return MeasureDefinition(name, meaning, check, read, usage, needs_events=False, spans_clock=spans_clock)


def _sold(run: RunView, region: str | None) -> Mapping[str, float | None]:
    """Return the measures of the sales desk over the whole clock.

    Args:
        run: The run.
        region: The region; None for the total.
    """
    if region is None:
        return run.sales.summary
    rows = run.sales.by_region.filter(pl.col("region") == pl.lit(region))
    # A region without requests has no row, but its counts are 0.
    return rows.row(0, named=True) if rows.height else _nothing_sold()


def _sold_in_window(run: RunView, region: str | None) -> Mapping[str, float | None]:
    """Return the measures of requests made in the run's window, whenever they were handled.

    Args:
        run: The run.
        region: The region; None for the total.
    """
    wanted = run.window.contains("requested_s", run.scenario.clock)
    if region is not None:
        wanted &= pl.col("region") == pl.lit(region)
    return request_measures(run.sales.requests.filter(wanted))


@cache
def _nothing_sold() -> dict[str, float | None]:
    """Measures of a sales desk without requests."""
    # Without requests, neither the length of slots nor the time matters.
    return sales_outcome([], {}, slot_ms=1, now_ms=0).summary


# None of these depends on what was received, nor on the window of responses.
_simulated: Final = partial(plain_measure, needs_events=False, spans_clock=True)

SIMULATION_MEASURES: Final = (
    *(_simulated(f"counts.{name}", meaning, _counted(name)) for name, meaning in _COUNTS.items()),
    *(_store_measure(each.name) for each in fields(Counts)),
    *(_simulated(f"labels.{each}", f"events with the label {each}", _labelled(each)) for each in map(str, Label)),
    *(_sales_measure(key, meaning) for key, meaning in _SALES.items()),
    *(_simulated(f"people.{name}", meaning, count) for name, (meaning, count) in _PEOPLE.items()),
    plain_measure(
        # Stitching is done by analysts, so this one needs the received events.
        "people.stitching_recall",
        "share of the true pairs of browsers of one person that stitching by user id joins",
        lambda run: score_stitching(run.analysis.persons.browsers, run.people).recall,
        spans_clock=True,
    ),
)
"""Measures of the simulation, in order."""
