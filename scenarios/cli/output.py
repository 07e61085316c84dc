"""What a command prints on standard output, and messages on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from analytics.html.escaping import Rendered, as_line, as_lines

# A context variable: commands that are called one after the other in one process must not silence each other.
QUIET: Final = ContextVar("quiet", default=False)
"""Whether ``--quiet`` was given: only results and errors are printed."""


def is_quiet() -> bool:
    """Whether only results and errors are printed.

    >>> is_quiet()
    False
    """
    return QUIET.get()


@dataclass(frozen=True)
class Output:
    """What a command prints on standard output.

    Args:
        content: A line, :class:`Rendered` text, or a page whose ``str()`` is that for this terminal, file or pipe.
        is_summary: Whether ``--quiet`` leaves it out.
        status: Exit status.
        warnings: What a summary warns of. With ``--quiet`` they are messages, as figures without them mislead.
    """

    content: object
    is_summary: bool = False
    status: int = 0
    warnings: Sequence[str] = ()


def say(content: object, *, before: str = "") -> None:
    r"""Write to standard output, at once: the reader may be following.

    What is not :class:`Rendered` is one line, whatever it holds.

    Args:
        content: A line, rendered text, or a page; a newline is added.
        before: Control sequences of our own.

    >>> say("3 visitors\x1b[2J\nfunnelsim: all is well")
    3 visitors�[2J�funnelsim: all is well
    """
    text = content if isinstance(content, str) else content.__str__()  # str() would lose that it is rendered
    sys.stdout.write(f"{before}{text if isinstance(text, Rendered) else as_line(text)}\n")
    sys.stdout.flush()


def silence_stdout() -> None:
    """Send standard output nowhere, so that the interpreter's final flush does not fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def notify(message: str, *, even_if_quiet: bool = False) -> None:
    """Write a message to standard error, unless ``--quiet`` was given.

    Args:
        message: One line.
        even_if_quiet: Write it in any case, because it says what the user must do next.
    """
    if even_if_quiet or not is_quiet():
        complain(message)


def complain(*lines: str) -> None:
    """Write a message to standard error, in any case.

    Args:
        lines: Its lines, none of which is broken by what is in it.
    """
    sys.stderr.write(f"funnelsim: {as_lines(lines)}\n")
