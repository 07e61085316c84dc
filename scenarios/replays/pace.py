"""The pace of a replay: recorded time and the clock on the wall, one running so many times as fast as the other."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "Pace", "SystemClock"]


class Clock(Protocol):
    """What tells the time and lets it pass."""

    def monotonic(self) -> float:
        """Seconds since some moment; never backwards."""

    def sleep(self, seconds: float) -> None:
        """Let some seconds pass."""

    def now(self) -> datetime:
        """The date and time, in UTC."""


class SystemClock:
    """The computer's clock."""

    def monotonic(self) -> float:
        """Seconds since some moment; never backwards."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let some seconds pass."""
        time.sleep(seconds)

    def now(self) -> datetime:
        """The date and time, in UTC."""
        return datetime.now(UTC)


class Pace:
    """Says when a recorded moment's turn has come.

    Every moment is held against the beginning, so that no delay adds to another: who has fallen behind catches up.

    Args:
        speed: Recorded seconds to a second of the clock; None is as fast as possible.
        clock: The clock.

    Attributes:
        speed: As given.
        behind_s: By how many seconds the moment that was furthest behind its turn was so.
    """

    def __init__(self, speed: float | None, clock: Clock) -> None:
        self.speed = speed
        self._clock = clock
        self._begin: tuple[int, float] | None = None
        self.behind_s = 0.0

    @property
    def elapsed_s(self) -> float:
        """Seconds since the first moment's turn; 0 before it."""
        return 0.0 if self._begin is None else self._clock.monotonic() - self._begin[1]

    def is_due(self, at_ms: int) -> bool:
        """Whether a moment's turn has come."""
        return self.speed is None or self._ahead_s(at_ms, self.speed) <= 0

    def wait(self, at_ms: int) -> None:
        """Let time pass until a moment's turn has come; the first moment's has."""
        if self._begin is None:
            self._begin = at_ms, self._clock.monotonic()
        if self.speed is None:
            return
        ahead_s = self._ahead_s(at_ms, self.speed)
        self.behind_s = max(self.behind_s, -ahead_s)
        while ahead_s > 0:
            self._clock.sleep(ahead_s)
            ahead_s = self._ahead_s(at_ms, self.speed)

    def _ahead_s(self, at_ms: int, speed: float) -> float:
        if self._begin is None:
            return 0.0
        first_ms, begin = self._begin
        return begin + (at_ms - first_ms) / 1000 / speed - self._clock.monotonic()
