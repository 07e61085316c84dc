"""Quarantine: an event far ahead of the stream waits until others confirm that time has moved on.

Stream time is the latest event time, so one wrong clock could make all events that follow late. An event is *far ahead*
if it would put the present out of the window. What comes after it decides: each device that is there too confirms it,
each that is still behind denies it. It is taken once at least two devices are there, and more than are behind. (Where
all events are one device's, events count.) Until then it waits among the dead letters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.events.clocks import DEVICE
from analytics.events.dead_letters import DeadLetter, DeadLetterReason
from analytics.events.event_time import COUNTED_TIME
from analytics.events.times import DAY_MS, HOUR_MS, epoch_ms, moment
from analytics.io.batch_decoding import flatten_lines
from analytics.io.flatten import Flattened
from analytics.io.ndjson import encode

_WITNESSES: Final = 1000
"""Events after one that decide on it, at most."""

_FEWEST: Final = 10
"""Fewer events are no stream yet that one could be ahead of."""

_MOST_WAITING: Final = 10_000
_QUORUM: Final = 2

_FACTS: Final = (COUNTED_TIME.dt.epoch("ms").alias("ms"), DEVICE.alias("device"))
_Numbers = NDArray[np.int64]
_Devices = NDArray[np.uint64]


@dataclass(frozen=True)
class _Facts:
    """When events happened, in epoch milliseconds, and on which devices; shapes (events,)."""

    ms: _Numbers
    devices: _Devices

    @classmethod
    def of(cls, events: pl.DataFrame) -> _Facts:
        found = events.select(_FACTS)
        return cls(found["ms"].to_numpy(), found["device"].fill_null(0).to_numpy())

    def part(self, rows: slice | NDArray[np.bool_]) -> _Facts:
        return _Facts(self.ms[rows], self.devices[rows])

    def __add__(self, other: _Facts) -> _Facts:
        return _Facts(np.concatenate([self.ms, other.ms]), np.concatenate([self.devices, other.devices]))


_NO_FACTS: Final = _Facts(np.empty(0, np.int64), np.empty(0, np.uint64))


class Quarantine:
    """Takes the events far ahead of a stream out of its batches, and gives them back once others confirm them.

    Args:
        stream_time: Event time that the store has reached, if any.
        n_accepted: Events that brought it there.
        window_hours: Hours in the window of the store.
        dead_letters: Those of the store: what waited there when it was closed waits on.
    """

    def __init__(
        self,
        stream_time: datetime | None = None,
        n_accepted: int = 0,
        window_hours: int = 24,
        dead_letters: Iterable[DeadLetter] = (),
    ) -> None:
        self._level = None if stream_time is None else epoch_ms(stream_time)
        self._n_seen = n_accepted
        # An event less far ahead leaves the present in the window, so that nothing becomes late.
        self._farthest = max(1, window_hours - 1) * HOUR_MS
        waiting = [letter.raw for letter in dead_letters if letter.reason is DeadLetterReason.FAR_AHEAD]
        frame = flatten_lines(list(enumerate(waiting, 1))).frame
        # What the stream has reached was given back already.
        self._waiting = frame.filter(_FACTS[0] > (self._level or 0))
        self._since = _NO_FACTS
        if self._waiting.height:
            # What came after them is not known; as many as are needed to deny them may have.
            self._since = _Facts(np.zeros(_QUORUM, np.int64), np.arange(_QUORUM, dtype=np.uint64))
        self._sole_device: np.uint64 | None = None
        # What came before is not known: only a stream of one device throughout is judged by its events.
        self._has_many = stream_time is not None

    def checked(self, batch: Flattened) -> tuple[Flattened | None, Flattened, Flattened | None]:
        """Return the batch with the events far ahead among its dead letters, and what is confirmed of those that wait.

        Args:
            batch: Events and dead letters, in order of arrival.

        Returns:
            Events that waited and are to be taken before the batch, if there are any; the batch; and those after it.
        """
        facts = _Facts.of(batch.frame)
        self._n_seen += len(facts.ms)
        if not len(facts.ms) or self._n_seen < _FEWEST:
            self._level = max(self._level or 0, int(facts.ms.max(initial=0)))
            return None, batch, None
        if self._level is None:
            self._level = int(np.median(facts.ms[:_WITNESSES]))
        self._note_devices(facts)
        before = self._confirmed(facts)
        is_held = self._far_ahead(facts)
        if self._waiting.height:
            self._witness(facts.part(~is_held))
        elif is_held.any():
            first = int(is_held.argmax())
            self._since = _NO_FACTS
            self._witness(facts.part(slice(first, None)).part(~is_held[first:]))
        if not is_held.any():
            return before, batch, None
        held = batch.frame.filter(is_held)
        self._waiting = pl.concat([self._waiting, held]).head(_MOST_WAITING)
        letters = (*batch.dead_letters, *self._letters(held))
        left = replace(batch, frame=batch.frame.filter(~is_held), dead_letters=letters)
        return before, left, self._confirmed(_NO_FACTS)

    def _note_devices(self, facts: _Facts) -> None:
        if self._sole_device is None and not self._has_many:
            self._sole_device = facts.devices[0]
        self._has_many |= bool((facts.devices != self._sole_device).any())

    def _witness(self, facts: _Facts) -> None:
        self._since = (self._since + facts).part(slice(-_WITNESSES, None))

    def _confirmed(self, facts: _Facts) -> Flattened | None:
        """Take those that wait and are confirmed now, or that the stream has come near to."""
        if not self._waiting.height:
            return None
        waiting, witnesses = _Facts.of(self._waiting), self._since + facts.part(slice(-_WITNESSES, None))
        is_taken = waiting.ms <= self._reach(facts) + self._farthest
        for device in np.unique(waiting.devices[~is_taken]):
            of_device = waiting.devices == device
            time = int(waiting.ms[of_device & ~is_taken].min())
            if self._majority(time, waiting + witnesses, witnesses):
                is_taken |= of_device
        if not is_taken.any():
            return None
        taken, self._waiting = self._waiting.filter(is_taken), self._waiting.filter(~is_taken)
        self._level = max(self._level or 0, int(waiting.ms[is_taken].max()))
        return Flattened(taken)

    def _reach(self, facts: _Facts) -> int:
        """The latest time of a batch that is not far ahead itself."""
        near = facts.ms[facts.ms <= (self._level or 0) + self._farthest]
        return max(self._level or 0, int(near.max(initial=0)))

    def _majority(self, time: int, here: _Facts, after: _Facts) -> bool:
        """Whether more devices are near a time, or beyond it, than were behind it afterwards."""
        near = here.devices[here.ms >= time - self._farthest]
        behind = after.devices[after.ms < time - self._farthest]
        if self._has_many:
            near, behind = np.unique(near), np.unique(behind)
        return len(near) >= _QUORUM and len(near) > len(behind)

    def _far_ahead(self, facts: _Facts) -> NDArray[np.bool_]:
        """Which events of a batch are to wait; the level moves with the others."""
        is_held, begin = np.zeros(len(facts.ms), np.bool_), 0
        while begin < len(is_held):
            rows = slice(begin, begin + _WITNESSES)
            ms = np.where(is_held[rows], 0, facts.ms[rows])
            levels = np.maximum.accumulate(np.concatenate([[self._level or 0], ms]))
            jumps = ms > levels[:-1] + self._farthest
            if not jumps.any():
                self._level, begin = int(levels[-1]), begin + len(ms)
                continue
            first = int(jumps.argmax())
            place, self._level = begin + first, int(levels[first])
            if self._is_followed(facts.part(slice(place, place + _WITNESSES))):
                self._level, begin = int(facts.ms[place]), place + 1
            else:
                # One device has one clock.
                far = (facts.devices == facts.devices[place]) & (facts.ms > self._level + self._farthest)
                is_held |= far & (np.arange(len(far)) >= place)
                begin = place
        return is_held

    def _is_followed(self, facts: _Facts) -> bool:
        """Whether another device is near the first event of a batch, or beyond it, before two are behind it."""
        is_near = facts.ms >= facts.ms[0] - self._farthest
        is_other = facts.devices != facts.devices[0] if self._has_many else np.arange(len(facts.ms)) > 0
        confirming, denying = np.flatnonzero(is_near & is_other), np.flatnonzero(~is_near)
        if not len(confirming):
            return False
        before = facts.devices[denying[denying < confirming[0]]]
        return len(np.unique(before)) < _QUORUM

    def _letters(self, held: pl.DataFrame) -> Iterable[DeadLetter]:
        times = held.select(_FACTS[0]).to_series().to_list()
        for raw, ms in zip(encode(held).splitlines(), times, strict=True):
            days = (ms - (self._level or 0)) / DAY_MS
            detail = f"its time, {moment(ms):%Y-%m-%dT%H:%M:%SZ}, is {days:,.1f} days ahead of all others"
            yield DeadLetter(raw, DeadLetterReason.FAR_AHEAD, f"{detail}; it waits until others confirm it")
