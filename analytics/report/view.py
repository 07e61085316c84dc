"""The report as plain values: what each section shows, without markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analytics.charts.chart import Chart, chart_of
from analytics.charts.segments import SMALL_N
from analytics.charts.traffic import funnel_chart
from analytics.html.numbers import count, percent
from analytics.intent.findings import term_name
from analytics.report.answers import Answer, answers_of
from analytics.report.data import ReportData
from analytics.report.experiments import ExperimentView, experiment_views
from analytics.report.measurement import coefficient_cells, count_cells, measured_sentences
from analytics.report.model import Model, model_view
from analytics.report.model_checks import NaiveAnalyses, SessionLength, naive_view, session_view
from analytics.report.probes import ProbeView, probe_views
from analytics.report.sales import Sales, SpeedToLead, sales_view, speed_to_lead
from analytics.report.segments import Interaction, Segments, interaction_views, pair_views, segment_views
from analytics.report.summary import Summary, summary_view
from analytics.report.traffic import Traffic, traffic_view


@dataclass(frozen=True)
class ReportView:
    """What the report shows, section by section; None where a section is omitted.

    Args:
        title: Heading of the page.
        description: A paragraph about it.
        seed: Seed of the simulation, if events were simulated.
        level: Confidence level of rates in percent.
        period: First hour, last hour and their number; None without events.
        totals: Counts and conversion of the whole.
        summary: All of it in short.
        speed_to_lead: How long requests waited for an answer; None where that is not known.
        traffic: Page views and demo requests over time.
        funnel: One row per stage, as of ``FunnelStatistics.funnel()``.
        funnel_chart: The same as a drawing; None where nobody is in it, or no page has a stage.
        own_funnel: Whether its steps are those of the settings, and not the stages of pages.
        page_warnings: What is not known of pages.
        unmapped_pages: The most viewed pages without category and stage: ``page``, ``page_views`` and ``visitors``.
        n_unmapped_pages: How many there are in all.
        segments: Conversion by each dimension.
        pairs: Conversion by each pair of dimensions.
        interactions: Tests whether page groups matter more in some segments.
        answers: What all figures say of the products of a segment and a page group.
        experiments: The arms of each experiment, and how they differ.
        model: The intent model, or why there is none.
        session_length: Forms of session length in the model.
        naive_analyses: The model beside analyses by visitor.
        remarks: Sentences to read with the description.
        components: Name, class and settings of each component.
        why_truth_unknown: Why the true coefficients are not known; empty if they are, or nobody would expect them.
        sales: The sales desk.
        probes: What each probe measured.
        store: The event store's counts by name.
        invalid_by_reason: Dead letters by reason.
        n_impossible_times: Events that are in no figure, because of their clocks.
        provenance: Where the numbers come from, by name.
        measured: What happened, what was seen and what is estimated from it; empty where nothing was lost.
        estimates: Coefficients of several estimators side by side; empty where there is one.
        measured_sentences: The same in words.
        estimator_notes: What to know of an estimator, or why it has no estimates, by name.
        faults: What went wrong with events on their way: ``label``, ``events`` and ``browsers``.
        small_n: Below so many visitors a rate is shown muted.
    """

    title: str
    description: str
    seed: int | None
    level: str
    period: tuple[datetime, datetime, int] | None
    totals: Mapping[str, Any]
    summary: Summary
    speed_to_lead: SpeedToLead | None
    traffic: Traffic | None
    funnel: list[dict[str, Any]]
    funnel_chart: Chart | None
    own_funnel: bool
    page_warnings: Sequence[str]
    unmapped_pages: list[dict[str, Any]]
    n_unmapped_pages: int
    segments: list[Segments]
    pairs: list[Segments]
    interactions: list[Interaction]
    answers: list[Answer]
    experiments: list[ExperimentView]
    model: Model
    session_length: SessionLength | None
    naive_analyses: NaiveAnalyses | None
    remarks: Sequence[str]
    components: Sequence[tuple[str, str, str]]
    why_truth_unknown: str
    sales: Sales | None
    probes: list[ProbeView]
    store: Mapping[str, int] | None
    invalid_by_reason: Mapping[str, int]
    n_impossible_times: int
    provenance: Mapping[str, object]
    measured: list[dict[str, str]]
    estimates: list[dict[str, str]]
    measured_sentences: Sequence[str]
    estimator_notes: Mapping[str, str]
    faults: list[dict[str, Any]]
    small_n: int = SMALL_N

    @property
    def sections(self) -> dict[str, str]:
        """The sections that the page has: title by anchor."""
        experiments = {
            f"experiment-{number}": found.name if len(self.experiments) > 1 else "Experiment"
            for number, found in enumerate(self.experiments, start=1)
        }
        shown = {
            "summary": ("In short", True),
            "traffic": ("Traffic", True),
            "funnel": ("Funnel", True),
            "segments": ("Segments", self.segments),
            "pairs": ("Combinations", self.pairs or self.interactions or self.answers),
            **{anchor: (name, True) for anchor, name in experiments.items()},
            "signals": ("Signals", True),
            "measurement": ("True and seen" if any("true" in row for row in self.measured) else "Seen", self.measured),
            "sales": ("Sales desk", self.sales),
            "probes": ("Probes", self.probes),
            "data": ("Data", self.store is not None or self.provenance),
        }
        return {anchor: name for anchor, (name, there) in shown.items() if there}


def report_view(data: ReportData) -> ReportView:
    """Collect what a report shows, and draw its charts.

    Args:
        data: Contents of the report.

    Returns:
        Values that templates only lay out: all choices of what to show are made here.
    """
    hours, answers = data.hourly["hour"], answers_of(data)
    pages = None if data.pages is None else data.pages.to_dict()
    return ReportView(
        title=data.title,
        description=data.description,
        seed=data.seed,
        level=f"{100 * data.level:g}%",
        # Hours are named by their beginnings; the last is observed to its end.
        period=(hours[0], hours[-1] + timedelta(hours=1), len(hours)) if len(hours) else None,
        totals=data.totals.row(0, named=True),
        summary=summary_view(data, answers),
        speed_to_lead=speed_to_lead(data.sales_desk),
        traffic=traffic_view(data),
        funnel=data.funnel.to_dicts(),
        funnel_chart=_funnel_chart(data),
        own_funnel=not data.statistics.is_by_stage,
        page_warnings=() if data.pages is None else data.pages.warnings,
        unmapped_pages=pages["unmapped"] if pages else [],
        n_unmapped_pages=pages["n_unmapped"] if pages else 0,
        segments=segment_views(data),
        pairs=pair_views(data),
        interactions=interaction_views(data),
        answers=answers,
        experiments=experiment_views(data),
        model=model_view(data.intent, data.model_error),
        session_length=None if data.session_length is None else session_view(data.session_length),
        naive_analyses=None if data.analyses is None else naive_view(data.analyses),
        remarks=data.remarks,
        components=data.components,
        why_truth_unknown=data.why_truth_unknown,
        sales=sales_view(data),
        probes=probe_views(data),
        store=data.store,
        # Counters are in order of arrival, which two runs of one stream need not share.
        invalid_by_reason=dict(sorted(data.invalid_by_reason.items())),
        n_impossible_times=data.n_impossible_times,
        # The seed first: with it a reader can have the same run again.
        provenance={**({} if data.seed is None else {"seed": data.seed}), **data.provenance},
        **_measured(data),
    )


def _measured(data: ReportData) -> dict[str, Any]:
    found, faults = data.measurement, data.faults
    if found is None or not found.is_of_interest:
        return {"measured": [], "estimates": [], "measured_sentences": [], "estimator_notes": {}, "faults": []}
    return {
        "measured": count_cells(found, f"{100 * data.level:g}%"),
        "estimates": coefficient_cells(found, term_name) if found.has_several_estimators else [],
        "measured_sentences": measured_sentences(found),
        "estimator_notes": found.notes if found.has_several_estimators else {},
        "faults": [] if faults is None else faults.to_dicts(),
    }


def _funnel_chart(data: ReportData) -> Chart | None:
    rows = data.funnel.to_dicts()
    if not rows or not rows[0]["visitors"] or not data.statistics.has_stages:
        return None
    stages = (f"{row['stage']}: {count(row['visitors'])} visitors, {percent(row['share'])}" for row in rows)
    return chart_of(funnel_chart(data.funnel), "funnel", "; ".join(stages))
