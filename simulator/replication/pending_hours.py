"""Hours to come: what visitors will do, kept in memory or in files until its hour comes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulator.tracking.activity import OCCURRENCE, VISIT, Hour

__all__ = ["HoursInFile", "HoursToCome", "hour_in_files"]


class HoursToCome:
    """Keeps what is planned in memory, by hour, and lets go of each hour when it is taken."""

    def __init__(self) -> None:
        self._parts: defaultdict[int, list[Hour]] = defaultdict(list)

    def add(self, planned: Iterable[tuple[int, Hour]]) -> None:
        """Keep what is planned for some hours."""
        for hour, part in planned:
            self._parts[hour].append(part)

    def take(self, hour: int) -> Hour:
        """All that is planned for an hour; it is kept no longer."""
        return Hour.of(self._parts.pop(hour, []))

    def write(self, path: Path) -> HoursInFile:
        """Move all hours into a file, which any process of this kind of machine can read."""
        places = {}
        with path.open("wb") as file:
            for number in sorted(self._parts):
                hour = self.take(number)
                places[number] = (file.tell(), len(hour.visits), len(hour.occurrences))
                hour.visits.tofile(file)
                hour.occurrences.tofile(file)
        return HoursInFile(path, places)


@dataclass(frozen=True)
class HoursInFile:
    """What is planned, in a file.

    Attributes:
        path: The file.
        places: Where each hour begins in it, and how many visits and occurrences there are.
    """

    path: Path
    places: dict[int, tuple[int, int, int]]

    def read(self, hour: int) -> Hour:
        """What is planned for an hour."""
        offset, n_visits, n_occurrences = self.places[hour]
        visits = np.fromfile(self.path, VISIT, n_visits, offset=offset)
        offset += n_visits * VISIT.itemsize
        return Hour(visits, np.fromfile(self.path, OCCURRENCE, n_occurrences, offset=offset))

    def only(self, hour: int) -> HoursInFile:
        """The same, as far as one needs to know for an hour that is in it."""
        return HoursInFile(self.path, {hour: self.places[hour]})


def hour_in_files(files: Sequence[HoursInFile], hour: int) -> Hour:
    """All that is planned in several files for an hour that is in each."""
    return Hour.of([file.read(hour) for file in files])
