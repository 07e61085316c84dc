"""What a notebook shows of a run, an analysis, a study or a scenario: tables without a network, every text escaped."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from analytics.analysis import _table

if TYPE_CHECKING:
    from scenarios.studies.plan import StudyPlan

__all__ = ["preformatted", "study_html"]


def preformatted(text: str) -> str:
    """Show a text as it stands, such as a scenario file."""
    return f"<pre>{html.escape(text)}</pre>"


def study_html(study: StudyPlan) -> str:
    """Show a study before it is run: its story, its design and its responses."""
    settings = study.settings
    head = f"<strong>{html.escape(settings.name)}</strong>, {len(study.points):,} design points"
    responses = "".join(f"<li>{html.escape(name)}</li>" for name in study.responses)
    story = f"<p>{html.escape(settings.description)}</p>" if settings.description else ""
    return f"<p>{head}</p>{story}{_table(study.design)}<p>responses</p><ul>{responses}</ul>"
