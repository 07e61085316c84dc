"""One hour of a store, as it is handed to a reader."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from analytics.hour_events import HourEvents

__all__ = ["HourBucket"]


@dataclass(frozen=True)
class HourBucket:
    """The accepted events of one hour: from ``start``, included, to an hour later, excluded.

    Args:
        start: Beginning of the hour, UTC.
        n_events: Events of any kind, bots' included.
        n_page_views: Of these, `page` calls.
        n_demo_requests: Of these, `track` calls named Demo Requested.
        revision: How often this hour has been reported before with fewer events in it; reports of one revision are
            the same.
        final: Whether the hour has left the window, so that no event can come to it any more.
    """

    start: datetime
    n_events: int
    n_page_views: int
    n_demo_requests: int
    revision: int = 0
    final: bool = False
    _held: HourEvents = field(default_factory=HourEvents, repr=False, compare=False)

    @property
    def events(self) -> pl.DataFrame:
        """The events themselves, enriched, in order of event time and identifier; read when they are asked for."""
        return self._held.events()

    def without_events(self) -> HourBucket:
        """The same numbers; the events may go."""
        return replace(self, _held=HourEvents())
