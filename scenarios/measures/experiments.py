"""Measures of experiments: how the conversion of an arm differs from the reference."""

from __future__ import annotations

from typing import Final

import polars as pl

from analytics.statistics.experiments import EFFECT_SCHEMA
from scenarios.measures.definition import (
    MeasureDefinition,
    Parts,
    RunView,
    arguments_of,
    require_known,
    require_value,
)
from scenarios.measures.expressions import Reference
from simulator.settings.experiments import arm_effects

_NUMBERS: Final = tuple(name for name, dtype in EFFECT_SCHEMA.items() if dtype == pl.Float64())


def _arguments(reference: Reference) -> tuple[str, str]:
    found = arguments_of(reference, ("arm", "number"))
    return str(found["arm"]), require_known("number", found["number"], _NUMBERS)


def _check(reference: Reference, parts: Parts) -> None:
    arm, _ = _arguments(reference)
    if "experiments" in parts:
        require_known("arm", arm, list(arm_effects(parts["experiments"])))


def _read(reference: Reference, run: RunView) -> float:
    named, number = _arguments(reference)
    experiment, _, arm = named.partition("=")
    effects = run.analysis.experiments.effects.filter(experiment=experiment, arm=arm)
    values: list[float | None] = effects[number].to_list()
    return require_value(values[0] if values else None, f"{reference.text}: the events do not show it")


EXPERIMENT_MEASURES: Final = (
    MeasureDefinition(
        "experiment_effect",
        f"number of an arm of an experiment, named `EXPERIMENT=ARM`, against the reference arm: {', '.join(_NUMBERS)}",
        _check,
        _read,
        'experiment_effect("e=b", "difference")',
        spans_clock=True,
    ),
)
"""Measures of experiments."""
