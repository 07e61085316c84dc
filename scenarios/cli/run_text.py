"""Results in plain text, as the command line shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from analytics.analysis import Analysis
from scenarios.cli.output import Page, aligned
from scenarios.files.plain_data import model_data
from scenarios.measures.claims import ClaimResult
from scenarios.run.events_analysis import EventsAnalysis
from scenarios.run.run import Run

__all__ = ["analysis_summary", "run_summary"]


def run_summary(run: Run, folder: Path, *, analysed: bool = True, not_analysed: str = "") -> Page:
    """Summarise a run: what happened, the conversion, the strongest coefficients beside the truth, where to read on."""
    counts = _telling_counts(run)
    took = f"{run.timings.simulate_s:.1f} s (active_agents: {run.active_agents})"
    lines = [
        f"{run.scenario.name}, seed {run.seed}: {_counted(run.scenario.clock.hours, 'hour')} simulated in {took}",
        "",
        *aligned([(name.replace("_", " "), f"{counts[name]:,}") for name in counts]),
        "",
        *([*_analysis_lines(run.analysis), "", *_claim_lines(run.claims)] if analysed else []),
        *([f"NOT ANALYSED: {not_analysed}", ""] if not_analysed else []),
        *_where_to_read_on(folder),
    ]
    return Page.of(lines)


def _telling_counts(run: Run) -> dict[str, int]:
    """Counts of a run; where tracking changed nothing, what happened is what was received and is told once."""
    counts = run.outcome.counts
    if not run.labels.is_empty():
        return counts
    return {name: n for name, n in counts.items() if name != "malformed_lines" and not name.startswith("true_")}


def analysis_summary(analysis: EventsAnalysis, folder: Path | None) -> Page:
    """Summarise the analysis of files of events."""
    counts = vars(analysis.store.counts)
    lines = [
        ", ".join(analysis.inputs),
        "",
        *aligned([(name, f"{n:,}") for name, n in counts.items()]),
        *(f"  of these {n:,} {reason}" for reason, n in analysis.store.dead_letter_counts.items()),
        *(f"  WARNING: {warning}" for warning in analysis.warnings),
        "",
        *_analysis_lines(analysis.analysis),
        *(["", *_where_to_read_on(folder)] if folder else []),
    ]
    return Page.of(lines)


def _where_to_read_on(folder: Path) -> Iterator[str]:
    yield f"results: {folder}"
    report = folder / "report.html"
    if report.exists():
        yield f"report:  {report}"


def _analysis_lines(analysis: Analysis) -> Iterator[str]:
    totals = analysis.statistics.totals().row(0, named=True)
    yield (
        f"{_counted(totals['visitors'], 'visitor')} seen, {_counted(totals['visits'], 'visit')}, "
        f"{_counted(totals['page_views'], 'page view')}, {_counted(totals['demo_requests'], 'demo request')}"
    )
    if totals["visitors"]:
        yield (
            f"conversion {totals['conversion']:.2%} [{totals['conversion_low']:.2%}, {totals['conversion_high']:.2%}] "
            f"of {_counted(totals['visitors'], 'visitor')}"
        )
    yield ""
    yield from _model_lines(model_data(analysis))


def _model_lines(model: dict[str, Any]) -> Iterator[str]:
    """Show every term, one a line, the surest to matter first, then what was left out and what to mind."""
    if "error" in model:
        yield f"intent model: not fitted: {model['error']}"
        return
    terms = [row for row in model["coefficients"] if row["signal"] != "intercept"]
    terms.sort(key=lambda row: (row["p_value"] is None, row["p_value"]))
    with_truth = any(row["true_coefficient"] is not None for row in terms)
    header = ("signal", "coefficient", "std. error", "odds ratio", "p", *(("truth",) if with_truth else ()))
    data = f"{_counted(model['n_visits'], 'visit')} with {_counted(model['n_requests'], 'demo request')}"
    yield f"intent model on {data}, surest first:"
    yield from aligned([header, *(_term(row, with_truth=with_truth) for row in terms)], header=True)
    yield from (f"  dropped: {term} ({reason})" for term, reason in model["dropped"].items())
    yield from (f"  mind: {warning}" for warning in model["warnings"])


def _term(row: dict[str, Any], *, with_truth: bool) -> tuple[str, ...]:
    p = "<0.0001" if row["p_value"] < 1e-4 else f"{row['p_value']:.4f}"  # noqa: PLR2004 - four places
    truth = ("–" if row["true_coefficient"] is None else f"{row['true_coefficient']:+.2f}",) if with_truth else ()
    return (
        row["signal"],
        f"{row['coefficient']:+.2f}",
        f"{row['standard_error']:.2f}",
        f"{row['odds_ratio']:.2f}",
        p,
        *truth,
    )


def _claim_lines(claims: Sequence[ClaimResult]) -> Iterator[str]:
    """Say how many claims hold, and of the others what the run says instead."""
    if not claims:
        return
    yield f"claims: {sum(claim.passed is True for claim in claims)} of {len(claims)} hold"
    for claim in claims:
        if not claim.passed:
            verdict = "cannot be told" if claim.passed is None else "does not hold"
            yield f"  {verdict}: {claim.description}"
            yield f"    {claim.expression}: {claim.reason or claim.numbers}"
    yield ""


def _counted(n: int, what: str) -> str:
    """Say how many there are of something."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
