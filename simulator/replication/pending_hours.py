"""Pending hours: planned activity, kept in memory or in files until its hour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulator.tracking.activity import ACTIVITY_RECORD, VISIT_RECORD, HourActivity


class PendingHours:
    """Planned activity in memory, by hour."""

    def __init__(self) -> None:
        self._parts: defaultdict[int, list[HourActivity]] = defaultdict(list)

    def add(self, planned: Iterable[tuple[int, HourActivity]]) -> None:
        """Add planned activity of some hours."""
        for hour, part in planned:
            self._parts[hour].append(part)

    def take(self, hour: int) -> HourActivity:
        """Remove and return all planned activity of an hour."""
        return HourActivity.of(self._parts.pop(hour, []))

    def write(self, path: Path) -> PendingHoursFile:
        """Move all hours into a file, which processes on the same kind of machine can read."""
        places = {}
        with path.open("wb") as file:
            # Raw records without a header: the offsets are all that a reader needs.
            for number in sorted(self._parts):
                hour = self.take(number)
                places[number] = (file.tell(), len(hour.visits), len(hour.records))
                hour.visits.tofile(file)
                hour.records.tofile(file)
        return PendingHoursFile(path, places)


@dataclass(frozen=True)
class PendingHoursFile:
    """Planned activity in a file.

    Attributes:
        path: The file.
        places: Offset of each hour in it, and its numbers of visit and activity records.
    """

    path: Path
    places: dict[int, tuple[int, int, int]]

    def read(self, hour: int) -> HourActivity:
        """Planned activity of an hour."""
        offset, n_visits, n_records = self.places[hour]
        visits = np.fromfile(self.path, VISIT_RECORD, n_visits, offset=offset)
        offset += n_visits * VISIT_RECORD.itemsize
        return HourActivity(visits, np.fromfile(self.path, ACTIVITY_RECORD, n_records, offset=offset))

    def only(self, hour: int) -> PendingHoursFile:
        """The same file, with the offset of one of its hours only."""
        # A task is pickled with its files; one offset is much smaller than all.
        return PendingHoursFile(self.path, {hour: self.places[hour]})


def read_hour(files: Sequence[PendingHoursFile], hour: int) -> HourActivity:
    """Planned activity of an hour in several files, each of which contains it."""
    return HourActivity.of([file.read(hour) for file in files])
