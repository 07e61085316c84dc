"""A run: one simulated world, the events it left behind, and what they say."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from analytics.event_store import EventStore
from analytics.statistics import FunnelStatistics
from analytics.tracking import flatten_numbered
from scenarios.accepted_events import AcceptedEvents
from scenarios.analysis import Analysis
from scenarios.batches import Batches
from scenarios.claims import ClaimResult, check_claims
from scenarios.delivered_lines import broken_lines
from scenarios.digest import EventsDigest
from scenarios.event_files import EventRecord, EventsFormat
from scenarios.measures import Measure, Reading
from scenarios.run_results import save_run
from scenarios.settings import ScenarioSettings
from scenarios.versions import versions
from simulator.intent import Truth
from simulator.sales_outcome import SalesOutcome
from simulator.simulation import Outcome, Simulation, Wake
from simulator.sinks import CollectingSink, Delivery, Sink

if TYPE_CHECKING:
    from analytics.intent_results import IntentResults

__all__ = ["Run", "StoreSink", "Timings", "simulate"]


@dataclass(frozen=True)
class Timings:
    """When a run was made and how long it took: the only part of a run that the seed does not determine.

    Args:
        started_at: When the simulation began, UTC.
        simulate_s: Seconds of the simulation, with everything its events were streamed to.
    """

    started_at: datetime
    simulate_s: float


class Run:
    """One simulated world and what its events say.

    Made by :func:`simulate`, or ``Scenario.run``. What is costly is worked out at the first question.

    Args:
        scenario: The scenario that was run.
        seed: Seed of the run.
        replication: Which of the independent repetitions with this seed.
        wake: Which visitors lived on the clock: ``all`` of them, or the ``interacting`` ones.
        outcome: What the simulation knows of itself: the truth, the sales desk, counts.
        record: Keeps the events.
        accepted: Took the events in as they arrived.
        digest: Sha256 of the events.
        timings: When, and how long.
    """

    def __init__(
        self,
        scenario: ScenarioSettings,
        *,
        seed: int,
        replication: int,
        wake: Wake,
        outcome: Outcome,
        record: EventRecord,
        accepted: AcceptedEvents,
        digest: str,
        timings: Timings,
    ) -> None:
        self.scenario = scenario
        self.seed = seed
        self.replication = replication
        self.wake = wake
        self.outcome = outcome
        self.store: EventStore = accepted.store
        self.digest = digest
        self.timings = timings
        self._record = record
        self._accepted = accepted

    def __repr__(self) -> str:
        return f"<Run of {self.scenario.name}, seed {self.seed}: {self.outcome.counts['events']:,} events>"

    @property
    def truth(self) -> Truth:
        """What the estimates are held against: the intercept and the coefficients."""
        return self.outcome.truth

    @property
    def labels(self) -> pl.DataFrame:
        """What befell which event on its way; columns as in :data:`simulator.labels.LABELS_SCHEMA`."""
        return self.outcome.labels

    @property
    def people(self) -> pl.DataFrame:
        """Who stands behind each browser; columns as in :data:`simulator.people_truth.PEOPLE_SCHEMA`."""
        return self.outcome.people

    @property
    def accounts(self) -> pl.DataFrame:
        """The companies; columns as in :data:`simulator.accounts.ACCOUNTS_SCHEMA`."""
        return self.outcome.accounts

    @property
    def sales(self) -> SalesOutcome:
        """What became of the demo requests: one row each, and a summary."""
        return self.outcome.sales

    @cached_property
    def events(self) -> pl.DataFrame:
        """The flat events in the order in which they arrived: every delivery, whatever the store made of it.

        Raises:
            OutputError: The run went to a folder that keeps no events.
        """
        return self._record.events

    @cached_property
    def analysis(self) -> Analysis:
        """Statistics, visits and intent model of the accepted events, over the simulated period."""
        start, settings = self.scenario.clock.start, self.scenario.analytics
        # A product that the scenario does not name has no effect: that is known too.
        without_effect = dict.fromkeys(settings.interactions, 0.0)
        return Analysis(
            self._accepted.frame,
            settings,
            truth={**without_effect, **self.truth.terms},
            observed_from=start,
            observed_until=start + timedelta(hours=self.scenario.clock.hours),
            demo_per=self.scenario.intent.demo_per,
        )

    @property
    def statistics(self) -> FunnelStatistics:
        """Counts and rates by hour and segment."""
        return self.analysis.statistics

    @property
    def intent(self) -> IntentResults:
        """The fitted intent model beside the truth.

        Raises:
            AnalyticsError: It cannot be fitted to these visits; the message says why.
        """
        return self.analysis.intent

    @cached_property
    def claims(self) -> tuple[ClaimResult, ...]:
        """What this run says of each claim of its scenario, in order."""
        return check_claims(self.scenario.claims, self)

    def measure(self, expression: str) -> Reading:
        """Read a single number off the run.

        Args:
            expression: Such as ``conversion(region="europe")``; :mod:`scenarios.measures` lists the words.

        Raises:
            ExpressionError: It is not understood; the message says what may have been meant.
        """
        parts = {name: getattr(self.scenario, name) for name in type(self.scenario).model_fields}
        return Measure.parse(expression, parts).read(self)

    def save(self, folder: str | Path, events: EventsFormat = "parquet") -> None:
        """Write a run folder, as ``funnelsim run`` does; it appears whole or not at all.

        Args:
            folder: The run folder; an earlier run there is replaced.
            events: Form in which the events are kept; ``none`` keeps results only.

        Raises:
            OutputError: The folder cannot be written, or holds what funnelsim did not make.
        """
        save_run(self, Path(folder), events)

    @property
    def manifest(self) -> dict[str, Any]:
        """What was run, with which versions, and what came out; only ``timings`` differs between equal runs."""
        return {
            "kind": "run",
            "scenario": self.scenario.name,
            "seed": self.seed,
            "replication": self.replication,
            "wake": self.wake,
            "versions": versions(),
            "counts": dict(self.outcome.counts),
            "labels": dict(self.labels["label"].cast(pl.String).value_counts().sort("label").iter_rows()),
            "store": asdict(self.store.counts),
            "claims": [asdict(claim) for claim in self.claims],
            "digest": self.digest,
            "timings": {
                "started_at": self.timings.started_at.isoformat(timespec="seconds"),
                "simulate_s": round(self.timings.simulate_s, 3),
            },
        }


def simulate(
    scenario: ScenarioSettings,
    *,
    seed: int | None = None,
    replication: int = 0,
    record: EventRecord | None = None,
    sinks: Sequence[Sink] = (),
    progress: Callable[[float], None] | None = None,
) -> Run:
    """Run a scenario.

    Args:
        scenario: What to run; it is not written on.
        seed: Seed of this run; the scenario's own if not given. 0 is a seed.
        replication: Which of the independent repetitions with this seed.
        record: Keeps the events; in memory if not given.
        sinks: Where else each batch of events goes, such as a file.
        progress: Told now and then which share of the clock has passed, from 0 to 1.
    """
    seed = scenario.seed if seed is None else seed
    record = CollectingSink() if record is None else record
    accepted, digest = AcceptedEvents(), EventsDigest()
    simulation = Simulation(scenario.world, seed=seed, replication=replication, wake=scenario.wake)
    started_at, clock = datetime.now(UTC), time.perf_counter()
    outcome = simulation.run([Batches([StoreSink(accepted.store), digest, record, *sinks])], progress)
    return Run(
        scenario,
        seed=seed,
        replication=replication,
        wake=simulation.wake,
        outcome=outcome,
        record=record,
        accepted=accepted,
        digest=digest.hexdigest(),
        timings=Timings(started_at, time.perf_counter() - clock),
    )


class StoreSink:
    """Hands the stream to an event store, its broken lines too, with the positions they have in a file of all lines."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._n_lines = 0

    def write(self, delivery: Delivery) -> None:
        """Append a delivery."""
        self._store.append(delivery.events)
        malformed = delivery.malformed
        positions = (n + self._n_lines + place for place, n in enumerate(malformed["n_before"], 1))
        self._store.append_flattened(flatten_numbered(zip(positions, broken_lines(malformed), strict=True)))
        self._n_lines += delivery.events.height + malformed.height

    def close(self) -> None:
        """Leave the store open: it is asked questions after the run."""
