"""The part of a simulation that responses are about: without the hours in which the world fills and empties."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from simulator.settings.clock import ClockSettings

__all__ = ["WHOLE", "Window"]

_HOUR_S: Final = 3600


@dataclass(frozen=True)
class Window:
    """Hours at either end of a simulation that responses leave out.

    The world begins empty: nobody comes back yet, and no request waits. And it ends in the middle of things: the last
    requests have no demo yet. What happens in the window counts; of the requests made in it, also what becomes of them
    later.

    Args:
        warm_up_hours: Hours left out at the beginning.
        cool_down_hours: Hours left out at the end.
    """

    warm_up_hours: int = 0
    cool_down_hours: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return not (self.warm_up_hours or self.cool_down_hours)

    def hours(self, clock: ClockSettings) -> int:
        """Hours that are left; none or fewer where the clock is too short."""
        return clock.hours - self.warm_up_hours - self.cool_down_hours

    def period(self, clock: ClockSettings) -> tuple[datetime, datetime]:
        """Begin and end of what is left, the end itself excluded."""
        begin = clock.start + timedelta(hours=self.warm_up_hours)
        return begin, begin + timedelta(hours=self.hours(clock))

    def holds(self, seconds: str, clock: ClockSettings) -> pl.Expr:
        """Whether a column of seconds since the start lies in the window."""
        begin_s = self.warm_up_hours * _HOUR_S
        return pl.col(seconds).is_between(begin_s, begin_s + self.hours(clock) * _HOUR_S, closed="left")


WHOLE: Final = Window()
"""Nothing is left out."""
