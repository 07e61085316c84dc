"""The rule of a traffic source: how many visitors it is expected to bring in each hour of the clock."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from zoneinfo import ZoneInfo

import numpy as np

from analytics.events.times import HOUR_MS
from simulator.engine.arrays import Floats, Integers
from simulator.engine.clock import Clock
from simulator.errors import ComponentError
from simulator.settings.clock import ClockSettings, in_utc
from simulator.world.arrivals import ArrivalProcess

_MOST_EXPECTED = 1e9
"""Visitors of one source, as many as the ordinary traffic may have on a day."""


class Hours:
    """The hours of the clock, for which a traffic source states how many visitors it is expected to bring.

    Args:
        start: First moment of the simulation, in UTC.
        n: Number of hours.

    Attributes:
        start: First moment of the simulation, in UTC.
        start_ms: Start of each hour in ms since then; shape (hours,).

    >>> hours = Hours(datetime.fromisoformat("2026-03-03T22:00:00+00:00"), 4)
    >>> hours.hour_of_day("Europe/Berlin")
    array([23,  0,  1,  2])
    """

    def __init__(self, start: datetime, n: int) -> None:
        self.start = start
        self.start_ms: Integers = HOUR_MS * np.arange(n)

    @classmethod
    def of(cls, clock: Clock | ClockSettings) -> Self:
        """The hours of a clock."""
        return cls(clock.start, clock.hours if isinstance(clock, ClockSettings) else clock.length_ms // HOUR_MS)

    def __len__(self) -> int:
        return len(self.start_ms)

    def since(self, moment: datetime) -> Floats:
        """Hours from a moment until the start of each hour, below 0 before it; shape (hours,).

        Args:
            moment: The moment; UTC unless it has another time zone.
        """
        since: Floats = (self.start_ms - self._ms(moment)) / HOUR_MS
        return since

    def part_within(self, start: datetime, end: datetime) -> Floats:
        """Part of each hour that lies in a window, from 0 to 1; shape (hours,).

        Args:
            start: Start of the window; UTC unless it has another time zone.
            end: Its end, which does not belong to it.
        """
        start_ms, end_ms = self._ms(start), self._ms(end)
        inside = np.minimum(self.start_ms + HOUR_MS, end_ms) - np.maximum(self.start_ms, start_ms)
        part: Floats = np.maximum(inside, 0) / HOUR_MS
        return part

    def hour_of_day(self, time_zone: str = "UTC") -> Integers:
        """Local hour in which each hour starts, from 0 to 23; shape (hours,).

        Args:
            time_zone: IANA name of the time zone.
        """
        return np.array([each.hour for each in self._local(time_zone)])

    def weekday(self, time_zone: str = "UTC") -> Integers:
        """Local day of the week on which each hour starts, Monday = 0; shape (hours,).

        Args:
            time_zone: IANA name of the time zone.
        """
        return np.array([each.weekday() for each in self._local(time_zone)])

    def _local(self, time_zone: str) -> list[datetime]:
        zone, start = ZoneInfo(time_zone), self.start.timestamp()
        return [datetime.fromtimestamp(start + ms / 1000, zone) for ms in self.start_ms.tolist()]

    def _ms(self, moment: datetime) -> int:
        return round((in_utc(moment) - self.start).total_seconds() * 1000)


class TrafficRule:
    """The rule of a traffic source: how many visitors it is expected to bring in each hour of the clock.

    Attributes:
        name: Name of the source.
        settings: Its settings, with the link by which its visitors come.
    """

    name: str
    settings: Any

    def expected_visitors(self, hours: Hours) -> Floats:
        """Visitors expected in each hour of the clock; a pure function, which any worker can call.

        Within an hour they come evenly, whatever their time zone.

        Args:
            hours: The hours of the clock.

        Returns:
            Expected numbers of visitors, each 0 or above; shape (hours,).
        """
        return np.zeros(len(hours))


def expected_in(rule: TrafficRule, hours: Hours) -> Floats:
    """Visitors that a source is expected to bring in each hour; shape (hours,).

    Args:
        rule: The rule of the source.
        hours: The hours of the clock.

    Raises:
        ComponentError: The rule states something else than one number of visitors for each hour.
    """
    expected = rule.expected_visitors(hours)
    is_array = isinstance(expected, np.ndarray) and expected.shape == (len(hours),) and expected.dtype.kind in "iuf"
    # NaN fails every comparison.
    if not (is_array and (expected >= 0).all() and expected.sum() <= _MOST_EXPECTED):
        raise ComponentError(
            f"{rule.name}: expected_visitors() must return one number for each of {len(hours)} hours, from 0 on and "
            f"{_MOST_EXPECTED:,.0f} together at most, such as 20.0 * hours.part_within(start, end); it returned "
            f"{expected!r:.80}"
        )
    return expected.astype(np.float64)


def hourly_arrivals(rule: TrafficRule, clock: Clock, n_zones: int) -> ArrivalProcess:
    """Arrival process of a source: a Poisson process with the stated expectation in each hour.

    Args:
        rule: The rule of the source.
        clock: Start and end of the simulation.
        n_zones: Number of time zones, which all have the same arrivals.

    Raises:
        ComponentError: The rule states something else than one number of visitors for each hour.
    """
    hours = Hours.of(clock)
    total = np.append(0.0, np.cumsum(expected_in(rule, hours)))
    return ArrivalProcess(np.append(hours.start_ms, clock.length_ms), np.tile(total, (n_zones, 1)))
