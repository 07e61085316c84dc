"""Odds ratios per unit that means something: with a signal against without it, a visit twice as long."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from analytics.logit.design import INTERCEPT
from analytics.signals.definitions import EventCount, SessionLength, Signal, interaction_parts

__all__ = ["Unit", "odds_ratios_per_unit", "unit_of"]

_MINUTES: Final = 10
_LARGEST: Final = 700.0
"""The exponential of more than this is more than a number can hold."""


@dataclass(frozen=True)
class Unit:
    """A change of a term that means something to a reader.

    Args:
        meaning: What the change is.
        size: How large it is on the term's own scale.
    """

    meaning: str
    size: float


def unit_of(term: str, signals: Mapping[str, Signal]) -> Unit:
    """Return the unit in which to read a term.

    Args:
        term: Name of a term other than the intercept.
        signals: The signals by name; one that is not among them is read per 1.
    """
    units = [_unit(signals.get(part)) for part in interaction_parts(term)]
    return Unit(" and ".join(unit.meaning for unit in units), math.prod(unit.size for unit in units))


def _unit(signal: Signal | None) -> Unit:
    if signal is not None and signal.dtype == pl.Boolean():
        return Unit("with it against without", 1.0)
    if isinstance(signal, SessionLength):
        if signal.scale == "log1p":
            return Unit("twice as long, in 1 + minutes", math.log(2))
        return Unit(f"{_MINUTES} minutes longer", float(_MINUTES))
    if isinstance(signal, EventCount) and signal.scale == "log1p":
        return Unit("twice as many, in 1 + number", math.log(2))
    return Unit("one more", 1.0)


def odds_ratios_per_unit(coefficients: pl.DataFrame, signals: Sequence[Signal]) -> pl.DataFrame:
    """Return the odds ratio of each term per unit, with its interval: the exponential of coefficient × unit.

    Args:
        coefficients: As of ``IntentResults.coefficients``.
        signals: The signals of the model.

    Returns:
        One row per term: ``signal``, ``unit``, ``odds_ratio_per_unit``, ``odds_ratio_per_unit_low`` and
        ``odds_ratio_per_unit_high``; null for the intercept, whose exponential is no ratio.
    """
    known = {signal.name: signal for signal in signals}
    rows = []
    for row in coefficients.iter_rows(named=True):
        unit = None if row["signal"] == INTERCEPT else unit_of(row["signal"], known)
        ratios = [
            None if unit is None else math.exp(min(row[key] * unit.size, _LARGEST))
            for key in ("coefficient", "ci_low", "ci_high")
        ]
        rows.append((row["signal"], None if unit is None else unit.meaning, *ratios))
    names = ("odds_ratio_per_unit", "odds_ratio_per_unit_low", "odds_ratio_per_unit_high")
    schema = {"signal": pl.String(), "unit": pl.String(), **dict.fromkeys(names, pl.Float64())}
    return pl.DataFrame(rows, schema=schema, orient="row")
