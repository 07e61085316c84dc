"""A clock for replays that passes time immediately."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class QuickClock:
    """A clock whose sleeps take no time; it records them.

    Args:
        late_s: Seconds by which each sleep is too long.
        read_s: Seconds that pass with each reading.
    """

    def __init__(self, *, late_s: float = 0.0, read_s: float = 0.0) -> None:
        self.time_s, self.slept = 0.0, []
        self._late_s, self._read_s = late_s, read_s

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        self.time_s += self._read_s
        return self.time_s

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.time_s += seconds + self._late_s

    def now(self) -> datetime:
        """The date and time."""
        return NOON + timedelta(seconds=self.time_s)
