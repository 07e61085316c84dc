"""Hours to come: what visitors will do, kept in memory or in files until its hour comes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from simulator.occurrences import Hour

__all__ = ["HoursToCome"]


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
