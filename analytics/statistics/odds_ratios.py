"""Homogeneity of the odds ratios of several two-by-two tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MIN_EXPECTED: Final = 5.0


@dataclass(frozen=True)
class Homogeneity:
    """Test that several odds ratios are equal.

    Args:
        statistic: χ² of Breslow and Day with Tarone's correction; None where it cannot be computed.
        degrees_of_freedom: Segments with information about the odds ratio, less one.
        p_value: Probability of a statistic at least as large if all odds ratios were equal; None without a statistic.
        common_odds_ratio: Mantel-Haenszel odds ratio over all segments; None where it is 0, infinite or unknown.
        smallest_expected: Smallest expected count if all odds ratios were equal. Below 5 the p-value is approximate.
        note: A warning, such as why there is no statistic; None if there is none.
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

    Unlike the Wald test of the products in a logit (Woolf's test), it allows zero counts; for large counts the two
    agree. A segment in which all or none saw the content, or all or none converted, has no information about the odds
    ratio and is dropped. Source: N. E. Breslow and N. E. Day, Statistical Methods in Cancer Research I (1980),
    equations 4.15 and 4.30; R. E. Tarone, Biometrika 72 (1985) 91–95.

    Args:
        n_seen: Number who saw the content, by segment; shape (segments,).
        converted_seen: Number of these who converted.
        n_unseen: Number who did not see it.
        converted_unseen: Number of these who converted.

    >>> found = homogeneity_of_odds_ratios(*np.array([[40.0, 40.0], [30.0, 10.0], [40.0, 40.0], [10.0, 30.0]]))
    >>> round(found.statistic, 6), found.degrees_of_freedom, round(found.common_odds_ratio, 6)
    (40.0, 1, 1.0)
    """
    # Not by statsmodels' StratifiedTable: it returns NaN where the common odds ratio is 1 or a segment has no
    # information, loses digits near 1, and does not return expected counts.
    n, converted = n_seen + n_unseen, converted_seen + converted_unseen
    informative = (n_seen > 0) & (n_unseen > 0) & (converted > 0) & (converted < n)
    n_informative = int(informative.sum())
    if n_informative < 2:  # noqa: PLR2004 - two can differ
        too_few = f"only {n_informative} of the segments inform about the odds ratio; two are needed"
        return Homogeneity(None, 0, None, None, None, too_few)
    a, row, column, n = converted_seen[informative], n_seen[informative], converted[informative], n[informative]
    ratio = _common_odds_ratio(a, row, column, n)
    if ratio is None:
        return Homogeneity(
            None, n_informative - 1, None, None, None, "nobody who saw it converted, or everybody who did not"
        )
    expected = _expected(ratio, row, column, n)
    cells = np.array([expected, row - expected, column - expected, n - row - column + expected])
    variance = 1 / (1 / cells).sum(axis=0)
    statistic = float(((a - expected) ** 2 / variance).sum() - (a - expected).sum() ** 2 / variance.sum())
    smallest = float(cells.min())
    note = (
        f"an expected count is below {_MIN_EXPECTED:g}: the p-value is approximate"
        if smallest < _MIN_EXPECTED
        else None
    )
    # Workers that only simulate must not wait for it.
    from scipy.special import chdtrc  # noqa: PLC0415

    p_value = float(chdtrc(n_informative - 1, max(statistic, 0.0)))
    return Homogeneity(statistic, n_informative - 1, p_value, ratio, smallest, note)


def _common_odds_ratio(a: Floats, row: Floats, column: Floats, n: Floats) -> float | None:
    """The Mantel-Haenszel odds ratio, where it is above 0 and finite."""
    concordant, discordant = (a * (n - row - column + a) / n).sum(), ((row - a) * (column - a) / n).sum()
    return float(concordant / discordant) if concordant > 0 and discordant > 0 else None


def _expected(ratio: float, row: Floats, column: Floats, n: Floats) -> Floats:
    """Expected count of those who saw the content and converted, given the odds ratio and the margins of each table."""
    # The root of a quadratic equation, in the form that does not divide by 1 − ratio.
    b = n - row - column + ratio * (row + column)
    c = ratio * row * column
    root: Floats = 2 * c / (b + np.sqrt(b * b + 4 * (1 - ratio) * c))
    return root
