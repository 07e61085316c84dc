"""Experiments: what each arm has shown against the reference, at the end and over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from analytics.charts.chart import Chart, chart_of
from analytics.charts.experiments import MOST_ARMS, effect_chart, sequence_chart
from analytics.html.numbers import points
from analytics.report.data import ReportData
from analytics.statistics.experiments.arms import ExperimentArms

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class ExperimentView:
    """The section on one experiment.

    Args:
        name: Its name.
        reference: Name of the reference arm.
        warnings: What to know before the effects are read.
        sentences: What each arm has shown.
        effects: One row per arm, the reference first; see :data:`analytics.statistics.experiments.EFFECT_SCHEMA`.
        with_truth: Whether the true effects are known.
        chart: The differences from the reference; None where there is no other arm.
        over_time: The same over time; None where requests are too few.
        n_not_drawn: Arms that are not drawn over time.
        ratios: One row per arm with its planned share.
        left_out: Visitors in several arms.
    """

    name: str
    reference: str
    warnings: Sequence[str]
    sentences: Sequence[str]
    effects: Rows
    with_truth: bool
    chart: Chart | None
    over_time: Chart | None
    n_not_drawn: int
    ratios: Rows
    left_out: int


def experiment_views(data: ReportData) -> list[ExperimentView]:
    """Collect what is known of each experiment, in order of their names.

    Args:
        data: Contents of the report.
    """
    if data.experiments is None:
        return []
    return [_view(data.experiments, number, name) for number, name in enumerate(data.experiments.names)]


def _view(arms: ExperimentArms, number: int, name: str) -> ExperimentView:
    effects = arms.effects.filter(experiment=name)
    others = effects.filter(pl.col("arm") != pl.col("reference"))
    looks = arms.sequences.filter(experiment=name).drop_nulls("difference_low")
    reference = str(effects["arm"][0]) if effects.height else ""
    ratios = arms.sample_ratios.filter(experiment=name)
    shown = "; ".join(
        f"{row['arm']} {points(row['difference'], row['difference_low'], row['difference_high'])}"
        for row in others.iter_rows(named=True)
    )
    title = f"Difference of conversion from {reference} in percentage points: {shown}"
    # By number, because identifiers in a drawing cannot hold every name.
    key, chart, over_time = f"experiment{number}", None, None
    if not others.is_empty():
        chart = chart_of(effect_chart(others.to_dicts(), reference), key, title)
    if not looks.is_empty():
        over_time = chart_of(sequence_chart(looks), f"{key}-over-time", f"{title}; over time")
    return ExperimentView(
        name=name,
        reference=reference,
        warnings=list(arms.warnings_of(name)),
        sentences=[sentence for experiment, sentence in arms.sentences if experiment == name],
        effects=effects.to_dicts(),
        with_truth=effects["true_log_odds"].is_not_null().any(),
        chart=chart,
        over_time=over_time,
        n_not_drawn=max(0, looks["arm"].n_unique() - MOST_ARMS),
        ratios=ratios.to_dicts(),
        left_out=ratios["in_several_arms"][0],
    )
