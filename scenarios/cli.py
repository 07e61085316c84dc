"""The command line. Commands work things out and return what is to be said; :func:`main` says it.

Nothing heavy is imported before it is known that it will be needed: ``funnelsim --help`` must be quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextvars import copy_context
from pathlib import Path
from typing import Final

import typer
from typer.exceptions import TyperException

from scenarios import cli_replay, cli_runs, cli_store, cli_study, cli_tools
from scenarios.cli_help import HelpfulGroup
from scenarios.cli_output import Output, say
from scenarios.errors import DeliveryError, FunnelsimError
from scenarios.interruptions import requests_to_end_heard
from scenarios.run.progress import is_quiet

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


cli_runs.register(app)
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
