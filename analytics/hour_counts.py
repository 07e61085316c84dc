"""Page views by hour and segment, counted once for each hour and added up from then on."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from analytics.dimensions import NOT_SET, Dimension
from analytics.events import UTC_MS, CallType

__all__ = ["HourCounts"]


class HourCounts:
    """Remembers the counts of each hour until more events have come to it.

    An hour that has passed is not looked at again: a question about a whole day costs the counting of the running hour
    and the adding up of small tables.
    """

    def __init__(self) -> None:
        self._counted: dict[tuple[int, tuple[Dimension, ...]], tuple[int, pl.DataFrame]] = {}

    def views(
        self, parts_of_hour: Mapping[int, list[pl.DataFrame]], dimensions: tuple[Dimension, ...], *, include_bots: bool
    ) -> pl.DataFrame:
        """Count page views by hour and by the value that each view itself has in the dimensions.

        Args:
            parts_of_hour: Enriched events, in any parts, by the beginning of their hour in epoch milliseconds; those of
                an hour asked for before may only have become more.
            dimensions: Dimensions to cut each hour by, if any.
            include_bots: Count the page views of programs too.

        Returns:
            One row per ``hour`` and segment that occurs in it, in that order, with ``page_views``.
        """
        names = [dimension.name for dimension in dimensions]
        schema = {
            "hour": UTC_MS,
            **dict.fromkeys(names, pl.String()),
            "is_bot": pl.Boolean(),
            "page_views": pl.UInt32(),
        }
        hours = (self._of(hour, parts, dimensions) for hour, parts in parts_of_hour.items())
        counts = pl.concat([pl.DataFrame(schema=schema), *hours])
        kept = counts if include_bots else counts.filter(~pl.col("is_bot"))
        return kept.group_by("hour", *names).agg(pl.col("page_views").sum()).sort("hour", *names)

    def forget(self, hour: int) -> None:
        """Let go of an hour."""
        self._counted = {key: counted for key, counted in self._counted.items() if key[0] != hour}

    def _of(self, hour: int, parts: list[pl.DataFrame], dimensions: tuple[Dimension, ...]) -> pl.DataFrame:
        """The counts of an hour; how many events it has tells whether they are still right."""
        n_events = sum(part.height for part in parts)
        n_counted, counts = self._counted.get((hour, dimensions), (0, None))
        if counts is None or n_counted != n_events:
            counts = pl.concat([_count(part, hour, dimensions) for part in parts])
            self._counted[hour, dimensions] = n_events, counts
        return counts


def _count(events: pl.DataFrame, hour: int, dimensions: tuple[Dimension, ...]) -> pl.DataFrame:
    names = [dimension.name for dimension in dimensions]
    values = (dimension.expression.alias(dimension.name) for dimension in dimensions)
    return (
        events.lazy()
        .filter(pl.col("type") == CallType.PAGE)
        .select(*values, "is_bot")
        .group_by(*names, "is_bot")
        .agg(page_views=pl.len().cast(pl.UInt32))
        # Vocabularies are grouped by their small codes; only the few rows that are left become texts.
        .select(
            pl.lit(hour, pl.Int64()).cast(UTC_MS).alias("hour"),
            *(pl.col(name).cast(pl.String).fill_null(NOT_SET) for name in names),
            "is_bot",
            "page_views",
        )
        .collect()
    )
