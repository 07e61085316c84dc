"""Traffic of some visitors in a compact form, to be counted by hour and segment.

All events of a visitor are in one ``Traffic``, so the counts of several add up to those of all visitors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.events.dimensions import NOT_SET, Dimension, DimensionError
from analytics.sessions.timeline import as_categorical, changes, enriched, first_known, stable_order, timeline
from analytics.signals.site import STAGE_STEPS, FunnelStep
from analytics.statistics.mergeable_counts import MergeableCounts

Question = tuple[tuple[Dimension, ...], bool]
"""Dimensions to count by, and whether by hour."""

COUNTS: Final = ("page_views", "visitors", "visits", "demo_requests")
"""The four measures, under the names of their columns."""


@dataclass(frozen=True, eq=False)
class _Ledger:
    """Page views and requests of each visitor by segment and hour, of which all counts are sums.

    Args:
        views: One row per ``visitor``, segment and ``hour`` with a page view: ``page_views``; ``visits`` whose first
            page view in the segment is in this hour; ``new``, whether it is the visitor's first in the segment.
        requests: One row per request and segment that it counts for: ``visitor``, ``hour`` and ``converted``, whether
            it is the first of a visitor with a page view.
        too_late: One row per ``visitor`` with a request and segment that was viewed after it only.
    """

    views: pl.DataFrame
    requests: pl.DataFrame
    too_late: pl.DataFrame


class Traffic:
    """The events of some visitors over the observed period.

    Args:
        events: Flat or enriched events, in any order; without duplicates; all events of a visitor or none.
        where: Events that count.
        idle_minutes: Idle time-out of a visit, in minutes, greater than 0.
        steps: Steps of the funnel.

    Raises:
        EventFrameError: The table is not a table of events.
        ValueError: The idle time-out is not greater than 0.
    """

    def __init__(
        self, events: pl.DataFrame, *, where: pl.Expr, idle_minutes: float, steps: Sequence[FunnelStep] = STAGE_STEPS
    ) -> None:
        self._steps = steps
        self._events: pl.DataFrame | None = enriched(events)
        time = pl.col("event_time").filter(where)
        span: tuple[datetime | None, datetime | None] = self._events.select(min=time.min(), max=time.max()).row(0)
        self.first_time, self.last_time = span
        line = timeline(self._events, idle_minutes=idle_minutes, where=where).with_columns(
            hour=pl.col("event_time").dt.truncate("1h")
        )
        # Of the timeline, only the order is needed later, for first-touch dimensions.
        self._line = line.select("visitor", "order")
        self._n_visitors = int(line.select(_code("visitor").max().fill_null(0)).item())
        self._views = line.filter("page").select("visitor", "event_time", "hour", "order", visit="visit_so_far")
        self._requests = line.filter("request").select("visitor", "event_time", "hour")
        self._values: dict[Dimension, pl.Series] = {}
        self._ledgers: dict[tuple[Dimension, ...], _Ledger] = {}

    def release_events(self, dimensions: Iterable[Dimension]) -> None:
        """Release the events, keeping only what is needed to count by these dimensions.

        Args:
            dimensions: Dimensions to keep.
        """
        for dimension in dimensions:
            self._known(dimension)
        # Computed while the events are here; later they are gone.
        _ = self.depths, self.n_staged_views
        self._events = None
        self._line = self._line.clear()

    def count(self, dimensions: tuple[Dimension, ...], *, hourly: bool) -> MergeableCounts:
        """Count page views, visitors, visits and demo requests, and visitors who converted.

        Args:
            dimensions: Dimensions to segment by, if any; a request counts for segments that were viewed before it.
            hourly: Count by hour as well, a visitor in each hour in which they view a page.

        Returns:
            Counts by ``hour`` (if hourly) and the dimensions: :data:`COUNTS` and, unless hourly, ``converted`` and
            ``too_late``, the visitors with a request who viewed the segment after it only.

        Raises:
            DimensionError: The events were released, and a dimension was not kept.
        """
        ledger = self._ledger(tuple(dimension for dimension in dimensions if dimension.touch == "any"))
        keys = [*(["hour"] if hourly else []), *(dimension.name for dimension in dimensions)]
        views, requests, too_late = (self._attributed(rows, dimensions) for rows in vars(ledger).values())
        # A visitor has one row per hour and segment, so the number of rows of an hour is its number of visitors.
        visitors = pl.len() if hourly else pl.col("new").sum()
        seen = _grouped(views, keys, pl.col("page_views").sum(), visitors.alias("visitors"), pl.col("visits").sum())
        converted = [] if hourly else [pl.col("converted").sum()]
        counted = [seen, _grouped(requests, keys, pl.len().alias("demo_requests"), *converted)]
        if not hourly:
            counted.append(_grouped(too_late, keys, pl.len().alias("too_late")))
        return MergeableCounts(pl.concat(counted, how="diagonal_relaxed"), keys)

    @cached_property
    def depths(self) -> MergeableCounts:
        """Counts of ``visitors`` by the ``depth`` they reach: the number of the last step of the funnel, or 0."""
        order, visitor = self._line["order"], self._line["visitor"]
        taken = pl.max_horizontal(
            pl.when(step.expression).then(depth) for depth, step in enumerate(self._steps, start=1)
        )
        depth = self._read(taken.fill_null(0).cast(pl.UInt8), order).to_numpy()
        starts = self._line.select(changes(_code("visitor")).arg_true()).to_series().to_numpy()
        deepest = np.maximum.reduceat(depth, starts) if len(starts) else depth
        # Who was never seen on a page is no visitor: servers send events of people whose browsers block everything.
        deepest = deepest[self._are_among(visitor.gather(starts), self._views["visitor"])]
        return MergeableCounts(pl.DataFrame({"depth": deepest}).with_columns(visitors=1), ["depth"])

    @cached_property
    def n_staged_views(self) -> int:
        """Number of page views with a funnel stage."""
        return int(self._read(pl.col("funnel_stage").is_not_null(), self._views["order"]).sum())

    def _read(self, expression: pl.Expr, order: pl.Series) -> pl.Series:
        """Values of an expression for the events in these rows of the table."""
        if self._events is None:
            raise DimensionError("the events were released; give your own dimensions beforehand")
        return self._events.select(expression).to_series().gather(order)

    def _known(self, dimension: Dimension) -> pl.Series:
        """Values of a dimension: one per page view or, for touch ``first``, one per visitor number."""
        if dimension not in self._values:
            of_all = dimension.touch == "first"
            order = self._line["order"] if of_all else self._views["order"]
            values = as_categorical(self._read(dimension.expression, order).alias(dimension.name))
            self._values[dimension] = self._first_touch(values) if of_all else values
        return self._values[dimension]

    def _first_touch(self, values: pl.Series) -> pl.Series:
        """First known value of each visitor, by visitor number."""
        known = first_known(self._line, values)
        # Visitors without a known value point to an additional row, which is null.
        places = np.full(self._n_visitors, known.height)
        places[known["visitor"].to_physical().to_numpy()] = np.arange(known.height)
        return known[values.name].extend_constant(None, 1).gather(places)

    def _attributed(self, rows: pl.DataFrame, dimensions: tuple[Dimension, ...]) -> pl.DataFrame:
        """Add first-touch values of the visitor to each row of a ledger."""
        visitors = rows["visitor"].to_physical()
        first = [dimension for dimension in dimensions if dimension.touch == "first"]
        return rows.with_columns(self._known(dimension).gather(visitors) for dimension in first)

    def _ledger(self, segments: tuple[Dimension, ...]) -> _Ledger:
        if segments not in self._ledgers:
            self._ledgers[segments] = self._enter(segments)
        return self._ledgers[segments]

    def _enter(self, segments: tuple[Dimension, ...]) -> _Ledger:
        """Build the ledger for dimensions of touch ``any``."""
        names = [dimension.name for dimension in segments]
        views = self._views.drop("order").with_columns(self._known(dimension) for dimension in segments)
        if segments:
            # Views of one segment become adjacent, so that its first one is where the value changes.
            views = views[stable_order(views["visitor"], *(views[name] for name in names))]
        enters = pl.any_horizontal(changes(_code(name)) for name in ("visitor", *names))
        views = views.with_columns(enters=enters)
        requests, too_late = self._requests, self._requests.clear().select("visitor")
        if segments:
            requests_later = pl.Series(self._are_among(views["visitor"], requests["visitor"]))
            # A request counts for every segment seen before it, not only for the last.
            exposures = views.filter("enters", requests_later).select("visitor", *names, seen_at="event_time")
            requests = requests.join(exposures, on="visitor").filter(pl.col("seen_at") < pl.col("event_time"))
            segment = ["visitor", *names]
            too_late = exposures.join(requests, on=segment, how="anti", nulls_equal=True).select(segment)
        seen = pl.Series(self._are_among(requests["visitor"], self._views["visitor"]))
        first = pl.struct("visitor", *names).is_first_distinct()
        counted = requests.select("visitor", "hour", *names, converted=first & seen)
        return _Ledger(_by_hour(views, names), counted, too_late)

    def _are_among(self, visitors: pl.Series, others: pl.Series) -> NDArray[np.bool_]:
        """Whether each visitor is one of the others."""
        is_one = np.zeros(self._n_visitors, dtype=np.bool_)
        is_one[others.to_physical().to_numpy()] = True
        return np.take(is_one, visitors.to_physical().to_numpy())


class TrafficInParts:
    """The same of events in parts, of which only counts are kept: a question that was not announced reads them again.

    Args:
        parts: At least one part of the events, with all events of a person in one part; can be read again and again.
        traffic: Makes the traffic of a part.
        questions: What will be asked: dimensions, and whether by hour.

    Attributes:
        first_time: Time of the first event that counts.
        last_time: Time of the last one.
        depths: As :attr:`Traffic.depths`.
        n_staged_views: As :attr:`Traffic.n_staged_views`.
    """

    def __init__(
        self,
        parts: Iterable[pl.DataFrame],
        traffic: Callable[[pl.DataFrame], Traffic],
        questions: Iterable[Question],
    ) -> None:
        self._parts, self._traffic = parts, traffic
        self._counts: dict[Question, MergeableCounts] = {}
        asked = [*dict.fromkeys(questions)]
        facts = [(each.first_time, each.last_time, each.depths, each.n_staged_views) for each in self._answering(asked)]
        first, last, depths, staged = zip(*facts, strict=True)
        self.first_time = min((time for time in first if time), default=None)
        self.last_time = max((time for time in last if time), default=None)
        self.depths, self.n_staged_views = MergeableCounts.sum(depths), sum(staged)

    def count(self, dimensions: tuple[Dimension, ...], *, hourly: bool) -> MergeableCounts:
        """As :meth:`Traffic.count`."""
        question = dimensions, hourly
        if question not in self._counts:
            for _ in self._answering([question]):
                pass
        return self._counts[question]

    def _answering(self, questions: Sequence[Question]) -> Iterator[Traffic]:
        """Each part in turn; after the last one the questions are answered."""
        counts: dict[Question, list[MergeableCounts]] = {question: [] for question in questions}
        for part in self._parts:
            traffic = self._traffic(part)
            for dimensions, hourly in questions:
                counts[dimensions, hourly].append(traffic.count(dimensions, hourly=hourly))
            yield traffic
        self._counts |= {question: MergeableCounts.sum(each) for question, each in counts.items()}


def _code(name: str) -> pl.Expr:
    """Physical code of a categorical value, from 1; 0 for null."""
    return (pl.col(name).to_physical().cast(pl.Int64) + 1).fill_null(0)


def _by_hour(views: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """One row per visitor, segment and hour; its views are adjacent."""
    starts_visit = pl.col("enters") | changes(pl.col("visit"))
    return (
        views.lazy()
        .with_row_index("n_before")
        .with_columns(visits=starts_visit.cum_sum() - starts_visit)
        .filter(pl.col("enters") | changes(pl.col("hour")))
        .select(
            "visitor",
            "hour",
            *names,
            # Differences of cumulative counts, because a group-by would cost far more.
            page_views=pl.col("n_before").shift(-1, fill_value=views.height) - pl.col("n_before"),
            visits=pl.col("visits").shift(-1, fill_value=_n_true(views, starts_visit)) - pl.col("visits"),
            new="enters",
        )
        .collect()
    )


def _n_true(table: pl.DataFrame, condition: pl.Expr) -> int:
    return int(table.select(condition.sum()).item())


def _grouped(rows: pl.DataFrame, keys: list[str], *counts: pl.Expr) -> pl.DataFrame:
    """Counts by group, or of all rows without keys; null values of dimensions are named ``(not set)``."""
    if not keys:
        return rows.select(counts)
    # Categoricals are grouped by their codes; only the few resulting rows become strings.
    named = pl.col([key for key in keys if key != "hour"]).cast(pl.String).fill_null(NOT_SET)
    return rows.group_by(keys).agg(counts).with_columns(named)
