"""Hours to come: what visitors will do, kept in memory or in files until its hour comes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulator.tracking.activity import ACTIVITY_RECORD, VISIT_RECORD, HourActivity

__all__ = ["PendingHours", "PendingHoursFile", "read_hour"]


class PendingHours:
    """Keeps what is planned in memory, by hour, and lets go of each hour when it is taken."""

    def __init__(self) -> None:
        self._parts: defaultdict[int, list[HourActivity]] = defaultdict(list)

    def add(self, planned: Iterable[tuple[int, HourActivity]]) -> None:
        """Keep what is planned for some hours."""
        for hour, part in planned:
            self._parts[hour].append(part)

    def take(self, hour: int) -> HourActivity:
        """All that is planned for an hour; it is kept no longer."""
        return HourActivity.of(self._parts.pop(hour, []))

    def write(self, path: Path) -> PendingHoursFile:
        """Move all hours into a file, which any process of this kind of machine can read."""
        places = {}
        with path.open("wb") as file:
            for number in sorted(self._parts):
                hour = self.take(number)
                places[number] = (file.tell(), len(hour.visits), len(hour.records))
                hour.visits.tofile(file)
                hour.records.tofile(file)
        return PendingHoursFile(path, places)


@dataclass(frozen=True)
class PendingHoursFile:
    """What is planned, in a file.

    Attributes:
        path: The file.
        places: Where each hour begins in it, and how many visits and occurrences there are.
    """

    path: Path
    places: dict[int, tuple[int, int, int]]

    def read(self, hour: int) -> HourActivity:
        """What is planned for an hour."""
        offset, n_visits, n_records = self.places[hour]
        visits = np.fromfile(self.path, VISIT_RECORD, n_visits, offset=offset)
        offset += n_visits * VISIT_RECORD.itemsize
        return HourActivity(visits, np.fromfile(self.path, ACTIVITY_RECORD, n_records, offset=offset))

    def only(self, hour: int) -> PendingHoursFile:
        """The same, as far as one needs to know for an hour that is in it."""
        return PendingHoursFile(self.path, {hour: self.places[hour]})


def read_hour(files: Sequence[PendingHoursFile], hour: int) -> HourActivity:
    """All that is planned in several files for an hour that is in each."""
    return HourActivity.of([file.read(hour) for file in files])
