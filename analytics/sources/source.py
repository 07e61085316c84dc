"""A source of events that can be resumed, and what all such sources share.

A source gives batches with the offset that it has reached; whoever keeps the offset with the batch can go on from
exactly there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from analytics.errors import AnalyticsError, EventFileError
from analytics.io.position import Offset, SourceBatch

__all__ = ["Now", "Source", "replaced", "unreadable"]

Now = Callable[[], datetime]
"""Tells the time, of a live source; sources of the past have none."""


class Source(Protocol):
    """Something that events come from, and can come from again."""

    @property
    def grows(self) -> bool:
        """Whether there may be more when all that is there has been read."""

    def batches(self, offsets: Mapping[str, Offset], *, follow: bool) -> Iterator[SourceBatch]:
        """Read on from where the source stood, to its present end.

        Args:
            offsets: How far sources have been read, by their names.
            follow: Whether the source is still being written, so that a line without an end is not yet whole.

        Raises:
            EventFileError: It cannot be read, or is not what it was.
        """

    def acknowledge(self, offsets: Mapping[str, Offset]) -> None:
        """Learn that all up to these offsets is safe, even from a power cut, and need not be kept for us."""

    def close(self) -> None:
        """Let go of it."""


def unreadable(what: object, error: Exception) -> AnalyticsError:
    """The error that says of a source that it cannot be read, and why."""
    reason = getattr(error, "strerror", None) or str(error).split("\n", maxsplit=1)[0]
    return EventFileError(f"{what}: cannot be read: {reason}")


def replaced(path: Path) -> AnalyticsError:
    """The error that says of a file that it is not the one that was read before."""
    return EventFileError(
        f"{path}: is another file than the one that was read so far under this name; give the new one another name"
    )
