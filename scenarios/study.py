"""The study: a scenario run many times as its factors vary, and the responses of the runs."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from analytics import html
from analytics.renaming import warn_of_old_name
from scenarios import study_report
from scenarios.config.library import study_names
from scenarios.errors import InputError
from scenarios.files.checksums import CHECKSUMS
from scenarios.files.versions import versions
from scenarios.output_analysis.results import StudyResults
from scenarios.output_analysis.sensitivity import all_indices, all_interactions
from scenarios.run.pools import ExecutorChoice
from scenarios.run.progress import text_bar
from scenarios.run.run import Run
from scenarios.studies.cost import StudyCost
from scenarios.studies.execution import Execution, Progress
from scenarios.studies.folder import STUDY_FILE, StudyFolder, study_folder
from scenarios.studies.loading import load_study, parse_study, study_of
from scenarios.studies.plan import StudyPlan
from scenarios.studies.replication import Function, light_run
from scenarios.studies.running import run_points
from scenarios.studies.settings import StudySettings


class Study(StudyPlan):
    """A study, which can be read, run and resumed.

    Start from the library, ``Study.load("coverage")``, from a file, or from plain data, ``Study.from_dict({...})``.
    """

    @classmethod
    def load(cls, name_or_path: str | Path, functions: Mapping[str, Function] | None = None) -> Self:
        """Read a study of the library, by name, or a study file, by path.

        Args:
            name_or_path: Such as ``coverage`` or ``my-study.yaml``.
            functions: Responses that are Python functions of a run, by name.

        Raises:
            ScenarioError: Something is wrong; with every fault and its line and column.

        >>> len(Study.load("bias").points) > 1
        True
        """
        return cls(load_study(name_or_path), functions)

    @classmethod
    def parse(cls, text: str, name: str = "study.yaml", functions: Mapping[str, Function] | None = None) -> Self:
        """Read a study from YAML text; ``name`` is that of the text in messages.

        Raises:
            ScenarioError: Something is wrong; with every fault and its line and column.
        """
        return cls(parse_study(text, name), functions)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], functions: Mapping[str, Function] | None = None) -> Self:
        """Make a study of plain data.

        Args:
            data: The keys of a study file, and their values.
            functions: Responses that are Python functions of a run, by name.

        Raises:
            ScenarioError: Something is wrong; with every fault.

        >>> study = Study.from_dict({"name": "s", "scenario": "baseline", "responses": {"seen": "visitors()"}})
        >>> study.responses
        ['seen']
        """
        return cls(study_of(data), functions)

    @classmethod
    def of(cls, data: Mapping[str, Any], functions: Mapping[str, Function] | None = None) -> Self:
        """Make a study of plain data; the old name of :meth:`from_dict`."""
        warn_of_old_name("Study.of", "Study.from_dict")
        return cls.from_dict(data, functions)

    @staticmethod
    def library() -> list[str]:
        """Names of the studies that come with funnelsim."""
        return study_names()

    def run(
        self,
        *,
        jobs: int | None = None,
        executor: ExecutorChoice = None,
        folder: str | Path | None = None,
        progress: Progress | bool | None = None,
        announce: Callable[[StudyCost], None] | None = None,
    ) -> StudyResults:
        """Run the study; the arguments are those of :func:`run_study`.

        With ``progress=True`` a bar of text on standard error shows how far it is, also in a notebook.

        >>> short = {"overrides": {"clock.hours": 1}, "replications": 2, "responses": {"seen": "visitors()"}}
        >>> study = Study.from_dict({"name": "short", "scenario": "baseline", **short})
        >>> study.run(jobs=1).summary.select("response", "n").row(0)
        ('seen', 2)
        """
        if isinstance(progress, bool):
            progress = _text_progress(self.settings.name) if progress else None
        return self.execute(Execution(jobs, executor, progress, folder, announce))

    def execute(self, execution: Execution) -> StudyResults:
        """Run the study, or resume it; :meth:`run` with its arguments as one object.

        Raises:
            InputError: There is no such executor, or a function is to be kept in a folder.
            OutputError: The folder holds another study, or something else, or cannot be written.
        """
        if execution.folder is None:
            return StudyResults(self, run_points(self, execution))
        if self.functions:
            # A resumed study could not check that a function is still the same.
            raise InputError("responses that are functions cannot be kept in a folder; write them as expressions")
        path = Path(execution.folder)
        _ = execution.pool  # a wrong executor is reported before there is a folder
        with study_folder(path, self.to_yaml()) as place:
            started_at, began = datetime.now(UTC), time.perf_counter()
            runs = run_points(self, execution, place)
            results = StudyResults(self, runs, f"funnelsim study {shlex.quote(str(path / STUDY_FILE))} --rerun {{}}")
            _write(place, results, started_at, began)
        return results

    def __repr__(self) -> str:
        return f"<Study {self.settings.name}: {len(self.points):,} points>"

    def _repr_html_(self) -> str:
        return html.notebook_html(
            f", {len(self.points):,} design points",
            name=self.settings.name,
            description=self.settings.description,
            frames=[self.design],
            notes=[f"response: {name}" for name in self.responses],
        )

    def replay(self, point: int, number: int) -> Run:
        """Run a single replication again, in this process; what went wrong in it is raised.

        Args:
            point: Number of the design point.
            number: Number of the replication.

        Raises:
            InputError: There is no such point.

        >>> short = {"overrides": {"clock.hours": 1}, "replications": 2, "responses": {"seen": "visitors()"}}
        >>> study = Study.from_dict({"name": "short", "scenario": "baseline", **short})
        >>> study.replay(0, 1).measure("visitors()") == study.run(jobs=1).wide["seen"][1]
        True
        """
        if not 0 <= point < len(self.points) or number < 0:
            raise InputError(f"there is no replication {point}:{number}; points go from 0 to {len(self.points) - 1}")
        # In this process, where a debugger and a traceback reach it.
        return light_run(self.replication(self.points[point], number))


def _text_progress(name: str) -> Progress:
    show = text_bar(f"Running {name}")
    return lambda done, known: show(done / known if known else 0.0)


def run_study(
    study: Study,
    *,
    jobs: int | None = None,
    executor: ExecutorChoice = None,
    folder: str | Path | None = None,
    progress: Progress | None = None,
    announce: Callable[[StudyCost], None] | None = None,
) -> StudyResults:
    """Run a study, or resume one that was interrupted.

    Args:
        study: What to run.
        jobs: Replications at a time; as many as there are cores if not given.
        executor: The workers, as for :func:`scenarios.run.pools.pool_of`.
        folder: Where results and finished replications are written; in memory only if not given.
        progress: Called with the number of replications that are done, and of those known to be needed.
        announce: Called with the estimated cost, when the smallest and the largest replication have finished.

    Raises:
        InputError: There is no such executor, or a function is to be kept in a folder.
        OutputError: The folder holds another study, or something else, or cannot be written.
    """
    return study.execute(Execution(jobs, executor, progress, folder, announce))


def _write(place: StudyFolder, results: StudyResults, started_at: datetime, began: float) -> None:
    frames = {
        "design.csv": results.design,
        "replications.parquet": results.replications,
        "summary.csv": results.summary,
    }
    if results.plan.loaded.terms:
        frames["estimates.csv"] = results.estimates
    # A single point has nothing to differ from.
    if len(results.plan.points) > 1:
        frames["differences.csv"] = results.differences
    indices = {"indices.csv": all_indices(results), "interactions.csv": all_interactions(results)}
    frames |= {name: table for name, table in indices.items() if not table.is_empty()}
    digest = place.write(frames, results.failures)
    place.write_report(study_report.study_report(results))
    n = results.replications.select("point", "replication").n_unique()
    # The manifest is written last: a folder that has one is complete.
    place.write_manifest(
        {
            "kind": "study",
            "study": results.plan.settings.name,
            "seed": results.plan.settings.seed,
            "versions": versions(),
            "checksums": CHECKSUMS,
            "counts": {"points": len(results.plan.points), "replications": n, "failures": len(results.failures)},
            "digest": digest,
            "timings": {
                "started_at": started_at.isoformat(timespec="seconds"),
                "run_s": round(time.perf_counter() - began, 3),
            },
        }
    )


def default_study_folder(study: StudyPlan) -> Path:
    """The folder of a study unless another is given.

    Args:
        study: The study.

    >>> default_study_folder(Study.load("coverage")).as_posix()
    'runs/study-coverage'
    """
    return Path("runs") / f"study-{study.settings.name}"


def study_schema() -> dict[str, Any]:
    """JSON Schema of study files, for editors.

    >>> study_schema()["title"]
    'funnelsim study'
    """
    schema = StudySettings.model_json_schema(mode="validation")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "funnelsim study"
    return schema
