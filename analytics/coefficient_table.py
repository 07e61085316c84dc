"""The table of coefficients: one row per term, with effects, counts and the truth beside."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from analytics.fitted_basis import FittedBasis
from analytics.intent_results import COEFFICIENT_SCHEMA
from analytics.logit.marginal_effects import MarginalEffects
from analytics.statistics.multiplicity import holm

__all__ = ["coefficient_table"]


def coefficient_table(basis: FittedBasis, truth: Mapping[str, float]) -> pl.DataFrame:
    """Lay out what was estimated.

    Args:
        basis: A fitted model.
        truth: Coefficients that produced the data, by term, as far as known.

    Returns:
        Table of :data:`analytics.intent_results.COEFFICIENT_SCHEMA`.
    """
    design, estimate = basis.design, basis.estimate
    low, high = estimate.low, estimate.high
    effects = _effects(basis)
    truths = [truth.get(term) for term in design.terms]
    seen = (design.matrix != 0).astype(np.float64)
    with np.errstate(over="ignore"):
        # Of a separated term an end may be larger than a number can hold: infinite.
        odds_ratios = np.exp([estimate.fit.coefficients, low, high])
    columns = {
        "signal": design.terms,
        "coefficient": estimate.fit.coefficients,
        "standard_error": estimate.fit.standard_errors,
        "z": estimate.z,
        "p_value": estimate.p_values,
        "p_adjusted": [None, *holm(estimate.p_values[1:])],
        "ci_low": low,
        "ci_high": high,
        "odds_ratio": odds_ratios[0],
        "odds_ratio_low": odds_ratios[1],
        "odds_ratio_high": odds_ratios[2],
        "average_marginal_effect": [effect for effect, _ in effects],
        "average_marginal_effect_se": [error for _, error in effects],
        "truth": truths,
        "covered": [None if t is None else bool(a <= t <= c) for a, t, c in zip(low, truths, high, strict=True)],
        "n_seen": (design.n_visits @ seen).astype(np.int64),
        "requests_seen": (design.n_requests @ seen).astype(np.int64),
    }
    return pl.DataFrame([pl.Series(name, columns[name], dtype=t) for name, t in COEFFICIENT_SCHEMA.items()])


def _effects(basis: FittedBasis) -> list[tuple[float | None, float | None]]:
    yes_or_no = {signal.name: signal.dtype == pl.Boolean() for signal in basis.signals}
    effects = MarginalEffects(basis.design, basis.estimate.fit)
    return [
        effects.average(term, yes_or_no=yes_or_no[term]) if term in yes_or_no else (None, None)
        for term in basis.design.terms
    ]
