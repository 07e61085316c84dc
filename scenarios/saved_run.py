"""A run read back from its folder."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import polars as pl

from analytics.analysis import Analysis
from analytics.durable.dead_letter_lines import dead_letters_of
from analytics.events.dead_letters import DeadLetter
from analytics.html.frames import read_csv
from analytics.renaming import OldNameWarning
from analytics.store.event_store import EventStore
from analytics.store.history import EventHistory
from scenarios.errors import InputError
from scenarios.files.atomic_folder import MANIFEST
from scenarios.files.run_folder import RunFolder, read_events
from scenarios.files.versions import no_room_to_analyse, parts_to_analyse, versions
from scenarios.measures.definition import AnalysedRun
from scenarios.run.events_analysis import EventFiles
from scenarios.run.run import run_analysis, run_html
from scenarios.scenario import Scenario
from simulator.visitors.truth import Truth


class SavedRun(AnalysedRun):
    """A run read back from its folder; made by :func:`load_run`.

    Each file is read when it is first asked for. ``events``, ``store``, ``analysis``, ``statistics`` and ``intent`` are
    those of :class:`scenarios.run.run.Run`, computed anew from the event file.

    Args:
        folder: The run folder.

    Attributes:
        folder: The run folder.
        manifest: What was run, with which versions, and what came out.
        seed: Seed of the run.
        replication: Which of the independent repetitions with this seed.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self.folder = folder.path
        self.manifest = folder.manifest
        self.seed = int(folder.manifest["seed"])
        self.replication = int(folder.manifest["replication"])
        self._description = (
            f"<SavedRun of {self.manifest['scenario']}, seed {self.seed}: {self.manifest['counts']['events']:,} events>"
        )

    def __repr__(self) -> str:
        return self._description

    def _repr_html_(self) -> str:
        return run_html(self.scenario, self.manifest)

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario that was run.

        Raises:
            ScenarioError: Its file was changed and is no longer valid.
        """
        with warnings.catch_warnings():
            # The user did not write this file, so old names in it are nothing to warn of.
            warnings.simplefilter("ignore", OldNameWarning)
            return Scenario.load(self._file("scenario.yaml"))

    @cached_property
    def truth(self) -> Truth:
        """The true intercept and coefficients."""
        with _reading(file := self._file("truth.json")):
            truth = json.loads(file.read_bytes())
            return Truth(**{**truth, "unknown": tuple(truth.get("unknown", ()))})

    @property
    def true_counts(self) -> Mapping[str, float]:
        """What happened, whether it was seen or not."""
        return dict(self.manifest["counts"])

    @cached_property
    def labels(self) -> pl.DataFrame:
        """What happened to which event on its way; columns as in :data:`simulator.tracking.labels.LABELS_SCHEMA`."""
        return self._table("labels.parquet")

    @cached_property
    def people(self) -> pl.DataFrame:
        """Who stands behind each browser; columns as in :data:`simulator.replication.people_truth.PEOPLE_SCHEMA`."""
        return self._table("people.parquet")

    @cached_property
    def accounts(self) -> pl.DataFrame:
        """The companies; columns as in :data:`simulator.world.accounts.ACCOUNTS_SCHEMA`."""
        return self._table("accounts.parquet")

    @cached_property
    def probes(self) -> dict[str, pl.DataFrame]:
        """What the probes measured, by their names; columns as in :data:`simulator.agents.probe.PROBE_SCHEMA`."""
        return {file.stem: self._table(f"probes/{file.name}") for file in self._folder.files("probes", ".parquet")}

    @cached_property
    def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Lines that were no usable events, in order of arrival, each with the reason."""
        with _reading(file := self._file("dead_letters.ndjson")):
            return tuple(dead_letters_of(file.read_bytes().splitlines()))

    @cached_property
    def tables(self) -> dict[str, pl.DataFrame]:
        """The tables of the folder ``statistics``, by name; of a run without an analysis those of the sales desk."""
        return {file.stem: _csv_table(file) for file in self._folder.files("statistics", ".csv")}

    @cached_property
    def coefficients(self) -> pl.DataFrame:
        """One row per term of the intent model as it was fitted, from ``model.json``.

        Raises:
            InputError: The model was not fitted; the message says why.
        """
        with _reading(file := self._file("model.json")):
            model = json.loads(file.read_bytes())
            if "error" in model:
                raise InputError(f"{self.folder}: the intent model is not fitted: {model['error']}")
            # A column may begin with null in many terms: all rows decide its type.
            return pl.DataFrame(model["coefficients"], infer_schema_length=None)

    @cached_property
    def events(self) -> pl.DataFrame:
        """The flat events in the order in which they arrived: every delivery, whether the store accepted it or not.

        Raises:
            InputError: The run was saved without events, or their file cannot be read.
        """
        return read_events(self._folder.events_file)

    @property
    def store(self) -> EventStore:
        """The event store with the last 24 hours; its dead letters are complete only where the events are NDJSON."""
        return self._history.store

    @cached_property
    def analysis(self) -> Analysis:
        """Statistics, visits and intent model of the accepted events, over the simulated period, beside the truth.

        Raises:
            InputError: The run was saved without events, or their file cannot be read; or not even its visits fit into
                memory.
        """
        if not self._n_parts:
            raise InputError(f"{self.folder}: {no_room_to_analyse(self.manifest['counts']['events'])}")
        return run_analysis(self._history, self.scenario, self.truth, n_parts=self._n_parts)

    @cached_property
    def _history(self) -> EventHistory:
        """Let a store judge the events, as it judged them when they were simulated: they are in order of arrival."""
        history = EventHistory(on_disk=self._n_parts != 1)
        for batch in EventFiles([str(self._folder.events_file)]).batches():
            history.store.append_flattened(batch)
        return history

    @cached_property
    def _n_parts(self) -> int:
        """In how many parts the events can be analysed; 0 where not even their visits fit into memory."""
        return parts_to_analyse(self.manifest["counts"]["events"])

    def _file(self, name: str) -> Path:
        if name == "model.json" and not self._folder.has(name):
            not_analysed = self.manifest.get("not_analysed") or "the run was saved without an analysis"
            raise InputError(f"{self.folder / name}: is missing; {not_analysed}")
        return self._folder.file(name)

    def _table(self, name: str) -> pl.DataFrame:
        with _reading(file := self._file(name)):
            return pl.read_parquet(file)


def load_run(folder: str | Path) -> SavedRun:
    """Read a run back from its folder.

    Args:
        folder: What ``funnelsim run``, ``Run.save`` or ``run_to_folder`` has written.

    Raises:
        InputError: The folder is not that of a run, its manifest is damaged, or a newer version of funnelsim wrote it.

    >>> import tempfile
    >>> from scenarios import Scenario, load_run
    >>> run = Scenario.load("baseline", {"clock.hours": 1}).run()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run.save(f"{folder}/mine")
    ...     load_run(f"{folder}/mine").events.equals(run.events)
    True
    """
    found, ours = RunFolder(folder), versions()["funnelsim"]
    with _reading(found.path / MANIFEST):
        theirs = str(found.manifest["versions"]["funnelsim"])
        # An older folder can be read; a newer one may hold what this version does not know.
        if _release(theirs) > _release(ours):
            newer = f"was written by funnelsim {theirs}, which is newer than this one ({ours}); update"
            raise InputError(f"{folder}: {newer}")
        return SavedRun(found)


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """Report a damaged file as an error in the input.

    Args:
        file: The file, for the message.
    """
    try:
        yield
    # The readers of JSON, CSV and Parquet raise the first three; data that lack what belongs in them the others.
    except (
        ValueError,
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:
        raise InputError(f"{file}: is damaged ({type(error).__name__}: {error})") from error


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version, such as (0, 1, 0); what follows them, such as ``rc1``, does not count."""
    parts = version.split("+", maxsplit=1)[0].split(".")
    return tuple(int(part) for part in parts if part.isdigit())


def _csv_table(path: Path) -> pl.DataFrame:
    with _reading(path):
        return read_csv(path)
