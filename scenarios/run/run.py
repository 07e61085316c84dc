"""A run: one simulated world, its events, and their analysis."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from analytics import html, report
from analytics.analysis import Analysis
from analytics.statistics.prepared_events import EventsInParts
from analytics.store.event_store import EventStore
from analytics.store.history import EventHistory
from analytics.store.hour import IN_ORDER
from scenarios.config.description import component_rows, resolved_intercept
from scenarios.config.settings import ScenarioSettings
from scenarios.files.atomic_folder import MANIFEST, new_folder
from scenarios.files.checksums import CHECKSUMS
from scenarios.files.event_files import EventRecord, EventsFormat, save_events, write_parts
from scenarios.files.plain_data import (
    model_data,
    without_personal_data,
    write_dead_letters,
    write_json,
    write_tables,
)
from scenarios.files.versions import versions
from scenarios.measures.claims import ClaimResult, check_claims
from scenarios.measures.definition import RunView
from scenarios.measures.registry import Measure
from scenarios.measures.truth import known_truth
from scenarios.measures.window import WHOLE, Window
from simulator.agents.visitor import Visitor
from simulator.replication.outcome import Outcome
from simulator.settings.class_identity import ClassIdentity
from simulator.settings.world import ActiveAgents
from simulator.tracking.labels import faults_by_label
from simulator.visitors.truth import Truth


@dataclass(frozen=True)
class Timings:
    """When a run was made and how long it took: the only part of a run that does not depend on the seed alone.

    Args:
        started_at: When the simulation began, UTC.
        simulate_s: Seconds of the simulation, including all sinks.
    """

    started_at: datetime
    simulate_s: float


@dataclass(eq=False, repr=False)
class Run(RunView):
    """A completed run: the outcome of the simulation, its events and their analysis.

    Made by ``Scenario.run``. What is costly is computed when it is first used.

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
        classes: Which components, probes, decision model and class of visitors took part, by their places in the
            scenario.
        n_parts: In how many parts the events are analysed, one after the other; 1 where all fit into memory.
        changes: Settings that differ from the scenario as it is written, for the report.

    >>> from scenarios import Scenario
    >>> run = Scenario.load("baseline", {"clock.hours": 1}).run(seed=8)
    >>> run.events.height == run.outcome.counts["events"]
    True
    """

    scenario: ScenarioSettings
    _: KW_ONLY
    seed: int
    replication: int
    active_agents: ActiveAgents
    outcome: Outcome
    record: EventRecord
    accepted: EventHistory
    digest: str
    timings: Timings
    window: Window = WHOLE
    classes: Mapping[str, ClassIdentity] = field(default_factory=dict)
    n_parts: int = 1
    changes: Sequence[str] = ()

    def __repr__(self) -> str:
        return f"<Run of {self.scenario.name}, seed {self.seed}: {self.outcome.counts['events']:,} events>"

    def _repr_html_(self) -> str:
        return run_html(self.scenario, self._header)

    @property
    def store(self) -> EventStore:
        """The event store, which has judged the events as they arrived; it holds those of the last 24 hours."""
        return self.accepted.store

    @property
    def accounts(self) -> pl.DataFrame:
        """The companies; columns as in :data:`simulator.world.accounts.ACCOUNTS_SCHEMA`."""
        return self.outcome.accounts

    @cached_property
    def events(self) -> pl.DataFrame:
        """The flat events in the order in which they arrived: every delivery, whether the store accepted it or not.

        Raises:
            OutputError: The run went to a folder that keeps no events.
        """
        return self.record.events

    @cached_property
    def analysis(self) -> Analysis:
        """Statistics, visits and intent model of the accepted events, over the simulated period."""
        return run_analysis(self.accepted, self.scenario, self.truth, self.window, self.n_parts)

    @cached_property
    def claims(self) -> tuple[ClaimResult, ...]:
        """The result of each claim of the scenario, in order.

        Claims are checked when this is first used; a claim that fails raises no error.

        >>> from scenarios import Scenario
        >>> text = '{name: short, clock: {hours: 1}, claims: {"pages are viewed": page_views() > 0}}'
        >>> Scenario.parse(text).run().claims[0].passed
        True
        """
        return check_claims(self.scenario.claims, self)

    def visitor(self, person: str) -> Visitor:
        """A visitor at the end of the run; ``visitor(...).trace()`` shows everything that the visitor did.

        Args:
            person: Identifier of the person: the ``anonymousId`` of the first browser, ``person_id`` in ``people``.

        Raises:
            KeyError: Nobody has this identifier.

        >>> from scenarios import Scenario
        >>> run = Scenario.load("baseline", {"clock.hours": 1}).run()
        >>> someone = run.visitor(run.people["person_id"][0])
        >>> someone.trace().rows[0][2].startswith("viewed ")
        True
        """
        return self.outcome.visitor(person)

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
        with new_folder(Path(folder)) as working:
            # Asked for only where they are written: a run may keep none.
            if events != "none":
                save_events(self.events, working, events)
            write_results(working, self)

    @property
    def manifest(self) -> dict[str, Any]:
        """What was run, with which versions, and its results; only ``timings`` differs between equal runs.

        >>> from scenarios import Scenario
        >>> scenario = Scenario.load("baseline", {"clock.hours": 1})
        >>> first, second = scenario.run(), scenario.run()
        >>> {**first.manifest, "timings": None} == {**second.manifest, "timings": None}
        True
        """
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
            "checksums": CHECKSUMS,
            # Without any, the manifest is what it was before there were components.
            **({"classes": {place: each.to_dict() for place, each in self.classes.items()}} if self.classes else {}),
            "counts": dict(self.outcome.counts),
        }


def run_analysis(
    accepted: EventHistory, scenario: ScenarioSettings, truth: Truth, window: Window = WHOLE, n_parts: int = 1
) -> Analysis:
    """Return the analysis of a run, which is computed when it is used.

    Args:
        accepted: Took the events of the run in.
        scenario: The scenario that was run.
        truth: The true coefficients.
        window: The hours that statistics and visits are about.
        n_parts: In how many parts the events are analysed.
    """
    start, settings = scenario.clock.start, scenario.analysis
    if settings.loss_rates is None:
        settings = settings.model_copy(update={"loss_rates": scenario.tracking.loss_rates})
    arm_shares = {
        name: {arm: settings.share for arm, settings in experiment.arms.items()}
        for name, experiment in scenario.experiments.items()
    }
    return Analysis(
        accepted.frame if n_parts == 1 else EventsInParts(accepted.scan, n_parts, order=IN_ORDER),
        settings,
        truth=known_truth(truth, settings),
        why_truth_unknown=truth.why_unknown,
        observed_from=start,
        observed_until=start + timedelta(hours=scenario.clock.hours),
        conversion_unit=scenario.intent.conversion_unit,
        window=None if window.is_whole else window.period(scenario.clock),
        arm_shares=arm_shares,
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


def write_results(
    folder: Path,
    run: Run,
    announce: Callable[[str], None] = lambda _: None,
    *,
    analyse: bool = True,
    no_room: str | None = None,
) -> dict[str, Any]:
    """Write all but the events.

    Args:
        folder: An existing folder.
        run: The run.
        announce: Called with each step that begins.
        analyse: Analyse the events too (statistics, model, claims, report).
        no_room: Why they do not fit, for the manifest.

    Returns:
        The manifest as written.
    """
    announce("Writing events and results")
    began = time.perf_counter()
    (folder / "scenario.yaml").write_text(run.scenario.to_yaml(), encoding="utf-8")
    write_dead_letters(folder / "dead_letters.ndjson", run.store.dead_letters)
    write_json(folder / "truth.json", run.truth)
    run.labels.write_parquet(folder / "labels.parquet")
    # In parts: the people of a large run do not fit into memory together.
    write_parts(folder / "people.parquet", run.outcome.tables.people_in_parts())
    run.accounts.write_parquet(folder / "accounts.parquet")
    for name, table in run.probes.items():
        # Only a run with probes has the folder.
        (folder / "probes").mkdir(exist_ok=True)
        table.write_parquet(folder / "probes" / f"{name}.parquet")
    write_tables(folder / "statistics", {"sales": _summary(run.sales.summary), "sales_by_region": run.sales.by_region})
    if analyse:
        announce("Analysing" if run.n_parts == 1 else f"Analysing in {run.n_parts} parts")
        write_tables(folder / "statistics", report.result_tables(run.analysis, run.store.counts, run.true_counts))
        write_json(folder / "model.json", without_personal_data(model_data(run.analysis)))
        announce("Writing the report")
        _write_report(folder / "report.html", run)
    manifest = run.manifest if analyse else run.manifest_without_claims
    if no_room:
        manifest["not_analysed"] = no_room
    # Measured at the end, so that it includes the report.
    manifest["timings"]["analyse_s"] = round(time.perf_counter() - began, 3)
    write_json(folder / MANIFEST, manifest)
    return manifest


def _summary(summary: dict[str, Any]) -> pl.DataFrame:
    """A summary as a table of measures and values.

    Args:
        summary: Values by name of the measure; None where there is no value.

    Returns:
        Columns ``measure`` and ``value``, the latter as text.
    """
    return pl.DataFrame({"measure": list(summary), "value": [str(value) for value in summary.values()]})


def _remarks(run: Run) -> list[str]:
    """What to know beside the description of a scenario."""
    changed = f"The description is of the scenario as it is written; changed for this run: {', '.join(run.changes)}"
    return [*([changed] if run.changes else []), *([note] if (note := resolved_intercept(run.scenario)) else [])]


def _write_report(path: Path, run: Run) -> None:
    """Write the report: the only place where a run meets its rendering."""
    start = run.scenario.clock.start
    data = report.analysis_report(
        run.analysis,
        run.store,
        title=run.scenario.name,
        provenance={
            "replication": run.replication,
            "active_agents": run.active_agents,
            "events sha256": run.digest,
            **versions(),
        },
        description=run.scenario.description,
        remarks=_remarks(run),
        components=component_rows(run.scenario),
        probes=run.probes,
        truth=report.SimulatedTruth(run.true_counts, faults_by_label(run.labels)),
        seed=run.seed,
        claims=[report.Claim(claim.description, claim.passed, claim.reason or claim.numbers) for claim in run.claims],
        sales=run.sales.summary,
        sales_desk=report.SalesDesk(run.sales.requests, start, start + timedelta(hours=run.scenario.clock.hours)),
    )
    report.write_report(path, data)
