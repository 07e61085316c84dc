"""Commands about scenarios and runs: run, analyze, scenarios, show, validate, schema."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from analytics.settings import AnalyticsSettings
from analytics.signals.definitions import ConversionUnit
from scenarios.cli import studies
from scenarios.cli.options import complete_kind, complete_scenario, complete_scenario_or_study
from scenarios.cli.output import Output, as_json
from scenarios.config.loading import load, parse
from scenarios.config.settings import ScenarioSettings
from scenarios.errors import Fault, InputError, ScenarioError, advice

if TYPE_CHECKING:
    from analytics.settings import AnalyticsSettings
    from analytics.signals.definitions import ConversionUnit

__all__ = ["analyst_settings", "register"]


class EventsChoice(StrEnum):
    """How a run folder keeps its events."""

    PARQUET = "parquet"
    NDJSON = "ndjson"
    NONE = "none"


class ConversionUnitChoice(StrEnum):
    """Who asks for one demo at most."""

    ACCOUNT = "account"
    VISITOR = "visitor"


_Scenario = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO", help="Name of a library scenario, or a YAML file.", autocompletion=complete_scenario
    ),
]

_Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, such as clock.hours=48.")
]

_Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder for the results.")]

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(run)
    app.command()(analyze)
    app.command("scenarios")(list_scenarios)
    app.command()(show)
    app.command()(validate)
    app.command()(schema)


def run(
    scenario: _Scenario,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of this run; the scenario's own if not given.")] = None,
    set_: _Set = None,
    out: _Out = None,
    events: Annotated[EventsChoice, typer.Option(help="Form in which the events are kept.")] = EventsChoice.PARQUET,
    *,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Workers that share a large run (active_agents: interacting); the events are the same."
        ),
    ] = None,
    executor: Annotated[
        str | None, typer.Option(help="What the workers are: loky, dask:ADDRESS or ray[:ADDRESS].")
    ] = None,
    analysis: Annotated[
        bool, typer.Option(help="Analyse the events and write the report, where they fit into memory.")
    ] = True,
    json: _Json = False,
) -> Output:
    """Simulate a scenario and leave a run folder with a report."""
    from scenarios.cli.run_text import run_summary  # noqa: PLC0415
    from scenarios.run.folder import default_folder, run_to_folder  # noqa: PLC0415
    from scenarios.run.pools import shared_pool  # noqa: PLC0415
    from scenarios.run.progress import progress_bar  # noqa: PLC0415
    from scenarios.scenario import Scenario  # noqa: PLC0415

    settings = Scenario.load(scenario, set_ or ())
    folder = out or default_folder(settings, settings.seed if seed is None else seed)
    pool = shared_pool(executor, jobs)
    with progress_bar(f"Simulating {settings.name}") as progress:
        result, manifest = run_to_folder(
            settings,
            folder,
            seed=seed,
            events=events.value,
            analyse=analysis,
            pool=pool,
            progress=progress.share,
            announce=progress.announce,
        )
    if json:
        return Output(as_json({**manifest, "folder": str(folder)}))
    not_analysed = manifest.get("not_analysed", "")
    told = run_summary(result, folder, analysed=analysis and not not_analysed, not_analysed=not_analysed)
    return Output(told, is_summary=True)


def analyze(
    events: Annotated[list[str], typer.Argument(metavar="EVENTS...", help="NDJSON ('-' is stdin) or Parquet.")],
    settings: Annotated[
        str | None, typer.Option(metavar="SCENARIO", help="Scenario (file or name) whose analytics part is used.")
    ] = None,
    set_: _Set = None,
    *,
    out: _Out = None,
    conversion_unit: Annotated[
        ConversionUnitChoice | None,
        typer.Option(help="Who asks for one demo at most; account, or as the scenario has it."),
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="THEIRS=OURS", help="What the events call one of ours, such as Demo Requested."),
    ] = None,
    json: _Json = False,
) -> Output:
    """Analyse Segment-Spec events, wherever they come from."""
    from scenarios.cli.run_text import analysis_summary  # noqa: PLC0415
    from scenarios.run.events_analysis import analyze, mapped_settings  # noqa: PLC0415

    chosen: AnalyticsSettings | None = None
    one_per: ConversionUnit = "account"
    if settings is not None or set_:
        # A scenario's settings bring the simulator with them, which events alone do not need.

        chosen, one_per = analyst_settings(settings, set_ or ())
    analysis = analyze(
        events, mapped_settings(chosen, map_ or ()), conversion_unit.value if conversion_unit else one_per
    )
    if out is not None:
        analysis.write(out)
    if json:
        return Output(as_json(analysis.to_dict()))
    return Output(analysis_summary(analysis, out), is_summary=out is not None)


def list_scenarios() -> Output:
    """List the scenarios of the library."""
    from scenarios.scenario import Scenario  # noqa: PLC0415

    described = ((name, Scenario.load(name).description) for name in Scenario.library())
    return Output("\n\n".join(f"{name}\n{_paragraph(text)}".rstrip() for name, text in described))


def _paragraph(text: str) -> str:
    """Set a text as an indented paragraph, as wide as the terminal, but no wider than one likes to read."""
    from shutil import get_terminal_size  # noqa: PLC0415
    from textwrap import fill  # noqa: PLC0415

    width = max(40, min(get_terminal_size().columns, 100))
    return fill(" ".join(text.split()), width, initial_indent="  ", subsequent_indent="  ")


def show(
    name: _Scenario,
    set_: _Set = None,
) -> Output:
    """Print a scenario with everything it extends and every default, as YAML."""
    from scenarios.scenario import Scenario  # noqa: PLC0415

    return Output(Scenario.load(name, set_ or ()).to_yaml().rstrip("\n"))


def validate(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A scenario or study file, or a name of the library.",
            autocompletion=complete_scenario_or_study,
        ),
    ],
    set_: _Set = None,
) -> Output:
    """Check a scenario or study file and report every fault with its line and column."""
    from scenarios.scenario import Scenario  # noqa: PLC0415

    if studies.is_study(file):
        return studies.validate(file, set_ or ())
    scenario = Scenario.load(file, set_ or ())
    return Output(f"{file}: scenario {scenario.name!r} is valid", is_summary=True)


def schema(
    kind: Annotated[
        str,
        typer.Argument(metavar="KIND", help="What to describe: scenario or study.", autocompletion=complete_kind),
    ],
) -> Output:
    """Print the JSON Schema of a kind of file, for editors."""
    from scenarios.scenario import scenario_schema  # noqa: PLC0415
    from scenarios.study import study_schema  # noqa: PLC0415

    kinds = {"scenario": scenario_schema, "study": study_schema}
    if kind not in kinds:
        raise InputError(f"there is no schema {kind!r}{advice(kind, list(kinds))}")
    return Output(as_json(kinds[kind]()))


_PART: Final = "analytics"

_NOBODY: Final = "name: events\n"


def analyst_settings(scenario: str | None, overrides: Sequence[str] = ()) -> tuple[AnalyticsSettings, ConversionUnit]:
    """Read how events are to be analysed, and who asks for one demo at most.

    Args:
        scenario: Name of a library scenario or path of a scenario file, whose world does not matter here; the defaults
            if None.
        overrides: Settings to change, as the command line has them: ``["analytics.moving_average_hours=6"]``.

    Raises:
        ScenarioError: The scenario is faulty, or a setting is none of the analysis.
    """
    for text in overrides:
        key = text.partition("=")[0].strip()
        if key.split(".")[0] != _PART:
            message = "is no setting of the analysis, such as analytics.moving_average_hours"
            raise ScenarioError([Fault(f"--set {text}", key, message)])
    model = ScenarioSettings
    settings = parse(model, _NOBODY, _PART, overrides) if scenario is None else load(model, scenario, overrides)
    return settings.analytics, settings.intent.conversion_unit
