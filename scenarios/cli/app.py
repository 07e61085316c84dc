"""The command line: options of every command, warnings, errors and exit statuses.

A command returns what it prints as an :class:`scenarios.cli.output.Output`. Only this module prints it, so that a full
disk, a closed pipe and an error end every command in the same way: with one line on standard error, and a status.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import warnings
from collections.abc import Sequence
from contextvars import copy_context
from pathlib import Path
from traceback import extract_tb, format_exception
from typing import Annotated, Any, Final

import typer
from typer.core import MarkupMode, TyperCommand, TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from analytics.errors import EventFileWarning
from analytics.html.escaping import GIVEN, as_text
from analytics.renaming import OldNameWarning, warn_of_old_name
from scenarios import cli, files
from scenarios.cli.commands import COMMANDS, EXAMPLES, PLUGGABLE, RENAMED_OPTIONS
from scenarios.cli.output import QUIET, Output, complain, is_quiet, say, silence_stdout
from scenarios.cli.shutdown import end_by, graceful_shutdown
from scenarios.errors import DeliveryError, FunnelsimError, InputError
from simulator import settings
from simulator.errors import ComponentError

# The exit statuses of the shell: 2 is also what the parser of options uses, and 130 is 128 plus the signal of Ctrl-C.
_DONE: Final = 0
_FAILED: Final = 1
_INPUT_WRONG: Final = 2
_INTERRUPTED: Final = 130

_ROOT: Final = Path(__file__).parents[2]
_PACKAGES: Final = ("analytics", "funnelsim", "scenarios", "simulator")
_NOT_OWN: Final = (
    *(_ROOT / name for name in _PACKAGES),
    *(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 the command failed, 2 wrong input, 130 interrupted.

    Args:
        arguments: Words after ``funnelsim``; those of this process by default.
    """
    _open_closed_outputs()
    # Signals first: an interruption at any later point is reported like any other end.
    try:
        with graceful_shutdown() as signals, warnings.catch_warnings():
            _report_warnings()
            words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
            # In its own context, so that --quiet of one call does not outlive it.
            status = copy_context().run(_run, words, signals)
    except KeyboardInterrupt:
        status = _report("interrupted", _INTERRUPTED)
    except BaseException as error:
        # A panic of Polars is no Exception. By its name: Polars would have to be imported for its type.
        if type(error).__name__ != "PanicException":
            raise
        reason = str(error).partition("\n")[0]
        status = _report(f"a file cannot be read: it is damaged ({reason})", _INPUT_WRONG)
    sys.exit(status)


class CommandGroup(TyperGroup):
    """The commands. Each is imported when it is called, or when its own help is requested.

    Args:
        attributes: What Typer passes to a group, unchanged.
    """

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - Typer's own
        super().__init__(**attributes)
        # Rich doubles the time that help takes, and its panels are for the eye only: files and pipes get plain text.
        self.rich_markup_mode = "rich" if sys.stdout.isatty() else None
        self.epilog = _examples(EXAMPLES, self.rich_markup_mode)
        for name, command in COMMANDS.items():
            # A placeholder, enough for the help of the group and for completion.
            self.add_command(TyperCommand(name, help=command.summary, rich_markup_mode=None))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:  # noqa: ANN401
        """Import the command that the arguments name; accept old spellings of its options.

        Args:
            ctx: Typer's context of the call.
            args: Words after ``funnelsim`` and its own options; the first one is the name of a command.

        Returns:
            The name, the command with its own options, ``--quiet`` and ``--plugin``, and the words left for it.
        """
        name, placeholder, rest = super().resolve_command(ctx, args)
        if name is None or placeholder is None:  # as the shell completes a name that is not finished
            return name, placeholder, rest
        # Typer makes a command only of an application, so each command gets an application of its own.
        loader = typer.Typer(add_completion=False, rich_markup_mode=self.rich_markup_mode)
        listed = COMMANDS[name]
        epilog = _examples(listed.examples, self.rich_markup_mode)
        loader.command(name, epilog=epilog)(getattr(cli, listed.function or name))
        command = get_command(loader)
        # Users write --quiet after the command as often as before it.
        shared = {"quiet", "plugin"} if name in PLUGGABLE else {"quiet"}
        command.params.extend(option for option in self.params if option.name in shared)
        return name, command, _current_spelling(RENAMED_OPTIONS.get(name, {}), rest)


app = typer.Typer(
    name="funnelsim",
    help="Simulate web analytics events of a B2B site with known true effects, and analyse them.",
    cls=CommandGroup,
    pretty_exceptions_enable=False,  # errors are one line; see _unexpected
    rich_markup_mode=None,  # set by the group, which knows whether this is a terminal
)


def _set_quiet(value: bool) -> None:  # noqa: FBT001 - called by Typer
    if value:
        QUIET.set(True)


def _allow_plugins(modules: list[str] | None) -> None:
    for module in modules or ():
        try:
            settings.allow_plugins(module)
        except ValueError as error:
            raise InputError(f"--plugin: {error}") from None


def _print_version(value: bool) -> None:  # noqa: FBT001 - called by Typer
    if value:
        say(f"funnelsim {files.installed_version()}")
        raise typer.Exit


@app.callback()
def options_of_all(
    *,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            callback=_set_quiet,
            expose_value=False,
            show_default=False,
            help="Print results, errors and warnings only: no progress, no summary.",
        ),
    ] = False,
    plugin: Annotated[
        list[str] | None,
        typer.Option(
            "--plugin",
            metavar="MODULE",
            callback=_allow_plugins,
            expose_value=False,
            help="Module of your own components, or its file, such as my_components.py; its code is run.",
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, expose_value=False, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Declare the options that stand before a command."""


def _examples(lines: tuple[str, ...], markup_mode: MarkupMode) -> str:
    """Write the examples at the end of a help.

    Args:
        lines: Calls of a command.
        markup_mode: ``rich`` on a terminal; None for plain text.
    """
    # In plain help a backspace keeps the formatter from joining the lines to a paragraph.
    head = [] if markup_mode else ["\b"]
    return "\n".join([*head, "Examples:", *(f"  {line}" for line in lines)])


def _current_spelling(renamed: dict[str, str], arguments: list[str]) -> list[str]:
    """Replace old spellings of options, with a warning for each.

    Args:
        renamed: Old spellings and those that have replaced them.
        arguments: Words after the name of the command, as given.

    >>> _current_spelling({"--map": "--rename-event"}, ["events.ndjson", "--json"])
    ['events.ndjson', '--json']
    """
    # Before parsing: with two spellings of an option the help would show both, and no warning could name the old one.
    current = []
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if option in renamed:
            warn_of_old_name(option, renamed[option])
        current.append(f"{renamed.get(option, option)}{equals}{value}")
    return current


def _open_closed_outputs() -> None:
    """Discard what goes to a stream that the caller has closed (``>&-``): Python has no object for it."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - open for as long as the process


def _report_warnings() -> None:
    """Print warnings that are for the user as messages, each once; they are no Python warnings to a user."""
    reported: set[str] = set()

    def report(message: Warning | str, *_: object, **__: object) -> None:
        if str(message) not in reported:
            reported.add(str(message))
            _report(f"warning: {message}", _DONE)  # even if quiet: the next version will refuse what this is about

    # Python's own memory of what was reported ("once") would outlive this call of main.
    for kind in (OldNameWarning, EventFileWarning):
        warnings.simplefilter("always", kind)
    warnings.showwarning = report


def _run(arguments: list[str], signals: Sequence[int]) -> int:
    """Run the command that the arguments name, and print its output or its error.

    Args:
        arguments: Words after ``funnelsim``.
        signals: Signals that have requested an end.

    Returns:
        The exit status.
    """
    GIVEN.set(tuple(arguments))
    try:
        # Not standalone, as Typer would then print errors in its own form and end the process.
        output = app(arguments, prog_name="funnelsim", standalone_mode=False)
        if isinstance(output, Output):
            return _print(output)
        # Typer turns help into 0 and Ctrl-C into 130.
        return _report("interrupted", _INTERRUPTED) if output == _INTERRUPTED else int(output or _DONE)
    except TyperException as error:
        return _report(f"{error.format_message()} (see funnelsim --help)", error.exit_code)
    except (FunnelsimError, ComponentError) as error:
        status = _FAILED if isinstance(error, DeliveryError | ComponentError) else _INPUT_WRONG
        return _report(getattr(error, "lines", str(error)), status)
    except MemoryError:  # whose own message is empty
        return _report("there is not enough memory for this run", _FAILED)
    except Exception as error:  # noqa: BLE001 - the last stop before a traceback
        # Pydantic makes an error of its own of the exception that a signal has raised amid its work.
        if signals:
            end_by(signals[-1])
        return _unexpected(error)


def _print(output: Output) -> int:
    """Print the output of a command. A reader that has closed the pipe (``| head``) is no failure.

    Args:
        output: What the command returned.

    Returns:
        The exit status: that of the output, or 1 where standard output cannot be written.
    """
    if is_quiet():
        for warning in output.warnings:
            _report(f"warning: {warning}", _DONE)
        if output.is_summary:
            return output.status
    try:
        say(output.content)
    except BrokenPipeError:
        silence_stdout()
    except OSError as error:
        silence_stdout()
        return _report(f"standard output cannot be written: {error.strerror}", _FAILED)
    return output.status


def _report(message: str | Sequence[str], status: int) -> int:
    """Write a message to standard error, and return the status that goes with it.

    Args:
        message: One line, or several.
        status: The exit status.
    """
    try:
        complain(*([message] if isinstance(message, str) else message))
    except OSError:  # a full disk, or nobody at the other end: the status must say it
        return status
    return status


def _unexpected(error: Exception) -> int:
    """Report an unexpected error in one line; FUNNELSIM_TRACEBACK=1 shows where it came from.

    Args:
        error: What no command expects: an error of this program, or of the machine.

    Returns:
        The exit status of a failure.
    """
    # A variable and no option: it must work where the options themselves cannot be parsed.
    if os.environ.get("FUNNELSIM_TRACEBACK"):
        sys.stderr.write(as_text("".join(format_exception(error))))
        return _FAILED
    # The message of an OSError says all; others, such as KeyError, mean nothing without their kind.
    kind = "" if isinstance(error, OSError) else f"{type(error).__name__}: "
    place = _place_in_own_code(error) or "the command failed"
    return _report(f"{place}: {kind}{error} (FUNNELSIM_TRACEBACK=1 shows where)", _FAILED)


def _place_in_own_code(error: BaseException) -> str:
    """Return where an error passed through the user's own code last, such as ``my_chat.py:12, in on_view``.

    Args:
        error: An error that was raised.

    Returns:
        The place; empty if all code is that of funnelsim, of installed packages and of Python.
    """
    # SimPy raises the error of a process again, as a copy of its cause.
    frames = [frame for each in (error, error.__cause__) for frame in (extract_tb(each.__traceback__) if each else [])]
    # A script like .venv/bin/funnelsim has no suffix, and code that is made at run time has no file.
    own = [
        frame
        for frame in frames
        if frame.filename.endswith(".py") and not any(Path(frame.filename).is_relative_to(path) for path in _NOT_OWN)
    ]
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}, in {own[-1].name}" if own else ""
