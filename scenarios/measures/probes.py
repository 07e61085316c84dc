"""The measure of probes: a statistic of what a probe has measured."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import polars as pl

from scenarios.errors import UndefinedMeasureError, advice
from scenarios.measures.definition import MeasureDefinition, Parts, RunView, arguments_of, require_known
from scenarios.measures.expressions import ExpressionError, Reference

_ARGUMENTS: Final = ("probe", "measure", "statistic")

_STATISTICS: Final[Mapping[str, Callable[[pl.Series], object]]] = {
    "mean": pl.Series.mean,
    "min": pl.Series.min,
    "max": pl.Series.max,
    "last": lambda values: values[-1],
}

_PERCENTILE: Final = re.compile(r"p(\d{1,2})")


def _check(reference: Reference, parts: Parts) -> None:
    """Refuse an unknown probe or statistic; what a probe measures is only known when it has run.

    Raises:
        ExpressionError: Either is unknown.
    """
    given = arguments_of(reference, _ARGUMENTS)
    if "probes" in parts:
        require_known("probe", given["probe"], parts["probes"])
    statistic = str(given["statistic"])
    if statistic not in _STATISTICS and not _PERCENTILE.fullmatch(statistic):
        raise ExpressionError(
            f"{reference.text}: there is no statistic {statistic!r}; there are {', '.join(_STATISTICS)}, and "
            "percentiles such as p90"
        )


def _read(reference: Reference, run: RunView) -> float:
    """Return a statistic of a measure in the run's window, over the times at which it was measured.

    Raises:
        UndefinedMeasureError: The probe does not measure this, or never did in the window.
    """
    probe, measure, statistic = (str(value) for value in arguments_of(reference, _ARGUMENTS).values())
    table = run.probes[probe]
    begin, end = run.window.period(run.scenario.clock)
    values = table.filter(pl.col("time").is_between(begin, end, closed="left"), measure=measure)["value"]
    if values.is_empty():
        known = table["measure"].unique(maintain_order=True).to_list()
        is_unknown = known and measure not in known
        why = f"has no measure {measure!r}{advice(measure, known)}" if is_unknown else "has measured nothing"
        raise UndefinedMeasureError(f"{reference.text}: the probe {probe!r} {why}")
    if statistic in _STATISTICS:
        return float(_STATISTICS[statistic](values))  # type: ignore[arg-type]  # of floats, of which there is one
    return float(values.quantile(int(statistic[1:]) / 100, "linear"))  # type: ignore[arg-type]  # likewise


PROBE_MEASURES: Final = (
    MeasureDefinition(
        "probe",
        "what a probe measured over time: its mean, min, max, last value, or a percentile such as p90",
        _check,
        _read,
        'probe("inbox", "europe", "p90")',
        needs_events=False,
    ),
)
"""Measures of probes."""
