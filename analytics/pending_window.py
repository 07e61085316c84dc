"""A window of hours that remembers what has come to it since it was last written down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.store.buckets import HourBucket
from analytics.store.window import HourWindow

__all__ = ["PendingWindow"]


class PendingWindow(HourWindow):
    """A window of hours that remembers what has come to it since it was last written down.

    Args:
        n_hours: Hours in the window.
        on_evict: Called with each hour that leaves it with events in it.
        spill: A folder to which the events of past hours go.

    Attributes:
        pending: Tables of the events since then: flat, with their ``event_time``.
    """

    def __init__(self, n_hours: int, on_evict: Callable[[HourBucket], None], spill: Path) -> None:
        super().__init__(n_hours, on_evict, spill)
        self.pending: list[pl.DataFrame] = []

    @property
    def n_pending(self) -> int:
        """Events since then."""
        return sum(table.height for table in self.pending)

    def keep(self, accepted: pl.DataFrame, hours: NDArray[np.int64], file: Path | None = None) -> None:
        """Put events into their hours, and remember them."""
        super().keep(accepted, hours, file)
        if accepted.height:
            self.pending.append(accepted)
