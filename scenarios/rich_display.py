"""What a notebook shows of a run, an analysis, a study or a scenario: tables without a network, every text escaped."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING

from analytics.analysis import _table

if TYPE_CHECKING:
    from scenarios.run import Run
    from scenarios.study_plan import StudyPlan

__all__ = ["preformatted", "run_html", "study_html"]


def preformatted(text: str) -> str:
    """Show a text as it stands, such as a scenario file."""
    return f"<pre>{html.escape(text)}</pre>"


def run_html(run: Run) -> str:
    """Show a run: what was run, and what happened in it. Nothing is analysed for it."""
    head = f"<strong>{html.escape(run.scenario.name)}</strong>, seed {run.seed}, wake: {run.wake}"
    # Where replications are not used nobody should have to wonder what 0 means.
    which = f", replication {run.replication}" if run.replication else ""
    story = f"<p>{html.escape(run.scenario.description)}</p>" if run.scenario.description else ""
    return f"<p>{head}{which}</p>{story}{_counts(run.outcome.counts)}"


def study_html(study: StudyPlan) -> str:
    """Show a study before it is run: its story, its design and its responses."""
    settings = study.settings
    head = f"<strong>{html.escape(settings.name)}</strong>, {len(study.points):,} design points"
    responses = "".join(f"<li>{html.escape(name)}</li>" for name in study.responses)
    story = f"<p>{html.escape(settings.description)}</p>" if settings.description else ""
    return f"<p>{head}</p>{story}{_table(study.design)}<p>responses</p><ul>{responses}</ul>"


def _counts(counts: Mapping[str, int]) -> str:
    rows = "".join(
        f"<tr><th>{html.escape(name.replace('_', ' '))}</th><td>{count:,}</td></tr>" for name, count in counts.items()
    )
    return f"<table>{rows}</table>"
