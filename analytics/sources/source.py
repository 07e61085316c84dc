"""What every source of events does, and the errors that sources share.

A source yields each batch with the offset that it has reached. A store that keeps the offset with the batch can resume
from exactly there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from analytics.errors import EventFileError
from analytics.io.position import Offset, SourceBatch

Now = Callable[[], datetime]
"""Returns the current time, for a live source; sources of the past have none."""


class Source(ABC):
    """A source of events that can be resumed.

    What most sources have in common is the default here: they end, keep what was read, and hold nothing open. A source
    has its own ``batches``, and overrides the rest where it must.
    """

    @property
    def grows(self) -> bool:
        """Whether there may be more after the present end, so that a follower should look again."""
        return False

    @property
    def can_be_refused(self) -> bool:
        """Whether what holds nothing usable is an error, instead of dead letters: it can be read again as a whole."""
        return True

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the counts should know of what was not read, in sentences that name the source."""
        return ()

    @abstractmethod
    def batches(self, offsets: Mapping[str, Offset], *, follow: bool) -> Iterator[SourceBatch]:
        """Yield batches from the offset of this source to its present end.

        Args:
            offsets: How far sources have been read, by their names.
            follow: Whether the source is still being written, so that a line without a newline is not yet complete.

        Raises:
            EventFileError: It cannot be read, or is not what it was.
        """

    def acknowledge(self, offsets: Mapping[str, Offset]) -> None:  # noqa: B027 - a file has nothing to forget
        """Note that all up to these offsets is safe, even from a power cut, and need not be kept.

        Args:
            offsets: How far sources have been read, by their names.
        """

    def close(self) -> None:  # noqa: B027 - a file is open only while it is read
        """Release what the source holds open."""


def read_otherwise(path: Path) -> EventFileError:
    """The error for a file whose offset counts something else: lines of batches if it was live, else their events.

    Args:
        path: The file.
    """
    return EventFileError(f"{path}: was read so far with --live or --format where it is not now, or the reverse")


def replaced(path: Path, *, is_log: bool = False) -> EventFileError:
    """The error for a file that is not the one that was read before.

    An offset counts bytes or rows of one content: resumed in another, it would skip events silently.

    Args:
        path: The file.
        is_log: Whether it may have been rotated, and can be followed.
    """
    advice = "; if it was rotated, --follow begins with the new one" if is_log else ""
    return EventFileError(
        f"{path}: is another file than the one that was read so far under this name; give the new one another name"
        f"{advice}"
    )
