"""Odds ratios of several two-by-two tables: whether they are one and the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Homogeneity", "homogeneity_of_odds_ratios"]

Floats = NDArray[np.float64]

_FEW_EXPECTED: Final = 5.0


@dataclass(frozen=True)
class Homogeneity:
    """Whether some odds ratios are one and the same.

    Args:
        statistic: χ² of Breslow and Day with Tarone's correction; None where it cannot be worked out.
        degrees_of_freedom: Segments that tell of the odds ratio, less one.
        p_value: Probability of a statistic as large if all odds ratios were equal; None without a statistic.
        common_odds_ratio: Of Mantel and Haenszel, over all segments; None where it is 0, infinite or unknown.
        smallest_expected: Smallest number of the table that would be expected if all were equal. Below 5 the p-value
            is rough.
        note: What to mind, such as why there is no statistic; None if nothing.
    """

    statistic: float | None
    degrees_of_freedom: int
    p_value: float | None
    common_odds_ratio: float | None
    smallest_expected: float | None
    note: str | None


def homogeneity_of_odds_ratios(
    n_seen: Floats, converted_seen: Floats, n_unseen: Floats, converted_unseen: Floats
) -> Homogeneity:
    """Test whether the odds ratio is the same in all segments: Breslow and Day's test with Tarone's correction.

    Unlike the Wald test of the products in a logit (Woolf's test), it needs no numbers above 0 in every segment; for
    large numbers both agree. A segment in which all or none have seen the content, or all or none have asked, says
    nothing of the odds ratio and is left out. Source: N. E. Breslow and N. E. Day, Statistical Methods in Cancer
    Research I (1980), equations 4.15 and 4.30; R. E. Tarone, Biometrika 72 (1985) 91–95.

    Args:
        n_seen: How many had seen the content in each segment; shape (segments,).
        converted_seen: How many of them asked.
        n_unseen: How many had not seen it.
        converted_unseen: How many of these asked.
    """
    n, converted = n_seen + n_unseen, converted_seen + converted_unseen
    telling = (n_seen > 0) & (n_unseen > 0) & (converted > 0) & (converted < n)
    n_telling = int(telling.sum())
    if n_telling < 2:  # noqa: PLR2004 - two can differ
        return Homogeneity(None, 0, None, None, None, f"{n_telling} of the segments tell of the odds ratio, not two")
    a, row, column, n = converted_seen[telling], n_seen[telling], converted[telling], n[telling]
    ratio = _common_odds_ratio(a, row, column, n)
    if ratio is None:
        return Homogeneity(None, n_telling - 1, None, None, None, "nobody asked who had seen it, or all who had not")
    expected = _expected(ratio, row, column, n)
    cells = np.array([expected, row - expected, column - expected, n - row - column + expected])
    variance = 1 / (1 / cells).sum(axis=0)
    statistic = float(((a - expected) ** 2 / variance).sum() - (a - expected).sum() ** 2 / variance.sum())
    smallest = float(cells.min())
    note = (
        f"fewer than {_FEW_EXPECTED:g} expected somewhere: the p-value is rough" if smallest < _FEW_EXPECTED else None
    )
    # Workers that draw and tell need not wait for it.
    from scipy.special import chdtrc  # noqa: PLC0415

    p_value = float(chdtrc(n_telling - 1, max(statistic, 0.0)))
    return Homogeneity(statistic, n_telling - 1, p_value, ratio, smallest, note)


def _common_odds_ratio(a: Floats, row: Floats, column: Floats, n: Floats) -> float | None:
    """The odds ratio of Mantel and Haenszel, where it is above 0 and finite."""
    for_it, against = (a * (n - row - column + a) / n).sum(), ((row - a) * (column - a) / n).sum()
    return float(for_it / against) if for_it > 0 and against > 0 else None


def _expected(ratio: float, row: Floats, column: Floats, n: Floats) -> Floats:
    """How many would have seen and asked at this odds ratio, given the margins of each table.

    The root of a quadratic equation, written so that it holds for a ratio of 1 as well.
    """
    b = n - row - column + ratio * (row + column)
    c = ratio * row * column
    root: Floats = 2 * c / (b + np.sqrt(b * b + 4 * (1 - ratio) * c))
    return root
