"""Observation window of responses: the simulation without warm-up and cool-down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from simulator.settings.clock import ClockSettings

_HOUR_S: Final = 3600


@dataclass(frozen=True)
class Window:
    """Warm-up and cool-down of a simulation, which responses exclude.

    The world starts empty, without returning visitors or waiting requests, and ends with requests whose demo is still
    to come. Events in the window count, and so do all outcomes of requests made in it.

    Args:
        warm_up_hours: Hours excluded at the beginning.
        cool_down_hours: Hours excluded at the end.

    >>> Window(warm_up_hours=24).hours(ClockSettings(hours=168))
    144
    """

    warm_up_hours: int = 0
    cool_down_hours: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether nothing is excluded."""
        return not (self.warm_up_hours or self.cool_down_hours)

    def hours(self, clock: ClockSettings) -> int:
        """Return the length in hours; 0 or negative if the clock is too short.

        Args:
            clock: The clock of the simulation.
        """
        return clock.hours - self.warm_up_hours - self.cool_down_hours

    def period(self, clock: ClockSettings) -> tuple[datetime, datetime]:
        """Return the begin and the end, the end itself excluded.

        Args:
            clock: The clock of the simulation.
        """
        begin = clock.start + timedelta(hours=self.warm_up_hours)
        return begin, begin + timedelta(hours=self.hours(clock))

    def contains(self, seconds: str, clock: ClockSettings) -> pl.Expr:
        """Return whether a column of seconds since the start is in the window.

        Args:
            seconds: Name of the column.
            clock: The clock of the simulation.
        """
        begin_s = self.warm_up_hours * _HOUR_S
        return pl.col(seconds).is_between(begin_s, begin_s + self.hours(clock) * _HOUR_S, closed="left")


WHOLE: Final = Window()
"""The whole simulation."""
