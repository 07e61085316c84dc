"""Measures of what tracking has lost: visitors and conversion as they are estimated from what was seen."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from scenarios.measures.definition import (
    MeasureDefinition,
    Parts,
    RunView,
    arguments_of,
    require_known,
    require_value,
)
from scenarios.measures.expressions import Reference

# For type checkers only: scenarios are checked where nothing is analysed.
if TYPE_CHECKING:
    from analytics.analysis import Analysis

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
    from analytics.report.measurement import measured_counts, people_of  # noqa: PLC0415 - what only counts does not wait for it

    method, people = _method(reference), people_of(run.analysis)
    rows = measured_counts(run.analysis, {}).filter(quantity=quantity, method=method)
    if rows.is_empty() and _all_seen(people, method):
        return require_value(people.segments()[quantity][0], f"{reference.text}: nobody was seen")
    values: list[float] = rows["estimated"].to_list()
    return require_value(values[0] if values else None, f"{reference.text}: the events do not allow it")


def _all_seen(people: Analysis, method: str) -> bool:
    """Whether nothing was lost, as is known of a simulation, or as requests show, all of people who were seen."""
    if method == "weights":
        return people.settings.loss_rates == {}
    return bool(people.segments()["converted"][0]) and not people.n_unseen_requesters


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
