"""What a report shows: the tables of the statistics, the model, and whatever else is known of the events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

    from analytics.intent.naive_analyses import NaiveComparison
    from analytics.intent.results import IntentResults
    from analytics.intent.session_length import SessionLengthComparison
    from analytics.statistics.funnel import FunnelStatistics
    from analytics.statistics.segment_content import SegmentContent

__all__ = ["PICKED_SEGMENTS", "REPORTED_SEGMENTS", "ReportData", "SalesDesk"]

REPORTED_SEGMENTS: Final = ("channel", "region", "device", "region:page_group")
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
    """What a report shows.

    Args:
        statistics: Counts the events.
        title: What the report is about, such as the name of the scenario.
        extra_segments: Dimensions, or pairs such as ``region:page_group``, to show beside :data:`REPORTED_SEGMENTS`.
        moving_average_hours: Length of the averages in hours.
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

    statistics: FunnelStatistics
    title: str
    extra_segments: Sequence[str] = ()
    moving_average_hours: int = 3
    description: str = ""
    seed: int | None = None
    intent: IntentResults | None = None
    model_error: str | None = None
    session_length: SessionLengthComparison | None = None
    analyses: NaiveComparison | None = None
    content: Mapping[str, SegmentContent] = field(default_factory=dict)
    sales: Mapping[str, float | None] | None = None
    sales_desk: SalesDesk | None = None
    store: Mapping[str, int] | None = None
    invalid_by_reason: Mapping[str, int] = field(default_factory=dict)
    provenance: Mapping[str, object] = field(default_factory=dict)

    @property
    def level(self) -> float:
        """Confidence level of the intervals of rates, between 0 and 1."""
        return self.statistics.level

    @cached_property
    def totals(self) -> pl.DataFrame:
        """Counts and conversion of the whole, one row."""
        return self.statistics.totals()

    @cached_property
    def hourly(self) -> pl.DataFrame:
        """Counts by hour."""
        return self.statistics.hourly()

    @cached_property
    def moving_average(self) -> pl.DataFrame:
        """Averages of these counts."""
        return self.statistics.moving_average(self.moving_average_hours)

    @cached_property
    def funnel(self) -> pl.DataFrame:
        """Visitors by stage."""
        return self.statistics.funnel()

    @cached_property
    def segments(self) -> Mapping[str, pl.DataFrame]:
        """Counts and conversion by segment, under ``channel``, or ``region:page_group`` for a pair."""
        wanted = dict.fromkeys((*REPORTED_SEGMENTS, *self.extra_segments))
        return {name: self.statistics.segments(name.split(":")) for name in wanted}

    @cached_property
    def hourly_by(self) -> Mapping[str, tuple[pl.DataFrame, pl.DataFrame]]:
        """Counts by hour and segment, and their moving averages, by dimension."""
        return {
            name: (self.statistics.hourly(name), self.statistics.moving_average(self.moving_average_hours, name))
            for name in PICKED_SEGMENTS
        }
