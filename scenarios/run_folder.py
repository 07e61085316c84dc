"""The folder a run leaves behind: events, results, and all it takes to repeat it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from scenarios.atomic_folder import MANIFEST, new_folder
from scenarios.event_files import EventsFormat, NdjsonFile, ParquetParts
from scenarios.reporting import write_analysis_report
from scenarios.results import model_data, write_dead_letters, write_json, write_tables
from scenarios.run import Run, simulate, versions
from scenarios.settings import ScenarioSettings

__all__ = ["default_folder", "run_to_folder"]


def default_folder(scenario: ScenarioSettings, seed: int) -> Path:
    """Folder of a run that was not told where to go."""
    return Path("runs") / f"{scenario.name}-seed{seed}"


def run_to_folder(
    scenario: ScenarioSettings,
    folder: Path,
    *,
    seed: int | None = None,
    replication: int = 0,
    events: EventsFormat = "parquet",
    progress: Callable[[float], None] | None = None,
) -> tuple[Run, dict[str, Any]]:
    """Run a scenario and leave a run folder, which appears when all of it is written, or not at all.

    Args:
        scenario: What to run.
        folder: The run folder; an earlier run there is replaced.
        seed: Seed of this run; the scenario's own if not given.
        replication: Which of the independent repetitions with this seed.
        events: Form in which the events are kept; ``none`` keeps results only.
        progress: Told now and then which share of the clock has passed, from 0 to 1.

    Returns:
        The run and its manifest as written. The run's ``events`` stand in the folder, not in memory.

    Raises:
        OutputError: The folder cannot be written, or holds what funnelsim did not make.
    """
    with new_folder(folder) as working:
        parts_folder = working / ".parts"
        parts_folder.mkdir()
        record = ParquetParts(parts_folder)
        sinks = [NdjsonFile(working / "events.ndjson")] if events == "ndjson" else []
        try:
            run = simulate(scenario, seed=seed, replication=replication, record=record, sinks=sinks, progress=progress)
        finally:
            for sink in sinks:
                sink.close()
        if events == "parquet":
            record.save(working / "events.parquet")
        manifest = _write_results(working, run)
        shutil.rmtree(parts_folder)
    return run, manifest


def _write_results(folder: Path, run: Run) -> dict[str, Any]:
    """Write all but the events; returns the manifest."""
    began = time.perf_counter()
    (folder / "scenario.yaml").write_text(run.scenario.to_yaml(), encoding="utf-8")
    write_dead_letters(folder / "dead_letters.ndjson", run.store.dead_letters)
    write_json(folder / "truth.json", run.truth)
    sales = {"sales": _summary(run.sales.summary), "sales_by_region": run.sales.by_region}
    write_tables(folder / "statistics", {**run.analysis.tables(), **sales})
    write_json(folder / "model.json", model_data(run.analysis))
    _write_report(folder / "report.html", run)
    manifest = run.manifest
    manifest["timings"]["analyse_s"] = round(time.perf_counter() - began, 3)
    write_json(folder / MANIFEST, manifest)
    return manifest


def _summary(summary: dict[str, Any]) -> pl.DataFrame:
    """A summary as a table of measures and values."""
    return pl.DataFrame({"measure": list(summary), "value": [str(value) for value in summary.values()]})


def _write_report(path: Path, run: Run) -> None:
    """Write the report. The one place where a run meets its rendering."""
    write_analysis_report(
        path,
        run.analysis,
        run.store,
        title=run.scenario.name,
        provenance={"replication": run.replication, "wake": run.wake, "events sha256": run.digest, **versions()},
        description=run.scenario.description,
        seed=run.seed,
        sales=run.sales.summary,
    )
