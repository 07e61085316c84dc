"""Tables of what really happened, computed when they are first read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from analytics.signals.definitions import SIGNALS, ConversionUnit, Signal
from simulator.engine.clock import Clock
from simulator.replication.people_truth import true_people
from simulator.replication.visit_truth import true_visits
from simulator.visitors.cohort import Cohort
from simulator.world.population import Population


@dataclass(frozen=True)
class TruthTables:
    """The state of the world after the simulation, as tables.

    Args:
        cohorts: Returns the visitors with their requests; draws them again where they were not kept.
        people_by_cohort: Returns the people of each cohort; see :func:`simulator.replication.people_truth.true_people`.
        population: Attributes of the visitors.
        clock: Start and end of the simulation.
        conversion_unit: Whether an account or each of its visitors requests a demo.
        signals: Signals that visitors decide by.
    """

    cohorts: Callable[[], Iterable[Cohort]]
    people_by_cohort: Callable[[], Iterable[tuple[int, pl.DataFrame]]]
    population: Population
    clock: Clock
    conversion_unit: ConversionUnit
    signals: tuple[Signal, ...] = SIGNALS

    @cached_property
    def visits(self) -> pl.DataFrame:
        """The true visit table; see :func:`simulator.replication.visit_truth.true_visits`."""
        return true_visits(list(self.cohorts()), self.clock, self.conversion_unit, self.signals)

    @cached_property
    def people(self) -> pl.DataFrame:
        """The person behind each browser; see :func:`simulator.replication.people_truth.true_people`."""
        return pl.concat(self.people_in_parts())

    def people_in_parts(self) -> Iterator[pl.DataFrame]:
        """The same table in parts, so that memory need not hold all of it."""
        return true_people(self.people_by_cohort(), self.clock)

    @property
    def accounts(self) -> pl.DataFrame:
        """The companies; columns as in :data:`simulator.world.accounts.ACCOUNTS_SCHEMA`."""
        return self.population.accounts.table()
