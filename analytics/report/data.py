"""Contents of a report: the tables of the statistics, the model, and what else is known of the events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from analytics.settings import PICKED_SEGMENTS, REPORTED_SEGMENTS

if TYPE_CHECKING:
    import polars as pl

    from analytics.intent.naive_analyses import NaiveComparison
    from analytics.intent.results import IntentResults
    from analytics.intent.session_length import SessionLengthComparison
    from analytics.statistics.experiments.arms import ExperimentArms
    from analytics.statistics.funnel import FunnelStatistics
    from analytics.statistics.page_coverage import PageCoverage
    from analytics.statistics.segment_content import SegmentContent
from analytics.report.measurement import Measurement
from analytics.report.trust import TrustCheck


@dataclass(frozen=True)
class Claim:
    """A claim about what is reported.

    Args:
        description: What is claimed.
        passed: Whether it holds; None if a measure has no value.
        numbers: The comparison with its values, or why there is none.
    """

    description: str
    passed: bool | None
    numbers: str


@dataclass(frozen=True, eq=False)
class SalesDesk:
    """Demo requests at the sales desk.

    Args:
        requests: One row per request: ``requested_s``, ``responded_s``, ``scheduled_s`` and ``slot_s`` in seconds since
            the start, ``response_minutes``; null where it has not happened.
        start: When the clock started, UTC.
        end: When it stopped.
    """

    requests: pl.DataFrame
    start: datetime
    end: datetime


@dataclass(frozen=True, eq=False)
class SimulatedTruth:
    """What happened in a simulation, whether it was seen or not.

    Args:
        counts: As for :func:`analytics.report.measurement.measurement`.
        faults: What went wrong with events on their way: ``label``, ``events`` and ``browsers``.
    """

    counts: Mapping[str, float] = field(default_factory=dict)
    faults: pl.DataFrame | None = None


@dataclass(frozen=True, eq=False)
class ReportData:
    """Contents of a report; what is not known is omitted.

    Args:
        statistics: Counts and rates of the events.
        title: Subject of the report, such as the name of the scenario.
        extra_segments: Dimensions, or pairs such as ``region:page_group``, to show beside :data:`REPORTED_SEGMENTS`.
        moving_average_hours: Length of moving averages in hours.
        description: The subject in a sentence or two.
        seed: Seed of the simulation, if events were simulated.
        intent: The intent model; None when it could not be fitted.
        model_error: Why it could not be fitted.
        session_length: The model with session length in several forms.
        analyses: The model beside naive analyses with one row per visitor.
        pages: What is known of the pages.
        content: Conversion by segment and content seen before the decision, by segment.
        experiments: The arms of visitors, and how they differ in conversion.
        remarks: Sentences to read with the description.
        components: Name, class and settings of each component of the simulated world.
        why_truth_unknown: Why the true coefficients of a simulation are not known; empty otherwise.
        probes: What was measured while the simulated clock ran, by probe: ``time``, ``measure`` and ``value``.
        sales: Measures of the sales desk: counts, rates, waits and utilisations, by the names of the simulator's sales
            summary; other names are shown as they are.
        sales_desk: The requests themselves.
        store: The event store's counters: ``received``, ``accepted``, ``duplicate``, ``conflict``, ``late`` and
            ``invalid``.
        invalid_by_reason: Number of invalid events by reason.
        n_impossible_times: Events that are in no figure because a wrong clock must have set their times.
        claims: What the scenario claims, and whether it holds.
        provenance: Where the numbers come from: versions, digest, inputs, by name.
        trust: Checks whether the figures can be trusted.
        measurement: What happened, what was seen and what is estimated from it.
        faults: What went wrong with events on their way, of a simulation: ``label``, ``events`` and ``browsers``.
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
    pages: PageCoverage | None = None
    content: Mapping[str, SegmentContent] = field(default_factory=dict)
    experiments: ExperimentArms | None = None
    remarks: Sequence[str] = ()
    components: Sequence[tuple[str, str, str]] = ()
    why_truth_unknown: str = ""
    probes: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    sales: Mapping[str, float | None] | None = None
    sales_desk: SalesDesk | None = None
    store: Mapping[str, int] | None = None
    invalid_by_reason: Mapping[str, int] = field(default_factory=dict)
    n_impossible_times: int = 0
    claims: Sequence[Claim] = ()
    provenance: Mapping[str, object] = field(default_factory=dict)
    trust: Sequence[TrustCheck] = ()
    measurement: Measurement | None = None
    faults: pl.DataFrame | None = None

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
