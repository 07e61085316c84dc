"""Results of a run as files: statistics, truth, report and manifest."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from analytics import report
from scenarios.config.settings import ScenarioSettings
from scenarios.files.atomic_folder import MANIFEST, new_folder
from scenarios.files.event_files import EventsFormat, save_events, write_parts
from scenarios.files.plain_data import model_data, write_dead_letters, write_json, write_tables
from scenarios.files.versions import versions
from scenarios.measures.definition import RunView
from simulator.simulation import ActiveAgents


class SavableRun(RunView, Protocol):
    """What is written of a run; :class:`scenarios.run.run.Run` is one, and documents the attributes."""

    @property
    def scenario(self) -> ScenarioSettings:
        """The scenario that was run."""

    @property
    def seed(self) -> int:
        """Seed of the run."""

    @property
    def replication(self) -> int:
        """Which of the independent repetitions with this seed."""

    @property
    def active_agents(self) -> ActiveAgents:
        """Which visitors lived on the clock."""

    @property
    def digest(self) -> str:
        """Sha256 of the events."""

    @property
    def events(self) -> pl.DataFrame:
        """The flat events in the order in which they arrived."""

    @property
    def accounts(self) -> pl.DataFrame:
        """The companies."""

    @property
    def manifest(self) -> dict[str, Any]:
        """What was run and its results, with the claims."""

    @property
    def manifest_without_claims(self) -> dict[str, Any]:
        """The same of a run whose events are not analysed."""


def save_run(run: SavableRun, folder: Path, events: EventsFormat) -> None:
    """Write the folder of a finished run; the arguments are those of ``Run.save``.

    Raises:
        OutputError: The folder cannot be written, or holds what funnelsim did not make.
    """
    with new_folder(folder) as working:
        if events != "none":
            save_events(run.events, working, events)
        write_results(working, run)


def write_results(
    folder: Path,
    run: SavableRun,
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
        analyse: Analyse the events too (statistics, model, claims, report). All of them must fit into memory.
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
    write_tables(folder / "statistics", {"sales": _summary(run.sales.summary), "sales_by_region": run.sales.by_region})
    if analyse:
        announce("Analysing")
        write_tables(folder / "statistics", run.analysis.tables())
        write_json(folder / "model.json", model_data(run.analysis))
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


def _write_report(path: Path, run: SavableRun) -> None:
    """Write the report: the only place where a run meets its rendering."""
    start = run.scenario.clock.start
    report.write_analysis_report(
        path,
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
        seed=run.seed,
        sales=run.sales.summary,
        sales_desk=report.SalesDesk(run.sales.requests, start, start + timedelta(hours=run.scenario.clock.hours)),
    )
