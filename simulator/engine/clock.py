"""The simulated clock: UTC outside, whole milliseconds since the start inside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from heapq import heappush
from inspect import isgenerator
from itertools import islice
from pathlib import Path
from traceback import walk_tb
from typing import Any

import polars as pl
import simpy
from simpy.events import NORMAL, EventPriority

from analytics.events.times import HOUR_MS
from analytics.events.tracking_plan import UTC_MS
from simulator.engine.arrays import Integers
from simulator.errors import ComponentError
from simulator.settings.clock import ClockSettings

MINUTE_MS = 60_000
DAY_MS = 24 * HOUR_MS

# SimPy's priorities end at NORMAL; all ranked events share the next, so that ranks are compared with ranks only.
_RANKED = NORMAL + 1

Wait = tuple[int, tuple[int, ...] | None]
"""Time in ms, and rank, of a wait; see :meth:`ExactEnvironment.at`."""


class ExactEnvironment(simpy.Environment):
    """SimPy environment whose time is a whole number of milliseconds.

    Sums of whole numbers are exact: two agents who reach the same millisecond by different waits meet there, and a time
    that was computed is never a rounding error before the present.

    >>> env = ExactEnvironment()
    >>> env.run(until=env.timeout(minutes=7, seconds=1.5))
    >>> env.now
    421500
    """

    @property
    def now(self) -> int:
        """Now, in ms."""
        return self._now  # type: ignore[return-value]  # SimPy's times may be fractions, ours are not

    def run(self, until: float | simpy.Event | None = None) -> Any:  # noqa: ANN401 - as SimPy has it
        """Let time pass, as in SimPy.

        Args:
            until: Time in ms at which to stop, or the event; when nothing is left to happen unless given.

        Returns:
            The value of the event.

        Raises:
            ComponentError: A process yields something that is no event.
        """
        try:
            return super().run(until)
        except RuntimeError as error:
            if "Invalid yield value" not in str(error):
                raise
            raise ComponentError(_invalid_yield(error)) from error

    def timeout(
        self,
        delay: float = 0,
        value: Any = None,  # noqa: ANN401 - as SimPy has it
        *,
        days: float = 0.0,
        hours: float = 0.0,
        minutes: float = 0.0,
        seconds: float = 0.0,
    ) -> simpy.Timeout:
        """Return an event that triggers after a time; a process yields it to wait.

        Args:
            delay: Whole number of milliseconds. The other durations are added to it.
            value: Value of the event.
            days: Duration in days. The sum of all durations is rounded to the nearest millisecond.
            hours: Duration in hours.
            minutes: Duration in minutes.
            seconds: Duration in seconds.

        Raises:
            TypeError: ``delay`` is a fraction of milliseconds.
            ValueError: The time is negative.

        >>> env = ExactEnvironment()
        >>> env.timeout(1.5)
        Traceback (most recent call last):
        TypeError: the clock counts whole milliseconds, not 1.5; give the unit, as in timeout(seconds=1.5)
        """
        duration_ms = DAY_MS * days + HOUR_MS * hours + MINUTE_MS * minutes + 1000 * seconds
        # Before it is rounded: a little less than nothing is a mistake as well.
        if duration_ms < 0:
            raise ValueError(f"cannot wait for a negative time of {duration_ms:g} ms")
        return simpy.Timeout(self, _whole(delay) + round(duration_ms), value)

    def schedule(self, event: simpy.Event, priority: EventPriority = NORMAL, delay: float = 0) -> None:
        """Schedule an event after a whole number of milliseconds, as all of SimPy's events are scheduled.

        Args:
            event: The event.
            priority: Place among the events of that time.
            delay: Time until then in ms.

        Raises:
            TypeError: ``delay`` is a fraction of milliseconds.
        """
        heappush(self._queue, (self._now + _whole(delay), priority, next(self._eid), event))

    def at(self, time_ms: int, rank: tuple[int, ...] | None = None) -> simpy.Event:
        """Return an event that triggers at exactly ``time_ms``.

        Args:
            time_ms: Simulated time in ms.
            rank: Place among the ranked events of that time; they trigger after all events without a rank. Without
                ranks SimPy triggers simultaneous events in the order in which they were scheduled, and so it does those
                of equal rank; a rank makes the order a property of the agent instead.

        Raises:
            TypeError: The time is a fraction of milliseconds.
            ValueError: The time lies in the past.
        """
        time_ms = _whole(time_ms)
        if time_ms < self._now:
            raise ValueError(f"cannot wait until {time_ms} ms: it is {self._now} ms already")
        # SimPy schedules by delay only, so the event goes onto its heap directly.
        event, number = _Moment(self), next(self._eid)
        place: tuple[int, object] = (NORMAL, number) if rank is None else (_RANKED, (rank, number))
        heappush(self._queue, (time_ms, *place, event))  # type: ignore[misc]  # SimPy never looks at the rank
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

        def wait_for(moment: int, rank: tuple[int, ...] | None) -> None:
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


def _invalid_yield(error: RuntimeError) -> str:
    """Where a process yields something that is no event; SimPy names the outermost generator only."""
    *_, last = walk_tb(error.__traceback__)
    names = last[0].f_locals
    generator = names["self"]._generator  # noqa: SLF001 - SimPy's process keeps it to itself
    while isgenerator(generator.gi_yieldfrom):
        generator = generator.gi_yieldfrom
    code, line = generator.gi_code, generator.gi_frame.f_lineno
    return (
        f"{Path(code.co_filename).name}:{line}, in {code.co_name}: yield an event, such as "
        f"self.env.timeout(minutes=5), not {names['event']!r:.60}"
    )


def _whole(number: float) -> int:
    """A whole number of milliseconds, whatever its type."""
    # Nearly all of them are: this runs for every event.
    if isinstance(number, int):
        return number
    if (whole := int(number)) != number:
        raise TypeError(
            f"the clock counts whole milliseconds, not {number!r}; give the unit, as in timeout(seconds={number!r})"
        )
    return whole


class Clock:
    """Converts between milliseconds since the start and UTC.

    Args:
        settings: Start and length of the simulation.
        env: SimPy environment whose time is milliseconds since the start; a new one unless given.

    Attributes:
        env: The SimPy environment.
        start: First moment, UTC.
        start_ms: The same in milliseconds since 1970.
        length_ms: Length of the simulation in milliseconds.

    >>> clock = Clock(ClockSettings(hours=24))
    >>> clock.to_utc(90_500).isoformat()
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
        return self.to_utc(self.length_ms)

    @property
    def now_ms(self) -> int:
        """Now, in ms since the start."""
        return self.env.now

    @property
    def now(self) -> datetime:
        """Now, UTC."""
        return self.to_utc(self.env.now)

    def to_utc(self, time_ms: int) -> datetime:
        """UTC time of a simulated time in ms since the start."""
        return self.start + timedelta(milliseconds=time_ms)

    def to_ms(self, moment: datetime) -> int:
        """Milliseconds from the start to a UTC time, rounded to the nearest."""
        return round((moment - self.start) / timedelta(milliseconds=1))

    def timestamps(self, times_ms: Integers) -> pl.Series:
        """UTC time column of times in milliseconds since the start; shape (n,)."""
        return pl.Series(times_ms + self.start_ms).cast(UTC_MS)

    def until(self, moment: int | datetime, rank: tuple[int, ...] | None = None) -> simpy.Event:
        """Return an event that triggers at exactly a time; a process yields it to wait.

        Args:
            moment: Milliseconds since the start, or a time in UTC.
            rank: Place among the ranked events of that millisecond; see :meth:`ExactEnvironment.at`.

        Raises:
            ValueError: The time lies in the past.
        """
        return self.env.at(self.to_ms(moment) if isinstance(moment, datetime) else moment, rank)
