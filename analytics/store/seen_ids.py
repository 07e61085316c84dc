"""The identifiers of accepted events, remembered for as long as their hour is in the window.

An identifier is remembered by a hash of 64 bits, in the hour of its event. Most identifiers come once: a Bloom filter
recognises nearly all of them as new by reading one word of memory, and only the rest are searched for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

IdHashes = NDArray[np.uint64]
Hours = NDArray[np.int64]
Bools = NDArray[np.bool_]

_NO_ROW: Final = -1
_NO_HOUR: Final = int(np.iinfo(np.int64).min)


class Verdict(IntEnum):
    """How a delivery is judged."""

    ACCEPTED = 0
    DUPLICATE = 1
    CONFLICT = 2
    LATE = 3


@dataclass(frozen=True, eq=False)
class Earlier:
    """For each delivery, the earlier accepted event with its identifier; shapes (deliveries,).

    Attributes:
        row: Its row, for one of the same batch; −1 elsewhere.
        hour: The hour in which it is remembered, for one of an earlier batch; the least of all numbers elsewhere.
    """

    row: NDArray[np.int64]
    hour: Hours

    @property
    def is_remembered(self) -> Bools:
        """Whether there is one from an earlier batch."""
        return np.not_equal(self.hour, _NO_HOUR)

    @property
    def is_new(self) -> Bools:
        """Whether there is none."""
        return np.equal(self.row, _NO_ROW) & ~self.is_remembered


class SeenIds:
    """The identifiers of accepted events, by the hour of the event.

    An identifier is known while the hour of its accepted event is in the window. After that it is forgotten, and a
    delivery that is not itself late counts as new.
    """

    def __init__(self) -> None:
        # Sorted runs by hour, as in a log-structured merge tree.
        self._runs: dict[int, list[IdHashes]] = {}
        self._filter = _BloomFilter(0)

    def __len__(self) -> int:
        return sum(len(run) for runs in self._runs.values() for run in runs)

    def find(self, ids: IdHashes, hours: Hours, floors: Hours, stale: Bools) -> Earlier:
        """Find the accepted event of each delivery of a batch, exactly as if they came one by one.

        The batch itself is not remembered yet.

        Args:
            ids: Hash of each delivery's identifier, in order of arrival.
            hours: Hour in which each happened, in epoch milliseconds.
            floors: Oldest hour of the window when each arrived; non-decreasing.
            stale: Whether each is not accepted even if its identifier is new.
        """
        earlier = Earlier(np.full(len(ids), _NO_ROW), self._hours_of(ids, floors))
        in_order = _in_order(ids)
        repeated = in_order[1:][in_order[1:] == in_order[:-1]]
        if len(repeated):
            rest = np.flatnonzero(np.isin(ids, repeated) & ~earlier.is_remembered)
            _find_in_batch(earlier.row, rest, ids, hours, floors, stale=stale)
        return earlier

    def remember(self, ids: IdHashes, hours: Hours, floor: int) -> None:
        """Add accepted events and forget all that happened before the hour ``floor``."""
        self._runs = {hour: runs for hour, runs in self._runs.items() if hour >= floor}
        first, last = (int(hours.min()), int(hours.max())) if len(hours) else (0, -1)
        for hour in [first] if first == last else np.unique(hours).tolist():
            if hour >= floor:
                _add_run(self._runs.setdefault(hour, []), _in_order(ids if first == last else ids[hours == hour]))
        if not self._filter.has_capacity_for(len(ids)):
            # Twice the present need, so that rebuilding it is rare and costs little on average.
            self._filter = _BloomFilter(2 * (len(self) + len(ids)))
            for run in (run for runs in self._runs.values() for run in runs):
                self._filter.add(run)
        self._filter.add(ids)

    def _hours_of(self, ids: IdHashes, floors: Hours) -> Hours:
        """The hour in which each identifier is remembered and still known on arrival."""
        found = np.full(len(ids), _NO_HOUR)
        rows = np.flatnonzero(self._filter.may_contain(ids))
        if len(rows):
            candidates, oldest = ids[rows], floors[rows]
            for hour, runs in self._runs.items():
                for run in runs:
                    place = np.minimum(np.searchsorted(run, candidates), len(run) - 1)
                    # Within a long batch the hour may have left the window before this delivery.
                    found[rows[(run[place] == candidates) & (hour >= oldest)]] = hour
        return found


def _find_in_batch(
    row: NDArray[np.int64], rest: NDArray[np.intp], ids: IdHashes, hours: Hours, floors: Hours, *, stale: Bools
) -> None:
    """Fill in the row of the accepted delivery with the same identifier as each of the rest.

    Each round accepts the first delivery of every identifier left that is not stale, and assigns it those that came
    while it was remembered. A second round is needed only for a batch longer than the window, with one identifier far
    apart in it.
    """
    while len(fresh := rest[~stale[rest]]):
        known_ids, first = np.unique(ids[fresh], return_index=True)
        place = np.minimum(np.searchsorted(known_ids, ids[rest]), len(known_ids) - 1)
        heads = fresh[first][place]
        # What came before the first fresh delivery is stale, and repeats none.
        later = (known_ids[place] == ids[rest]) & (rest > heads)
        rest, heads = rest[later], heads[later]
        known = hours[heads] >= floors[rest]
        row[rest[known]] = heads[known]
        rest = rest[~known]


def _add_run(runs: list[IdHashes], run: IdHashes) -> None:
    """Add a sorted run; runs are joined so that each is more than twice as long as the next, and there are few."""
    while runs and len(runs[-1]) <= 2 * len(run):
        run = _in_order(np.concatenate([runs.pop(), run]))
    runs.append(run)


class _BloomFilter:
    """A Bloom filter with three bits in 32 for each identifier, all three in one word of 64 bits.

    An identifier is certainly not in it, or may be; the latter is wrong for one in several hundred. Sources: B. H.
    Bloom, Communications of the ACM 13 (1970) 422–426; F. Putze et al., Cache-, Hash- and Space-Efficient Bloom Filters
    (2007).

    Args:
        capacity: Identifiers that it is to hold.
    """

    def __init__(self, capacity: int) -> None:
        # A power of two, so that a mask replaces the remainder; half a word for each identifier.
        n_words = 1 << max(9, (capacity // 2).bit_length())
        self._words = np.zeros(n_words, np.uint64)
        self._mask = np.uint64(n_words - 1)
        self._capacity = 2 * n_words

    def has_capacity_for(self, n: int) -> bool:
        """Whether so many more can be added."""
        return n <= self._capacity

    def add(self, ids: IdHashes) -> None:
        """Add identifiers."""
        self._capacity -= len(ids)
        places, bits = self._places(ids), _bits(ids)
        # Where several identifiers share a word only one is written at a time: far quicker than `np.bitwise_or.at`.
        while len(places):
            self._words[places] |= bits
            is_left = self._words[places] & bits != bits
            places, bits = places[is_left], bits[is_left]

    def may_contain(self, ids: IdHashes) -> Bools:
        """Whether each identifier may be in the filter; shape (identifiers,)."""
        bits = _bits(ids)
        return np.asarray(self._words[self._places(ids)] & bits == bits)

    def _places(self, ids: IdHashes) -> NDArray[np.int64]:
        return (ids & self._mask).view(np.int64)


def _bits(ids: IdHashes) -> IdHashes:
    """Three bits of a word, chosen by the upper bits of the hash; the lower ones choose the word."""
    one, last = np.uint64(1), np.uint64(63)
    first, second, third = (one << (ids >> np.uint64(shift) & last) for shift in (46, 52, 58))
    return np.asarray(first | second | third)


def _in_order(ids: IdHashes) -> IdHashes:
    """Sorted by Polars, which is several times quicker at it than NumPy."""
    return pl.Series(ids, dtype=pl.UInt64).sort().to_numpy()
