"""The table of coefficients: one row per term, with odds ratios, marginal effects, counts and true coefficients."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from analytics.intent.baseline import BaselineTerm
from analytics.intent.fit_context import FitContext
from analytics.intent.own_tables import TableColumn
from analytics.logit.design import INTERCEPT
from analytics.logit.fit import quantile
from analytics.logit.marginal_effects import MarginalEffects
from analytics.logit.matrix import Floats
from analytics.signals.definitions import EventCount, SessionLength, Signal, interaction_parts
from analytics.statistics.multiplicity import holm


def coefficient_table(basis: FitContext, truth: Mapping[str, float]) -> pl.DataFrame:
    """Return the table of coefficients of a fitted model.

    Args:
        basis: A fitted model.
        truth: Known true coefficients by term, those of dropped terms included.

    Returns:
        Table of :data:`analytics.intent.coefficients.COEFFICIENT_SCHEMA`.
    """
    design, estimate = basis.design, basis.estimate
    low, high = estimate.low, estimate.high
    effects = _effects(basis)
    known = design.true_coefficients(truth)
    truths = [known.get(term) for term in design.terms]
    with np.errstate(over="ignore"):
        # An end of a separated term's interval may be too large for a float: infinite.
        odds_ratios = np.exp([estimate.fit.coefficients, low, high])
    columns = {
        "signal": design.terms,
        "coefficient": estimate.fit.coefficients,
        "standard_error": estimate.fit.standard_errors,
        "z": estimate.z,
        "p_value": estimate.p_values,
        # The intercept is not a hypothesis, so it does not count as a test.
        "p_adjusted": _adjusted(basis),
        "ci_low": low,
        "ci_high": high,
        "odds_ratio": odds_ratios[0],
        "odds_ratio_low": odds_ratios[1],
        "odds_ratio_high": odds_ratios[2],
        "average_marginal_effect": [effect for effect, _ in effects],
        "average_marginal_effect_se": [error for _, error in effects],
        "true_coefficient": truths,
        "ci_covers_truth": [
            None if t is None or np.isnan(a) else bool(a <= t <= c) for a, t, c in zip(low, truths, high, strict=True)
        ],
        # A quantity counts as seen where it is not 0.
        "n_seen": design.matrix.n_seen(design.n_visits).astype(np.int64),
        "requests_seen": design.matrix.n_seen(design.n_requests).astype(np.int64),
    }
    table = pl.DataFrame([pl.Series(name, columns[name], dtype=t) for name, t in COEFFICIENT_SCHEMA.items()])
    # Without enough accounts there are no errors, and no tests and intervals either.
    return table.with_columns(pl.col(pl.Float64).fill_nan(None))


def _adjusted(basis: FitContext) -> list[float | None]:
    """P-values adjusted for the number of signals; the intercept and the baseline's terms are no hypotheses."""
    tested = [term not in {INTERCEPT, *basis.baseline_terms} for term in basis.design.terms]
    adjusted = iter(holm(basis.estimate.p_values[np.array(tested)]))
    return [next(adjusted) if is_tested else None for is_tested in tested]


def _effects(basis: FitContext) -> list[tuple[float | None, float | None]]:
    is_binary = {signal.name: signal.dtype == pl.Boolean() for signal in basis.signals}
    effects = MarginalEffects(basis.design, basis.estimate.fit)
    return [
        # The intercept and products are no signals, and have no effect of their own.
        effects.average(term, is_binary=is_binary[term]) if term in is_binary else (None, None)
        for term in basis.design.terms
    ]


COEFFICIENT_SCHEMA: Final = pl.Schema(
    {
        "signal": pl.String(),
        "coefficient": pl.Float64(),
        "standard_error": pl.Float64(),
        "z": pl.Float64(),
        "p_value": pl.Float64(),
        "p_adjusted": pl.Float64(),
        "ci_low": pl.Float64(),
        "ci_high": pl.Float64(),
        "odds_ratio": pl.Float64(),
        "odds_ratio_low": pl.Float64(),
        "odds_ratio_high": pl.Float64(),
        "average_marginal_effect": pl.Float64(),
        "average_marginal_effect_se": pl.Float64(),
        "true_coefficient": pl.Float64(),
        "ci_covers_truth": pl.Boolean(),
        "n_seen": pl.UInt32(),
        "requests_seen": pl.UInt32(),
    }
)
"""Columns of the table of coefficients, one row per term, the intercept first.

``coefficient`` and its interval are log-odds per unit of the signal, ``odds_ratio`` their exponential. ``z`` is the
ratio of the coefficient to its standard error: a t statistic where errors are clustered, with the
``degrees_of_freedom`` of ``IntentResults.diagnostics``. ``p_value`` is of the two-sided Wald test that the coefficient
is 0; ``p_adjusted`` is Holm's, over the terms other than the intercept. All that needs a standard error is null where
there are too few accounts for one.
``average_marginal_effect`` is the change in the probability of a request in a visit; null for the intercept and for
interactions, which have none of their own (see ``IntentResults.interaction_effects``).
``true_coefficient`` is null where it is not known; ``ci_covers_truth`` says whether the interval contains it.
``n_seen`` counts the visits with the signal, ``requests_seen`` those that ended in a request.
"""


def jackknife_table(basis: FitContext, coefficients: Floats, level: float) -> pl.DataFrame | None:
    """Return the jackknife over accounts as a table; None where visits are taken as independent.

    Args:
        basis: Context of the fit.
        coefficients: Its coefficients.
        level: Confidence level of the intervals.

    Returns:
        Columns as of ``IntentResults.jackknife``.
    """
    effective, errors = basis.effective_clusters, basis.jackknife_errors
    if effective is None or errors is None:
        return None
    terms = basis.design.terms
    # Student's t with the effective number, because G − 1 would be far too many for unequal accounts.
    freedom = np.nan_to_num([effective[term] - 1 for term in terms])
    error = np.where(freedom > 0, [errors[term] for term in terms], np.nan)
    half = quantile(level, np.where(freedom > 0, freedom, np.nan)) * error
    ends = {"ci_low": coefficients - half, "ci_high": coefficients + half}
    freedom = np.where(np.isnan(error) & (freedom > 0), np.nan, np.maximum(freedom, 0))
    columns = {"standard_error": error, "degrees_of_freedom": freedom, **ends}
    return pl.DataFrame({"signal": terms, **columns}).with_columns(pl.col(list(columns)).fill_nan(None))


_MINUTES: Final = 10
"""Unit of session lengths: a change that a reader can picture, where one minute is too small."""

_LARGEST: Final = 700.0
"""Largest exponent whose exponential fits a float."""


@dataclass(frozen=True)
class Unit:
    """A meaningful change of a term, in which its odds ratio is reported.

    Args:
        meaning: Description of the change.
        size: Size of the change on the term's own scale.
    """

    meaning: str
    size: float


def unit_of(term: str, signals: Mapping[str, Signal | TableColumn]) -> Unit:
    """Return the unit in which the odds ratio of a term is reported.

    Args:
        term: Name of a term other than the intercept.
        signals: The signals by name; the unit of a signal that is not among them is 1.

    >>> unit_of("pages", {})
    Unit(meaning='one more', size=1.0)
    """
    units = [_unit(signals.get(part)) for part in interaction_parts(term)]
    # The unit of a product is the product of the units: all its signals change.
    return Unit(" and ".join(unit.meaning for unit in units), math.prod(unit.size for unit in units))


def _unit(signal: Signal | TableColumn | None) -> Unit:
    if signal is not None and signal.dtype == pl.Boolean():
        return Unit("present against absent", 1.0)
    if isinstance(signal, SessionLength):
        if signal.scale == "log1p":
            return Unit("doubled (as 1 + minutes)", math.log(2))
        return Unit(f"{_MINUTES} minutes longer", float(_MINUTES))
    if isinstance(signal, BaselineTerm) and signal.name == "visit_number":
        return Unit("doubled", math.log(2))
    if isinstance(signal, EventCount) and signal.scale == "log1p":
        return Unit("doubled (as 1 + number)", math.log(2))
    return Unit("one more", 1.0)


def odds_ratios_per_unit(coefficients: pl.DataFrame, signals: Sequence[Signal | TableColumn]) -> pl.DataFrame:
    """Return the odds ratio of each term per unit, exp(coefficient × unit), with its interval.

    Args:
        coefficients: As of ``IntentResults.coefficients``.
        signals: The signals of the model.

    Returns:
        One row per term: ``signal``, ``unit``, ``odds_ratio_per_unit``, ``odds_ratio_per_unit_low`` and
        ``odds_ratio_per_unit_high``; null for the intercept, whose exponential is no ratio.

    >>> table = pl.DataFrame({"signal": ["intercept", "pages"], "coefficient": [-4.0, 0.5], "ci_low": 0, "ci_high": 1})
    >>> odds_ratios_per_unit(table, []).select("unit", pl.col("odds_ratio_per_unit").round(2)).rows()
    [(None, None), ('one more', 1.65)]
    """
    known = {signal.name: signal for signal in signals}
    rows = []
    for row in coefficients.iter_rows(named=True):
        unit = None if row["signal"] == INTERCEPT else unit_of(row["signal"], known)
        ratios = [
            # `math.exp` raises where NumPy would return infinity.
            None if unit is None or row[key] is None else math.exp(min(row[key] * unit.size, _LARGEST))
            for key in ("coefficient", "ci_low", "ci_high")
        ]
        rows.append((row["signal"], None if unit is None else unit.meaning, *ratios))
    names = ("odds_ratio_per_unit", "odds_ratio_per_unit_low", "odds_ratio_per_unit_high")
    schema = {"signal": pl.String(), "unit": pl.String(), **dict.fromkeys(names, pl.Float64())}
    return pl.DataFrame(rows, schema=schema, orient="row")
