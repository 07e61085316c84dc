"""The command line. Commands work things out and return what is to be said; :func:`main` says it.

Nothing heavy is imported before it is known that it will be needed: ``funnelsim --help`` must be quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextvars import copy_context
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from typer.exceptions import TyperException

from scenarios import cli_replay, cli_store, cli_study, cli_tools
from scenarios.cli_help import HelpfulGroup
from scenarios.cli_output import Output, as_json, say
from scenarios.completion import complete_kind, complete_scenario, complete_scenario_or_study
from scenarios.errors import DeliveryError, FunnelsimError, InputError, advice
from scenarios.interruptions import requests_to_end_heard
from scenarios.run.progress import is_quiet

if TYPE_CHECKING:
    from analytics.settings import AnalyticsSettings
    from analytics.signals.definitions import DemoPer

__all__ = ["main"]

_DONE: Final = 0
_FAILED: Final = 1
_INPUT_WRONG: Final = 2
_INTERRUPTED: Final = 130

app = typer.Typer(
    name="funnelsim",
    help="Simulate the web analytics of a company that sells by demo, where the truth is known.",
    cls=HelpfulGroup,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich's help takes longer to import than everything else here
)


class EventsChoice(StrEnum):
    """How a run folder keeps its events."""

    PARQUET = "parquet"
    NDJSON = "ndjson"
    NONE = "none"


class DemoPerChoice(StrEnum):
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


@app.command()
def run(
    scenario: _Scenario,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of this run; the scenario's own if not given.")] = None,
    set_: _Set = None,
    out: _Out = None,
    events: Annotated[EventsChoice, typer.Option(help="Form in which the events are kept.")] = EventsChoice.PARQUET,
    *,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Workers that share a large run (wake: interacting); the events are the same."),
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
    from scenarios.run.folder import default_folder, run_to_folder  # noqa: PLC0415
    from scenarios.run.pools import shared_pool  # noqa: PLC0415
    from scenarios.run.progress import progress_bar  # noqa: PLC0415
    from scenarios.scenario import Scenario  # noqa: PLC0415
    from scenarios.summary import run_summary  # noqa: PLC0415

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


@app.command()
def analyze(
    events: Annotated[list[str], typer.Argument(metavar="EVENTS...", help="NDJSON ('-' is stdin) or Parquet.")],
    settings: Annotated[
        str | None, typer.Option(metavar="SCENARIO", help="Scenario (file or name) whose analytics part is used.")
    ] = None,
    set_: _Set = None,
    *,
    out: _Out = None,
    demo_per: Annotated[
        DemoPerChoice | None, typer.Option(help="Who asks for one demo at most; account, or as the scenario has it.")
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="THEIRS=OURS", help="What the events call one of ours, such as Demo Requested."),
    ] = None,
    json: _Json = False,
) -> Output:
    """Analyse Segment-Spec events, wherever they come from."""
    from scenarios.run.analyze import analyze_events, mapped_settings  # noqa: PLC0415
    from scenarios.summary import analysis_summary  # noqa: PLC0415

    chosen: AnalyticsSettings | None = None
    one_per: DemoPer = "account"
    if settings is not None or set_:
        # A scenario's settings bring the simulator with them, which events alone do not need.
        from scenarios.analyst import analyst_settings  # noqa: PLC0415

        chosen, one_per = analyst_settings(settings, set_ or ())
    analysis = analyze_events(events, mapped_settings(chosen, map_ or ()), demo_per.value if demo_per else one_per)
    if out is not None:
        analysis.write(out)
    if json:
        return Output(as_json(analysis.to_dict()))
    return Output(analysis_summary(analysis, out), is_summary=out is not None)


@app.command("scenarios")
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


@app.command()
def show(
    name: _Scenario,
    set_: _Set = None,
) -> Output:
    """Print a scenario with everything it extends and every default, as YAML."""
    from scenarios.scenario import Scenario  # noqa: PLC0415

    return Output(Scenario.load(name, set_ or ()).to_yaml().rstrip("\n"))


@app.command()
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

    if cli_study.is_study(file):
        return cli_study.validate(file, set_ or ())
    scenario = Scenario.load(file, set_ or ())
    return Output(f"{file}: scenario {scenario.name!r} is valid", is_summary=True)


@app.command()
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


cli_study.register(app)
cli_store.register(app)
cli_replay.register(app)
cli_tools.register(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 the run failed, 2 the input was wrong, 130 interrupted."""
    _open_closed_outputs()
    try:
        with requests_to_end_heard():
            # In a context of its own: that one command is to be quiet says nothing of the next.
            status = copy_context().run(_run, list(sys.argv[1:] if arguments is None else arguments) or ["--help"])
    except KeyboardInterrupt:
        status = _complain("interrupted", _INTERRUPTED)
    sys.exit(status)


def _open_closed_outputs() -> None:
    """Let what is said to nobody (``>&-``) go nowhere: Python has no object for a stream that was closed before."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - open for as long as the process


def _run(arguments: list[str]) -> int:
    try:
        output = app(arguments, prog_name="funnelsim", standalone_mode=False)
        if isinstance(output, Output):
            return _say(output)
        # Typer turns help into 0 and Ctrl-C into 130.
        return _complain("interrupted", _INTERRUPTED) if output == _INTERRUPTED else int(output or _DONE)
    except TyperException as error:
        return _complain(f"{error.format_message()} (see funnelsim --help)", error.exit_code)
    except FunnelsimError as error:
        return _complain(str(error), _FAILED if isinstance(error, DeliveryError) else _INPUT_WRONG)
    except MemoryError:
        return _complain("there is not enough memory for this run", _FAILED)
    except Exception as error:  # noqa: BLE001 - the last stop before a traceback
        return _unexpected(error)


def _say(output: Output) -> int:
    """Print what a command has to say. A reader who has gone away (``| head``) has read enough: that is no failure."""
    if output.is_summary and is_quiet():
        return output.status
    try:
        say(output.text)
    except BrokenPipeError:
        _silence_stdout()
    except OSError as error:
        _silence_stdout()
        return _complain(f"standard output cannot be written: {error.strerror}", _FAILED)
    return output.status


def _silence_stdout() -> None:
    """Let the interpreter's own last flush go nowhere instead of failing once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str, status: int) -> int:
    try:
        sys.stderr.write(f"funnelsim: {message}\n")
    except OSError:
        return status
    return status


def _unexpected(error: Exception) -> int:
    """Tell of an error nobody foresaw, in one line; FUNNELSIM_TRACEBACK=1 shows where it came from."""
    if os.environ.get("FUNNELSIM_TRACEBACK"):
        raise error
    kind = "" if isinstance(error, OSError) else f"{type(error).__name__}: "
    return _complain(f"the run failed: {kind}{error} (FUNNELSIM_TRACEBACK=1 shows where)", _FAILED)
