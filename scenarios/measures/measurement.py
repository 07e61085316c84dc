"""Measures of what tracking has lost: visitors and conversion as they are estimated from what was seen."""

from __future__ import annotations

from functools import partial
from typing import Final

from scenarios.measures.definition import (
    MeasureDefinition,
    Parts,
    RunView,
    arguments_of,
    require_known,
    require_value,
)
from scenarios.measures.expressions import Reference

_METHODS: Final = ("weights", "capture-recapture")

_QUANTITIES: Final = {
    "visitors": "estimated number of visitors, seen or not",
    "conversion": "estimated conversion of all visitors, seen or not",
}


def _method(reference: Reference) -> str:
    return require_known("method", arguments_of(reference, ("method",))["method"], _METHODS)


def _check(reference: Reference, _: Parts) -> None:
    _method(reference)


def _read(quantity: str, reference: Reference, run: RunView) -> float:
    from analytics.report.measurement import measured_counts  # noqa: PLC0415 - what only counts does not wait for it

    rows = measured_counts(run.analysis, {}).filter(quantity=quantity)
    found: list[float] = rows.filter(method=_method(reference))["estimated"].to_list()
    # Where nobody is known to have been lost, all were seen.
    return require_value([*found, rows["seen"][0]][0], f"{reference.text}: nobody was seen")


LOSS_MEASURES: Final = tuple(
    MeasureDefinition(
        f"estimated_{quantity}",
        meaning,
        _check,
        partial(_read, quantity),
        f'estimated_{quantity}(method="capture-recapture")',
        # Requests without a visit are counted over the whole clock.
        spans_clock=True,
    )
    for quantity, meaning in _QUANTITIES.items()
)
"""Measures of what was lost, in order."""
