"""A run straight into a folder: events, results, and everything needed to repeat it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from analytics.store.history import EventHistory
from scenarios.config.settings import ScenarioSettings
from scenarios.files.atomic_folder import new_folder
from scenarios.files.event_files import EventsFormat, LabelParts, NdjsonFile, ParquetParts
from scenarios.files.versions import no_room_to_analyse, parts_to_analyse
from scenarios.run.pools import Pool
from scenarios.run.run import Run, write_results
from scenarios.run.running import simulate
from simulator.replication.planned_people import PlannedPeople


def default_folder(scenario: ScenarioSettings, seed: int) -> Path:
    """The folder of a run unless another is given.

    Args:
        scenario: The scenario.
        seed: Seed of the run.

    >>> from scenarios import Scenario
    >>> default_folder(Scenario.load("baseline"), seed=7).as_posix()
    'runs/baseline-seed7'
    """
    return Path("runs") / f"{scenario.name}-seed{seed}"


def run_to_folder(
    scenario: ScenarioSettings,
    folder: str | Path,
    *,
    seed: int | None = None,
    replication: int = 0,
    events: EventsFormat = "parquet",
    analyse: bool = True,
    memory: int | None = None,
    pool: Pool | None = None,
    progress: Callable[[float], None] | None = None,
    announce: Callable[[str], None] = lambda _: None,
    changes: Sequence[str] = (),
) -> tuple[Run, dict[str, Any]]:
    """Run a scenario and write its run folder atomically: it appears when it is complete, or not at all.

    Args:
        scenario: What to run.
        folder: The run folder; an earlier run there is replaced.
        seed: Seed of this run; the scenario's own if not given.
        replication: Which of the independent repetitions with this seed.
        events: Form in which the events are kept; ``none`` keeps results only.
        analyse: Analyse the events and write the report. Events that do not fit into memory are analysed in parts, with
            the same results. Where not even their visits fit, this is left out, and the manifest gives the reason under
            ``not_analysed``.
        memory: Bytes that the analysis may take; what is free unless given.
        pool: Workers to share the run; they must see the folder.
        progress: Called now and then with the share of the clock that has passed, from 0 to 1.
        announce: Called with each step that begins after the simulation.
        changes: Settings that differ from the scenario as it is written, for the report: ``["clock.hours=48"]``.

    Returns:
        The run and its manifest as written. The run's ``events`` are read from the folder when they are used.

    Raises:
        OutputError: The folder cannot be written, or holds what funnelsim did not make.

    >>> import tempfile
    >>> from scenarios import Scenario
    >>> short = Scenario.load("baseline", {"clock.hours": 1})
    >>> with tempfile.TemporaryDirectory() as place:
    ...     run, manifest = run_to_folder(short, f"{place}/short", analyse=False)
    ...     (Path(place) / "short" / "events.parquet").exists()
    True
    >>> manifest["digest"] == run.digest
    True
    """
    folder = Path(folder).absolute()  # the run finds its events even after a change of the working folder
    with new_folder(folder) as working:
        # Within the working folder, so that a run that fails removes the parts too.
        parts_folder = _folder_of_parts(working)
        record, labels = ParquetParts(parts_folder / "events"), LabelParts(parts_folder / "labels")
        with ExitStack() as until_simulated:
            sinks = [NdjsonFile(working / "events.ndjson")] if events == "ndjson" else []
            for sink in sinks:
                until_simulated.callback(sink.close)
            run = simulate(
                scenario,
                seed=seed,
                replication=replication,
                record=record,
                labels=labels,
                people=PlannedPeople(parts_folder / "people"),
                sinks=sinks,
                progress=progress,
                pool=pool,
                accepted=EventHistory(on_disk=True),
            )
        run.changes = changes
        manifest = _write(working, run, record if events == "parquet" else None, announce, memory, analyse=analyse)
        # Before the folder takes its name: a run folder holds no hidden parts.
        shutil.rmtree(parts_folder)
    labels.moved_to(folder / "labels.parquet")
    record.moved_to(None if events == "none" else folder / f"events.{events}")
    return run, manifest


def _folder_of_parts(working: Path) -> Path:
    """Make the folder where events, labels and people are kept while the clock runs."""
    folder = working / ".parts"
    for name in ("events", "labels", "people"):
        (folder / name).mkdir(parents=True)
    return folder


def _write(
    folder: Path,
    run: Run,
    record: ParquetParts | None,
    announce: Callable[[str], None],
    memory: int | None,
    *,
    analyse: bool,
) -> dict[str, Any]:
    """Write the results, and the events of a record into one Parquet file; return the manifest.

    Args:
        folder: The working folder of the run.
        run: The run.
        record: Parts of the events; None where they are not written to Parquet.
        announce: Called with each step that begins.
        memory: As for :func:`run_to_folder`.
        analyse: Likewise.
    """
    run.n_parts = parts_to_analyse(run.store.counts.accepted, memory)
    no_room = None
    if analyse and not run.n_parts:
        why = no_room_to_analyse(run.store.counts.accepted, memory)
        no_room = f"{why}; the events are there, for a larger machine or a part of them (funnelsim analyze)"
    # Polars writes the events while the people are sorted.
    with ThreadPoolExecutor(1) as beside:
        saving = None if record is None else beside.submit(record.save, folder / "events.parquet")
        manifest = write_results(folder, run, announce, analyse=analyse and not no_room, no_room=no_room)
        if saving is not None:
            saving.result()
    return manifest
