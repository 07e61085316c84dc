"""Page views by hour and segment; each hour is counted once, and its counts are then only added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
        self._counted: dict[tuple[int, tuple[Dimension, ...]], tuple[int, pl.DataFrame]] = {}

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
        names = [dimension.name for dimension in dimensions]
        self._update(events_of_hour, dimensions)
        known = (self._counted[hour, dimensions][1] for hour in events_of_hour)
        counts = pl.concat([_schema(dimensions).to_frame(), *known])
        # The cache counts programs separately, so that both answers come from the same counts.
        kept = counts if include_bots else counts.filter(~pl.col("is_bot"))
        return _summed(kept.lazy(), ["hour", *names]).collect().sort("hour", *names)

    def forget(self, hour: int) -> None:
        """Drop the counts of an hour."""
        self._counted = {key: counted for key, counted in self._counted.items() if key[0] != hour}

    def _update(self, events_of_hour: Mapping[int, HourEvents], dimensions: tuple[Dimension, ...]) -> None:
        """Count the events of each hour since its last count, all hours in one query."""
        fresh: dict[int, list[pl.LazyFrame]] = {}
        for hour, events in events_of_hour.items():
            n_counted, counts = self._counted.get((hour, dimensions), (0, _schema(dimensions).to_frame()))
            since = events.since(n_counted)
            if since == []:
                continue
            # Which events are new can no longer be known: count the whole hour again.
            if since is None:
                since, counts = events.since(0) or [], counts.clear()
            fresh[hour] = [counts.lazy(), *(_count(part, hour, dimensions) for part in since)]
        keys = _schema(dimensions).names()[:-1]
        known = pl.collect_all(_summed(pl.concat(parts), keys) for parts in fresh.values())
        for hour, counts in zip(fresh, known, strict=True):
            self._counted[hour, dimensions] = events_of_hour[hour].n_events, counts


def _schema(dimensions: tuple[Dimension, ...]) -> pl.Schema:
    values = {dimension.name: pl.String() for dimension in dimensions}
    return pl.Schema({"hour": UTC_MS, **values, "is_bot": pl.Boolean(), "page_views": pl.UInt32()})


def _summed(counts: pl.LazyFrame, keys: Sequence[str]) -> pl.LazyFrame:
    return counts.group_by(keys).agg(pl.col("page_views").sum())


def _count(events: pl.LazyFrame, hour: int, dimensions: tuple[Dimension, ...]) -> pl.LazyFrame:
    names = [dimension.name for dimension in dimensions]
    values = (dimension.expression.alias(dimension.name) for dimension in dimensions)
    return (
        events.filter(pl.col("type") == CallType.PAGE)
        .select(*values, "is_bot")
        .group_by(*names, "is_bot")
        .agg(page_views=pl.len().cast(pl.UInt32))
        # Grouping by the codes of categories is quick; only the few rows that are left become texts.
        .select(
            pl.lit(hour, pl.Int64()).cast(UTC_MS).alias("hour"),
            *(pl.col(name).cast(pl.String).fill_null(NOT_SET) for name in names),
            "is_bot",
            "page_views",
        )
    )
