"""The command line: the commands by name, their help, and what becomes of their output and errors.

Nothing heavy is imported before it is needed: ``funnelsim --help`` must be quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextvars import copy_context
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from scenarios.cli import replays, runs, stores, studies, tools
from scenarios.cli.output import Output, say
from scenarios.cli.shutdown import graceful_shutdown
from scenarios.errors import DeliveryError, FunnelsimError
from scenarios.run.progress import QUIET, is_quiet

__all__ = ["EXAMPLES", "HelpfulGroup", "main"]

_DONE: Final = 0

_FAILED: Final = 1

_INPUT_WRONG: Final = 2

_INTERRUPTED: Final = 130


class HelpfulGroup(TyperGroup):
    """The commands, each with examples under its help and the option ``--quiet``."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - Typer's own
        super().__init__(**attributes)
        bearer = typer.Typer(add_completion=False)
        bearer.command()(_asked_quiet)
        (quiet,) = get_command(bearer).params
        self.epilog = _examples(_OVERVIEW)
        self.params.append(quiet)
        for name, command in self.commands.items():
            command.params.append(quiet)
            command.epilog = _examples(EXAMPLES.get(name, ()))


app = typer.Typer(
    name="funnelsim",
    help="Simulate the web analytics of a company that sells by demo, where the truth is known.",
    cls=HelpfulGroup,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich's help takes longer to import than everything else here
)

runs.register(app)

studies.register(app)

stores.register(app)

replays.register(app)

tools.register(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 the run failed, 2 the input was wrong, 130 interrupted."""
    _open_closed_outputs()
    try:
        with graceful_shutdown():
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


EXAMPLES: Final[dict[str, tuple[str, ...]]] = {
    "run": (
        "funnelsim run baseline",
        "funnelsim run my.yaml --seed 8 --set traffic.visitors_per_day=50000 --out runs/busy",
        "funnelsim run baseline --events ndjson --json",
        "funnelsim run month --jobs 4 --no-analysis",
    ),
    "analyze": (
        "funnelsim analyze runs/baseline-seed7/events.parquet",
        "funnelsim analyze pages.ndjson tracks.gz --out results",
        "zcat events.gz | funnelsim analyze - --json",
    ),
    "scenarios": ("funnelsim scenarios",),
    "show": ("funnelsim show enterprise", "funnelsim show my.yaml --set clock.hours=48"),
    "validate": ("funnelsim validate my.yaml",),
    "schema": ("funnelsim schema scenario > scenario.schema.json",),
    "study": (
        "funnelsim study coverage --jobs 4",
        "funnelsim study my-study.yaml --executor dask:tcp://scheduler:8786 --out studies/mine",
        "funnelsim study coverage --replay 0:17",
    ),
    "power": (
        "funnelsim power baseline --signal security_page_view",
        "funnelsim power my.yaml --signal webinar_registration --power 0.9 --vary hours",
    ),
    "warm-up": (
        "funnelsim warm-up baseline --set traffic.visitors_per_day=2000",
        "funnelsim warm-up my.yaml --series demo_requests --out plot.svg",
    ),
    "compare": (
        "funnelsim compare baseline ad-blocker-heavy",
        "funnelsim compare baseline my.yaml --response 'conversion()' --replications 50",
    ),
    "replay": (
        "funnelsim replay runs/baseline-seed7 --to stdout --speed max | head",
        "funnelsim replay runs/baseline-seed7 --to http://localhost:8080 --speed 600 --resume sent.json",
        "funnelsim replay runs/baseline-seed7 --to kafka:localhost:9092/events --from 2026-03-03T09:00:00Z",
    ),
    "export": (
        "funnelsim export runs/baseline-seed7 --to seeds/segment",
        "funnelsim export runs/baseline-seed7 --to tables --format parquet",
    ),
    "ingest": (
        "funnelsim ingest events.ndjson --store store",
        "funnelsim ingest kafka://localhost:9092/events --store store --follow",
    ),
    "stats": ("funnelsim stats --store store", "funnelsim stats --store store --by region --watch"),
    "new": (
        "funnelsim new my.yaml",
        "funnelsim new launch.yaml --extends launch-spike",
        "funnelsim new blockers.yaml --study",
    ),
    "doctor": ("funnelsim doctor",),
}
"""How one would call each command."""

_OVERVIEW: Final = (
    "funnelsim run baseline",
    "funnelsim new my.yaml",
    "funnelsim study coverage",
    "funnelsim COMMAND --help",
)


def _set_quiet(value: bool) -> bool:  # noqa: FBT001 - Typer calls it so
    if value:
        QUIET.set(True)
    return value


def _asked_quiet(
    *,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            callback=_set_quiet,
            expose_value=False,
            show_default=False,
            help="No progress and no summary; only what was asked for, and errors.",
        ),
    ] = False,
) -> None:
    """Bear the option that every command gets."""


def _examples(lines: tuple[str, ...]) -> str | None:
    # The backspace keeps the help's formatter from filling the lines as a paragraph.
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)]) if lines else None
