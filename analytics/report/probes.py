"""What the probes of a simulation measured over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from analytics.charts.chart import Chart, chart_of
from analytics.charts.probes import MOST_PANELS, measured_over_time, probe_chart
from analytics.html.numbers import general
from analytics.report.data import ReportData


@dataclass(frozen=True)
class ProbeView:
    """What one probe measured.

    Args:
        name: Name of the probe.
        chart: The measures over time; None where nothing was measured.
        summary: One row per measure: number of measurements, mean, least, 90th percentile, greatest and last value.
        n_drawn: Measures in the chart.
    """

    name: str
    chart: Chart | None
    summary: list[dict[str, Any]]
    n_drawn: int


def probe_views(data: ReportData) -> list[ProbeView]:
    """Collect what each probe measured, in the order of the probes.

    Args:
        data: Contents of the report.
    """
    return [_view(index, name, table) for index, (name, table) in enumerate(data.probes.items())]


def _view(index: int, name: str, table: pl.DataFrame) -> ProbeView:
    value = pl.col("value")
    summary = table.group_by("measure", maintain_order=True).agg(
        n=pl.len(),
        mean=value.mean(),
        min=value.min(),
        p90=value.quantile(0.9, "linear"),
        max=value.max(),
        last=value.last(),
    )
    rows, measured = summary.to_dicts(), measured_over_time(table)
    if measured.is_empty():
        return ProbeView(name, None, rows, 0)
    means = "; ".join(f"{row['measure']}: {general(row['mean'])} on average" for row in rows[:MOST_PANELS])
    chart = chart_of(probe_chart(measured), f"probe{index}", f"{name} over time; {means}")
    return ProbeView(name, chart, rows, min(len(rows), MOST_PANELS))
