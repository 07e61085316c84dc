"""Impossible clocks in a stream: events that must not move the window of a store become dead letters."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from analytics.events.clocks import FARTHEST, are_impossible
from analytics.events.dead_letters import DeadLetter, DeadLetterReason
from analytics.events.event_time import COUNTED_TIME, KNOWN_ARRIVAL
from analytics.events.tracking_plan import UTC_MS
from analytics.io.flatten import Flattened
from analytics.io.ndjson import encode

_REMEMBERED: Final = 1000
_ADJUSTED: Final = timedelta(seconds=60)
_FACTS: Final = (COUNTED_TIME.alias("event_time"), KNOWN_ARRIVAL.alias("arrival"), "anonymous_id", "user_id")
_SCHEMA: Final = {"event_time": UTC_MS, "arrival": UTC_MS, "anonymous_id": pl.String(), "user_id": pl.String()}


def _seconds() -> float:
    """Seconds since some moment, those of a suspended system included where that can be told."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class SteadyClock:
    """The time of the system, but for its jumps: after one, time goes on from before it.

    A clock that is put right by less than :data:`_ADJUSTED` is followed.

    Args:
        wall: Returns the time of the system.
        steady: Returns seconds that only ever pass.

    Attributes:
        jump: How far the system's time has jumped since the beginning.

    >>> from datetime import UTC
    >>> wall = iter(datetime(2026, 3, day, tzinfo=UTC) for day in (3, 3, 5))
    >>> seconds = iter((0.0, 1.0, 2.0))
    >>> now = SteadyClock(lambda: next(wall), lambda: next(seconds))
    >>> now().day, now().second, now.jump.days
    (3, 1, 1)
    """

    def __init__(self, wall: Callable[[], datetime], steady: Callable[[], float] = _seconds) -> None:
        self._wall, self._steady = wall, steady
        self._since = wall(), steady()
        self.jump = timedelta()

    def __call__(self) -> datetime:
        """The time now."""
        (begin, seconds), passed, now = self._since, self._steady(), self._wall()
        expected = begin + timedelta(seconds=passed - seconds)
        self.jump = now - expected
        if abs(self.jump) > _ADJUSTED:
            return expected
        self._since = now, passed
        return now

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the counts should know of the clock."""
        if abs(self.jump) <= _ADJUSTED:
            return ()
        hours = self.jump.total_seconds() / 3600
        note = f"the clock of this system has jumped by {hours:,.1f} hours; events arrived at the time that has passed"
        return (f"{note} since the start. Start again to go by the clock as it is now",)


class ClockGuard:
    r"""Takes the events of impossible clocks out of batches, before a store sees them.

    An event that claims a time after its arrival counts at it (see :mod:`analytics.store.event_store`). In a live
    stream, one of more than a year before its arrival is impossible. In files of the past an event is judged by the
    others of its batch and the thousand before; see :mod:`analytics.events.clocks`.

    Args:
        reached: Event time that the store has reached, if any.
        n_reached: Events that brought it there.

    >>> from analytics import decode
    >>> page = '{{"type": "page", "anonymousId": "a", "timestamp": "{}-03-03T10:00:00Z"}}'
    >>> batch = decode("\n".join(map(page.format, (2026, 2090, 2026))).encode())
    >>> checked = ClockGuard().checked(batch)
    >>> checked.frame.height, checked.dead_letters[0].reason.value
    (2, 'impossible_time')
    """

    def __init__(self, reached: datetime | None = None, n_reached: int = 0) -> None:
        n_known = 0 if reached is None else min(n_reached, _REMEMBERED)
        # What devices these were is not known; each event counts as one.
        devices = [str(number) for number in range(n_known)]
        columns = {"event_time": [reached] * n_known, "arrival": None, "anonymous_id": devices, "user_id": None}
        self._known = pl.DataFrame(columns, _SCHEMA)

    def checked(self, batch: Flattened, arrived_at: datetime | None = None) -> Flattened:
        """Return the batch with the events of impossible clocks among its dead letters.

        Args:
            batch: Events and dead letters.
            arrived_at: When it arrived, of a live stream.
        """
        events = batch.frame.select(_FACTS)
        if arrived_at is not None:
            return without_impossible(batch, events["event_time"] < pl.Series([arrived_at - FARTHEST], dtype=UTC_MS))
        known = pl.concat([self._known, events])
        self._known = known.tail(_REMEMBERED)
        return without_impossible(batch, are_impossible(known, pl.col("arrival")).tail(events.height))


def without_impossible(batch: Flattened, impossible: pl.Series) -> Flattened:
    """Make dead letters of the events of a batch whose times are impossible.

    Args:
        batch: Events and dead letters.
        impossible: Whether each event is one; shape (events,).
    """
    if not impossible.any():
        return batch
    wrong = batch.frame.filter(impossible)
    times = wrong.select(COUNTED_TIME.dt.strftime("%Y-%m-%dT%H:%M:%SZ")).to_series()
    letters = (
        DeadLetter(raw, DeadLetterReason.IMPOSSIBLE_TIME, f"its time, {time}, is far from the others'")
        for raw, time in zip(encode(wrong).splitlines(), times, strict=True)
    )
    return replace(batch, frame=batch.frame.filter(~impossible), dead_letters=(*batch.dead_letters, *letters))
