"""True visit table: the visits that a perfect tracker would reconstruct."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from analytics.signals.definitions import SIGNALS, ConversionUnit, Signal, visit_schema
from simulator.engine.arrays import Integers
from simulator.engine.clock import Clock
from simulator.visitors.cohort import Cohort
from simulator.visitors.journey import IDLE_MS

_NEVER_MS = np.iinfo(np.int64).max


def true_visits(
    cohorts: Sequence[Cohort],
    clock: Clock,
    conversion_unit: ConversionUnit = "account",
    signals: tuple[Signal, ...] = SIGNALS,
) -> pl.DataFrame:
    """One row per visit that started before the end, by start, with the columns of ``visit_schema(signals)``.

    Args:
        cohorts: The visitors, after the simulation.
        clock: Start and end of the simulation.
        conversion_unit: ``account``: visits of colleagues that end after the account's first request are not at risk.
        signals: Signals that visitors decide by, in the order of their columns.
    """
    if not cohorts:
        return pl.DataFrame(schema=visit_schema(signals))
    converted_ms = _converted_ms(cohorts, conversion_unit)
    tables = [_visits_of(cohort, clock, converted_ms, signals) for cohort in cohorts]
    return pl.concat(tables).sort("started_at", "anonymous_id", "visit")


def _converted_ms(cohorts: Sequence[Cohort], conversion_unit: ConversionUnit) -> Integers:
    """Time of the last request that an account makes, the maximum integer if it makes none; shape (accounts + 1,).

    The last entry, selected by index −1, belongs to visitors without an account, who never share a request.
    """
    n_accounts = 1 + max(int(cohort.people.account.max(initial=-1)) for cohort in cohorts)
    converted = np.full(n_accounts + 1, _NEVER_MS)
    for cohort in cohorts if conversion_unit == "account" else ():
        askers, visits = np.array(list(cohort.request_visit.items()), dtype=np.int64).reshape(-1, 2).T
        np.minimum.at(converted, cohort.people.account[askers], cohort.end_ms[visits])
    # Requests of visitors without an account were written there by index −1.
    converted[-1] = _NEVER_MS
    return converted


def _visits_of(cohort: Cohort, clock: Clock, converted_ms: Integers, signals: tuple[Signal, ...]) -> pl.DataFrame:
    """Visit table of one cohort."""
    journeys = cohort.journeys
    seen = cohort.view_ms < clock.length_ms
    start_ms = cohort.view_ms[journeys.first_view]
    # The last page view before the end, not the planned end of the visit.
    last_ms = np.maximum.reduceat(np.where(seen, cohort.view_ms, -1), journeys.first_view)
    visits_made = cohort.visits_made(clock.length_ms)
    visitor = journeys.visitor[visits_made]
    converted = last_ms[visits_made] >= converted_ms[cohort.people.account[visitor]]
    columns: dict[str, object] = {
        "anonymous_id": cohort.person_ids.gather(visitor),
        "visit": journeys.number[visits_made],
        "account": cohort.accounts.gather(visitor),
        "experiments": cohort.experiments.gather(visitor),
        "started_at": clock.timestamps(start_ms[visits_made]),
        "ended_at": clock.timestamps(last_ms[visits_made]),
        "n_page_views": np.add.reduceat(seen.astype(np.int64), journeys.first_view)[visits_made],
        **{signal.name: cohort.signals.column(signal.name)[visits_made] for signal in signals},
        "at_risk": ~converted & (visits_made <= cohort.request_visit_array[visitor]),
        "censored": last_ms[visits_made] + IDLE_MS > clock.length_ms,
        "requested_demo": cohort.requested[visits_made],
    }
    return pl.DataFrame(columns, schema=visit_schema(signals))
