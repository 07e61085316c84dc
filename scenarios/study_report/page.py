"""The report of a study: one HTML file that says what was varied, what was found, and how precise that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analytics.html.rendering import render
from scenarios.study_report.view import study_view

if TYPE_CHECKING:
    from scenarios.output_analysis.results import StudyResults


def study_report(results: StudyResults) -> str:
    """Return the report of a study as one HTML page. Equal results make equal bytes."""
    return render("study.html.j2", "scenarios.study_report", study=study_view(results))
