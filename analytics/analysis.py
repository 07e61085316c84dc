"""Analysis of events: statistics, visits and the intent model, each computed on first use.

Events that do not fit into memory are analysed part by part (``EventsInParts``). What is counted adds up over the
parts, and visits are read from files, so that the results are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property, partial

import polars as pl

# The packages load their modules when a name is first used: what only counts does not wait for SciPy or Altair.
from analytics import charts, html, intent as models, logit
from analytics.errors import AnalyticsError, IntentModelError, OneOutcomeError
from analytics.events.dimensions import Dimension, dimensions_of
from analytics.logit import Estimator
from analytics.renaming import warn_of_old_name
from analytics.sessions.partitions import ChangedParts
from analytics.sessions.timeline import VISITOR
from analytics.settings import PICKED_SEGMENTS, REPORTED_SEGMENTS, AnalyticsSettings, EstimatorName
from analytics.signals.arms import arm_signals
from analytics.signals.definitions import ConversionUnit, Signal
from analytics.statistics.analysed_events import AnalysedEvents
from analytics.statistics.experiments import ExperimentArms
from analytics.statistics.funnel import FunnelStatistics
from analytics.statistics.measurement_loss import unseen_requesters
from analytics.statistics.prepared_events import EventsInParts, PreparedEvents, prepared
from analytics.statistics.prepared_visits import PreparedVisits
from analytics.statistics.segment_content import SegmentContent, crossed_with_content, segment_content
from analytics.statistics.traffic import Question


class Analysis(AnalysedEvents):
    """Statistics, visits and intent model of events, each computed once, on first use.

    Args:
        events: Returns the flat or enriched events, each once; or events in parts.
        settings: Choices of the analyst.
        truth: True coefficient of every term, where it is known.
        why_truth_unknown: Why no true coefficient is known, for a reader who would expect them; empty otherwise.
        observed_from: Start of the observed period; the first event unless given.
        observed_until: End of the observed period, itself excluded; just after the last event unless given.
        conversion_unit: Unit that requests one demo at most, ``account`` or ``visitor``.
        window: Part of the observed period for statistics, and in which the visits of the visit table begin (their
            signals include earlier events); the whole period unless given.
        arm_shares: Planned share of each arm by experiment; equal shares unless given.
    """

    def __init__(
        self,
        events: Callable[[], pl.DataFrame] | EventsInParts,
        settings: AnalyticsSettings,
        *,
        truth: Mapping[str, float] | None = None,
        why_truth_unknown: str = "",
        observed_from: datetime | None = None,
        observed_until: datetime | None = None,
        conversion_unit: ConversionUnit = "account",
        window: tuple[datetime, datetime] | None = None,
        arm_shares: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        super().__init__(prepared(events, settings, arm_shares), settings)
        self.why_truth_unknown = why_truth_unknown
        self._truth = truth
        self._observed_from, self._observed_until = observed_from, observed_until
        self._conversion_unit: ConversionUnit = conversion_unit
        self._window = window
        self._cuts: dict[tuple[str, ...], pl.DataFrame] = {}
        self._estimates: dict[str, pl.DataFrame | str] = {}
        self._others: dict[str, Analysis] = {}
        self._anew = partial(
            Analysis,
            events,
            truth=truth,
            observed_from=observed_from,
            observed_until=observed_until,
            conversion_unit=conversion_unit,
            window=window,
            arm_shares=arm_shares,
        )

    def __repr__(self) -> str:
        return f"<Analysis by {', '.join(self.settings.segments)}>"

    def _repr_html_(self) -> str:
        frames, notes = [self.statistics.totals(), self.statistics.funnel()], [*self.pages.warnings, *self.notes]
        return html.notebook_html(f"Analysis of {self.n_events:,} events", frames=frames, notes=notes)

    @property
    def charts(self) -> Charts:
        """The charts of the report, to be shown in a notebook or saved."""
        return Charts(self)

    @property
    def pictures(self) -> Charts:
        """Deprecated name of :attr:`charts`."""
        warn_of_old_name("Analysis.pictures", "Analysis.charts")
        return self.charts

    @cached_property
    def experiments(self) -> ExperimentArms:
        """The arms of the visitors, whether they have their planned shares, and how they differ in conversion."""
        return self._prepared.experiments.beside(self._truth)

    @cached_property
    def statistics(self) -> FunnelStatistics:
        """Counts and rates by hour and segment."""
        begin, end = self._window or (self._observed_from, self._observed_until)
        whole = isinstance(self._prepared, PreparedEvents)
        return FunnelStatistics(
            self._prepared.events if whole else self._prepared,
            observed_from=begin,
            observed_until=end,
            stitch=False,
            funnel=self.settings.funnel_steps,
            questions=self._questions,
        )

    @property
    def _questions(self) -> Iterator[Question]:
        """What a report asks of the statistics."""
        for by in ("", *PICKED_SEGMENTS):
            yield dimensions_of(by or None), True
        own = *self.settings.segments, ":".join(self.settings.loss_rates or ())
        for by in dict.fromkeys(("", *REPORTED_SEGMENTS, *own)):
            yield dimensions_of(by.split(":") if by else None), False

    @property
    def visits(self) -> pl.DataFrame:
        """The visit table: one row per visit, with the signals so far (arms of experiments too) and the outcome."""
        return self._visits.table

    @cached_property
    def _visits(self) -> PreparedVisits:
        return PreparedVisits(
            self._prepared,
            self._signals,
            observed_until=self._observed_until,
            conversion_unit=self._conversion_unit,
            window=self._window,
            loss_rates=self.settings.loss_rates or {},
        )

    @cached_property
    def _signals(self) -> tuple[Signal, ...]:
        arms = arm_signals(self._prepared.facts.arms)
        return (*self.settings.built_in_signals, *arms, *self.settings.user_signals)

    @cached_property
    def intent(self) -> models.IntentResults:
        """The fitted intent model, beside the true coefficients where they are known.

        Visits of visitors in several arms of an experiment are left out, with a warning: as they are in no arm, they
        would count as visits in the reference arm.

        Raises:
            AnalyticsError: It cannot be fitted to these visits; the message has the reason.
        """
        try:
            results = self._model.fit(self._visits_in_one_arm, truth=self._truth)
        except OneOutcomeError:
            # Where another name was meant, to observe longer would not help.
            if reason := next(self._prepared.facts.names.no_requests(), None):
                raise OneOutcomeError(reason) from None
            raise
        n_left_out = self._n_in_several_arms
        warning = f"{n_left_out:,} visits of visitors in several arms of an experiment are left out"
        return replace(results, warnings=(*results.warnings, warning)) if n_left_out else results

    @cached_property
    def _visits_in_one_arm(self) -> pl.DataFrame:
        """The visits to fit: of events in parts, only the columns and rows that a fit needs."""
        if isinstance(self._prepared, PreparedEvents):
            return self._in_one_arm(self._visits.with_seen(self.visits), pl.col("anonymous_id"))
        tables = self._visits.at_risk(models.BASELINE_COLUMNS)
        return pl.concat(logit.with_keys(self._in_one_arm(table, pl.col("anonymous_id"))) for table in tables)

    @property
    def n_requests_left_out(self) -> int:
        """Visits with a request that came after the first of their account, which the intent model leaves out."""
        return self._visits.count(pl.col("requested_demo") & ~pl.col("at_risk"))

    @property
    def _n_in_several_arms(self) -> int:
        """Visits of visitors in several arms of an experiment."""
        several = self.experiments.in_several_arms["visitor"]
        return 0 if several.is_empty() else self._visits.count(pl.col("anonymous_id").is_in(several.implode()))

    def _in_one_arm(self, table: pl.DataFrame, visitor: pl.Expr) -> pl.DataFrame:
        several = self.experiments.in_several_arms["visitor"]
        return table if several.is_empty() else table.filter(~visitor.is_in(several.implode()))

    @property
    def without_suspected_bots(self) -> Analysis:
        """The analysis of the same events without visitors at the pace of bots; the very same if there are none."""
        return self._with(find_bots=True) if self.n_suspected_bots else self

    @cached_property
    def n_unseen_requesters(self) -> int:
        """People with a demo request in the observed period of whom no page view was seen."""
        period = self.statistics.observed_from, self.statistics.observed_until
        return sum(unseen_requesters(events, *period) for events in self._prepared)

    def random_intercept(self) -> models.RandomIntercept:
        """Fit the intent model with a random intercept by account, by maximum likelihood whatever the settings say.

        Raises:
            AnalyticsError: It cannot be fitted; the message says why.
        """
        return self.with_estimator("ml").intent.random_intercept()

    def estimates_by(self, estimator: EstimatorName) -> pl.DataFrame:
        """Return the coefficients by another estimator, beside the true ones; each is computed once.

        Args:
            estimator: One of :data:`analytics.intent.estimators.ESTIMATORS`.

        Returns:
            One row per term; columns as in :data:`analytics.intent.estimators.ESTIMATE_SCHEMA`.

        Raises:
            IntentModelError: There is no such estimator, or it cannot be used here; the message says why.
        """
        known = self._estimates.get(estimator)
        # The reason why there are none is kept too, and not the error, whose traceback would keep the analysis alive.
        if isinstance(known, str):
            raise IntentModelError(known)
        if known is None:
            try:
                known = models.estimated_by(estimator, self, self._weights)
            except AnalyticsError as error:
                self._estimates[estimator] = str(error)
                raise
            self._estimates[estimator] = known
        return known

    def with_estimator(self, estimator: Estimator) -> Analysis:
        """The analysis of the same events with another estimator of the intent model."""
        return self._with(estimator=estimator)

    def _with(self, **changes: object) -> Analysis:
        """The analysis of the same events with other settings, made once; the very same where they are its own."""
        settings = self.settings.model_copy(update=changes)
        if settings == self.settings:
            return self
        if (key := str(changes)) not in self._others:
            self._others[key] = self._anew(settings)
        return self._others[key]

    def _weights(self) -> pl.Series | None:
        """How many visits each visit of the model stands for; None where no loss rates are known."""
        known = self.settings.loss_rates is not None
        return self._visits.weights(logit.eligible_visits(self._visits_in_one_arm, [])) if known else None

    @cached_property
    def session_length(self) -> models.SessionLengthComparison | None:
        """The intent model with session length in other forms; None where they cannot be compared."""
        coefficient = (self._truth or {}).get("log_session_minutes")
        try:
            return models.SessionLengthComparison(self._visits_in_one_arm, self._model, coefficient)
        except IntentModelError:
            return None

    @cached_property
    def side_by_side(self) -> models.NaiveComparison:
        """The intent model beside naive analyses by visitor, with and without events after the request."""
        try:
            by_visit = self.intent
        except IntentModelError:
            by_visit = None  # fitted again there, so that its reason stands beside those of the others
        return models.compare_analyses(
            ChangedParts(self._prepared, lambda table: self._in_one_arm(table, VISITOR)),
            self._model,
            self._truth,
            visits=self._visits_in_one_arm,
            by_visit=by_visit,
            stitch=False,
        )

    @cached_property
    def _model(self) -> models.IntentModel:
        own = self.settings
        return models.IntentModel(self._signals, own.interactions, estimator=own.estimator, baseline=own.baseline)

    def segments(self, *dimensions: Dimension) -> pl.DataFrame:
        """Counts and rates by one or two dimensions, or of all events; each table is computed once."""
        return self._cut("segments", dimensions, self.statistics.segments)

    def content_by(self, segment: str) -> SegmentContent:
        """Conversion by segment and page group seen before the decision, with a test of interaction.

        Args:
            segment: A dimension of which each visitor has one value, such as ``region``.

        Raises:
            AnalyticsError: There is no such dimension, or visitors are in several of its segments.
        """
        return segment_content(
            self._prepared,
            segment,
            sorted(self._prepared.facts.categories),
            observed_until=self._observed_until,
            begun_in=self._window,
            conversion_unit=self._conversion_unit,
            stitch=False,
            settled=self._visits.settled,
        )

    @cached_property
    def content_by_segment(self) -> dict[str, SegmentContent]:
        """The same for each segment that the settings cross with page groups, by segment."""
        crossed = [
            dimension.name
            for segment in self.settings.segments
            for dimension in crossed_with_content(dimensions_of(segment.split(":")))
        ]
        return {segment: self.content_by(segment) for segment in dict.fromkeys(crossed)}

    def hourly(self, *dimensions: Dimension) -> pl.DataFrame:
        """Counts by UTC hour, and by dimensions if any; each table is computed once."""
        return self._cut("hourly", dimensions, self.statistics.hourly)

    def _cut(
        self, kind: str, dimensions: tuple[Dimension, ...], compute: Callable[[Sequence[Dimension]], pl.DataFrame]
    ) -> pl.DataFrame:
        # The arms of experiments are dimensions of one name, which only the meaning distinguishes.
        key = (kind, *(f"{dimension.name}: {dimension.meaning}" for dimension in dimensions))
        if key not in self._cuts:
            self._cuts[key] = compute(dimensions)
        return self._cuts[key]

    def tables(self) -> dict[str, pl.DataFrame]:
        """Tables of the statistics by name: totals, by hour, the funnel, and one for each segmentation.

        Pages without category and stage are listed, if there are any.

        A segment that is crossed with page groups adds conversion by page group seen before the decision, and the tests
        of interaction. Events of experiments add their arms with the test of their shares, and their effects.
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
        if not self.pages.unmapped.is_empty():
            tables["unmapped_pages"] = self.pages.unmapped
        return tables | self.experiments.tables()


class Charts:
    """Charts of an analysis, for notebooks and files.

    Args:
        analysis: What they show.
    """

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis

    def hourly(self) -> charts.Chart:
        """Page views and demo requests by UTC hour, with their moving averages."""
        hours = self._analysis.settings.moving_average_hours
        traffic = charts.traffic_by(self._analysis.hourly(), self._analysis.statistics.moving_average(hours))[2]
        return charts.chart_of(charts.hourly_chart(traffic), "hourly", "Page views and demo requests by hour")

    def funnel(self) -> charts.Chart:
        """Visitors who reach each stage of the funnel."""
        drawn = charts.funnel_chart(self._analysis.statistics.funnel())
        return charts.chart_of(drawn, "funnel", "Visitors at each stage of the funnel")

    def segments(self, dimension: str) -> charts.Chart:
        """Conversion by the values of a dimension, such as ``region``, with Wilson intervals."""
        segments = charts.segment_chart(self._analysis.segments(*dimensions_of([dimension])))
        return charts.chart_of(segments, f"by-{dimension}", f"Conversion by {dimension}")

    def heat_map(self, down: str = "region", across: str = "page_group") -> charts.Chart:
        """Conversion by two dimensions."""
        pairs = charts.heat_map(self._analysis.segments(*dimensions_of([down, across])))
        return charts.chart_of(pairs, f"{down}-{across}", f"Conversion by {down} and {across}")

    def coefficients(self) -> charts.Chart:
        """Estimates and intervals of the intent model, with a diamond at the true value where it is known.

        Raises:
            AnalyticsError: The model cannot be fitted to these visits; the message says why.
        """
        return charts.chart_of(self._analysis.intent.plot(), "coefficients", "Coefficients of the intent model")
