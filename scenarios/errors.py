"""What can go wrong between a user and a run, and how it is told: one message, every fault with its place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

__all__ = [
    "DeliveryError",
    "Fault",
    "FunnelsimError",
    "InputError",
    "OutputError",
    "ScenarioError",
    "UndefinedMeasureError",
    "advice",
    "did_you_mean",
]


class FunnelsimError(Exception):
    """Something that a user can put right; its text is the whole message.

    The command line ends with exit status 2 on it: the input was wrong.
    """


class InputError(FunnelsimError):
    """A file of events that cannot be read as one."""


class UndefinedMeasureError(FunnelsimError):
    """A number that does not exist in a run, such as the conversion of nobody; the message says why."""


class OutputError(FunnelsimError):
    """A place that cannot be written to, or that holds something which must not be overwritten."""


class DeliveryError(FunnelsimError):
    """A receiver that did not take what it was sent; the command line ends with exit status 1 on it."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a scenario.

    Args:
        where: Place that states it, such as ``baseline.yaml:17:5`` or ``--set traffic.visitors_per_day=-5``.
        path: Dotted path of the setting, such as ``traffic.visitors_per_day``; empty for the file as a whole.
        message: What was expected and what was given.
    """

    where: str
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.path, self.message) if part)


class ScenarioError(FunnelsimError):
    """A scenario that cannot be run, with all its faults, one a line.

    Args:
        faults: What is wrong, in the order in which it should be read.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: tuple[Fault, ...] = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def __reduce__(self) -> tuple[type[ScenarioError], tuple[tuple[Fault, ...]]]:
        # Exceptions pickle their text only; a study's workers must hand back the faults.
        return type(self), (self.faults,)


def did_you_mean(given: str, known: Sequence[str]) -> str:
    """Guess what a misspelt word was to be: ``; did you mean 'traffic'?``, or nothing when none is near.

    Args:
        given: The word as written.
        known: The words that would have been understood.
    """
    close = get_close_matches(given.lower(), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def advice(given: str, known: Sequence[str]) -> str:
    """Advise on a misspelt word: a guess, or else the words there are; the arguments are those of the guess."""
    return did_you_mean(given, known) or (f"; known: {', '.join(known)}" if known else "")
