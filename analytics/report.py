"""The report: one HTML file that says what the events say, to be opened anywhere, without a network or a script.

:class:`ReportData` holds what is shown; whatever is not known is left out, so that the same report serves a run of the
simulator, with its truth and its sales desk, and a file of events from anywhere. Equal data make equal bytes.
"""

from __future__ import annotations

from pathlib import Path

from analytics.report_data import REPORTED_SEGMENTS, ReportData, SalesDesk

__all__ = ["REPORTED_SEGMENTS", "ReportData", "SalesDesk", "render_report", "write_report"]


def render_report(data: ReportData) -> str:
    """Return the report as one HTML page."""
    # Altair and vl-convert take their time to import; only who draws should wait for them.
    from analytics.report_sections import report_page  # noqa: PLC0415

    return report_page(data)


def write_report(path: Path | str, data: ReportData) -> None:
    """Write the report as one HTML file, in UTF-8.

    Raises:
        OSError: The file cannot be written.
    """
    Path(path).write_bytes(render_report(data).encode())
