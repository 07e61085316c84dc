"""The true visit table: what happened, as a perfect tracker would let analysts rebuild it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from analytics.signals import SIGNALS, visit_schema
from simulator.clock import Clock
from simulator.cohort import Cohort
from simulator.journey import IDLE_MS

__all__ = ["true_visits"]


def true_visits(cohorts: Sequence[Cohort], clock: Clock) -> pl.DataFrame:
    """One row per visit that began before the end, in order of its start, with the columns of ``visit_schema()``."""
    tables = [_visits_of(cohort, clock) for cohort in cohorts]
    if not tables:
        return pl.DataFrame(schema=visit_schema())
    return pl.concat(tables).sort("started_at", "anonymous_id", "visit")


def _visits_of(cohort: Cohort, clock: Clock) -> pl.DataFrame:
    journeys = cohort.journeys
    seen = cohort.view_ms < clock.length_ms
    start_ms = cohort.view_ms[journeys.first_view]
    last_ms = np.maximum.reduceat(np.where(seen, cohort.view_ms, -1), journeys.first_view)
    happened = cohort.happened(clock.length_ms)
    visitor = journeys.visitor[happened]
    columns: dict[str, object] = {
        "anonymous_id": cohort.person_ids.gather(visitor),
        "visit": journeys.number[happened],
        "account": cohort.accounts.gather(visitor),
        "experiments": cohort.experiments.gather(visitor),
        "started_at": clock.timestamps(start_ms[happened]),
        "ended_at": clock.timestamps(last_ms[happened]),
        "n_page_views": np.add.reduceat(seen.astype(np.int64), journeys.first_view)[happened],
        **{signal.name: cohort.signals.column(signal.name)[happened] for signal in SIGNALS},
        "at_risk": np.ones(len(happened), dtype=bool),
        "censored": last_ms[happened] + IDLE_MS > clock.length_ms,
        "requested_demo": cohort.asked[happened],
    }
    return pl.DataFrame(columns, schema=visit_schema())
