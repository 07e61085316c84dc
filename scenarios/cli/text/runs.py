"""Results of a run or an analysis, as the command line prints them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from analytics.analysis import Analysis
from analytics.errors import AnalyticsError
from analytics.events.dead_letters import DeadLetterReason
from analytics.html.numbers import decimal, p_equals, p_value as p_value_text, points, rate, times
from analytics.intent.findings import FINDING_MARKS, coverage_sentence
from analytics.intent.results import IntentResults
from analytics.intent.summary import finding_cells
from analytics.report.measurement import (
    Measurement,
    coefficient_cells,
    count_cells,
    measured_sentences,
    measurement,
)
from analytics.report.trust import TrustCheck, trust_checks
from analytics.statistics.experiments.arms import ExperimentArms
from analytics.store.counts import Counts
from scenarios.cli.text.tables import Parts, alert, funnel_line, page, table
from scenarios.component_check import ComponentCheck
from scenarios.config.description import resolved_intercept
from scenarios.measures.claims import ClaimResult
from scenarios.run.events_analysis import EventsAnalysis
from scenarios.run.run import Run


@page
def run_summary(run: Run, folder: Path, *, analysed: bool = True, not_analysed: str = "") -> Parts:
    """Summarise a run: counts, conversion, estimated and true coefficients, claims, and its folder.

    Args:
        run: The run.
        folder: Its folder.
        analysed: Whether its events were analysed.
        not_analysed: Why they could not be.
    """
    hours = _counted(run.scenario.clock.hours, "hour")
    took = f"{run.timings.simulate_s:.1f} s (active_agents: {run.active_agents})"
    yield f"{run.scenario.name}, seed {run.seed}: {hours} simulated in {took}"
    yield ""
    yield table((name.replace("_", " "), f"{n:,}") for name, n in _distinct_counts(run).items())
    yield ""
    if note := resolved_intercept(run.scenario):
        yield alert(note)
        yield ""
    if analysed:
        yield from _trust_parts(trust_checks(run.analysis, run.store.counts))
        yield from (alert(f"warning: {warning}") for warning in run.analysis.experiments.warnings)
        yield from _analysis_parts(run.analysis)
        yield ""
        yield from _measurement_parts(run.measurement)
        yield from _claim_parts(run.claims)
    if not_analysed:
        yield alert(f"not analysed: {not_analysed}")
        yield ""
    yield from _where_to_continue(folder)


def _distinct_counts(run: Run) -> dict[str, int]:
    """Counts of a run; where tracking changed nothing, what happened equals what was received, and appears once.

    Args:
        run: The run.

    Returns:
        Counts by name, in the order of the manifest.
    """
    counts = run.outcome.counts
    if not run.labels.is_empty():
        return counts
    return {name: n for name, n in counts.items() if name != "malformed_lines" and not name.startswith("true_")}


@page
def analysis_summary(analysis: EventsAnalysis, folder: Path | None) -> Parts:
    """Summarise the analysis of event files: counts, warnings, conversion, coefficients, and the folder if any.

    Args:
        analysis: The analysis.
        folder: Where its results were written; None if they were not.
    """
    yield ", ".join(analysis.inputs)
    yield ""
    yield table((name, f"{n:,}") for name, n in vars(analysis.store.counts).items())
    yield from (f"  of these {n:,} {reason}" for reason, n in analysis.store.dead_letter_counts.items())
    yield from (alert(f"  warning: {warning}") for warning in analysis.warnings)
    yield ""
    yield from _trust_parts(trust_checks(analysis.analysis, analysis.store.counts))
    yield from _analysis_parts(analysis.analysis, with_funnel=True)
    yield ""
    yield from _measurement_parts(measurement(analysis.analysis))
    if folder is not None:
        yield ""
        yield from _where_to_continue(folder)


@page
def analysis_results(analysis: Analysis) -> Parts:
    """Give the results of the analysis of event files alone: conversion, the funnel and coefficients.

    Args:
        analysis: The analysis.
    """
    yield from _analysis_parts(analysis, with_funnel=True)


def invalid_events(counts: Counts, reasons: Mapping[DeadLetterReason, int]) -> Iterator[str]:
    """Warn of invalid events, for a reader who does not see the counts.

    Args:
        counts: Counts of the events.
        reasons: How many are invalid, by reason.

    >>> list(invalid_events(Counts(received=3, accepted=1, invalid=2), {DeadLetterReason.NOT_JSON: 2}))
    ['2 of 3 events are invalid, and in no figure (not_json 2)']
    """
    if counts.invalid:
        by_reason = ", ".join(f"{reason} {n:,}" for reason, n in reasons.items())
        yield f"{counts.invalid:,} of {counts.received:,} events are invalid, and in no figure ({by_reason})"


def _where_to_continue(folder: Path) -> Iterator[str]:
    """Give the paths of the results, and of the report if there is one.

    Args:
        folder: The folder of the results.
    """
    yield f"results: {folder}"
    # Without analysis there is none.
    report = folder / "report.html"
    if report.exists():
        yield f"report:  {report}"


def _analysis_parts(analysis: Analysis, *, with_funnel: bool = False) -> Parts:
    """Summarise an analysis: totals, conversion with its 95 % interval, and the intent model.

    Args:
        analysis: The analysis; its model is fitted now if it has not been.
        with_funnel: Whether to print the funnel of stages too; one of the reader's own is always printed.
    """
    totals = analysis.statistics.totals().row(0, named=True)
    yield from totals_text(totals)
    if totals["visitors"] and (with_funnel or not analysis.statistics.is_by_stage):
        yield funnel_line(analysis.statistics.funnel().to_dicts())
    yield from analysis.notes
    for experiment in analysis.experiments.names:
        yield from _experiment_parts(analysis.experiments, experiment)
    yield ""
    yield from _model_parts(analysis)


def _trust_parts(checks: Sequence[TrustCheck]) -> Parts:
    """Say which checks of trust failed, and what to do.

    Args:
        checks: All that were made.
    """
    failed = [check for check in checks if not check.passed]
    if failed:
        yield alert(f"before you use these figures ({len(failed)} of {len(checks)} checks failed):")
        yield from (alert(f"  {check.name}: {check.finding}; {check.advice}") for check in failed)
        yield ""


def _experiment_parts(arms: ExperimentArms, experiment: str) -> Parts:
    """Show the arms of an experiment: their sizes, how they differ from the reference, and a sentence for each.

    Args:
        arms: The arms of the visitors.
        experiment: Name of the experiment.
    """
    ratios = arms.sample_ratios.filter(experiment=experiment)
    sizes = ", ".join(f"{arm} {n:,}" for arm, n in ratios["arm", "visitors"].iter_rows())
    p_value = "" if ratios["p_value"][0] is None else f"; sample ratio as planned: p = {ratios['p_value'][0]:.3g}"
    yield f"experiment {experiment}: visitors by arm: {sizes}{p_value}"
    effects = arms.effects.filter(experiment=experiment)
    with_truth = effects["true_log_odds"].is_not_null().any()
    rows = [
        (
            row["arm"],
            f"{row['visitors']:,}",
            f"{row['requesters']:,}",
            rate(row["conversion"], row["conversion_low"], row["conversion_high"]),
            points(row["difference"], row["difference_low"], row["difference_high"]),
            times(row["ratio"], row["ratio_low"], row["ratio_high"]),
            p_value_text(row["p_adjusted"]),
            p_value_text(row["sequence_p_adjusted"]),
            *((decimal(row["true_log_odds"], sign=True),) if with_truth else ()),
        )
        for row in effects.iter_rows(named=True)
    ]
    if rows:
        header = ("arm", "visitors", "requested", "conversion", "difference, points", "ratio", "p", "p at any look")
        yield table(rows, (*header, *(("true log-odds",) if with_truth else ())))
    yield from (f"  {sentence}" for name, sentence in arms.sentences if name == experiment)


def totals_text(totals: Mapping[str, Any]) -> Iterator[str]:
    """Write the counts of all visitors, and their conversion with its 95 % interval where there are any.

    Args:
        totals: The row of :meth:`analytics.statistics.funnel.FunnelStatistics.totals`.
    """
    yield (
        f"{_counted(totals['visitors'], 'visitor')} seen, {_counted(totals['visits'], 'visit')}, "
        f"{_counted(totals['page_views'], 'page view')}, {_counted(totals['demo_requests'], 'demo request')}"
    )
    if totals["visitors"]:
        yield (
            f"conversion {totals['conversion']:.2%} [{totals['conversion_low']:.2%}, {totals['conversion_high']:.2%}] "
            f"of {_counted(totals['visitors'], 'visitor')}"
        )


def _model_parts(analysis: Analysis) -> Parts:
    """What the intent model has found, by group of signals; then dropped terms and warnings.

    Args:
        analysis: The analysis; its model is fitted now if it has not been.
    """
    try:
        model = analysis.intent
    except AnalyticsError as error:
        yield f"intent model: not fitted: {error}"
        return
    data = f"{_counted(model.n_visits, 'visit')} with {_counted(model.n_requests, 'demo request')}"
    if model.findings.is_empty():
        yield f"intent model: on {data} no signal can be fitted"
    else:
        yield f"intent model on {data}; standard errors {model.covariance}:"
        yield findings_table(model)
        yield from (f"  {sentence}" for sentence in [coverage_sentence(model.findings, model.level)] if sentence)
        yield f"  {FINDING_MARKS}"
    if (test := model.baseline_test) is not None:
        yield f"  the odds change with the {analysis.settings.baseline}: {p_equals(test.p_value)} (joint test)"
    if analysis.why_truth_unknown:
        yield f"  {analysis.why_truth_unknown}"
    if model.unseen:
        yield f"  not seen in these events: {', '.join(model.unseen)}"
    yield from (f"  dropped: {term} ({reason})" for term, reason in model.dropped.items() if term not in model.unseen)
    yield from (alert(f"  warning: {warning}") for warning in model.warnings)


def _measurement_parts(found: Measurement) -> Parts:
    """Show what happened, what was seen and what is estimated from it, and the coefficients by several estimators.

    Args:
        found: What was measured; where nothing was lost, nothing is printed.
    """
    if not found.is_of_interest:
        return
    yield from (f"{sentence}." for sentence in measured_sentences(found))
    yield ""
    of = [count_cells(found, "95 %"), coefficient_cells(found) if found.has_several_estimators else []]
    for cells in filter(None, of):
        yield table([tuple(row.values()) for row in cells], tuple(cells[0]))
        yield ""
    if found.has_several_estimators and found.coefficients["true_coefficient"].is_not_null().any():
        yield "* the interval does not contain the true value"
    yield from (f"{name}: {note}" for name, note in found.notes.items() if found.has_several_estimators)
    yield ""


def findings_table(model: IntentResults) -> Table:
    """The findings of a model, under the name of each group of signals.

    Args:
        model: A fitted model with a signal.
    """
    cells = finding_cells(model.findings, model.level)
    columns = [name for name in cells.columns if name != "group"]
    rows: list[Sequence[str]] = []
    for (group,), found in cells.group_by("group", maintain_order=True):
        rows.append([str(group), *[""] * (len(columns) - 1)])
        rows += [[f"  {row[0]}", *row[1:]] for row in found.select(columns).iter_rows()]
    return table(rows, columns)


def _claim_parts(claims: Sequence[ClaimResult]) -> Parts:
    """Say how many claims passed, and give the numbers of those that did not.

    Args:
        claims: The results, in the order of the scenario; nothing is printed if there are none.
    """
    if not claims:
        return
    yield f"claims: {sum(claim.passed is True for claim in claims)} of {len(claims)} passed"
    for claim in claims:
        if not claim.passed:
            # No number is no failure: a segment may have been empty in this run.
            verdict = "undecided" if claim.passed is None else "failed"
            yield alert(f"  {verdict}: {claim.description}")
            yield f"    {claim.expression}: {claim.reason or claim.numbers}"
    yield ""


def _counted(n: int, what: str) -> str:
    """Write a number of things, in the singular or plural.

    Args:
        n: How many.
        what: The thing, in the singular.

    >>> _counted(1, "visit"), _counted(1200, "visit")
    ('1 visit', '1,200 visits')
    """
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


@page
def component_text(found: ComponentCheck) -> Parts:
    """Show what holds, and explain what does not.

    Args:
        found: The result.
    """
    yield table([(each.claim, "yes" if each.holds else "NO") for each in found.findings], (found.scenario, "holds"))
    yield ""
    yield f"{found.n_awake:,} of {found.n_visitors:,} visitors were on the clock; in the other run, all of them"
    for each in found.findings:
        if not each.holds:
            yield alert(f"not true that {each.claim}: {each.difference}")
    for reason in found.reasons:
        yield f"usual reason: {reason}"
