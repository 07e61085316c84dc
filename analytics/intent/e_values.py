"""E-values: how strong an unmeasured cause would have to be to explain a signal's effect away.

The E-value is the smallest risk ratio that an unmeasured cause must have with the signal and with the request, both, to
make the estimate what it is if the signal itself does nothing. Source: T. J. VanderWeele and P. Ding, Annals of
Internal Medicine 167 (2017) 268–274: RR + √(RR (RR − 1)) for a risk ratio RR above 1, and of 1 / RR below.
"""

from __future__ import annotations

from typing import Final

import polars as pl

_RARE: Final = 0.15
"""Share of requests up to which an odds ratio is nearly a risk ratio; above, its square root is nearer (ibid.)."""


def e_values(per_unit: pl.DataFrame, share: float) -> pl.DataFrame:
    """Return the E-value of each signal, of its estimate and of the end of its interval that is nearer to no effect.

    Args:
        per_unit: As of ``IntentResults.odds_ratio_unit``.
        share: Share of visits with a request.

    Returns:
        One row per signal: ``signal``, ``unit``, ``e_value`` and ``e_value_of_interval``, which is 1 where the interval
        includes no effect: then there is nothing to explain away. Products of signals have none.

    >>> ratio, low, high = "odds_ratio_per_unit", "odds_ratio_per_unit_low", "odds_ratio_per_unit_high"
    >>> smoking = pl.DataFrame({"signal": "smokes", "unit": "yes", ratio: 10.73, low: 8.02, high: 14.36})
    >>> e_values(smoking, share=0.01)["e_value", "e_value_of_interval"].row(0)
    (20.947..., 15.523...)
    """
    names = [f"odds_ratio_per_unit{end}" for end in ("", "_low", "_high")]
    ratio, low, high = (pl.col(name) if share < _RARE else pl.col(name).sqrt() for name in names)
    nearer = pl.when(ratio >= 1).then(low.clip(lower_bound=1.0)).otherwise(high.clip(upper_bound=1.0))
    is_signal = pl.col("unit").is_not_null() & ~pl.col("signal").str.contains(":", literal=True)
    return per_unit.filter(is_signal).select(
        "signal", "unit", e_value=_e_value(ratio), e_value_of_interval=_e_value(nearer)
    )


def _e_value(risk_ratio: pl.Expr) -> pl.Expr:
    above = pl.when(risk_ratio >= 1).then(risk_ratio).otherwise(1 / risk_ratio)
    return above + (above * (above - 1)).sqrt()
