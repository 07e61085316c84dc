"""What an analyst counts: page views, visitors, visits, demo requests and conversion, by hour, segment and stage.

Every rate comes with the Wilson interval and the number it is a share of. Hours are UTC hours of the calendar, so two
days are never mixed, and hours in which nothing happened are there with zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final

import polars as pl

from analytics.dimensions import DIMENSIONS, NOT_SET, By, Dimension, dimensions_of
from analytics.errors import AnalyticsError
from analytics.events import UTC_MS, FunnelStage
from analytics.intervals import rate_with_interval
from analytics.sessions import enriched, timeline
from analytics.signals import IDLE_MINUTES

__all__ = ["FunnelStatistics"]

_COUNTS: Final = ("page_views", "visitors", "visits", "demo_requests")
_CONVERSION: Final = ("conversion", "conversion_low", "conversion_high")


@dataclass(frozen=True)
class _Cut:
    """The traffic with its segments: page views, and the demo requests that count for each segment."""

    views: pl.DataFrame
    requests: pl.DataFrame


class FunnelStatistics:
    """Counts and rates of a table of events over the observed period.

    *Visitors* are those of whom a page view was seen, *visits* those with a page view, *demo requests* all ``Demo
    Requested`` events. Servers send demo requests whether or not the browser's events got through: a request of a
    visitor without any page view counts among the ``demo_requests``, but not in ``converted``, nor in any rate.
    *Conversion* is the share of visitors who asked for a demo at least once.

    Args:
        events: Flat or enriched events, in any order; each event once (the event store sees to that).
        observed_from: Start of the period; the first event unless given. A naive time is UTC.
        observed_until: End of the period, itself excluded; just after the last event unless given.
        include_bots: Count the events of programs too.
        level: Confidence level of the intervals, between 0 and 1.
        idle_minutes: Idle time-out of a visit, in minutes, greater than 0.

    Raises:
        EventFrameError: The table is not a table of events.
        AnalyticsError: The period ends before it starts.
    """

    def __init__(
        self,
        events: pl.DataFrame,
        *,
        observed_from: datetime | None = None,
        observed_until: datetime | None = None,
        include_bots: bool = False,
        level: float = 0.95,
        idle_minutes: float = IDLE_MINUTES,
    ) -> None:
        self.observed_from, self.observed_until = _utc(observed_from), _utc(observed_until)
        if self.observed_from and self.observed_until and self.observed_from >= self.observed_until:
            raise AnalyticsError(f"the period ends ({self.observed_until}) before it starts ({self.observed_from})")
        self.level = level
        self._idle_minutes = idle_minutes
        self._table = enriched(events).filter(*self._in_period(), *(() if include_bots else (~pl.col("is_bot"),)))

    @property
    def dimensions(self) -> pl.DataFrame:
        """The dimensions there are: ``dimension``, ``meaning`` and ``touch`` (see :class:`Dimension`)."""
        rows = [(dimension.name, dimension.meaning, dimension.touch) for dimension in DIMENSIONS.values()]
        return pl.DataFrame(rows, schema=["dimension", "meaning", "touch"], orient="row")

    def totals(self) -> pl.DataFrame:
        """Count the whole: one row with the four counts, ``converted`` visitors and conversion with its interval."""
        return self._rates(()).drop("n")

    def segments(self, by: By) -> pl.DataFrame:
        """Count by one dimension or by the pairs of two (geography × content).

        With a dimension of touch ``any`` a demo request counts only where the content was seen before the request, and
        two such dimensions are combined page view by page view.

        Args:
            by: One or two dimensions.

        Returns:
            One row per segment that occurs, by falling ``page_views``: the dimensions, the four counts, ``converted``
            (visitors with a request), ``conversion`` with its bounds, and ``n``, the visitors it is a share of.

        Raises:
            DimensionError: A dimension is unknown, or there are more than two.
        """
        wanted = dimensions_of(by, at_most=2)
        names = [dimension.name for dimension in wanted]
        return self._rates(wanted).sort("page_views", *names, descending=[True, *(False for _ in names)])

    def hourly(self, by: By = None) -> pl.DataFrame:
        """Count by UTC hour of the observed period, hours without events included.

        Args:
            by: Dimensions to cut each hour by, if any.

        Returns:
            One row per ``hour`` (its start) and segment, in that order, with the four counts. ``visitors`` counts those
            with a page view in the hour; a visit counts in the hour in which it starts (with a dimension of touch
            ``any``: in which it first comes to the segment), a request in the hour in which it is made.

        Raises:
            DimensionError: A dimension is unknown.
        """
        wanted = dimensions_of(by)
        names = [dimension.name for dimension in wanted]
        counts = self._counts(wanted, ["hour"]).drop("converted")
        grid = self._hours().join(counts.select(names).unique(), how="cross") if names else self._hours()
        return (
            grid.join(counts, on=["hour", *names], how="left")
            .with_columns(pl.col(_COUNTS).fill_null(0))
            .sort("hour", *names)
        )

    def moving_average(self, hours: int = 3, by: By = None) -> pl.DataFrame:
        """Average the hourly counts over the running hour and the ones before it, hours without events as zeros.

        Args:
            hours: Length of the window, at least 1.
            by: Dimensions to cut by, if any.

        Returns:
            The rows of :meth:`hourly` with means in place of counts; null in the first ``hours - 1`` hours, where the
            window is not full.

        Raises:
            AnalyticsError: The window is shorter than one hour.
            DimensionError: A dimension is unknown.
        """
        if hours < 1:
            raise AnalyticsError(f"hours: a window has at least 1 hour (got {hours})")
        names = [dimension.name for dimension in dimensions_of(by)]
        means = pl.col(_COUNTS).cast(pl.Float64).rolling_mean(hours)
        return self.hourly(by).with_columns(means.over(names) if names else means)

    def funnel(self) -> pl.DataFrame:
        """Follow the visitors from the top of the funnel to the demo request.

        A visitor reaches a stage by viewing a page of it or of a later stage, or by asking for a demo: so the numbers
        can only fall from stage to stage, also where somebody lands in the middle.

        Returns:
            One row per ``stage`` (top, middle, bottom, demo request): ``visitors`` who reach it; ``share`` of all ``n``
            visitors; ``step_rate``, the share of the ``n_step`` who reached the stage before (null at the top); both
            with ``_low`` and ``_high``.
        """
        depths = {str(stage): depth for depth, stage in enumerate(FunnelStage, start=1)}
        stage = self._values(self._views["order"], pl.col("funnel_stage").cast(pl.String))
        deepest = (
            self._views.select("visitor", depth=stage.replace_strict(depths, default=0, return_dtype=pl.UInt8))
            .group_by("visitor")
            .agg(pl.col("depth").max())
            .join(self._requests.select("visitor", asked=True).unique("visitor"), on="visitor", how="left")
            .select(depth=pl.when("asked").then(len(depths) + 1).otherwise("depth"))
        )
        reached = [deepest.filter(pl.col("depth") >= depth).height for depth in range(1, len(depths) + 2)]
        return (
            pl.DataFrame(
                {"stage": [*depths, "demo request"], "visitors": reached}, schema_overrides={"visitors": pl.UInt32}
            )
            .with_columns(n=pl.lit(deepest.height, dtype=pl.UInt32), n_step=pl.col("visitors").shift())
            .with_columns(rate_with_interval("visitors", "n", "share", self.level).alias("share_of_all"))
            .with_columns(rate_with_interval("visitors", "n_step", "step_rate", self.level).alias("step"))
            .select(
                "stage",
                "visitors",
                pl.col("share_of_all").struct.unnest(),
                "n",
                pl.col("step").struct.unnest(),
                "n_step",
            )
        )

    def _in_period(self) -> list[pl.Expr]:
        time = pl.col("event_time")
        bounds = []
        if self.observed_from is not None:
            bounds.append(time >= pl.lit(self.observed_from, dtype=UTC_MS))
        if self.observed_until is not None:
            bounds.append(time < pl.lit(self.observed_until, dtype=UTC_MS))
        return bounds

    @cached_property
    def _timeline(self) -> pl.DataFrame:
        return timeline(self._table, idle_minutes=self._idle_minutes).with_columns(
            hour=pl.col("event_time").dt.truncate("1h")
        )

    @cached_property
    def _views(self) -> pl.DataFrame:
        return self._timeline.filter("page").drop("page", "request")

    @cached_property
    def _requests(self) -> pl.DataFrame:
        return self._timeline.filter("request").drop("page", "request", "visit")

    def _values(self, order: pl.Series, expression: pl.Expr) -> pl.Series:
        """Read a dimension off the events in these rows of the table."""
        return self._table.select(expression.alias("value")).to_series().gather(order)

    def _first_touch(self, dimension: Dimension) -> pl.DataFrame:
        """The first known value of each visitor, all their events taken together."""
        values = self._values(self._timeline["order"], dimension.expression).alias(dimension.name)
        known = self._timeline.select("visitor", values).filter(pl.col(dimension.name).is_not_null())
        return known.unique("visitor", keep="first", maintain_order=True)

    def _cut(self, dimensions: tuple[Dimension, ...]) -> _Cut:
        """Give page views and requests their segments."""
        views, requests = self._views, self._requests
        content = [dimension for dimension in dimensions if dimension.touch == "any"]
        names = [dimension.name for dimension in content]
        for dimension in content:
            views = views.with_columns(self._values(views["order"], dimension.expression).alias(dimension.name))
        if content:
            # Views are in order of time, so the first of a visitor and segment says since when the content is known.
            exposures = views.unique(["visitor", *names], keep="first", maintain_order=True)
            exposures = exposures.select("visitor", *names, seen_at="event_time")
            requests = requests.join(exposures, on="visitor").filter(pl.col("seen_at") < pl.col("event_time"))
        for dimension in dimensions:
            if dimension.touch == "first":
                values = self._first_touch(dimension)
                views = views.join(values, on="visitor", how="left", maintain_order="left")
                requests = requests.join(values, on="visitor", how="left", maintain_order="left")
        opens = pl.struct("visitor", "visit", *names).is_first_distinct()
        return _Cut(views.with_columns(opens=opens), requests)

    def _counts(self, dimensions: tuple[Dimension, ...], keys: list[str]) -> pl.DataFrame:
        """Count page views, visitors, visits and demo requests by the dimensions and the keys."""
        cut = self._cut(dimensions)
        names = [*keys, *(dimension.name for dimension in dimensions)]
        views = _grouped(
            cut.views,
            names,
            pl.len().alias("page_views"),
            pl.col("visitor").n_unique().alias("visitors"),
            pl.col("opens").sum().alias("visits"),
        )
        seen = self._views.select("visitor").unique()
        converted = pl.col("visitor").filter(pl.col("seen")).n_unique().alias("converted")
        requests = cut.requests.join(seen.with_columns(seen=True), on="visitor", how="left").with_columns(
            pl.col("seen").fill_null(value=False)
        )
        requests = _grouped(requests, names, pl.len().alias("demo_requests"), converted)
        joined = views.join(requests, on=names, how="full", coalesce=True) if names else views.hstack(requests)
        return joined.with_columns(pl.col(*_COUNTS, "converted").fill_null(0).cast(pl.UInt32))

    def _rates(self, dimensions: tuple[Dimension, ...]) -> pl.DataFrame:
        names = [dimension.name for dimension in dimensions]
        return (
            self._counts(dimensions, [])
            .with_columns(rate_with_interval("converted", "visitors", "conversion", self.level))
            .unnest("rates")
            .select(*names, *_COUNTS, "converted", *_CONVERSION, n="visitors")
        )

    def _hours(self) -> pl.DataFrame:
        """The UTC hours that the observed period touches."""
        times = self._table["event_time"]
        first = self.observed_from or times.min()
        last = self.observed_until - timedelta(milliseconds=1) if self.observed_until else times.max()
        if first is None or last is None:
            return pl.DataFrame(schema={"hour": UTC_MS})
        start, end = (pl.lit(moment, dtype=UTC_MS).dt.truncate("1h") for moment in (first, last))
        return pl.select(hour=pl.datetime_range(start, end, interval="1h"))


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _grouped(table: pl.DataFrame, names: list[str], *counts: pl.Expr) -> pl.DataFrame:
    """Count by group, or the whole when there are no groups; a dimension's missing values get a name."""
    if not names:
        return table.select(counts)
    # Vocabularies are grouped by their small codes; only the few rows that are left become texts.
    named = pl.col([name for name in names if name != "hour"]).cast(pl.String).fill_null(NOT_SET)
    return table.group_by(names).agg(counts).with_columns(named)
