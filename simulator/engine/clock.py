"""The simulated clock: UTC on the outside, SimPy seconds inside, whole milliseconds in every event."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from heapq import heappush
from itertools import islice

import polars as pl
import simpy
from simpy.events import NORMAL

from analytics.events.times import HOUR_MS
from analytics.events.tracking_plan import UTC_MS
from simulator.engine.arrays import Integers
from simulator.settings.clock import ClockSettings

__all__ = ["DAY_MS", "Clock", "ExactEnvironment", "Wait"]


DAY_MS = 24 * HOUR_MS

# SimPy's priorities end at NORMAL; all ranked events share the next, so that ranks are compared with ranks only.
_RANKED = NORMAL + 1

Wait = tuple[float, tuple[int, ...] | None]
"""Moment and rank of a wait, as for :meth:`ExactEnvironment.at`."""


class ExactEnvironment(simpy.Environment):
    """A SimPy environment in which one can also wait for a moment, not only for a delay.

    SimPy adds a delay to the current time, and that sum can miss the wanted moment by one unit in the last place. Two
    agents who reach the same millisecond by different ways must meet there.
    """

    def at(self, moment: float, rank: tuple[int, ...] | None = None) -> simpy.Event:
        """Event that happens exactly at ``moment``, in the environment's unit of time.

        Args:
            moment: When.
            rank: Place among the ranked events of the moment, which come after all others. Two events must not have the
                same. SimPy takes events of one moment in the order in which somebody began to wait for them; a rank
                makes their order a matter of who they are.

        Raises:
            ValueError: The moment has passed.
        """
        if moment < self._now:
            raise ValueError(f"cannot wait until {moment}: it is {self._now} already")
        event = _Moment(self)
        place: tuple[int, object] = (NORMAL, next(self._eid)) if rank is None else (_RANKED, rank)
        heappush(self._queue, (moment, *place, event))  # type: ignore[misc]  # SimPy never looks at the rank
        return event

    def step_through(self, waits: Iterator[Wait]) -> None:
        """Let somebody go on at each of the moments that they wait for, one after the other.

        As a process that yields :meth:`at` each time, and at the same moments. But as long as nothing else is due
        before the next of them, there is no need to put an event on SimPy's list only to take it off again.

        Args:
            waits: Moment and rank of each wait, as for :meth:`at`; what it does before the first one happens at once.

        Raises:
            ValueError: A moment has passed before it is waited for.
        """

        def wait_for(moment: float, rank: tuple[int, ...] | None) -> None:
            event = self.at(moment, rank)
            event.callbacks.append(resume)

        def resume(_event: simpy.Event) -> None:
            queue = self._queue
            for moment, rank in waits:
                if moment < self._now or (queue and queue[0][0] <= moment):
                    wait_for(moment, rank)
                    return
                self._now = moment

        for moment, rank in islice(waits, 1):
            wait_for(moment, rank)


class _Moment(simpy.Event):
    """An event that is sure to happen, as :class:`simpy.Timeout` is."""

    def __init__(self, env: simpy.Environment) -> None:
        # As simpy.Event does, without the detour: there is one for each step of each process.
        self.env = env
        self.callbacks = []
        self._ok = True
        self._value = None


class Clock:
    """Converts between simulated seconds, milliseconds since the start, and UTC.

    Args:
        settings: Start and length.
        env: SimPy environment whose time is seconds since the start.
    """

    def __init__(self, settings: ClockSettings, env: ExactEnvironment | None = None) -> None:
        self.env = ExactEnvironment() if env is None else env
        self.start = settings.start
        self.start_ms = round(settings.start.timestamp() * 1000)
        self.length_ms = settings.hours * HOUR_MS

    @property
    def end(self) -> datetime:
        """First moment that is no longer simulated, UTC."""
        return self.to_utc(self.length_ms / 1000)

    def to_utc(self, seconds: float) -> datetime:
        """UTC moment of a simulated time in seconds since the start."""
        return self.start + timedelta(seconds=seconds)

    def to_seconds(self, moment: datetime) -> float:
        """Simulated time, in seconds since the start, of a UTC moment."""
        return (moment - self.start).total_seconds()

    def to_ms(self, moment: datetime) -> int:
        """Milliseconds since the start of a UTC moment, to the nearest whole one."""
        return round(self.to_seconds(moment) * 1000)

    def timestamps(self, times_ms: Integers) -> pl.Series:
        """UTC moments of times in milliseconds since the start, as the time columns of tables; shape (n,)."""
        return pl.Series(times_ms + self.start_ms).cast(UTC_MS)

    def until(self, time_ms: int, rank: tuple[int, ...] | None = None) -> simpy.Event:
        """Event that happens exactly at ``time_ms`` milliseconds since the start; yield it to wait for it.

        Args:
            time_ms: When.
            rank: Place among the ranked events of that millisecond; see :meth:`ExactEnvironment.at`.

        Raises:
            ValueError: The moment has passed.
        """
        return self.env.at(time_ms / 1000, rank)
