"""Results of a run, other than its events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from simulator.agents.visitor import Visitor
from simulator.replication.truth_tables import TruthTables
from simulator.sales.outcome import SalesOutcome
from simulator.tracking.labels import LabelKeeper
from simulator.visitors.truth import Truth


@dataclass(frozen=True)
class Outcome:
    """Results of a simulation, other than the events.

    Attributes:
        truth: The true parameters.
        sales: Outcome of the demo requests.
        counts: ``visitors``, ``visits``, ``demo_requests``, ``true_events`` and ``true_page_views`` that happened;
            ``events``, ``page_views`` (bots and duplicates included) and ``malformed_lines`` that were received.
        label_keeper: Stores the faults of events.
        tables: Tables of what really happened, computed on demand.
        probes: What the probes measured, by their names; columns as in :data:`simulator.agents.probe.PROBE_SCHEMA`.
        visitor: Returns the visitor with an identifier; see :meth:`simulator.model.Model.visitor`.
    """

    truth: Truth
    sales: SalesOutcome
    counts: dict[str, int]
    label_keeper: LabelKeeper
    tables: TruthTables
    probes: Mapping[str, pl.DataFrame]
    visitor: Callable[[str], Visitor] = field(repr=False)

    @property
    def labels(self) -> pl.DataFrame:
        """Faults of events; columns as in :data:`simulator.tracking.labels.LABELS_SCHEMA`."""
        return self.label_keeper.labels

    @property
    def visits(self) -> pl.DataFrame:
        """True visit table, row for row as it can be reconstructed from a perfect tracker."""
        return self.tables.visits

    @property
    def people(self) -> pl.DataFrame:
        """Person behind each browser; columns as in :data:`simulator.replication.people_truth.PEOPLE_SCHEMA`."""
        return self.tables.people

    @property
    def accounts(self) -> pl.DataFrame:
        """The companies; columns as in :data:`simulator.world.accounts.ACCOUNTS_SCHEMA`."""
        return self.tables.accounts
