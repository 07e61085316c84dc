"""The interface of what receives a replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from scenarios.replays.pace import Clock
from scenarios.replays.recorded_run import RecordedLine


class Target(Protocol):
    """A receiver of lines. What :meth:`send` returns from without error is acknowledged."""

    def refuses(self, line: RecordedLine) -> str:
        """Why a line can never be sent there, as one word to count by; empty when it can."""

    def fits(self, n_lines: int, n_bytes: int) -> bool:
        """Whether so many lines of so many bytes in all, without newlines, can go in one batch."""

    def send(self, batch: Sequence[RecordedLine]) -> None:
        """Send lines and return when they are safe.

        Raises:
            DeliveryError: They are not, and trying again has not helped.
        """

    def close(self) -> None:
        """Release the receiver."""

    @property
    def n_retries(self) -> int:
        """How often a batch was sent again."""

    @property
    def n_bytes(self) -> int | None:
        """Length of the file in bytes; None where the receiver is no file."""


@dataclass(frozen=True)
class Receiver:
    """Settings of a target besides its address.

    Args:
        clock: The clock.
        write_key: Segment's write key, for HTTP.
        max_retries: How often in a row to try again, for HTTP.
        announce: Called with a message for each retry.
        kept_bytes: Bytes of the file that have been acknowledged before; None for a new replay.
    """

    clock: Clock
    write_key: str = ""
    max_retries: int = 10
    announce: Callable[[str], None] = lambda _: None
    kept_bytes: int | None = None
