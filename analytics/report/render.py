"""The report: one HTML file about events that opens anywhere, without a network or a script.

:class:`ReportData` holds what is shown. What is not known is omitted, so that the same report serves a simulated run,
with its true coefficients and its sales desk, and a file of events from anywhere. Equal data make equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from analytics.analysis import Analysis
from analytics.errors import AnalyticsError
from analytics.html.rendering import render
from analytics.report.data import Claim, ReportData, SalesDesk, SimulatedTruth
from analytics.report.measurement import measured_counts, measurement
from analytics.report.trust import trust_checks
from analytics.store.counts import Counts
from analytics.store.intake import JudgedEvents


def render_report(data: ReportData) -> str:
    """Return the report as one HTML page.

    Args:
        data: What is reported.

    Returns:
        The page, without scripts, fonts or addresses from elsewhere.
    """
    # Altair and vl-convert are slow to import; analyses that draw nothing should not wait for them.
    from analytics.report.view import report_view  # noqa: PLC0415

    return render("report.html.j2", "analytics.report", report=report_view(data))


def write_report(path: Path | str, data: ReportData) -> None:
    """Write the report as one HTML file, in UTF-8.

    Args:
        path: The file; one of that name is replaced.
        data: What is reported.

    Raises:
        OSError: The file cannot be written.
    """
    # As bytes: text mode would write other ends of lines on Windows, and equal data make equal bytes.
    Path(path).write_bytes(render_report(data).encode())


def analysis_report(
    analysis: Analysis,
    store: JudgedEvents,
    *,
    title: str,
    provenance: Mapping[str, object],
    description: str = "",
    seed: int | None = None,
    sales: Mapping[str, float | None] | None = None,
    sales_desk: SalesDesk | None = None,
    remarks: Sequence[str] = (),
    components: Sequence[tuple[str, str, str]] = (),
    probes: Mapping[str, pl.DataFrame] | None = None,
    truth: SimulatedTruth = SimulatedTruth(),  # noqa: B008 - frozen
    claims: Sequence[Claim] = (),
) -> ReportData:
    """Collect what the report of an analysis shows; what is not known is omitted.

    Args:
        analysis: Statistics and intent model.
        store: What has judged the events.
        title: What the report is about.
        provenance: Where the numbers come from: versions, digest, inputs.
        description: What the title stands for.
        seed: Seed of the simulation, for events that were simulated.
        sales: Measures of the sales desk, by name.
        sales_desk: Its requests.
        remarks: Sentences to read with the description.
        components: Name, class and settings of each component of the simulated world.
        probes: What was measured while the simulated clock ran, by probe.
        truth: What happened, of a simulation.
        claims: What the scenario claims, and whether it holds.
    """
    return ReportData(
        analysis.statistics,
        title=title,
        extra_segments=analysis.settings.segments,
        moving_average_hours=analysis.settings.moving_average_hours,
        description=description,
        seed=seed,
        **_of_model(analysis),
        pages=analysis.pages,
        content=analysis.content_by_segment,
        experiments=analysis.experiments,
        remarks=(*remarks, *analysis.notes),
        components=components,
        why_truth_unknown=analysis.why_truth_unknown,
        probes=probes or {},
        sales=sales,
        sales_desk=sales_desk,
        **_of_events(analysis, store),
        provenance=provenance,
        trust=trust_checks(analysis, store.counts),
        measurement=measurement(analysis, truth.counts),
        faults=truth.faults,
        claims=claims,
    )


def result_tables(
    analysis: Analysis, counts: Counts, true_counts: Mapping[str, float] | None = None
) -> dict[str, pl.DataFrame]:
    """The tables of a folder of results by name: those of the analysis, the checks of trust, and what was lost.

    Args:
        analysis: The analysis.
        counts: What has become of the events.
        true_counts: What happened, of a simulation.
    """
    checks = pl.DataFrame(map(asdict, trust_checks(analysis, counts)))
    return {**analysis.tables(), "measurement": measured_counts(analysis, true_counts or {}), "trust_checks": checks}


def _of_events(analysis: Analysis, store: JudgedEvents) -> dict[str, Any]:
    """What became of the events, as fields of a report."""
    return {
        "store": asdict(store.counts),
        "invalid_by_reason": {str(reason): n for reason, n in store.dead_letter_counts.items()},
        "n_impossible_times": analysis.n_impossible_times,
    }


def _of_model(analysis: Analysis) -> dict[str, Any]:
    """The model and its variants; or why there is none, for which the variants would search as long and fail."""
    try:
        intent = analysis.intent
    except AnalyticsError as error:
        # Counts and rates need no model, so the report is written all the same, with the reason.
        return {"model_error": str(error)}
    return {"intent": intent, "session_length": analysis.session_length, "analyses": analysis.side_by_side}
