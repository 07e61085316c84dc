"""What events say, worked out when it is asked for: statistics, visits and the intent model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from analytics import charts
from analytics.events.dimensions import Dimension, dimensions_of
from analytics.sessions.bots import tag_bots
from analytics.sessions.timeline import enriched
from analytics.sessions.visits import begins_in, visit_table
from analytics.settings import AnalyticsSettings
from analytics.signals.arms import arm_signals
from analytics.signals.definitions import ConversionUnit, Signal
from analytics.statistics.funnel import FunnelStatistics

if TYPE_CHECKING:
    from analytics.intent.model import IntentModel
    from analytics.intent.naive_analyses import NaiveComparison
    from analytics.intent.results import IntentResults
    from analytics.intent.session_length import SessionLengthComparison
    from analytics.statistics.segment_content import SegmentContent


__all__ = ["Analysis", "Pictures", "analysis_html"]


class Analysis:
    """Statistics, visits and intent model of some events; each is worked out once, at the first question.

    Args:
        events: Returns the flat or enriched events, each once.
        settings: What the analyst chose.
        truth: True coefficient of every term, where it is known.
        observed_from: Start of the observed period; the first event unless given.
        observed_until: End of the observed period, itself excluded; just after the last event unless given.
        conversion_unit: Who asks for one demo at most, ``account`` or ``visitor``.
        window: The part of the observed period that statistics are about, and in which a visit must begin to be a row
            of the visit table, with all signals from before; the whole unless given.
    """

    def __init__(
        self,
        events: Callable[[], pl.DataFrame],
        settings: AnalyticsSettings,
        *,
        truth: Mapping[str, float] | None = None,
        observed_from: datetime | None = None,
        observed_until: datetime | None = None,
        conversion_unit: ConversionUnit = "account",
        window: tuple[datetime, datetime] | None = None,
    ) -> None:
        self.settings = settings
        self._read_events = events
        self._truth = truth
        self._observed_from = observed_from
        self._observed_until = observed_until
        self._demo_per: ConversionUnit = conversion_unit
        self._window = window
        self._cuts: dict[tuple[str, ...], pl.DataFrame] = {}

    def __repr__(self) -> str:
        return f"<Analysis by {', '.join(self.settings.segments)}>"

    def _repr_html_(self) -> str:
        return analysis_html(self)

    @property
    def pictures(self) -> Pictures:
        """The charts of the report, to be shown in a notebook or saved."""
        return Pictures(self)

    @cached_property
    def events(self) -> pl.DataFrame:
        """The events with the columns derived from them, such as the region, and programs tagged."""
        events = self._read_events()
        return tag_bots(events) if self.settings.find_bots else enriched(events)

    @cached_property
    def statistics(self) -> FunnelStatistics:
        """Counts and rates by hour and segment."""
        begin, end = self._window or (self._observed_from, self._observed_until)
        return FunnelStatistics(self.events, observed_from=begin, observed_until=end)

    @cached_property
    def visits(self) -> pl.DataFrame:
        """The visit table: one row per visit, with the signals so far (arms of experiments too) and the outcome."""
        visits = visit_table(
            self.events, observed_until=self._observed_until, signals=self._signals, conversion_unit=self._demo_per
        )
        return visits if self._window is None else visits.filter(begins_in(self._window))

    @cached_property
    def _signals(self) -> tuple[Signal, ...]:
        return (*self.settings.built_in_signals, *arm_signals(self.events), *self.settings.user_signals)

    @cached_property
    def intent(self) -> IntentResults:
        """The fitted intent model, beside the truth where it is known.

        Raises:
            AnalyticsError: It cannot be fitted to these visits; the message says why.
        """
        return self._model.fit(self.visits, truth=self._truth)

    @cached_property
    def session_length(self) -> SessionLengthComparison | None:
        """The intent model with session length in other forms; None where that cannot be told."""
        from analytics.errors import IntentModelError  # noqa: PLC0415 - as below
        from analytics.intent.session_length import SessionLengthComparison  # noqa: PLC0415

        coefficient = (self._truth or {}).get("log_session_minutes")
        try:
            return SessionLengthComparison(self.visits, self._model, coefficient)
        except IntentModelError:
            return None

    @cached_property
    def side_by_side(self) -> NaiveComparison:
        """The intent model beside what one row per visitor would say, with and without hindsight."""
        from analytics.errors import IntentModelError  # noqa: PLC0415 - as below
        from analytics.intent.naive_analyses import compare_analyses  # noqa: PLC0415 - as below

        try:
            by_visit = self.intent
        except IntentModelError:
            by_visit = None  # fitted once more, for its reason to stand beside the others
        return compare_analyses(self.events, self._model, self._truth, visits=self.visits, by_visit=by_visit)

    @cached_property
    def _model(self) -> IntentModel:
        # statsmodels takes more than a second to import; who asks for counts only should not wait for it.
        from analytics.intent.model import IntentModel  # noqa: PLC0415

        return IntentModel(self._signals, self.settings.interactions)

    def segments(self, *dimensions: Dimension) -> pl.DataFrame:
        """Counts and rates by one or two dimensions, or of the whole; each table is worked out once."""
        return self._cut("segments", dimensions, self.statistics.segments)

    def content_by(self, segment: str) -> SegmentContent:
        """Conversion by segment and content seen before the decision, with a test of interaction.

        Args:
            segment: A dimension of which each visitor has one value, such as ``region``.

        Raises:
            AnalyticsError: There is no such dimension, or visitors are in several of its segments.
        """
        from analytics.statistics.segment_content import segment_content  # noqa: PLC0415 - needs what the model needs

        return segment_content(
            self.events,
            segment,
            observed_until=self._observed_until,
            begun_in=self._window,
            conversion_unit=self._demo_per,
        )

    @cached_property
    def content_by_segment(self) -> dict[str, SegmentContent]:
        """The same for each segment that the analyst has crossed with content, by segment."""
        crossed = [
            dimension.name
            for segment in self.settings.segments
            for dimension in _crossed_with_content(dimensions_of(segment.split(":")))
        ]
        return {segment: self.content_by(segment) for segment in dict.fromkeys(crossed)}

    def hourly(self, *dimensions: Dimension) -> pl.DataFrame:
        """Counts by UTC hour, and by dimensions if any; each table is worked out once."""
        return self._cut("hourly", dimensions, self.statistics.hourly)

    def _cut(
        self, kind: str, dimensions: tuple[Dimension, ...], work_out: Callable[[Sequence[Dimension]], pl.DataFrame]
    ) -> pl.DataFrame:
        # The arms of each experiment are a dimension of their own, told apart by its meaning.
        key = (kind, *(f"{dimension.name}: {dimension.meaning}" for dimension in dimensions))
        if key not in self._cuts:
            self._cuts[key] = work_out(dimensions)
        return self._cuts[key]

    def tables(self) -> dict[str, pl.DataFrame]:
        """Tables of the statistics by name: the whole, by hour, the funnel, and one for each segmentation.

        Where a segment is crossed with content, so are the conversion by content seen before the decision, and the test
        of interaction.
        """
        statistics, settings = self.statistics, self.settings
        tables = {
            "totals": statistics.totals(),
            "hourly": self.hourly(),
            "moving_average": statistics.moving_average(settings.moving_average_hours),
            "funnel": statistics.funnel(),
        }
        for segment in settings.segments:
            dimensions = dimensions_of(segment.split(":"))
            tables[f"by_{segment.replace(':', '_and_')}"] = self.segments(*dimensions)
        for segment, crossed in self.content_by_segment.items():
            tables[f"content_by_{segment}"] = crossed.conversion
            tables[f"content_by_{segment}_tests"] = crossed.tests
        return tables


def _crossed_with_content(dimensions: Sequence[Dimension]) -> list[Dimension]:
    """The dimension that content is crossed with, if each visitor is in one of its segments."""
    if "page_group" not in {dimension.name for dimension in dimensions}:
        return []
    return [dimension for dimension in dimensions if dimension.touch == "first"]


class Pictures:
    """What can be drawn of an analysis.

    Args:
        analysis: The events and what they say.
    """

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis

    def hourly(self) -> charts.Picture:
        """Page views and demo requests by UTC hour, with their moving averages."""
        hours = self._analysis.settings.moving_average_hours
        moving = self._analysis.statistics.moving_average(hours)
        return charts.picture_of(
            charts.hourly_chart(charts.traffic_by(self._analysis.hourly(), moving)[2]),
            "hourly",
            "Page views and demo requests by hour",
        )

    def funnel(self) -> charts.Picture:
        """How many visitors come how far."""
        return charts.picture_of(
            charts.funnel_chart(self._analysis.statistics.funnel()), "funnel", "Visitors at each step of the funnel"
        )

    def segments(self, dimension: str) -> charts.Picture:
        """Conversion by the values of a dimension, such as ``region``, with Wilson intervals."""
        return charts.picture_of(
            charts.segment_chart(self._analysis.segments(*dimensions_of([dimension]))),
            f"by-{dimension}",
            f"Conversion by {dimension}",
        )

    def heat_map(self, down: str = "region", across: str = "page_group") -> charts.Picture:
        """Conversion by two dimensions."""
        pairs = self._analysis.segments(*dimensions_of([down, across]))
        return charts.picture_of(charts.heat_map(pairs), f"{down}-{across}", f"Conversion by {down} and {across}")

    def coefficients(self) -> charts.Picture:
        """Estimates and intervals of the intent model, with the truth as a diamond where it is known.

        Raises:
            AnalyticsError: The model cannot be fitted to these visits; the message says why.
        """
        return charts.picture_of(
            charts.coefficient_chart({"all signals": self._analysis.intent.coefficients}, {}),
            "coefficients",
            "Coefficients of the intent model",
        )


def analysis_html(analysis: Analysis) -> str:
    """Show an analysis: the totals and the funnel."""
    statistics = analysis.statistics
    head = f"<p>Analysis of {analysis.events.height:,} events</p>"
    return f"{head}{table_html(statistics.totals())}{table_html(statistics.funnel())}"


def table_html(frame: pl.DataFrame) -> str:
    with pl.Config(tbl_rows=30, tbl_cols=-1, tbl_hide_column_data_types=True):
        return frame._repr_html_()
