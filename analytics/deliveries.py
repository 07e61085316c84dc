"""Deliveries of events: when each happened, and whether two with one identifier say the same."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.events.enrichment import event_times
from analytics.events.times import EARLIEST
from analytics.events.tracking_plan import EVENT_SCHEMA, UTC_MS
from analytics.seen_ids import Hashes, Verdict

__all__ = ["BODY", "compared", "hashes", "ms", "said", "timed"]

BODY: Final = tuple(name for name in EVENT_SCHEMA if name not in {"sent_at", "received_at", "timestamp"})
"""What an event says: the columns that two deliveries of it have in common."""


def timed(events: pl.DataFrame, skew_ms: int, arrived_at: datetime | None = None) -> tuple[pl.DataFrame, int]:
    """Add ``event_time``: the arrival where it is later than it can be, the year 2 where it is before that.

    Args:
        events: Flat events.
        skew_ms: How far ahead of its arrival an event may claim to have happened, in milliseconds.
        arrived_at: When they arrived at the latest; an arrival that they claim after it is not believed.

    Returns:
        The events with their time, and how many claimed an impossible one.
    """
    claimed = events.with_columns(event_times(events))
    arrival = pl.col("received_at")
    if arrived_at is not None:
        arrival = pl.min_horizontal(arrival, pl.lit(arrived_at, UTC_MS))
    future = pl.col("event_time") > arrival + pl.duration(milliseconds=skew_ms)
    n_future = int(claimed.select(future.sum()).item())
    time = pl.when(future).then(arrival).otherwise("event_time")
    return claimed.with_columns(event_time=pl.max_horizontal(time, pl.lit(EARLIEST, UTC_MS))), n_future


def hashes(identifiers: pl.Series) -> Hashes:
    """Hash of each identifier, by which it is remembered."""
    return identifiers.hash().to_numpy()


def said(deliveries: pl.DataFrame) -> pl.DataFrame:
    """What deliveries say, in a form that can be compared: words instead of the codes of one process's vocabularies."""
    return deliveries.select(BODY).cast({pl.Categorical: pl.String})


def compared(one: pl.DataFrame, other: pl.DataFrame) -> NDArray[np.int8]:
    """Whether each delivery is a duplicate of the first one with its identifier or a conflict with it, row by row.

    Args:
        one: What the deliveries say; see :func:`said`.
        other: What the first ones say.
    """
    is_same = one.hstack(other.rename("first_{}".format)).select(_IS_SAME).to_series()
    return np.where(is_same.to_numpy(), Verdict.DUPLICATE, Verdict.CONFLICT).astype(np.int8)


_IS_SAME: Final = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"first_{name}")) for name in BODY)


def ms(times: pl.Series) -> NDArray[np.int64]:
    """Times as epoch milliseconds."""
    return times.dt.epoch("ms").to_numpy()
