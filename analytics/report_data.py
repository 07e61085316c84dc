"""What a report shows: the tables of the statistics, the model, and whatever else is known of the events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from analytics.content_by_segment import SegmentContent
    from analytics.intent_results import IntentResults
    from analytics.naive_analyses import SideBySide
    from analytics.session_length import SessionLengthComparison
    from analytics.statistics import FunnelStatistics

__all__ = ["PICKED_SEGMENTS", "REPORTED_SEGMENTS", "ReportData", "SalesDesk"]

REPORTED_SEGMENTS: Final = ("channel", "region", "device", "region:content")
"""Segmentations that every report shows: dimensions, and pairs of them."""


PICKED_SEGMENTS: Final = ("region", "channel", "device")
"""Dimensions by which the traffic of a report can be looked at."""


@dataclass(frozen=True, eq=False)
class SalesDesk:
    """Every demo request at the desk.

    Args:
        requests: One row per request: ``requested_s``, ``responded_s``, ``scheduled_s`` and ``slot_s`` in seconds since
            the start, ``response_minutes``; null for what has not happened.
        start: When the clock started, UTC.
        end: When it stopped.
    """

    requests: pl.DataFrame
    start: datetime
    end: datetime


@dataclass(frozen=True, eq=False)
class ReportData:
    """What a report shows. Tables are those of :class:`analytics.statistics.FunnelStatistics`.

    Args:
        title: What the report is about, such as the name of the scenario.
        totals: Counts and conversion of the whole, one row.
        hourly: Counts by hour.
        moving_average: Averages of these counts.
        funnel: Visitors by stage.
        segments: Counts and conversion by segment, under ``channel``, or ``region:content`` for a pair.
        hourly_by: Counts by hour and segment, and their moving averages, by dimension.
        moving_average_hours: Length of the averages in hours.
        level: Confidence level of the intervals of rates, between 0 and 1.
        description: What the title stands for, in a sentence or two.
        seed: Seed of the simulation, for events that were simulated.
        intent: The intent model; None when it could not be fitted.
        model_error: Why it could not be fitted.
        session_length: The model with session length in several forms.
        analyses: The model beside what one row per visitor would say.
        content: Conversion by segment and content seen before the decision, by segment.
        sales: What became of the demo requests: counts, rates, waits and utilisations, under the names of the
            simulator's sales summary; as many as are known, others under their own names.
        sales_desk: Each of the requests, where they are known.
        store: The event store's counters: ``received``, ``accepted``, ``duplicate``, ``conflict``, ``late`` and
            ``invalid``.
        invalid_by_reason: How many events could not be used, by reason.
        provenance: Where the numbers come from: versions, digest, inputs, by what each is.
    """

    title: str
    totals: pl.DataFrame
    hourly: pl.DataFrame
    moving_average: pl.DataFrame
    funnel: pl.DataFrame
    segments: Mapping[str, pl.DataFrame]
    hourly_by: Mapping[str, tuple[pl.DataFrame, pl.DataFrame]] = field(default_factory=dict)
    moving_average_hours: int = 3
    level: float = 0.95
    description: str = ""
    seed: int | None = None
    intent: IntentResults | None = None
    model_error: str | None = None
    session_length: SessionLengthComparison | None = None
    analyses: SideBySide | None = None
    content: Mapping[str, SegmentContent] = field(default_factory=dict)
    sales: Mapping[str, float | None] | None = None
    sales_desk: SalesDesk | None = None
    store: Mapping[str, int] | None = None
    invalid_by_reason: Mapping[str, int] = field(default_factory=dict)
    provenance: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        statistics: FunnelStatistics,
        *,
        title: str,
        segments: Sequence[str] = (),
        moving_average_hours: int = 3,
        description: str = "",
        seed: int | None = None,
        intent: IntentResults | None = None,
        model_error: str | None = None,
        session_length: SessionLengthComparison | None = None,
        analyses: SideBySide | None = None,
        content: Mapping[str, SegmentContent] | None = None,
        sales: Mapping[str, float | None] | None = None,
        sales_desk: SalesDesk | None = None,
        store: Mapping[str, int] | None = None,
        invalid_by_reason: Mapping[str, int] | None = None,
        provenance: Mapping[str, object] | None = None,
    ) -> ReportData:
        """Gather the tables of a report from the statistics; the arguments are those of the class.

        Args:
            statistics: Counts the events.
            title: What the report is about.
            segments: Dimensions, or pairs such as ``region:content``, to show beside :data:`REPORTED_SEGMENTS`.
            moving_average_hours: Length of the averages in hours.
            description: What the title stands for.
            seed: Seed of the simulation.
            intent: The intent model.
            model_error: Why there is none.
            session_length: The model with session length in several forms.
            analyses: The model beside what one row per visitor would say.
            content: Conversion by segment and content seen before the decision, by segment.
            sales: What became of the demo requests.
            sales_desk: Each of them.
            store: The event store's counters.
            invalid_by_reason: How many events could not be used, by reason.
            provenance: Where the numbers come from.

        Raises:
            DimensionError: A dimension is unknown.
        """
        wanted = dict.fromkeys((*REPORTED_SEGMENTS, *segments))
        return cls(
            title=title,
            totals=statistics.totals(),
            hourly=statistics.hourly(),
            moving_average=statistics.moving_average(moving_average_hours),
            funnel=statistics.funnel(),
            segments={name: statistics.segments(name.split(":")) for name in wanted},
            hourly_by={
                name: (statistics.hourly(name), statistics.moving_average(moving_average_hours, name))
                for name in PICKED_SEGMENTS
            },
            moving_average_hours=moving_average_hours,
            level=statistics.level,
            description=description,
            seed=seed,
            intent=intent,
            model_error=model_error,
            session_length=session_length,
            analyses=analyses,
            content=content or {},
            sales=sales,
            sales_desk=sales_desk,
            store=store,
            invalid_by_reason=invalid_by_reason or {},
            provenance=provenance or {},
        )
