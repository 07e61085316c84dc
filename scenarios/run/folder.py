"""The folder a run leaves behind: events, results, and all it takes to repeat it.

[scenarios/run_results.py] What a run leaves in a folder.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from analytics.report.render import SalesDesk, write_analysis_report
from analytics.store.history import AcceptedEvents
from scenarios.config.settings import ScenarioSettings
from scenarios.files.atomic_folder import MANIFEST, new_folder
from scenarios.files.event_files import EventsFormat, LabelParts, NdjsonFile, ParquetParts, save_events, write_parts
from scenarios.files.plain_data import model_data, write_dead_letters, write_json, write_tables
from scenarios.files.versions import no_room_to_analyse, versions
from scenarios.run.pools import Pool
from scenarios.run.run import Run, simulate

if TYPE_CHECKING:
    from scenarios.run.run import Run

__all__ = ["default_folder", "run_to_folder", "save_run", "write_results"]


def default_folder(scenario: ScenarioSettings, seed: int) -> Path:
    """Folder of a run that was not told where to go."""
    return Path("runs") / f"{scenario.name}-seed{seed}"


def run_to_folder(
    scenario: ScenarioSettings,
    folder: str | Path,
    *,
    seed: int | None = None,
    replication: int = 0,
    events: EventsFormat = "parquet",
    analyse: bool = True,
    pool: Pool | None = None,
    progress: Callable[[float], None] | None = None,
    announce: Callable[[str], None] = lambda _: None,
) -> tuple[Run, dict[str, Any]]:
    """Run a scenario and leave a run folder, which appears when all of it is written, or not at all.

    Args:
        scenario: What to run.
        folder: The run folder; an earlier run there is replaced.
        seed: Seed of this run; the scenario's own if not given.
        replication: Which of the independent repetitions with this seed.
        events: Form in which the events are kept; ``none`` keeps results only.
        analyse: Analyse the events and write the report. Where all of them do not fit into memory this is left out,
            and the manifest says so under ``not_analysed``.
        pool: Workers to share the run, which must see the folder.
        progress: Told now and then which share of the clock has passed, from 0 to 1.
        announce: Told what goes on once the simulation is over.

    Returns:
        The run and its manifest as written. The run's ``events`` are read from the folder when asked for.

    Raises:
        OutputError: The folder cannot be written, or holds what funnelsim did not make.
    """
    folder = Path(folder).absolute()  # its events are found again from another working folder too
    with new_folder(folder) as working:
        parts_folder = working / ".parts"
        for name in ("events", "labels"):
            (parts_folder / name).mkdir(parents=True)
        record, labels = ParquetParts(parts_folder / "events"), LabelParts(parts_folder / "labels")
        sinks = [NdjsonFile(working / "events.ndjson")] if events == "ndjson" else []
        try:
            run = simulate(
                scenario,
                seed=seed,
                replication=replication,
                record=record,
                labels=labels,
                sinks=sinks,
                progress=progress,
                pool=pool,
                accepted=AcceptedEvents(on_disk=True),
            )
        finally:
            for sink in sinks:
                sink.close()
        no_room = no_room_to_analyse(run.store.counts.accepted) if analyse else None
        # Polars writes the events while the people are drawn once more.
        with ThreadPoolExecutor(1) as beside:
            saving = beside.submit(record.save, working / "events.parquet") if events == "parquet" else None
            manifest = write_results(working, run, announce, analyse=analyse and not no_room, no_room=no_room)
            if saving is not None:
                saving.result()
        shutil.rmtree(parts_folder)
    labels.moved_to(folder / "labels.parquet")
    record.moved_to(None if events == "none" else folder / f"events.{events}")
    return run, manifest


def save_run(run: Run, folder: Path, events: EventsFormat) -> None:
    """Write the folder of a run that has been; the arguments are those of ``Run.save``.

    Raises:
        OutputError: The folder cannot be written, or holds what funnelsim did not make.
    """
    with new_folder(folder) as working:
        if events != "none":
            save_events(run.events, working, events)
        write_results(working, run)


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
        folder: Where to.
        run: What was run.
        announce: Told what goes on.
        analyse: Analyse the events too, for which all of them must fit into memory: statistics, model, claims, report.
        no_room: Why they do not, for the manifest.

    Returns:
        The manifest as written.
    """
    announce("Writing events and results")
    began = time.perf_counter()
    (folder / "scenario.yaml").write_text(run.scenario.to_yaml(), encoding="utf-8")
    write_dead_letters(folder / "dead_letters.ndjson", run.store.dead_letters)
    write_json(folder / "truth.json", run.truth)
    run.labels.write_parquet(folder / "labels.parquet")
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
    manifest["timings"]["analyse_s"] = round(time.perf_counter() - began, 3)
    write_json(folder / MANIFEST, manifest)
    return manifest


def _summary(summary: dict[str, Any]) -> pl.DataFrame:
    """A summary as a table of measures and values."""
    return pl.DataFrame({"measure": list(summary), "value": [str(value) for value in summary.values()]})


def _write_report(path: Path, run: Run) -> None:
    """Write the report. The one place where a run meets its rendering."""
    start = run.scenario.clock.start
    write_analysis_report(
        path,
        run.analysis,
        run.store,
        title=run.scenario.name,
        provenance={"replication": run.replication, "wake": run.wake, "events sha256": run.digest, **versions()},
        description=run.scenario.description,
        seed=run.seed,
        sales=run.sales.summary,
        sales_desk=SalesDesk(run.sales.requests, start, start + timedelta(hours=run.scenario.clock.hours)),
    )
