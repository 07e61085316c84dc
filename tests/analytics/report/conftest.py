"""Drawings take most of the time of a report: tests that are about its words do without."""

import pytest


@pytest.fixture
def no_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every chart is an empty drawing."""
    monkeypatch.setattr("analytics.charts.chart.to_svg", lambda *_: '<svg class="chart"></svg>')
