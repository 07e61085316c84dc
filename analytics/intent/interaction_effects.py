"""Interaction effects on the probability scale: how much larger one signal's effect is where the other is present.

In a logit the coefficient of a product acts on the odds. It does not show whether the probability changes more: with a
coefficient of 0 the effects on the probability still differ, and the sign may be the opposite. The change of one
signal's average marginal effect with the other signal does: C. Ai and E. C. Norton, Economics Letters 80 (2003)
123–129.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Final

import numpy as np
import polars as pl
from scipy.special import expit

from analytics.intent.fit_context import FitContext
from analytics.logit.design import Design
from analytics.logit.fit import LogitFit
from analytics.logit.matrix import DesignMatrix, Floats
from analytics.signals.definitions import interaction_parts

INTERACTION_SCHEMA: Final = pl.Schema(
    {
        "signal": pl.String(),
        "effect": pl.Float64(),
        "standard_error": pl.Float64(),
        "p_value": pl.Float64(),
        "ci_low": pl.Float64(),
        "ci_high": pl.Float64(),
    }
)
"""Columns of the table of interactions, one row per product of two signals in the model.

``effect`` is the change of one signal's average marginal effect with the other, as a probability; for a quantity it is
per unit, as its average marginal effect is. The interval is Wald's; null where there are too few accounts for one.
"""

_PAIR: Final = 2


def interaction_effects(basis: FitContext, level: float) -> pl.DataFrame:
    """Return the effects of all products of two signals in a model, as probabilities.

    Args:
        basis: The fitted model.
        level: Confidence level of the intervals, between 0 and 1.
    """
    is_binary = {signal.name: signal.dtype == pl.Boolean() for signal in basis.signals}
    fit = basis.estimate.fit
    rows = []
    for term in basis.design.terms:
        pair = interaction_parts(term)
        # A square or a product of three has no second difference in two signals.
        if len(set(pair)) == len(pair) == _PAIR:
            effect, gradient = interaction_effect(basis.design, fit, {part: is_binary[part] for part in pair})
            error, half = (float(of[0]) for of in (fit.errors_of(gradient), fit.half_widths(gradient, level)))
            # Where all probabilities are 0 or 1 the effect has no error, and there is nothing to test.
            p_value = float(fit.p_values(gradient, np.array([effect]))[0]) if error > 0 else None
            rows.append((term, effect, error, p_value, effect - half, effect + half))
    return pl.DataFrame(rows, schema=INTERACTION_SCHEMA, orient="row").with_columns(pl.col(pl.Float64).fill_nan(None))


def interaction_effect(design: Design, fit: LogitFit, pair: Mapping[str, bool]) -> tuple[float, Floats]:
    """Return the mean over visits of the second difference (or derivative) of the probability.

    With two binary signals it is the mean of p(1, 1) − p(1, 0) − p(0, 1) + p(0, 0), every visit with its other
    signals.

    Args:
        design: Design of the model.
        fit: Maximum of its likelihood.
        pair: Two signals that are terms by themselves, and whether each is binary.

    Returns:
        The effect, and its gradient in the coefficients, 1 × terms, for its standard error by the delta method.
    """
    flags = [signal for signal, is_flag in pair.items() if is_flag]
    quantities = [signal for signal, is_flag in pair.items() if not is_flag]
    share = design.n_visits / design.n_visits.sum()
    effect, gradient = 0.0, np.zeros(len(design.terms))
    # Binary signals are differenced over all corners, quantities are differentiated.
    for corner in product((0.0, 1.0), repeat=len(flags)):
        sign = (-1.0) ** (len(flags) - sum(corner))
        values = dict(zip(flags, corner, strict=True))
        here, slope = _mean_derivative(design, fit.predictive, share, values, quantities)
        effect, gradient = effect + sign * here, gradient + sign * slope
    return effect, gradient[np.newaxis]


def _mean_derivative(
    design: Design, b: Floats, share: Floats, values: Mapping[str, float], by: Sequence[str]
) -> tuple[float, Floats]:
    """Mean derivative of the probability by up to two signals, with others set to values; and its gradient in b."""
    x = _columns(design, values)
    p = expit(x @ b)
    w = share * p * (1 - p)
    if not by:
        return float(share @ p), w @ x
    x_one = _columns(design, values, by[:1])
    # 1 − 2p is the derivative of p (1 − p) by the log-odds, relative to p (1 − p) itself.
    one, curvature = x_one @ b, 1 - 2 * p
    if len(by) == 1:
        return float(w @ one), (w * curvature * one) @ x + w @ x_one
    x_other, x_both = _columns(design, values, by[1:]), _columns(design, values, by)
    other, both = x_other @ b, x_both @ b
    # 1 − 6p (1 − p) is the second derivative, relative likewise.
    gradient = (w * (1 - 6 * p * (1 - p)) * one * other + w * curvature * both) @ x
    gradient = gradient + (w * curvature * other) @ x_one + (w * curvature * one) @ x_other + w @ x_both
    return float(w @ (curvature * one * other + both)), gradient


def _columns(design: Design, values: Mapping[str, float], by: Sequence[str] = ()) -> DesignMatrix:
    """The design matrix with some signals set to values, differentiated by others."""
    matrix = design.matrix
    # Views of one number each. Without a name that a signal can have, 0 stands for terms that do not depend on `by`.
    fixed = {name: np.broadcast_to(value, matrix.n_rows) for name, value in {**values, "": 0.0}.items()}
    products = []
    for parts in matrix.products:
        left = tuple(part for part in parts if part not in by)
        products.append(left if set(by) <= set(parts) else ("",))
    return replace(matrix, columns={**matrix.columns, **fixed}, products=products)
