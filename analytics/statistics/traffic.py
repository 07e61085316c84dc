"""Traffic: what some visitors did, in small numbers, ready to be counted by hour and segment.

Each visitor's events are in one traffic, so the counts of several traffics add up to those of all visitors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.events.dimensions import NOT_SET, Dimension, DimensionError
from analytics.events.tracking_plan import FunnelStage
from analytics.sessions.timeline import as_words, changes, enriched, first_known, stable_order, timeline
from analytics.statistics.mergeable_counts import MergeableCounts

__all__ = ["COUNTS", "Traffic"]

COUNTS: Final = ("page_views", "visitors", "visits", "demo_requests")
"""The four measures, under the names of their columns."""


@dataclass(frozen=True, eq=False)
class _Ledger:
    """Page views and requests of each visitor, by content and hour: what every count is a sum of.

    Args:
        views: One row per ``visitor``, content and ``hour`` with a page view: ``page_views``; ``visits``, those in
            which the content is first seen in this hour; ``new``, whether the visitor has not seen it before.
        requests: One row per request and content that it counts for: ``visitor``, ``hour`` and ``converted``, whether
            it is the first of somebody of whom a page view was seen.
    """

    views: pl.DataFrame
    requests: pl.DataFrame


class Traffic:
    """The events of some visitors over the observed period.

    Args:
        events: Flat or enriched events, in any order; each event once. Of a visitor all events or none.
        where: Events that count.
        idle_minutes: Idle time-out of a visit, in minutes, greater than 0.

    Raises:
        EventFrameError: The table is not a table of events.
        ValueError: The idle time-out is not greater than 0.
    """

    def __init__(self, events: pl.DataFrame, *, where: pl.Expr, idle_minutes: float) -> None:
        self._events: pl.DataFrame | None = enriched(events)
        time = pl.col("event_time").filter(where)
        span: tuple[datetime | None, datetime | None] = self._events.select(min=time.min(), max=time.max()).row(0)
        self.first_time, self.last_time = span
        line = timeline(self._events, idle_minutes=idle_minutes, where=where).with_columns(
            hour=pl.col("event_time").dt.truncate("1h")
        )
        # The rest of the line is needed only to tell what is known first of each visitor.
        self._line = line.select("visitor", "order")
        self._n_visitors = int(line.select(_code("visitor").max().fill_null(0)).item())
        self._views = line.filter("page").select("visitor", "event_time", "hour", "order", visit="visit_so_far")
        self._requests = line.filter("request").select("visitor", "event_time", "hour")
        self._values: dict[Dimension, pl.Series] = {}
        self._ledgers: dict[tuple[Dimension, ...], _Ledger] = {}

    def forget_events(self, dimensions: Iterable[Dimension]) -> None:
        """Let go of the events, keeping what it takes to count by these dimensions and no others.

        Args:
            dimensions: Dimensions that will be asked for.
        """
        for dimension in dimensions:
            self._known(dimension)
        _ = self._deepest
        self._events = None
        self._line = self._line.clear()

    def count(self, dimensions: tuple[Dimension, ...], *, hourly: bool) -> MergeableCounts:
        """Count page views, visitors, visits and demo requests, and visitors who converted.

        Args:
            dimensions: Dimensions to cut by, if any; a request counts for contents seen before it.
            hourly: Count by hour as well, a visitor in each hour in which they view a page.

        Returns:
            Counts by ``hour`` (if hourly) and the dimensions: :data:`COUNTS` and, unless hourly, ``converted``.

        Raises:
            DimensionError: The events are forgotten, and with them what they say of a dimension.
        """
        ledger = self._ledger(tuple(dimension for dimension in dimensions if dimension.touch == "any"))
        keys = [*(["hour"] if hourly else []), *(dimension.name for dimension in dimensions)]
        views, requests = (self._attributed(rows, dimensions) for rows in (ledger.views, ledger.requests))
        # A visitor has one row an hour and segment, so the rows of an hour are its visitors.
        visitors = pl.len() if hourly else pl.col("new").sum()
        seen = _grouped(views, keys, pl.col("page_views").sum(), visitors.alias("visitors"), pl.col("visits").sum())
        converted = [] if hourly else [pl.col("converted").sum()]
        asked = _grouped(requests, keys, pl.len().alias("demo_requests"), *converted)
        return MergeableCounts(pl.concat([seen, asked], how="diagonal_relaxed"), keys)

    def depths(self) -> MergeableCounts:
        """Count ``visitors`` by the ``depth`` they reach: 0 for no stage, then the stages in order, then a request."""
        return self._deepest

    @cached_property
    def _deepest(self) -> MergeableCounts:
        stages = list(enumerate(FunnelStage, start=1))
        is_stage = [(depth * (pl.col("funnel_stage") == stage)).fill_null(0).cast(pl.UInt8) for depth, stage in stages]
        depth = self._read(pl.sum_horizontal(is_stage).cast(pl.UInt8), self._views["order"]).to_numpy()
        starts = self._views.select(changes(_code("visitor")).arg_true()).to_series().to_numpy()
        deepest = np.maximum.reduceat(depth, starts) if len(starts) else depth
        asked = self._are_among(self._views["visitor"].gather(starts), self._requests["visitor"])
        deepest = np.where(asked, len(stages) + 1, deepest)
        return MergeableCounts(pl.DataFrame({"depth": deepest.astype(np.uint8)}).with_columns(visitors=1), ["depth"])

    def _read(self, expression: pl.Expr, order: pl.Series) -> pl.Series:
        """What an expression says of the events in these rows of the table."""
        if self._events is None:
            raise DimensionError("the events are forgotten; name dimensions of your own beforehand")
        return self._events.select(expression).to_series().gather(order)

    def _known(self, dimension: Dimension) -> pl.Series:
        """What the dimension says: of each page view or, where its touch is ``first``, of each visitor by number."""
        if dimension not in self._values:
            of_all = dimension.touch == "first"
            order = self._line["order"] if of_all else self._views["order"]
            words = as_words(self._read(dimension.expression, order).alias(dimension.name))
            self._values[dimension] = self._first_touch(words) if of_all else words
        return self._values[dimension]

    def _first_touch(self, words: pl.Series) -> pl.Series:
        """What is known first of each visitor, by their number."""
        known = first_known(self._line, words)
        # Of whom nothing is known is sent to one place more, where there is nothing.
        places = np.full(self._n_visitors, known.height)
        places[known["visitor"].to_physical().to_numpy()] = np.arange(known.height)
        return known[words.name].extend_constant(None, 1).gather(places)

    def _attributed(self, rows: pl.DataFrame, dimensions: tuple[Dimension, ...]) -> pl.DataFrame:
        """Give each row of a ledger what is known first of its visitor."""
        visitors = rows["visitor"].to_physical()
        first = [dimension for dimension in dimensions if dimension.touch == "first"]
        return rows.with_columns(self._known(dimension).gather(visitors) for dimension in first)

    def _ledger(self, content: tuple[Dimension, ...]) -> _Ledger:
        if content not in self._ledgers:
            self._ledgers[content] = self._enter(content)
        return self._ledgers[content]

    def _enter(self, content: tuple[Dimension, ...]) -> _Ledger:
        """Make the ledger for these dimensions of touch ``any``."""
        names = [dimension.name for dimension in content]
        views = self._views.drop("order").with_columns(self._known(dimension) for dimension in content)
        if content:
            views = views[stable_order(views["visitor"], *(views[name] for name in names))]
        comes = pl.any_horizontal(changes(_code(name)) for name in ("visitor", *names))
        views = views.with_columns(comes=comes)
        requests = self._requests
        if content:
            asks = pl.Series(self._are_among(views["visitor"], requests["visitor"]))
            exposures = views.filter("comes", asks).select("visitor", *names, seen_at="event_time")
            requests = requests.join(exposures, on="visitor").filter(pl.col("seen_at") < pl.col("event_time"))
        seen = pl.Series(self._are_among(requests["visitor"], self._views["visitor"]))
        first = pl.struct("visitor", *names).is_first_distinct()
        return _Ledger(_by_hour(views, names), requests.select("visitor", "hour", *names, converted=first & seen))

    def _are_among(self, visitors: pl.Series, others: pl.Series) -> NDArray[np.bool_]:
        """Whether each visitor is one of the others."""
        is_one = np.zeros(self._n_visitors, dtype=np.bool_)
        is_one[others.to_physical().to_numpy()] = True
        return np.take(is_one, visitors.to_physical().to_numpy())


def _code(name: str) -> pl.Expr:
    """The number of a word in its vocabulary, from 1; 0 for a missing one."""
    return (pl.col(name).to_physical().cast(pl.Int64) + 1).fill_null(0)


def _by_hour(views: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Gather the views of a visitor, content and hour, which are next to each other, into one row."""
    starts_visit = pl.col("comes") | changes(pl.col("visit"))
    return (
        views.lazy()
        .with_row_index("n_before")
        .with_columns(visits=starts_visit.cum_sum() - starts_visit)
        .filter(pl.col("comes") | changes(pl.col("hour")))
        .select(
            "visitor",
            "hour",
            *names,
            # What has been counted before the next row, less what had been before this one.
            page_views=pl.col("n_before").shift(-1, fill_value=views.height) - pl.col("n_before"),
            visits=pl.col("visits").shift(-1, fill_value=_n_true(views, starts_visit)) - pl.col("visits"),
            new="comes",
        )
        .collect()
    )


def _n_true(table: pl.DataFrame, condition: pl.Expr) -> int:
    return int(table.select(condition.sum()).item())


def _grouped(rows: pl.DataFrame, keys: list[str], *counts: pl.Expr) -> pl.DataFrame:
    """Count by group, or the whole when there are no groups; what a dimension does not say gets a name."""
    if not keys:
        return rows.select(counts)
    # Vocabularies are grouped by their small codes; only the few rows that are left become texts.
    named = pl.col([key for key in keys if key != "hour"]).cast(pl.String).fill_null(NOT_SET)
    return rows.group_by(keys).agg(counts).with_columns(named)
