"""Commands about scenarios and runs: run, analyze, scenarios, show, validate, schema."""

from __future__ import annotations

from collections.abc import Sequence
from shutil import get_terminal_size
from textwrap import fill
from typing import Annotated, Final

import typer

from analytics.io.reading import EventFormat
from analytics.settings import AnalyticsSettings
from analytics.signals.definitions import ConversionUnit
from scenarios.cli.options import (
    Analysed,
    AnalysisConfig,
    AnalysisOverrides,
    Executor,
    InputFormat,
    JsonOutput,
    Memory,
    OutputFolder,
    Overrides,
    PagesFile,
    ScenarioName,
    Seed,
    Stitch,
    TableType,
    complete_kind,
    complete_scenario_or_study,
)
from scenarios.cli.output import Output, is_quiet
from scenarios.cli.progress import progress_bar
from scenarios.cli.run_text import analysis_results, analysis_summary, invalid_events, run_summary
from scenarios.config.description import resolved_intercept
from scenarios.config.library import find_scenario, library_names, read_text, study_names
from scenarios.config.loading import load, parse
from scenarios.config.pages_file import with_mapping
from scenarios.config.settings import ScenarioSettings
from scenarios.config.yaml_source import read_yaml
from scenarios.errors import Fault, InputError, ScenarioError, advice
from scenarios.files.event_files import EventsFormat
from scenarios.files.plain_data import to_json
from scenarios.run.events_analysis import analyze as analyze_events, mapped_settings
from scenarios.run.folder import default_folder, run_to_folder
from scenarios.run.pools import shared_pool
from scenarios.scenario import Scenario, scenario_schema
from scenarios.study import Study, study_schema


def run(
    scenario: ScenarioName,
    seed: Seed = None,
    set_: Overrides = None,
    out: OutputFolder = None,
    events: Annotated[EventsFormat, typer.Option(help="Format of the events.")] = "parquet",
    *,
    # Not the option of studies: unless it is given, a single run is not shared.
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Workers that share a large run (active_agents: interacting); the events are the same.",
        ),
    ] = None,
    executor: Executor = None,
    analysis: Analysed = True,
    memory: Memory = None,
    json: JsonOutput = False,
) -> Output:
    """Simulate a scenario and write a run folder with a report."""
    settings = Scenario.load(scenario, set_ or ())
    folder = out or default_folder(settings, settings.seed if seed is None else seed)
    pool = shared_pool(executor, jobs)
    with progress_bar(f"Simulating {settings.name}") as bar:
        result, manifest = run_to_folder(
            settings,
            folder,
            seed=seed,
            events=events,
            analyse=analysis,
            memory=memory,
            pool=pool,
            progress=bar.share,
            announce=bar.announce,
        )
    if json:
        return Output(to_json({**manifest, "folder": str(folder)}))
    not_analysed = manifest.get("not_analysed", "")
    summary = run_summary(result, folder, analysed=analysis and not not_analysed, not_analysed=not_analysed)
    return Output(summary, is_summary=True)


def analyze(
    events: Annotated[
        list[str], typer.Argument(metavar="EVENTS...", help="Files or folders of events; '-' is standard input.")
    ],
    config: AnalysisConfig = None,
    set_: AnalysisOverrides = None,
    *,
    pages: PagesFile = None,
    out: OutputFolder = None,
    conversion_unit: Annotated[
        ConversionUnit | None,
        typer.Option(help="Unit that converts at most once; by default as in the scenario, else account."),
    ] = None,
    rename_event: Annotated[
        list[str] | None,
        typer.Option(metavar="THEIRS=OURS", help="Read one event name as another, such as Demo Requested."),
    ] = None,
    format_: InputFormat = None,
    type_: TableType = None,
    stitch: Stitch = None,
    json: JsonOutput = False,
) -> Output:
    """Analyse events from any source."""
    settings, unit = chosen_settings(config, set_ or (), pages, stitch=stitch)
    chosen, form = mapped_settings(settings, rename_event or ()), EventFormat(format_, type_)
    analysis = analyze_events(events, chosen, conversion_unit or unit, form)
    if out is not None:
        analysis.write(out)
    if json:
        return Output(to_json(analysis.to_dict()))
    if is_quiet():
        warnings = (*analysis.warnings, *invalid_events(analysis.store.counts, analysis.store.dead_letter_counts))
        # Without a folder the results are printed or lost.
        return Output(analysis_results(analysis.analysis), is_summary=out is not None, warnings=warnings)
    return Output(analysis_summary(analysis, out))


def list_scenarios() -> Output:
    """List the scenarios of the library."""
    described = ((name, Scenario.load(name).description) for name in Scenario.library())
    return Output("\n\n".join(f"{name}\n{_paragraph(text)}".rstrip() for name, text in described))


def _paragraph(text: str) -> str:
    """Indent a text and fill it to the width of the terminal, or to 100 columns, which are easier to read.

    Args:
        text: The text; its own line breaks are not kept.

    >>> _paragraph("A month of traffic.")
    '  A month of traffic.'
    """
    width = max(40, min(get_terminal_size().columns, 100))
    return fill(" ".join(text.split()), width, initial_indent="  ", subsequent_indent="  ")


def show(name: ScenarioName, set_: Overrides = None) -> Output:
    """Print every setting of a scenario as YAML."""
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
    set_: Overrides = None,
) -> Output:
    """Check a scenario or study file, and locate every error."""
    if not _is_study(file):
        scenario = Scenario.load(file, set_ or ())
        note = resolved_intercept(scenario)
        return Output(f"{file}: scenario {scenario.name!r} is valid{note and f'; {note}'}", is_summary=True)
    if set_:
        raise InputError("--set changes scenarios; a study states its changes under 'overrides'")
    study = Study.load(file)
    n_points = len(study.points)
    notes = "".join(f"; {remark}" for remark in study.remarks)
    return Output(f"{file}: study {study.settings.name!r} is valid: {n_points:,} design points{notes}", is_summary=True)


def _is_study(file: str) -> bool:
    """Whether a name or a file is that of a study rather than of a scenario.

    Args:
        file: Name of the library, or path of a file, which need not exist.

    >>> _is_study("coverage"), _is_study("baseline")
    (True, False)
    """
    # A name that is in both libraries is read as the scenario's.
    if file in study_names() and file not in library_names():
        return True
    try:
        data = read_yaml(read_text(find_scenario(file)), file).data
    except ScenarioError:
        return False  # reading it as a scenario will report what is wrong
    study_keys = {"responses", "estimates", "replications", "factors", "design"}
    return isinstance(data, dict) and not study_keys.isdisjoint(data)


def schema(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="Kind of file: scenario or study.", autocompletion=complete_kind)
    ],
) -> Output:
    """Print the JSON Schema of scenario or study files."""
    kinds = {"scenario": scenario_schema, "study": study_schema}
    if kind not in kinds:
        raise InputError(f"there is no schema {kind!r}{advice(kind, list(kinds))}")
    return Output(to_json(kinds[kind]()))


_PART: Final = "analytics"
"""The section of a scenario that an analysis of event files reads."""

_DEFAULTS: Final = "name: events\n"
"""A scenario file with every default; it needs a name, and nothing else."""


def chosen_settings(
    scenario: str | None, overrides: Sequence[str], pages: str | None, *, stitch: bool | None
) -> tuple[AnalyticsSettings, ConversionUnit]:
    """Read how to analyse events from the options of a command; see :func:`analyst_settings`.

    Args:
        scenario: Name or file of a scenario.
        overrides: Settings to change.
        pages: File with a mapping of pages, if any.
        stitch: Whether persons are counted; as the settings say if None.

    Raises:
        ScenarioError: A file has errors, or a setting is not in the section ``analytics``.
    """
    settings, unit = analyst_settings(scenario, overrides)
    if pages is not None:
        settings = with_mapping(settings, pages)
    return settings if stitch is None else settings.model_copy(update={"stitch": stitch}), unit


def analyst_settings(scenario: str | None, overrides: Sequence[str] = ()) -> tuple[AnalyticsSettings, ConversionUnit]:
    """Read how to analyse events, and who can request one demo at most.

    Args:
        scenario: Name of a library scenario or path of a scenario file, of which only these settings are used; the
            defaults if None.
        overrides: Settings to change, as on the command line: ``["analytics.moving_average_hours=6"]``.

    Raises:
        ScenarioError: The scenario has errors, or a setting is not in the section ``analytics``.

    >>> settings, unit = analyst_settings(None, ["analytics.moving_average_hours=6"])
    >>> settings.moving_average_hours, unit
    (6, 'account')
    """
    for text in overrides:
        key = text.partition("=")[0].strip()
        if key.split(".")[0] != _PART:
            message = "is no setting of the analysis; those begin with analytics, as analytics.moving_average_hours"
            raise ScenarioError([Fault(f"--set {text}", key, message)])
    model = ScenarioSettings
    settings = parse(model, _DEFAULTS, _PART, overrides) if scenario is None else load(model, scenario, overrides)
    return settings.analysis, settings.intent.conversion_unit
