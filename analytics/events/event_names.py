"""Other names for the events of the tracking plan: a stream from elsewhere calls a demo request what it likes."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from analytics.events.tracking_plan import CallType, EventName

__all__ = ["renamed", "unknown_names"]


def renamed(events: pl.DataFrame, names: Mapping[str, str]) -> pl.DataFrame:
    """Call `track` events as the tracking plan does.

    Args:
        events: Flat events.
        names: The tracking plan's name of each foreign one; events of other names stay as they are.
    """
    if not names:
        return events
    ours = pl.col("event").cast(pl.String).replace(names).cast(events.schema["event"])
    return events.with_columns(pl.when(pl.col("type") == CallType.TRACK).then(ours).otherwise("event").alias("event"))


def unknown_names(events: pl.DataFrame, at_most: int = 5) -> list[tuple[str, int]]:
    """The commonest names of `track` events that the tracking plan does not know, with how often each occurs.

    Args:
        events: Flat events.
        at_most: How many names are wanted.
    """
    unknown = pl.col("event").is_not_null() & ~pl.col("event").cast(pl.String).is_in([str(name) for name in EventName])
    names = events.filter(unknown & (pl.col("type") == CallType.TRACK)).group_by(pl.col("event").cast(pl.String)).len()
    return names.sort("len", "event", descending=[True, False]).head(at_most).rows()
