"""Commands about runs and events: run, check-component, analyze, map."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from analytics.html.escaping import as_lines, as_text
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
)
from scenarios.cli.output import Output, is_quiet
from scenarios.cli.progress import progress_bar
from scenarios.cli.text.runs import analysis_results, analysis_summary, component_text, invalid_events, run_summary
from scenarios.component_check import check_component as check
from scenarios.config.loading import load, parse
from scenarios.config.pages_file import with_mapping
from scenarios.config.settings import ScenarioSettings
from scenarios.errors import Fault, OutputError, ScenarioError
from scenarios.files.event_files import EventsFormat
from scenarios.files.plain_data import shown_json
from scenarios.run.events_analysis import analyze as analyze_events, mapped_settings
from scenarios.run.folder import default_folder, run_to_folder
from scenarios.run.pools import shared_pool
from scenarios.scenario import Scenario


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
            changes=set_ or (),
        )
    if json:
        return Output(shown_json({**manifest, "folder": str(folder)}))
    why_not = manifest.get("not_analysed", "")
    return Output(run_summary(result, folder, analysed=analysis and not why_not, not_analysed=why_not), is_summary=True)


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
    memory: Memory = None,
    json: JsonOutput = False,
) -> Output:
    """Analyse events from any source."""
    settings, unit = chosen_settings(config, set_ or (), pages, stitch=stitch)
    chosen, form = mapped_settings(settings, rename_event or ()), EventFormat(format_, type_)
    analysis = analyze_events(events, chosen, conversion_unit or unit, form, memory)
    if out is not None:
        analysis.write(out)
    if json:
        return Output(shown_json(analysis.to_dict()))
    if is_quiet():
        warnings = (*analysis.warnings, *invalid_events(analysis.store.counts, analysis.store.dead_letter_counts))
        # Without a folder the results are printed or lost.
        return Output(analysis_results(analysis.analysis), is_summary=out is not None, warnings=warnings)
    return Output(analysis_summary(analysis, out))


def map_pages(
    events: Annotated[
        list[str], typer.Argument(metavar="EVENTS...", help="Files or folders of events; '-' is standard input.")
    ],
    *,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file to write; by default the mapping is printed.")
    ] = None,
    format_: InputFormat = None,
    type_: TableType = None,
) -> Output:
    """Propose a mapping of the pages and events of your site."""
    if output is not None and output.exists():
        raise OutputError(f"{output}: exists already, and is left unchanged; give another name")
    found = analyze_events(events, form=EventFormat(format_, type_))
    given = [*events, *(("--format", format_) if format_ else ()), *(("--type", type_) if type_ else ())]
    command = shlex.join(["funnelsim", "analyze", *given, "--pages", str(output or "mapping.yaml")])
    proposal = found.propose_mapping(command)
    if output is None:
        return Output(as_text(proposal.text.rstrip("\n")))
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(as_text(proposal.text), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{output}: cannot be written: {error.strerror or error}") from None
    counts = (
        f"rules with a guess: {proposal.n_rules:,}; pages without one: {proposal.n_unknown:,}; "
        f"names of events: {proposal.n_names:,}"
    )
    lines = (f"written: {output}", counts, "", f"next: edit it, then {command}")
    return Output(as_lines(lines), is_summary=True)


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


def check_component(
    scenario: ScenarioName, seed: Seed = None, set_: Overrides = None, *, json: JsonOutput = False
) -> Output:
    """Check that the components of a scenario keep the rules."""
    found = check(Scenario.load(scenario, set_ or ()), seed=seed)
    status = 0 if found.passed else 1
    if json:
        counts = {"visitors": found.n_visitors, "on_the_clock": found.n_awake}
        data = {"scenario": found.scenario, "passed": found.passed, **counts, "findings": found.table.to_dicts()}
        return Output(shown_json(data), status=status)
    return Output(component_text(found), is_summary=found.passed, status=status)
