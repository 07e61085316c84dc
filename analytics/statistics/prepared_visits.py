"""The visits of events as they are counted: whole, or of parts that are read one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property

import polars as pl

from analytics.sessions.visits import Settled, begins_in, read_visits
from analytics.signals.definitions import VISIT_OUTCOME_COLUMNS, ConversionUnit, Signal
from analytics.statistics.measurement_loss import P_SEEN, LossRates, visitors_seen
from analytics.statistics.prepared_events import PreparedEvents, PreparedParts


class PreparedVisits:
    """The visit table of prepared events, each part of which is made once.

    Args:
        events: The events.
        signals: The signals, in the order of their columns.
        observed_until: End of the observed period, itself excluded; just after the last event unless given.
        conversion_unit: Unit that requests one demo at most.
        window: Period in which the visits begin; the whole one unless given.
        loss_rates: Shares of browsers that are never seen, for :meth:`with_seen`.
    """

    def __init__(
        self,
        events: PreparedEvents | PreparedParts,
        signals: Sequence[Signal],
        *,
        observed_until: datetime | None,
        conversion_unit: ConversionUnit,
        window: tuple[datetime, datetime] | None,
        loss_rates: LossRates,
    ) -> None:
        self._events = events
        self._signals = tuple(signals)
        self._observed_until = observed_until
        self._conversion_unit: ConversionUnit = conversion_unit
        self._window = window
        self._loss_rates = loss_rates

    @cached_property
    def table(self) -> pl.DataFrame:
        """The whole table, in memory."""
        return self._finished(pl.concat(self._parts[0])).collect()

    @property
    def settled(self) -> Settled:
        """What visits depend on beside the events of their own part."""
        return self._parts[1]

    def at_risk(self, others: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Yield the completed visits at risk of each part, with the columns that a fit needs.

        Args:
            others: Columns that it needs beside visitor, account, signals and outcome.
        """
        wanted = ["anonymous_id", "account", *others, *(signal.name for signal in self._signals)]
        wanted += VISIT_OUTCOME_COLUMNS
        eligible = pl.col("at_risk") & ~pl.col("censored")
        for rows in self._parts[0]:
            yield self.with_seen(self._finished(rows).filter(eligible).select(wanted).collect())

    def with_seen(self, visits: pl.DataFrame) -> pl.DataFrame:
        """Add ``p_seen``, the probability with which each visitor was seen, where loss rates are known.

        Args:
            visits: Rows of the table.
        """
        if not self._loss_rates:
            return visits
        return visits.join(self._seen, on="anonymous_id", how="left", maintain_order="left")

    def weights(self, visits: pl.DataFrame) -> pl.Series:
        """Return how many visits each stands for, by the probability with which it was seen.

        Args:
            visits: Rows as of :meth:`with_seen`.
        """
        return 1 / visits[P_SEEN] if self._loss_rates else pl.repeat(1.0, visits.height, eager=True)

    def count(self, condition: pl.Expr) -> int:
        """Count the visits of which a condition holds, of events in parts without all visits in memory."""
        whole = isinstance(self._events, PreparedEvents)
        tables = [self.table.lazy()] if whole else map(self._finished, self._parts[0])
        return sum(int(visits.select(condition.sum()).collect().item()) for visits in tables)

    def _finished(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The visit table of rows of some or all parts."""
        unit = self._conversion_unit
        finished = self.settled.finish(rows, self._signals, self._observed_until, conversion_unit=unit)
        return finished if self._window is None else finished.filter(begins_in(self._window))

    @cached_property
    def _parts(self) -> tuple[list[pl.LazyFrame], Settled]:
        """The visits of all parts, as far as they do not depend on others, and what they depend on."""
        rows, settled = [], []
        for table in self._events:
            read = read_visits(table, self._signals)
            rows.append(self._events.keep(read.rows))
            settled.append(replace(read, rows=read.rows.clear()))
        return rows, Settled.of(settled)

    @cached_property
    def _seen(self) -> pl.DataFrame:
        """The probability with which each visitor was seen."""
        return pl.concat(visitors_seen(events, self._loss_rates) for events in self._events)
