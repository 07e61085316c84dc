"""People of cohorts as they were planned, kept in files from the drawing of a cohort to the end of the run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl


@dataclass(frozen=True)
class PlannedPeople:
    """People of the cohorts that have been drawn, so that cohorts need not be drawn again for the table of people.

    Args:
        folder: An empty folder, which all processes that draw cohorts see; the caller removes it.
    """

    folder: Path

    def keep(self, place: int, people: pl.DataFrame) -> None:
        """Keep the people of a cohort.

        Args:
            place: Its place in the schedule.
            people: See :func:`simulator.replication.people_truth.people_of`.
        """
        people.write_ipc(self._file(place), compression="lz4")

    def take(self, place: int) -> pl.DataFrame | None:
        """Return the people of a cohort and delete their file; None if there is none.

        Args:
            place: Its place in the schedule.
        """
        file = self._file(place)
        if not file.exists():
            return None
        people = pl.read_ipc(file)
        file.unlink()
        return people

    def _file(self, place: int) -> Path:
        return self.folder / f"{place:06}.arrow"
