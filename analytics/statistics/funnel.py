"""Funnel statistics: page views, visitors, visits, demo requests and conversion, by hour, segment and stage.

Every rate has a Wilson interval and its denominator. Hours are UTC hours of the calendar, so two days are never mixed,
and hours without events have zeros.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import polars as pl

from analytics.errors import AnalyticsError
from analytics.events.clocks import without_impossible
from analytics.events.dimensions import DIMENSIONS, By, Dimension, dimensions_of
from analytics.events.times import in_utc
from analytics.events.tracking_plan import UTC_MS, refuse_uncountable
from analytics.sessions.identity import stitched
from analytics.sessions.timeline import countable, enriched
from analytics.signals.definitions import IDLE_MINUTES
from analytics.signals.site import STAGE_STEPS, FunnelStep
from analytics.statistics.intervals import rate_with_interval
from analytics.statistics.mergeable_counts import MergeableCounts
from analytics.statistics.traffic import COUNTS, Question, Traffic, TrafficInParts

_CONVERSION: Final = ("conversion", "conversion_low", "conversion_high")


class FunnelStatistics:
    """Counts and rates of a table of events over the observed period.

    Visitors are persons: browsers and user ids that events or alias calls name together are one; see
    :func:`analytics.sessions.identity.stitch`. *Visitors* and *visits* are those with a page view, *demo requests* all
    ``Demo Requested`` events. Servers send demo requests whether or not the browser's events arrive: a request of a
    visitor without a page view counts in ``demo_requests``, but not in ``converted`` or any rate. *Conversion* is the
    share of visitors with at least one demo request.

    Args:
        events: Flat or enriched events, in any order, without duplicates (the event store removes them). Or at least
            one part of them, with all events of a person in one part, as of
            :func:`analytics.sessions.partitions.partitions_by_visitor`: counts are those of all parts together, and
            only a few small numbers per event stay in memory.
        observed_from: Start of the period; the first event unless given. A naive time is UTC.
        observed_until: End of the period, itself excluded; just after the last event unless given.
        include_bots: Count the events of bots too.
        level: Confidence level of the intervals, between 0 and 1.
        idle_minutes: Idle time-out of a visit, in minutes, greater than 0.
        own_dimensions: Your own dimensions, besides :data:`analytics.events.dimensions.DIMENSIONS`. Needed in advance
            only for events in parts.
        stitch: Whether visitors are persons, or browsers as they are.
        funnel: Steps of a funnel of your own, such as ``settings.funnel_steps``; by default the stages of pages, then
            the demo request.
        questions: For enriched parts that can be read again and again, such as a list: what will be asked, as
            dimensions and whether by hour. Nothing but these counts stays in memory, and another question reads the
            parts again.

    Attributes:
        n_impossible_times: Events that count nowhere, because a wrong clock must have set their times; see
            :func:`analytics.events.clocks.are_impossible`. Events in
            parts are judged by their years alone; ``partitions_by_visitor`` leaves out the others before.

    Raises:
        EventFrameError: The table is not a table of events.
        AnalyticsError: The period ends before it starts.
        ValueError: The idle time-out is not greater than 0.

    >>> from analytics.events.tracking_plan import EVENT_SCHEMA
    >>> nothing = pl.DataFrame(schema=EVENT_SCHEMA)
    >>> FunnelStatistics(nothing).totals()["visitors"].item()
    0
    """

    def __init__(
        self,
        events: pl.DataFrame | Iterable[pl.DataFrame],
        *,
        observed_from: datetime | None = None,
        observed_until: datetime | None = None,
        include_bots: bool = False,
        level: float = 0.95,
        idle_minutes: float = IDLE_MINUTES,
        own_dimensions: Iterable[Dimension] = (),
        stitch: bool = True,
        funnel: Sequence[FunnelStep] = (),
        questions: Iterable[Question] | None = None,
    ) -> None:
        self.observed_from, self.observed_until = in_utc(observed_from), in_utc(observed_until)
        if self.observed_from and self.observed_until and self.observed_from >= self.observed_until:
            raise AnalyticsError(f"the period ends ({self.observed_until}) before it starts ({self.observed_from})")
        self.level = level
        self._steps = tuple(funnel) or STAGE_STEPS
        where = self._where(include_bots=include_bots)
        self._traffic: list[Traffic | TrafficInParts] = []
        self.n_impossible_times = 0
        if questions is not None and not isinstance(events, pl.DataFrame):
            make = partial(Traffic, where=where, idle_minutes=idle_minutes, steps=self._steps)
            self._traffic.append(TrafficInParts(events, make, questions))
            return
        if isinstance(events, pl.DataFrame):
            possible, self.n_impossible_times = without_impossible(countable(events))
            table = stitched(possible) if stitch else possible
            self._traffic.append(Traffic(table, where=where, idle_minutes=idle_minutes, steps=self._steps))
            return
        kept = (*DIMENSIONS.values(), *own_dimensions)
        for part in events:
            refuse_uncountable(part)
            possible, n_impossible = without_impossible(enriched(part), by_year=True)
            self.n_impossible_times += n_impossible
            table = stitched(possible) if stitch else possible
            traffic = Traffic(table, where=where, idle_minutes=idle_minutes, steps=self._steps)
            traffic.release_events(kept)
            self._traffic.append(traffic)

    @property
    def dimensions(self) -> pl.DataFrame:
        """All dimensions: ``dimension``, ``meaning`` and ``touch`` (see :class:`Dimension`)."""
        rows = [(dimension.name, dimension.meaning, dimension.touch) for dimension in DIMENSIONS.values()]
        return pl.DataFrame(rows, schema=["dimension", "meaning", "touch"], orient="row")

    def totals(self) -> pl.DataFrame:
        """Return totals in one row: the four counts, ``converted`` visitors, and conversion with its interval."""
        return self._rates(()).drop("n")

    def segments(self, by: By) -> pl.DataFrame:
        """Count by one dimension, or by pairs of two (region × page group).

        With a dimension of touch ``any`` a demo request counts only in segments that were viewed before it, and who
        viewed a segment only after their request is no case of its conversion. Two such dimensions are combined per
        page view.

        Args:
            by: One or two dimensions.

        Returns:
            One row per segment that occurs, by descending ``page_views``: the dimensions, the four counts,
            ``converted`` (visitors with a request), ``conversion`` with its interval, and ``n``, its denominator:
            the visitors without those who viewed the segment only after their request.

        Raises:
            DimensionError: A dimension is unknown, or there are more than two.
        """
        wanted = dimensions_of(by, at_most=2)
        names = [dimension.name for dimension in wanted]
        return self._rates(wanted).sort("page_views", *names, descending=[True, *(False for _ in names)])

    def hourly(self, by: By = None) -> pl.DataFrame:
        """Count by UTC hour of the observed period, hours without events included.

        Args:
            by: Dimensions to segment by, if any.

        Returns:
            One row per ``hour`` (its start) and segment, in that order, with the four counts, and ``partial``.
            ``visitors`` counts those with a page view in the hour; a visit counts in the hour in which it starts (with
            a dimension of touch ``any``: of its first page view in the segment), a request in the hour in which it is
            made. An hour is ``partial`` if the observed period does not cover it whole. Without ``observed_from`` and
            ``observed_until`` the period is that from the first event to the last, so that the first hour is partial
            unless an event is at its very start, and the last one always, but for its last millisecond.

        Raises:
            DimensionError: A dimension is unknown.
        """
        wanted = dimensions_of(by)
        names = [dimension.name for dimension in wanted]
        counts = self._counts(wanted, hourly=True)
        # Segments have rows also in hours without their events, or averages over hours would be too high.
        grid = self._hours().join(counts.select(names).unique(), how="cross") if names else self._hours()
        return (
            grid.join(counts, on=["hour", *names], how="left")
            .with_columns(pl.col(COUNTS).fill_null(0), self._partial())
            .sort("hour", *names)
        )

    def moving_average(self, hours: int = 3, by: By = None) -> pl.DataFrame:
        """Return trailing moving averages of the hourly counts, with zeros for hours without events.

        Args:
            hours: Length of the window, at least 1.
            by: Dimensions to segment by, if any.

        Returns:
            The rows of :meth:`hourly` with means instead of counts; null in the first ``hours - 1`` hours. A partial
            hour is in no mean, and the mean is ``partial`` where its window has one: it is of fewer hours, or null.

        Raises:
            AnalyticsError: The window is shorter than one hour.
            DimensionError: A dimension is unknown.
        """
        if hours < 1:
            raise AnalyticsError(f"hours: a window has at least 1 hour (got {hours})")
        names = [dimension.name for dimension in dimensions_of(by)]
        is_whole = ~pl.col("partial")
        n_whole = is_whole.cast(pl.UInt32).rolling_sum(hours)
        # By whole hours alone: the events themselves end the last one, so that their rate in it is too high.
        total = pl.when(is_whole).then(pl.col(COUNTS)).otherwise(0).cast(pl.Float64).rolling_sum(hours)
        means = pl.when(n_whole > 0).then(total / n_whole)
        partial = pl.col("partial").cast(pl.UInt8).rolling_max(hours, min_samples=1).cast(pl.Boolean)
        averages = [means, partial]
        return self.hourly(by).with_columns(each.over(names) if names else each for each in averages)

    def funnel(self) -> pl.DataFrame:
        """Return the funnel: visitors by step, from the first to the last.

        The steps are the stages of pages (top, middle, bottom) and the demo request, unless there are steps of one's
        own. A visitor, who is somebody with a page view, reaches a step by taking it or a later one, in whatever order
        of time: a view of a page of the bottom stage reaches the top too. So numbers never increase from step to step,
        even for visitors who land on a later one.

        If no page view has a stage, the stages are unknown, and their numbers null; see :attr:`has_stages`.

        Returns:
            One row per ``stage`` (the name of the step): ``visitors`` who reach it; ``share`` of all ``n`` visitors;
            ``step_rate``, the share of the ``n_step`` who reached the step before (null for the first); both with
            ``_low`` and ``_high``.
        """
        depths = MergeableCounts.sum(part.depths for part in self._traffic).table
        names = [step.name for step in self._steps]
        reached = [int(depths.filter(pl.col("depth") >= depth)["visitors"].sum()) for depth in range(len(names) + 1)]
        known: list[int | None] = [*reached[1:]]
        if reached[0] and not self.has_stages:
            # Requests do not need stages; visitors before them would be 0, or as many as there are requests.
            known = [*(None for _ in known[:-1]), known[-1]]
        return (
            pl.DataFrame({"stage": names, "visitors": known}, schema_overrides={"visitors": pl.UInt32})
            .with_columns(n=pl.lit(reached[0], dtype=pl.UInt32), n_step=pl.col("visitors").shift())
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

    @property
    def is_by_stage(self) -> bool:
        """Whether the steps of the funnel are the stages of pages, and not steps of one's own."""
        return self._steps is STAGE_STEPS

    @property
    def has_stages(self) -> bool:
        """Whether the steps of the funnel are known: those of one's own are, and stages if any page view has one."""
        return not self.is_by_stage or any(part.n_staged_views for part in self._traffic)

    def _where(self, *, include_bots: bool) -> pl.Expr:
        """Filter of the events that count."""
        time = pl.col("event_time")
        wanted = pl.lit(value=True) if include_bots else ~pl.col("is_bot")
        if self.observed_from is not None:
            wanted &= time >= pl.lit(self.observed_from, dtype=UTC_MS)
        if self.observed_until is not None:
            wanted &= time < pl.lit(self.observed_until, dtype=UTC_MS)
        return wanted

    def _counts(self, dimensions: tuple[Dimension, ...], *, hourly: bool = False) -> pl.DataFrame:
        """Counts by the dimensions, and optionally by hour."""
        return MergeableCounts.sum(part.count(dimensions, hourly=hourly) for part in self._traffic).table

    def _rates(self, dimensions: tuple[Dimension, ...]) -> pl.DataFrame:
        names = [dimension.name for dimension in dimensions]
        return (
            self._counts(dimensions)
            .with_columns(n=pl.col("visitors") - pl.col("too_late"))
            .with_columns(rate_with_interval("converted", "n", "conversion", self.level))
            .unnest("rates")
            .select(*names, *COUNTS, "converted", *_CONVERSION, "n")
        )

    @property
    def _period(self) -> tuple[datetime | None, datetime | None]:
        """Beginning of the observed period, and its end, itself excluded; None without events where not given."""
        first = self.observed_from or min((part.first_time for part in self._traffic if part.first_time), default=None)
        last = max((part.last_time for part in self._traffic if part.last_time), default=None)
        return first, self.observed_until or (last and last + timedelta(milliseconds=1))

    def _hours(self) -> pl.DataFrame:
        """All UTC hours of the observed period."""
        first, end = self._period
        if first is None or end is None:
            return pl.DataFrame(schema={"hour": UTC_MS})
        # The end is excluded: an hour that begins there is not observed.
        last = end - timedelta(milliseconds=1)
        start, stop = (pl.lit(moment, dtype=UTC_MS).dt.truncate("1h") for moment in (first, last))
        return pl.select(hour=pl.datetime_range(start, stop, interval="1h"))

    def _partial(self) -> pl.Expr:
        """Whether the observed period does not cover an hour whole."""
        first, end = (pl.lit(moment, dtype=UTC_MS) for moment in self._period)
        return ((pl.col("hour") < first) | (pl.col("hour").dt.offset_by("1h") > end)).alias("partial")
