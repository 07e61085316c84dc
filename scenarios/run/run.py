"""A run: one simulated world, its events, and their analysis."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from analytics import html
from analytics.analysis import Analysis
from analytics.statistics.funnel import FunnelStatistics
from analytics.store.event_store import EventStore
from analytics.store.history import EventHistory
from scenarios.config.settings import ScenarioSettings
from scenarios.files.digest import EventsDigest
from scenarios.files.event_files import EventRecord, EventsFormat
from scenarios.files.versions import versions
from scenarios.measures.claims import ClaimResult, check_claims
from scenarios.measures.registry import Measure
from scenarios.measures.truth import known_truth
from scenarios.measures.window import WHOLE, Window
from scenarios.run.pools import Pool
from scenarios.run.results import save_run
from scenarios.run.sharing import RunSinks, fan_out
from scenarios.run.sinks import StoreSink
from simulator.sales.outcome import SalesOutcome
from simulator.simulation import ActiveAgents, Outcome, Simulation
from simulator.tracking.delivery import CollectingSink, Sink
from simulator.tracking.labels import KeptLabels, LabelKeeper
from simulator.visitors.truth import Truth
from simulator.visitors.visitor import Visitor

if TYPE_CHECKING:
    from analytics.intent.results import IntentResults


@dataclass(frozen=True)
class Timings:
    """When a run was made and how long it took: the only part of a run that does not depend on the seed alone.

    Args:
        started_at: When the simulation began, UTC.
        simulate_s: Seconds of the simulation, including all sinks.
    """

    started_at: datetime
    simulate_s: float


class Run:
    """A completed run: the outcome of the simulation, its events and their analysis.

    Made by :func:`simulate`, or ``Scenario.run``. What is costly is computed when it is first used.

    Args:
        scenario: The scenario that was run.
        seed: Seed of the run.
        replication: Which of the independent repetitions with this seed.
        active_agents: Which visitors were processes on the clock: ``all`` of them, or the ``interacting`` ones.
        outcome: What the simulation returns beside the events: the truth, the sales desk, counts.
        record: Keeps the events.
        accepted: Has received the events as they arrived, and judged them.
        digest: Sha256 of the events.
        timings: When, and how long.
        window: The hours that statistics, visits and measures of the sales desk are about.
    """

    def __init__(
        self,
        scenario: ScenarioSettings,
        *,
        seed: int,
        replication: int,
        active_agents: ActiveAgents,
        outcome: Outcome,
        record: EventRecord,
        accepted: EventHistory,
        digest: str,
        timings: Timings,
        window: Window = WHOLE,
    ) -> None:
        self.scenario = scenario
        self.seed = seed
        self.replication = replication
        self.active_agents = active_agents
        self.outcome = outcome
        self.store: EventStore = accepted.store
        self.digest = digest
        self.timings = timings
        self.window = window
        self._record = record
        self._accepted = accepted

    def __repr__(self) -> str:
        return f"<Run of {self.scenario.name}, seed {self.seed}: {self.outcome.counts['events']:,} events>"

    def _repr_html_(self) -> str:
        return run_html(self.scenario, self._header)

    @property
    def truth(self) -> Truth:
        """The true intercept and coefficients, with which estimates are compared."""
        return self.outcome.truth

    @property
    def labels(self) -> pl.DataFrame:
        """What happened to which event on its way; columns as in :data:`simulator.tracking.labels.LABELS_SCHEMA`."""
        return self.outcome.labels

    @property
    def people(self) -> pl.DataFrame:
        """Who stands behind each browser; columns as in :data:`simulator.replication.people_truth.PEOPLE_SCHEMA`."""
        return self.outcome.people

    @property
    def accounts(self) -> pl.DataFrame:
        """The companies; columns as in :data:`simulator.world.accounts.ACCOUNTS_SCHEMA`."""
        return self.outcome.accounts

    @property
    def sales(self) -> SalesOutcome:
        """Outcome of the demo requests: one row each, and a summary."""
        return self.outcome.sales

    @cached_property
    def events(self) -> pl.DataFrame:
        """The flat events in the order in which they arrived: every delivery, whether the store accepted it or not.

        Raises:
            OutputError: The run went to a folder that keeps no events.
        """
        return self._record.events

    @cached_property
    def analysis(self) -> Analysis:
        """Statistics, visits and intent model of the accepted events, over the simulated period."""
        return run_analysis(self._accepted, self.scenario, self.truth, self.window)

    @property
    def statistics(self) -> FunnelStatistics:
        """Counts and rates by hour and segment.

        >>> from scenarios import Scenario
        >>> run = Scenario.load("baseline", {"clock.hours": 1}).run()
        >>> run.statistics.totals()["page_views"].item() == run.measure("page_views()")
        True
        """
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
        """The result of each claim of the scenario, in order.

        Claims are checked when this is first used; a claim that fails raises no error.
        """
        return check_claims(self.scenario.claims, self)

    def measure(self, expression: str) -> float:
        """Return a single number of the run.

        Args:
            expression: Such as ``conversion(region="europe")``; :mod:`scenarios.measures.registry` lists the measures.

        Raises:
            ExpressionError: The expression is not valid; the message says what may have been meant.
            UndefinedMeasureError: The number does not exist in this run; the message says why.

        >>> from scenarios import Scenario
        >>> run = Scenario.load("baseline", {"clock.hours": 1}).run()
        >>> run.measure("page_views() / visits()") > 1
        True
        """
        # The settings let the expression be checked for regions, terms and hours that this run cannot have.
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
        """What was run, with which versions, and its results; only ``timings`` differs between equal runs."""
        return {**self.manifest_without_claims, "claims": [asdict(claim) for claim in self.claims]}

    @property
    def manifest_without_claims(self) -> dict[str, Any]:
        """The manifest of a run that is not analysed."""
        return {
            **self._header,
            # Sorted, because value_counts returns any order and equal runs have equal manifests.
            "labels": dict(self.labels["label"].cast(pl.String).value_counts().sort("label").iter_rows()),
            "store": asdict(self.store.counts),
            "digest": self.digest,
            "timings": {
                "started_at": self.timings.started_at.isoformat(timespec="seconds"),
                "simulate_s": round(self.timings.simulate_s, 3),
            },
        }

    @property
    def _header(self) -> dict[str, Any]:
        """The part of the manifest that costs nothing to make."""
        return {
            "kind": "run",
            "scenario": self.scenario.name,
            "seed": self.seed,
            "replication": self.replication,
            "active_agents": self.active_agents,
            "versions": versions(),
            "counts": dict(self.outcome.counts),
        }


def simulate(
    scenario: ScenarioSettings,
    *,
    seed: int | None = None,
    replication: int = 0,
    record: EventRecord | None = None,
    labels: LabelKeeper | None = None,
    sinks: Sequence[Sink] = (),
    progress: Callable[[float], None] | None = None,
    pool: Pool | None = None,
    accepted: EventHistory | None = None,
    visitor: type[Visitor] = Visitor,
) -> Run:
    """Run a scenario.

    Args:
        scenario: What to run; it is not changed.
        seed: Seed of this run; the scenario's own if not given. 0 is a seed.
        replication: Which of the independent repetitions with this seed.
        record: Keeps the events; in memory if not given.
        labels: Keeps what happened to which event; in memory if not given.
        sinks: Further sinks of each batch of events, such as a file.
        progress: Called now and then with the share of the clock that has passed, from 0 to 1.
        pool: Workers to share the run. Not used where all visitors are processes on one clock.
        accepted: Receives and judges the events; keeps them in memory if not given.
        visitor: Class of the agents.

    >>> from scenarios import Scenario
    >>> simulate(Scenario.load("baseline", {"clock.hours": 1}), seed=0).seed
    0
    """
    # Not `seed or scenario.seed`: 0 is a seed.
    seed = scenario.seed if seed is None else seed
    accepted = EventHistory() if accepted is None else accepted
    outputs = RunSinks(
        store=StoreSink(accepted.store),
        digest=EventsDigest(scenario.clock.start),
        record=CollectingSink() if record is None else record,
        labels=KeptLabels() if labels is None else labels,
        sinks=sinks,
    )
    world, agents = scenario.world, scenario.active_agents
    simulation = Simulation(world, seed=seed, replication=replication, visitor=visitor, active_agents=agents)
    started_at, clock = datetime.now(UTC), time.perf_counter()
    # With all visitors on one clock there is one sequence of moments, which cannot be divided.
    if pool is None or simulation.active_agents == "all":
        outcome = simulation.run([outputs.together], progress, outputs.labels)
    else:
        outcome = fan_out(simulation, pool, outputs, progress)
    return Run(
        scenario,
        seed=seed,
        replication=replication,
        active_agents=simulation.active_agents,
        outcome=outcome,
        record=outputs.record,
        accepted=accepted,
        digest=outputs.digest.hexdigest(),
        timings=Timings(started_at, time.perf_counter() - clock),
    )


def run_analysis(accepted: EventHistory, scenario: ScenarioSettings, truth: Truth, window: Window = WHOLE) -> Analysis:
    """Return the analysis of a run, which is computed when it is used.

    Args:
        accepted: Took the events of the run in.
        scenario: The scenario that was run.
        truth: The true coefficients.
        window: The hours that statistics and visits are about.
    """
    start, settings = scenario.clock.start, scenario.analytics
    return Analysis(
        accepted.frame,
        settings,
        truth=known_truth(truth, settings),
        observed_from=start,
        observed_until=start + timedelta(hours=scenario.clock.hours),
        conversion_unit=scenario.intent.conversion_unit,
        window=None if window.is_whole else window.period(scenario.clock),
    )


def run_html(scenario: ScenarioSettings, manifest: Mapping[str, Any]) -> str:
    """Show what was run and what happened in it, from the head of its manifest. Nothing is analysed for it.

    Args:
        scenario: The scenario that was run.
        manifest: At least seed, replication, active_agents and counts.
    """
    # Where replications are not used, a 0 would only puzzle the reader.
    which = f", replication {manifest['replication']}" if manifest["replication"] else ""
    return html.notebook_html(
        f", seed {manifest['seed']}, active_agents: {manifest['active_agents']}{which}",
        name=scenario.name,
        description=scenario.description,
        counts={name.replace("_", " "): f"{count:,}" for name, count in manifest["counts"].items()},
    )
