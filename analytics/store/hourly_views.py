"""Page views by hour and segment; each hour is counted once, and its counts are then only added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from analytics.events.dimensions import NOT_SET, Dimension
from analytics.events.tracking_plan import UTC_MS, CallType
from analytics.store.hour import HourEvents


class HourCounts:
    """A cache of the counts of each hour and set of dimensions.

    Past hours are not read again: page views of a whole day cost the counting of the current hour and the sum of small
    tables.
    """

    def __init__(self) -> None:
        self._counted: dict[tuple[Dimension, ...], _Counted] = {}

    def views(
        self, events_of_hour: Mapping[int, HourEvents], dimensions: tuple[Dimension, ...], *, include_bots: bool
    ) -> pl.DataFrame:
        """Count page views by hour and by the value that each view itself has in the dimensions.

        Args:
            events_of_hour: Events by the beginning of their hour in epoch milliseconds.
            dimensions: Dimensions to cut each hour by, if any.
            include_bots: Count the page views of programs too.

        Returns:
            One row per ``hour`` and segment that occurs in it, in that order, with ``page_views``.
        """
        keys = ["hour", *(dimension.name for dimension in dimensions)]
        if dimensions not in self._counted:
            self._counted[dimensions] = _Counted(_schema(dimensions).to_frame())
        counts = self._counted[dimensions].updated(events_of_hour, dimensions)
        # The cache counts programs separately, so that both answers come from the same counts.
        kept = counts if include_bots else counts.filter(~pl.col("is_bot"))
        return _summed(kept.lazy(), keys).collect().sort(keys)

    def forget(self, hour: int) -> None:
        """Drop the counts of an hour."""
        for counted in self._counted.values():
            counted.forget(hour)


@dataclass
class _Counted:
    """Page views counted so far by hour, segment and whether a program made them.

    Args:
        table: The counts.
        n_events: How many events of each hour have been looked at, by its beginning in epoch milliseconds.
    """

    table: pl.DataFrame
    n_events: dict[int, int] = field(default_factory=dict)

    def updated(self, events_of_hour: Mapping[int, HourEvents], dimensions: tuple[Dimension, ...]) -> pl.DataFrame:
        """The counts, after counting the events of each hour since its last count, all hours in one query."""
        fresh: list[pl.LazyFrame] = []
        for hour, events in events_of_hour.items():
            since = events.since(self.n_events.get(hour, 0))
            # Which events are new can no longer be known: count the whole hour again.
            if since is None:
                self.forget(hour)
                since = events.since(0) or []
            fresh += [_viewed(part, hour, dimensions) for part in since]
            self.n_events[hour] = events.n_events
        if fresh:
            counts = _counts(pl.concat(fresh), dimensions)
            keys = self.table.columns[:-1]
            self.table = _summed(pl.concat([self.table.lazy(), counts]), keys).collect()
        return self.table

    def forget(self, hour: int) -> None:
        """Drop the counts of an hour."""
        if self.n_events.pop(hour, 0):
            self.table = self.table.filter(pl.col("hour") != pl.lit(hour).cast(UTC_MS))


def _schema(dimensions: tuple[Dimension, ...]) -> pl.Schema:
    values = {dimension.name: pl.String() for dimension in dimensions}
    return pl.Schema({"hour": UTC_MS, **values, "is_bot": pl.Boolean(), "page_views": pl.UInt32()})


def _summed(counts: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    return counts.group_by(keys).agg(pl.col("page_views").sum())


def _viewed(events: pl.LazyFrame, hour: int, dimensions: tuple[Dimension, ...]) -> pl.LazyFrame:
    """The page views of an hour, with their values in the dimensions."""
    values = (dimension.expression.alias(dimension.name) for dimension in dimensions)
    start = pl.lit(hour, pl.Int64()).cast(UTC_MS).alias("hour")
    return events.filter(pl.col("type") == CallType.PAGE).select(start, *values, "is_bot")


def _counts(views: pl.LazyFrame, dimensions: tuple[Dimension, ...]) -> pl.LazyFrame:
    """Number of page views by hour, values and whether a program made them."""
    names = [dimension.name for dimension in dimensions]
    counted = views.group_by("hour", *names, "is_bot").agg(page_views=pl.len().cast(pl.UInt32))
    # Grouping by the codes of categories is quick; only the few rows that are left become texts.
    return counted.with_columns(pl.col(names).cast(pl.String).fill_null(NOT_SET))
