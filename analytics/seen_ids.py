"""The identifiers of accepted events, remembered for as long as their hour is in the window.

Identifiers and bodies are remembered as 64-bit hashes: 16 bytes and an hour each. Among a million identifiers in the
window two share a hash with a probability of about 3 in 100 million.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["SeenIds", "Verdict"]

Hashes = NDArray[np.uint64]
Hours = NDArray[np.int64]
Verdicts = NDArray[np.int8]


class Verdict(IntEnum):
    """What becomes of a delivery."""

    ACCEPTED = 0
    DUPLICATE = 1
    CONFLICT = 2
    LATE = 3


class SeenIds:
    """Memory of which identifiers have been accepted, with which body and in which hour.

    An identifier is known while the hour of its accepted event is in the window; after that it is forgotten, and a
    delivery that is not itself late counts as new.
    """

    def __init__(self) -> None:
        self._ids: Hashes = np.empty(0, np.uint64)
        self._bodies: Hashes = np.empty(0, np.uint64)
        self._hours: Hours = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._ids)

    def judge(self, ids: Hashes, bodies: Hashes, hours: Hours, floors: Hours) -> Verdicts:
        """Decide for each of a batch of deliveries, in order, exactly as if they came one by one; remember nothing yet.

        Args:
            ids: Hash of each delivery's identifier.
            bodies: Hash of what each delivery says.
            hours: Hour in which each happened.
            floors: Oldest hour of the window when each arrived; never falls.

        Returns:
            ``ACCEPTED``, ``DUPLICATE`` or ``CONFLICT`` for each delivery.
        """
        verdicts = np.full(len(ids), Verdict.ACCEPTED, np.int8)
        known, place = self._find(ids, floors)
        verdicts[known] = _repeated(bodies[known], self._bodies[place[known]])
        rest = np.flatnonzero(~known)
        # Each round accepts the first delivery of every identifier left and settles those that came while it was
        # remembered. Only a batch longer than the window, with the same identifier far apart in it, has a second round.
        while len(rest):
            _, first, head_of = np.unique(ids[rest], return_index=True, return_inverse=True)
            heads = rest[first][head_of]
            known = (hours[heads] >= floors[rest]) & (heads != rest)
            verdicts[rest[known]] = _repeated(bodies[rest[known]], bodies[heads[known]])
            rest = rest[~known & (heads != rest)]
        return verdicts

    def remember(self, ids: Hashes, bodies: Hashes, hours: Hours, floor: int) -> None:
        """Add accepted events and forget all that happened before the hour ``floor``."""
        kept = np.concatenate([self._hours, hours]) >= floor
        all_ids = np.concatenate([self._ids, ids])[kept]
        # The old part is sorted already, which a stable sort makes use of.
        order = np.argsort(all_ids, kind="stable")
        self._ids = all_ids[order]
        self._bodies = np.concatenate([self._bodies, bodies])[kept][order]
        self._hours = np.concatenate([self._hours, hours])[kept][order]

    def _find(self, ids: Hashes, floors: Hours) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
        """Whether each identifier is still known on arrival, and where it stands in the memory."""
        if not len(self._ids):
            return np.zeros(len(ids), np.bool_), np.zeros(len(ids), np.intp)
        place = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        return (self._ids[place] == ids) & (self._hours[place] >= floors), place


def _repeated(bodies: Hashes, first_bodies: Hashes) -> Verdicts:
    return np.where(bodies == first_bodies, _DUPLICATE, _CONFLICT)


_DUPLICATE: Final = np.int8(Verdict.DUPLICATE)
_CONFLICT: Final = np.int8(Verdict.CONFLICT)
