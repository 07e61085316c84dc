"""Errors of the analytics, in one tree; every message has what was given and what to do.

.. code-block:: text

    AnalyticsError                something given cannot be used
    ├── EventFrameError           a table is not a table of events
    ├── EventFileError            a file cannot be read as events
    ├── IntentModelError          the model cannot be fitted or has no usable result
    │   ├── VisitTableError       a column of the table is missing or cannot be used
    │   ├── TooFewVisitsError     fewer requests (or visits without one) than the model has terms
    │   ├── OneOutcomeError       every visit ends in a request, or none does
    │   ├── SeparationError       signals predict the outcome perfectly, so coefficients would be infinite (raised
    │   │                         only with ``penalise=False``)
    │   └── ConvergenceError      the maximisation did not converge
    └── StoreError                a store's folder cannot be used
        ├── StoreLockedError      another process writes to it
        ├── StoreFormatError      a newer funnelsim wrote it, or it is not a store
        ├── StoreCorruptError     a file is damaged
        └── StoreWriteError       the disk is full, or the folder cannot be written to
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class AnalyticsError(ValueError):
    """An input of the analytics is unusable; the message has what was given and what was expected."""


class EventFrameError(AnalyticsError):
    """A table is not a table of events: a column cannot be converted to its type in the tracking plan."""


class EventFileError(AnalyticsError):
    """A file cannot be read as events: it is missing, unreadable or a damaged archive."""


class EventFileWarning(UserWarning):
    """Something in a file of events is not read: a column, or a file of a folder."""


class EventFrameWarning(UserWarning):
    """Events of a table are in no figure, as it is not known what they are, whose, or when they happened."""


class IntentModelError(AnalyticsError):
    """The intent model cannot be fitted or has no usable result; the message has the reason and advice."""


class VisitTableError(IntentModelError):
    """A table cannot be fitted: a column is missing, is no number, or has no value in some rows."""


class TooFewVisitsError(IntentModelError):
    """There are fewer requests (or fewer visits without one) than the model has terms."""


class OneOutcomeError(IntentModelError):
    """Every visit ends in a request, or none does, so no coefficient can be estimated."""


class SeparationError(IntentModelError):
    """Signals predict the outcome perfectly in some visits, so coefficients would be infinite.

    Args:
        message: Finding and advice.
        terms: Names of the terms whose coefficients are infinite.
    """

    def __init__(self, message: str, terms: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.terms = tuple(terms)


class ConvergenceError(IntentModelError):
    """The maximisation did not converge."""


@dataclass(frozen=True)
class Damage:
    """Something in a folder that is not what was written.

    Args:
        path: The file.
        what: Description of the damage, such as ``is damaged at byte 1,024: its checksum differs``.
    """

    path: Path
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


class StoreError(AnalyticsError):
    """The folder of a store is unusable."""


class StoreLockedError(StoreError):
    """Another process has the store open; two writers would overwrite each other."""


class StoreFormatError(StoreError):
    """The folder is not a store, or was written by a newer version."""


class StoreCorruptError(StoreError):
    """A file of the store is corrupt in a way that a crash cannot cause.

    Args:
        path: The file.
        what: Description of the damage.
    """

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"{path}: {what}. The store is not opened, so that nothing is half read: put the folder back from a copy, "
            "let `funnelsim recover` keep what is whole of it, or ingest the sources into another folder, which reads "
            "each of them from its beginning"
        )
        self.damage = Damage(path, what)


class StoreWriteError(StoreError, OSError):
    """A file of the store cannot be written. All acknowledged events are safe.

    Args:
        path: The file.
        error: Error of the operating system.
    """

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"{path}: cannot be written: {error.strerror or error}. All that was acknowledged is safe; make room, or "
            "mend the folder, and go on from there"
        )
