"""Pace of a replay: recorded time passes a set number of times as fast as the clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final, Protocol

_LONGEST_SLEEP_S: Final = 86_400.0
"""A system cannot sleep for centuries, as a very slow replay would; it sleeps again."""


class Clock(Protocol):
    """A clock that can be read and waited on."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never decreasing."""

    def sleep(self, seconds: float) -> None:
        """Wait for some seconds."""

    def now(self) -> datetime:
        """The date and time, in UTC."""


class SystemClock:
    """The computer's clock."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never decreasing."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for some seconds."""
        time.sleep(seconds)

    def now(self) -> datetime:
        """The date and time, in UTC."""
        return datetime.now(UTC)


class Pace:
    """Decides when a recorded moment is due.

    Every moment is held against the beginning, so that no delay adds to another: who has fallen behind catches up.

    Args:
        speed: Recorded seconds to a second of the clock; None is as fast as possible.
        clock: The clock.

    Attributes:
        speed: As given.
        behind_s: Largest delay of a moment behind the time when it was due, in seconds.
    """

    def __init__(self, speed: float | None, clock: Clock) -> None:
        self.speed = speed
        self._clock = clock
        self._begin: tuple[int, float] | None = None
        self.behind_s = 0.0

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first moment was due; 0 before it."""
        return 0.0 if self._begin is None else self._clock.monotonic() - self._begin[1]

    def is_due(self, at_ms: int) -> bool:
        """Whether a moment is due.

        Args:
            at_ms: The recorded moment, in milliseconds since 1970.
        """
        return self.speed is None or self._ahead_s(at_ms, self.speed) <= 0

    def wait(self, at_ms: int) -> None:
        """Wait until a moment is due; the first moment is due immediately.

        Args:
            at_ms: The recorded moment, in milliseconds since 1970.
        """
        if self._begin is None:
            self._begin = at_ms, self._clock.monotonic()
        if self.speed is None:
            return
        ahead_s = self._ahead_s(at_ms, self.speed)
        self.behind_s = max(self.behind_s, -ahead_s)
        # A sleep may end early, and a clock may jump; so the time left is measured again.
        while ahead_s > 0:
            self._clock.sleep(min(ahead_s, _LONGEST_SLEEP_S))
            ahead_s = self._ahead_s(at_ms, self.speed)

    def _ahead_s(self, at_ms: int, speed: float) -> float:
        if self._begin is None:
            return 0.0
        first_ms, begin = self._begin
        return begin + (at_ms - first_ms) / 1000 / speed - self._clock.monotonic()
