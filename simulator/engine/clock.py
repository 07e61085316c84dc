"""The simulated clock: UTC outside, SimPy seconds inside, whole milliseconds in every event."""

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

DAY_MS = 24 * HOUR_MS

# SimPy's priorities end at NORMAL; all ranked events share the next, so that ranks are compared with ranks only.
_RANKED = NORMAL + 1

Wait = tuple[float, tuple[int, ...] | None]
"""Time in seconds, and rank, of a wait; see :meth:`ExactEnvironment.at`."""


class ExactEnvironment(simpy.Environment):
    """SimPy environment that can wait until an exact time, not only for a delay.

    SimPy adds a delay to the current time, and that sum can miss the intended time by one unit in the last place. Two
    agents who reach the same millisecond by different waits must meet there.

    >>> env = ExactEnvironment()
    >>> event = env.at(0.3)
    >>> env.run(until=event)
    >>> env.now
    0.3
    """

    def at(self, moment: float, rank: tuple[int, ...] | None = None) -> simpy.Event:
        """Return an event that triggers at exactly ``moment``.

        Args:
            moment: Simulated time, in the environment's unit.
            rank: Place among the ranked events of that time; they trigger after all events without a rank. No two
                events of one time may have the same rank. Without ranks SimPy triggers simultaneous events in the order
                in which they were scheduled; a rank makes the order a property of the agent instead.

        Raises:
            ValueError: The time lies in the past.
        """
        if moment < self._now:
            raise ValueError(f"cannot wait until {moment}: it is {self._now} already")
        # SimPy schedules by delay only, so the event goes onto its heap directly.
        event = _Moment(self)
        place: tuple[int, object] = (NORMAL, next(self._eid)) if rank is None else (_RANKED, rank)
        heappush(self._queue, (moment, *place, event))  # type: ignore[misc]  # SimPy never looks at the rank
        return event

    def step_through(self, waits: Iterator[Wait]) -> None:
        """Resume an iterator at each of the times that it yields.

        Equivalent to a process that yields :meth:`at` for each of them. It is faster because it skips SimPy's event
        list as long as no other event is due before the next time.

        Args:
            waits: Yields the time and rank of each wait, as for :meth:`at`. Code before the first ``yield`` runs at
                once.

        Raises:
            ValueError: The iterator yields a time that lies in the past.
        """

        def wait_for(moment: float, rank: tuple[int, ...] | None) -> None:
            event = self.at(moment, rank)
            event.callbacks.append(resume)

        def resume(_event: simpy.Event) -> None:
            queue = self._queue
            # The same iterator as below: each call continues where the last one stopped.
            for moment, rank in waits:
                # Something else is due first, or at the same time: SimPy has to decide the order.
                if moment < self._now or (queue and queue[0][0] <= moment):
                    wait_for(moment, rank)
                    return
                self._now = moment

        # The first wait always goes through SimPy, which may not be running yet.
        for moment, rank in islice(waits, 1):
            wait_for(moment, rank)


class _Moment(simpy.Event):
    """Event that is already triggered when it is scheduled, as :class:`simpy.Timeout` is."""

    def __init__(self, env: simpy.Environment) -> None:
        # As simpy.Event does, without calling it: there is one object for each step of each process.
        self.env = env
        self.callbacks = []
        self._ok = True
        self._value = None


class Clock:
    """Converts between simulated seconds, milliseconds since the start, and UTC.

    Args:
        settings: Start and length of the simulation.
        env: SimPy environment whose time is seconds since the start; a new one unless given.

    Attributes:
        start: First moment, UTC.
        start_ms: The same in milliseconds since 1970.
        length_ms: Length of the simulation in milliseconds.

    >>> clock = Clock(ClockSettings(hours=24))
    >>> clock.to_utc(90.5).isoformat()
    '2026-03-03T00:01:30.500000+00:00'
    >>> clock.to_ms(clock.end)
    86400000
    """

    def __init__(self, settings: ClockSettings, env: ExactEnvironment | None = None) -> None:
        # Samplers need a clock too, but never run it.
        self.env = ExactEnvironment() if env is None else env
        self.start = settings.start
        self.start_ms = round(settings.start.timestamp() * 1000)
        self.length_ms = settings.hours * HOUR_MS

    @property
    def end(self) -> datetime:
        """First moment after the simulation, UTC."""
        return self.to_utc(self.length_ms / 1000)

    @property
    def now_ms(self) -> int:
        """Now, in ms since the start."""
        # A whole millisecond in seconds may be a rounding error too small.
        return int(self.env.now * 1000 + 1e-6)

    @property
    def now(self) -> datetime:
        """Now, UTC."""
        return self.to_utc(self.now_ms / 1000)

    def to_utc(self, seconds: float) -> datetime:
        """UTC time of a simulated time in seconds since the start."""
        return self.start + timedelta(seconds=seconds)

    def to_seconds(self, moment: datetime) -> float:
        """Simulated time in seconds since the start of a UTC time."""
        return (moment - self.start).total_seconds()

    def to_ms(self, moment: datetime) -> int:
        """Milliseconds from the start to a UTC time, rounded to the nearest."""
        return round(self.to_seconds(moment) * 1000)

    def timestamps(self, times_ms: Integers) -> pl.Series:
        """UTC time column of times in milliseconds since the start; shape (n,)."""
        return pl.Series(times_ms + self.start_ms).cast(UTC_MS)

    def until(self, time_ms: int, rank: tuple[int, ...] | None = None) -> simpy.Event:
        """Return an event that triggers at exactly ``time_ms``; a process yields it to wait.

        Args:
            time_ms: Milliseconds since the start.
            rank: Place among the ranked events of that millisecond; see :meth:`ExactEnvironment.at`.

        Raises:
            ValueError: The time lies in the past.
        """
        return self.env.at(time_ms / 1000, rank)
