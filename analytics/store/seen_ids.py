"""The identifiers of accepted events, remembered for as long as their hour is in the window.

An identifier is remembered by a hash of 64 bits, in the hour of its event. Most identifiers come once: a sieve lets
nearly all of them through at the cost of one look at a word, and only what it holds back is searched for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["Earlier", "SeenIds", "Verdict"]

IdHashes = NDArray[np.uint64]
Hours = NDArray[np.int64]
Bools = NDArray[np.bool_]

_NO_ROW: Final = -1
_NO_HOUR: Final = int(np.iinfo(np.int64).min)


class Verdict(IntEnum):
    """What becomes of a delivery."""

    ACCEPTED = 0
    DUPLICATE = 1
    CONFLICT = 2
    LATE = 3


@dataclass(frozen=True, eq=False)
class Earlier:
    """Where the accepted event stands whose identifier each of some deliveries bears; shapes (deliveries,).

    Attributes:
        row: Its row, for one of the same batch; −1 elsewhere.
        hour: The hour in which it is remembered, for one of an earlier batch; the least of all numbers elsewhere.
    """

    row: NDArray[np.int64]
    hour: Hours

    @property
    def is_remembered(self) -> Bools:
        """Whether it came in an earlier batch."""
        return np.not_equal(self.hour, _NO_HOUR)

    @property
    def is_new(self) -> Bools:
        """Whether there is none."""
        return np.equal(self.row, _NO_ROW) & ~self.is_remembered


class SeenIds:
    """Memory of which identifiers have been accepted, and in which hour.

    An identifier is known while the hour of its accepted event is in the window; after that it is forgotten, and a
    delivery that is not itself late counts as new.
    """

    def __init__(self) -> None:
        # Sorted runs by hour, each of another length.
        self._runs: dict[int, list[IdHashes]] = {}
        self._sieve = _BloomFilter(0)

    def __len__(self) -> int:
        return sum(len(run) for runs in self._runs.values() for run in runs)

    def find(self, ids: IdHashes, hours: Hours, floors: Hours) -> Earlier:
        """Look for the accepted event of each of a batch of deliveries, exactly as if they came one by one.

        Nothing is remembered yet.

        Args:
            ids: Hash of each delivery's identifier, in order of arrival.
            hours: Hour in which each happened, in epoch milliseconds.
            floors: Oldest hour of the window when each arrived; never falls.
        """
        earlier = Earlier(np.full(len(ids), _NO_ROW), self._hours_of(ids, floors))
        in_order = _in_order(ids)
        repeated = in_order[1:][in_order[1:] == in_order[:-1]]
        if len(repeated):
            rest = np.flatnonzero(np.isin(ids, repeated) & ~earlier.is_remembered)
            _find_in_batch(earlier.row, rest, ids, hours, floors)
        return earlier

    def remember(self, ids: IdHashes, hours: Hours, floor: int) -> None:
        """Add accepted events and forget all that happened before the hour ``floor``."""
        self._runs = {hour: runs for hour, runs in self._runs.items() if hour >= floor}
        first, last = (int(hours.min()), int(hours.max())) if len(hours) else (0, -1)
        for hour in [first] if first == last else np.unique(hours).tolist():
            if hour >= floor:
                _add_run(self._runs.setdefault(hour, []), _in_order(ids if first == last else ids[hours == hour]))
        if not self._sieve.has_room_for(len(ids)):
            self._sieve = _BloomFilter(2 * (len(self) + len(ids)))
            for run in (run for runs in self._runs.values() for run in runs):
                self._sieve.add(run)
        self._sieve.add(ids)

    def _hours_of(self, ids: IdHashes, floors: Hours) -> Hours:
        """The hour in which each identifier is remembered and still known on arrival."""
        found = np.full(len(ids), _NO_HOUR)
        rows = np.flatnonzero(self._sieve.may_hold(ids))
        if len(rows):
            candidates, oldest = ids[rows], floors[rows]
            for hour, runs in self._runs.items():
                for run in runs:
                    place = np.minimum(np.searchsorted(run, candidates), len(run) - 1)
                    found[rows[(run[place] == candidates) & (hour >= oldest)]] = hour
        return found


def _find_in_batch(row: NDArray[np.int64], rest: NDArray[np.intp], ids: IdHashes, hours: Hours, floors: Hours) -> None:
    """Fill in the row of the accepted delivery that each of the rest repeats.

    Each round accepts the first delivery of every identifier left and settles those that came while it was remembered.
    Only a batch longer than the window, with the same identifier far apart in it, has a second round.
    """
    while len(rest):
        _, first, head_of = np.unique(ids[rest], return_index=True, return_inverse=True)
        heads = rest[first][head_of]
        known = (hours[heads] >= floors[rest]) & (heads != rest)
        row[rest[known]] = heads[known]
        rest = rest[~known & (heads != rest)]


def _add_run(runs: list[IdHashes], run: IdHashes) -> None:
    """Add a sorted run; runs are joined so that each is more than twice as long as the next, and there are few."""
    while runs and len(runs[-1]) <= 2 * len(run):
        run = _in_order(np.concatenate([runs.pop(), run]))
    runs.append(run)


class _BloomFilter:
    """Says of an identifier that it is certainly not held, or may be: wrongly so for one in several hundred.

    A Bloom filter of three bits in 32 for each identifier, all three in one word of 64 so that one look tells. Source:
    B. H. Bloom, Communications of the ACM 13 (1970) 422–426; F. Putze et al., Cache-, Hash- and Space-Efficient Bloom
    Filters (2007).

    Args:
        room: Identifiers that it is to hold.
    """

    def __init__(self, room: int) -> None:
        n_words = 1 << max(9, (room // 2).bit_length())
        self._words = np.zeros(n_words, np.uint64)
        self._mask = np.uint64(n_words - 1)
        self._room = 2 * n_words

    def has_room_for(self, n: int) -> bool:
        """Whether so many more can be added."""
        return n <= self._room

    def add(self, ids: IdHashes) -> None:
        """Hold identifiers."""
        self._room -= len(ids)
        places, marks = self._places(ids), _marks(ids)
        # Of several marks for one word only one is written at a time: quicker by far than NumPy's `bitwise_or.at`.
        while len(places):
            self._words[places] |= marks
            is_left = self._words[places] & marks != marks
            places, marks = places[is_left], marks[is_left]

    def may_hold(self, ids: IdHashes) -> Bools:
        """Whether each identifier may be among those held."""
        marks = _marks(ids)
        return np.asarray(self._words[self._places(ids)] & marks == marks)

    def _places(self, ids: IdHashes) -> NDArray[np.int64]:
        return (ids & self._mask).view(np.int64)


def _marks(ids: IdHashes) -> IdHashes:
    """Three bits of a word, by the upper bits of the hash; the lower ones say which word."""
    one, last = np.uint64(1), np.uint64(63)
    first, second, third = (one << (ids >> np.uint64(shift) & last) for shift in (46, 52, 58))
    return np.asarray(first | second | third)


def _in_order(ids: IdHashes) -> IdHashes:
    """Sorted; Polars is several times quicker at it than NumPy."""
    return pl.Series(ids, dtype=pl.UInt64).sort().to_numpy()
