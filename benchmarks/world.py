"""Simulated data of the comparisons: days of the baseline scenario."""

from __future__ import annotations

from functools import cache

import polars as pl

from scenarios.scenario import Scenario
from simulator.model import Model
from simulator.replication.outcome import Outcome
from simulator.settings.world import WorldSettings
from simulator.tracking.delivery import CollectingSink

_BUSY_VISITORS = 60_000.0


def baseline() -> WorldSettings:
    """The world of the baseline scenario."""
    return Scenario.load("baseline").world


def day_of(visitors: float) -> WorldSettings:
    """The baseline's world with other traffic."""
    world = baseline()
    return world.model_copy(update={"traffic": world.traffic.model_copy(update={"visitors_per_day": visitors})})


@cache
def busy_day() -> tuple[pl.DataFrame, Outcome]:
    """Events and outcome of a day with 60,000 visitors."""
    sink = CollectingSink()
    outcome = Model(day_of(_BUSY_VISITORS), seed=7, sinks=[sink]).run().outcome
    return sink.events.rechunk(), outcome
