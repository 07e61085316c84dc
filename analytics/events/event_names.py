"""Renaming of events from other sources to the names of the tracking plan."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from analytics.events.tracking_plan import CallType, EventName


def renamed(events: pl.DataFrame, names: Mapping[str, str]) -> pl.DataFrame:
    """Rename `track` events to the names of the tracking plan.

    Args:
        events: Flat events.
        names: Name in the tracking plan by foreign name; other events are unchanged.

    Returns:
        The events, in their order; other calls than `track` keep their names.

    >>> events = pl.DataFrame({"type": ["track"], "event": ["Demo Booked"]})
    >>> renamed(events, {"Demo Booked": "Demo Requested"})["event"].to_list()
    ['Demo Requested']
    """
    if not names:
        return events
    ours = pl.col("event").cast(pl.String).replace(names).cast(events.schema["event"])
    return events.with_columns(pl.when(pl.col("type") == CallType.TRACK).then(ours).otherwise("event").alias("event"))


def unknown_names(events: pl.DataFrame, at_most: int = 5) -> list[tuple[str, int]]:
    """Return the most frequent names of `track` events outside the tracking plan, with their counts.

    Args:
        events: Flat events.
        at_most: Maximum number of names.

    Returns:
        Name and count, the most frequent first.

    >>> unknown_names(pl.DataFrame({"type": ["track"] * 3, "event": ["Demo Booked", "Deal Won", "Demo Booked"]}))
    [('Demo Booked', 2)]
    """
    unknown = pl.col("event").is_not_null() & ~pl.col("event").cast(pl.String).is_in([str(name) for name in EventName])
    names = events.filter(unknown & (pl.col("type") == CallType.TRACK)).group_by(pl.col("event").cast(pl.String)).len()
    # By name among equals, so that the same events give the same message.
    return names.sort("len", "event", descending=[True, False]).head(at_most).rows()
