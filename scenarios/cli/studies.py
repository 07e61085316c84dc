"""Commands about studies: study, power, compare, warm-up."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scenarios.cli.options import complete_scenario, complete_study
from scenarios.cli.output import Output, as_json
from scenarios.errors import InputError, ScenarioError, UndefinedMeasureError

if TYPE_CHECKING:
    from scenarios.study import Study

if TYPE_CHECKING:
    from scenarios.warm_up import WarmUp

__all__ = ["SeriesChoice", "VaryChoice", "compare", "is_study", "power", "register", "study", "validate", "warm_up"]

_Jobs = Annotated[int | None, typer.Option(min=1, help="Replications at a time; as many as there are cores.")]

_Executor = Annotated[
    str | None, typer.Option(metavar="KIND", help="Where to run: loky, dask:ADDRESS, ray or ray:ADDRESS.")
]

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(study)
    app.command()(power)
    app.command()(compare)
    app.command()(warm_up)


def study(
    study: Annotated[
        str,
        typer.Argument(metavar="STUDY", help="Name of a library study, or a YAML file.", autocompletion=complete_study),
    ],
    jobs: _Jobs = None,
    executor: _Executor = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder for the results.")] = None,
    replay: Annotated[
        str | None, typer.Option(metavar="P:R", help="Only run replication R of point P again, and say what it gives.")
    ] = None,
    *,
    json: _Json = False,
) -> Output:
    """Run a scenario many times as its factors vary, or go on with a study that was stopped."""
    from scenarios.cli.study_text import study_text  # noqa: PLC0415
    from scenarios.run.progress import progress_bar  # noqa: PLC0415
    from scenarios.study import Study, default_study_folder  # noqa: PLC0415

    plan = Study.load(study)
    if replay is not None:
        return _replay(plan, replay, json=json)
    folder = out or default_study_folder(plan)
    counted = _Counted()
    try:
        with progress_bar(f"Running {plan.settings.name}") as bar:
            tell = counted.telling(bar.share)
            results = plan.run(jobs=jobs, executor=executor, folder=folder, progress=tell, announce=_announce)
    except KeyboardInterrupt:
        sys.stderr.write(f"funnelsim: {counted} are done and kept in {folder}; the same command goes on from there\n")
        raise
    if json:
        manifest = (folder / "manifest.json").read_text(encoding="utf-8")
        return Output(as_json({**_parsed(manifest), "folder": str(folder)}))
    return Output(study_text(results, folder), is_summary=True)


def _announce(cost: object) -> None:
    """Say on standard error what a study will cost: it is no result, and another machine would say otherwise."""
    from scenarios.run.progress import is_quiet  # noqa: PLC0415

    if not is_quiet():
        sys.stderr.write(f"funnelsim: {cost}\n")


class VaryChoice(StrEnum):
    """What is made larger until a signal is found."""

    VISITORS = "visitors"
    HOURS = "hours"


def power(
    scenario: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO", help="Name of a library scenario, or a YAML file.", autocompletion=complete_scenario
        ),
    ],
    *,
    signal: Annotated[str, typer.Option(help="The signal to be found, such as security_page_view.")],
    power: Annotated[float, typer.Option(help="Wished share of such worlds in which it is found.")] = 0.8,
    alpha: Annotated[float, typer.Option(help="It is found if its p-value is below.")] = 0.05,
    vary: Annotated[
        VaryChoice, typer.Option(help="What to make larger: visitors a day, or hours.")
    ] = VaryChoice.VISITORS,
    replications: Annotated[int, typer.Option(help="Runs to make in all; more make the answer surer.")] = 400,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting.")] = None,
    jobs: _Jobs = None,
    executor: _Executor = None,
    json: _Json = False,
) -> Output:
    """Say how much traffic it takes until a signal is found with a wished power."""
    from scenarios.cli.study_text import power_text  # noqa: PLC0415
    from scenarios.power import sample_size  # noqa: PLC0415
    from scenarios.run.progress import progress_bar  # noqa: PLC0415
    from scenarios.scenario import Scenario  # noqa: PLC0415

    settings = Scenario.load(scenario, set_ or ())
    with progress_bar(f"Looking for {signal} in {settings.name}") as bar:
        found = sample_size(
            settings,
            signal,
            power=power,
            alpha=alpha,
            vary=vary.value,
            replications=replications,
            jobs=jobs,
            executor=executor,
            progress=_Counted().telling(bar.share),
        )
    return Output(as_json(found.to_dict()) if json else power_text(found))


def compare(
    a: Annotated[
        str,
        typer.Argument(
            metavar="A", help="Name of a library scenario, or a YAML file.", autocompletion=complete_scenario
        ),
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one.", autocompletion=complete_scenario)],
    *,
    response: Annotated[
        list[str] | None, typer.Option(metavar="EXPR", help="What to compare, such as 'conversion()'; may be repeated.")
    ] = None,
    replications: Annotated[int, typer.Option(min=2, help="Runs of each.")] = 20,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the runs; that of A if not given.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder for the results and a report.")
    ] = None,
    jobs: _Jobs = None,
    executor: _Executor = None,
    json: _Json = False,
) -> Output:
    """Run two scenarios with the same luck and say how they differ."""
    from scenarios.cli.study_text import comparison_text  # noqa: PLC0415
    from scenarios.comparison import compare_scenarios  # noqa: PLC0415
    from scenarios.run.progress import progress_bar  # noqa: PLC0415
    from scenarios.scenario import Scenario  # noqa: PLC0415

    first, second = Scenario.load(a), Scenario.load(b)
    with progress_bar(f"Comparing {first.name} and {second.name}") as bar:
        table = compare_scenarios(
            first,
            second,
            response,
            replications=replications,
            seed=seed,
            jobs=jobs,
            executor=executor,
            folder=out,
            progress=_Counted().telling(bar.share),
        )
    if json:
        place = {"folder": None if out is None else str(out)}
        names = {"a": first.name, "b": second.name, "replications": replications}
        return Output(as_json({**names, **place, "differences": table}))
    return Output(comparison_text(table, a=first.name, b=second.name, folder=out))


def is_study(file: str) -> bool:
    """Whether a name or a file is that of a study and not of a scenario."""
    from scenarios.config.library import find_scenario, library_names, read_text, study_names  # noqa: PLC0415
    from scenarios.config.yaml_source import read_yaml  # noqa: PLC0415

    if file in study_names() and file not in library_names():
        return True
    try:
        data = read_yaml(read_text(find_scenario(file)), file).data
    except ScenarioError:
        return False  # whoever reads it as a scenario will say what is wrong
    return isinstance(data, dict) and not {"responses", "estimates", "replications", "factors", "design"}.isdisjoint(
        data
    )


def validate(file: str, overrides: Sequence[str]) -> Output:
    """Check a study file.

    Raises:
        ScenarioError: Something is wrong; with every fault and its place.
        InputError: There are overrides, which are for scenarios.
    """
    from scenarios.study import Study  # noqa: PLC0415

    if overrides:
        raise InputError("--set changes scenarios; a study says under 'set' what it changes")
    plan = Study.load(file)
    return Output(f"{file}: study {plan.settings.name!r} is valid: {len(plan.points):,} design points", is_summary=True)


class _Counted:
    """Counts what is done, for the bar and for whoever interrupts."""

    def __init__(self) -> None:
        self._done, self._total = 0, 0

    def __str__(self) -> str:
        return f"{self._done:,} of {self._total:,} replications"

    def telling(self, share: Callable[[float], None] | None) -> Callable[[int, int], None]:
        """Return what is to be told how far the study is."""

        def tell(done: int, total: int) -> None:
            self._done, self._total = done, total
            if share is not None:
                share(done / total if total else 1.0)

        return tell


def _replay(plan: Study, text: str, *, json: bool) -> Output:
    """Run one replication again and read its responses; what goes wrong is raised."""
    point, colon, number = text.partition(":")
    if not (colon and point.isdecimal() and number.isdecimal()):
        raise InputError(f"--replay: must be a point and a replication, such as 3:17 (got {text!r})")
    run = plan.replay(int(point), int(number))
    values: dict[str, float | None] = {}
    lines = []
    for name, expression in plan.loaded.responses.items():
        try:
            values[name] = run.measure(expression)
            lines.append(f"{name}: {values[name]}")
        except UndefinedMeasureError as error:
            values[name] = None
            lines.append(f"{name}: {error}")
    return Output(as_json(values) if json else "\n".join(lines))


def _parsed(text: str) -> dict[str, object]:
    from json import loads  # noqa: PLC0415

    parsed: dict[str, object] = loads(text)
    return parsed


_DAY_HOURS = 24


class SeriesChoice(StrEnum):
    """What is counted by hour."""

    PAGE_VIEWS = "page_views"
    VISITORS = "visitors"
    VISITS = "visits"
    DEMO_REQUESTS = "demo_requests"


def warm_up(
    scenario: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO", help="Name of a library scenario, or a YAML file.", autocompletion=complete_scenario
        ),
    ],
    *,
    series: Annotated[SeriesChoice, typer.Option(help="What is counted by hour.")] = SeriesChoice.PAGE_VIEWS,
    replications: Annotated[int, typer.Option(min=2, help="Runs to average.")] = 10,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Draw Welch's plot as SVG.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Runs at a time; as many as there are cores.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> Output:
    """Say how many hours at the beginning of a scenario say nothing of its ordinary state."""
    from scenarios.errors import OutputError  # noqa: PLC0415
    from scenarios.run.progress import progress_bar  # noqa: PLC0415
    from scenarios.scenario import Scenario  # noqa: PLC0415
    from scenarios.warm_up import find_warm_up  # noqa: PLC0415

    world = Scenario.load(scenario, set_ or ())
    with progress_bar(f"Watching {world.name} fill") as bar:

        def tell(done: int, total: int) -> None:
            if bar.share is not None:
                bar.share(done / total)

        found = find_warm_up(world, series.value, replications=replications, jobs=jobs, progress=tell)
    if out is not None:
        try:
            found.chart().save(str(out), format="svg")
        except OSError as error:
            raise OutputError(f"{out}: cannot be written: {error.strerror or error}") from None
    return Output(as_json(found.to_dict()) if json else _text(found, world.name))


def _text(found: WarmUp, name: str) -> str:
    """The hours to leave out, and how the series settles, day by day."""
    from scenarios.cli.output import aligned  # noqa: PLC0415

    what = found.series.replace("_", " ")
    answer = (
        f"{what} of {name} settle nowhere in the first half of the clock: give it more hours, or it grows for ever"
        if found.hours is None
        else f"{what} of {name}: leave out the first {found.hours} hours (MSER-5): warm_up_hours: {found.hours}"
    )
    averages = found.table.gather_every(_DAY_HOURS, offset=_DAY_HOURS // 2)
    rows = [(f"{row['hour'] // _DAY_HOURS + 1}", f"{row['moving_average']:,.1f}") for row in averages.to_dicts()]
    return "\n".join(
        [
            answer,
            "",
            *aligned([("day", f"{what} an hour"), *rows], header=True),
            "",
            f"means of {found.replications:,} replications, without their weekly cycle, averaged over a day (Welch)",
        ]
    )
