"""Errors that users can cause; each has one message, which names every fault with its place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final


class FunnelsimError(Exception):
    """An error that a user can correct; its text is the whole message.

    The command line ends with exit status 2 on it: the input was wrong.

    Args:
        lines: The message. Each of several lines is given by itself, so that nothing from outside can add one.

    Attributes:
        lines: The same.
    """

    def __init__(self, *lines: str) -> None:
        self.lines = lines
        super().__init__("\n".join(lines))


class InputError(FunnelsimError):
    """A file, folder or argument that cannot be used as it is."""


class UndefinedMeasureError(FunnelsimError):
    """A number that does not exist in a run, such as conversion without visitors; the message gives the reason."""


class OutputError(FunnelsimError):
    """An output path that cannot be written to, or whose contents must not be overwritten."""


class DeliveryError(FunnelsimError):
    """A receiver that did not accept what it was sent; the command line ends with exit status 1 on it."""


@dataclass(frozen=True)
class Fault:
    """One error in a scenario, with its location.

    Args:
        where: Place of the wrong value, such as ``baseline.yaml:17:5`` or ``--set traffic.visitors_per_day=-5``.
        path: Dotted path of the setting, such as ``traffic.visitors_per_day``; empty for the file as a whole.
        message: What was expected and what was given.
    """

    where: str
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.path, self.message) if part)


MOST_FAULTS: Final = 50
"""Errors of a scenario that a message lists; of more, the file as a whole is not what was meant."""

_LONGEST_FAULT: Final = 1000


class ScenarioError(FunnelsimError):
    """A scenario that cannot be run; the message lists the errors, one per line, up to fifty.

    Args:
        faults: What is wrong, in the order in which it should be read.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: tuple[Fault, ...] = tuple(faults)
        shown = [_shortened(str(fault)) for fault in self.faults[: MOST_FAULTS + 1]]
        n_more = len(self.faults) - len(shown)
        super().__init__(*shown, *([f"and {n_more:,} more"] if n_more else []))

    def __reduce__(self) -> tuple[type[ScenarioError], tuple[tuple[Fault, ...]]]:
        # Exceptions pickle their text only; workers of a study must return the faults too.
        return type(self), (self.faults,)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_FAULT else f"{text[: _LONGEST_FAULT - 1]}…"


def did_you_mean(given: str, known: Sequence[str]) -> str:
    """Suggest the name that was meant: ``; did you mean 'traffic'?``, or nothing when none is near.

    Args:
        given: The name as written.
        known: The names that exist.

    >>> did_you_mean("trafic", ["traffic", "clock"])
    "; did you mean 'traffic'?"
    """
    close = get_close_matches(given.lower(), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def advice(given: str, known: Sequence[str]) -> str:
    """Suggest the name that was meant, or else list the names that exist.

    Args:
        given: The name as written.
        known: The names that exist.

    >>> advice("x", ["traffic", "clock"])
    '; known: traffic, clock'
    """
    return did_you_mean(given, known) or (f"; known: {', '.join(known)}" if known else "")
