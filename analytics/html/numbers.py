"""Numbers as people read them: counts, rates, factors and p-values, each with its interval where there is one."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final

NONE: Final = "–"
"""Stands where there is no value."""

SIGNIFICANT: Final = 0.05
"""Below this adjusted p-value an effect is called significant."""


def count(value: float | None) -> str:
    """Write a count: ``20,072``."""
    return NONE if value is None else f"{value:,.0f}"


def decimal(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """Write a number with so many decimals, with a sign if asked for, and a true minus."""
    if value is None or not math.isfinite(value):
        return NONE
    rounded = round(value, digits) + 0.0  # -0.004 becomes 0.00: a minus before zeros means nothing
    return f"{rounded:{'+' if sign and rounded else ''},.{digits}f}".replace("-", "\N{MINUS SIGN}")


def estimate(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """Write an estimate with so many decimals, and below 0.01 with three significant digits, in ASCII.

    The effect of one more dollar or millisecond is small, and not 0.

    >>> estimate(0.5), estimate(-0.00123, sign=True), estimate(3e-5, 3), estimate(0.0)
    ('0.50', '-0.00123', '3.00e-05', '0.00')
    """
    if value is None or not math.isfinite(value):
        return NONE
    # 0.00999 to two digits would be 0.01, and to three 0.010.
    form = "#.3g" if 0 < abs(value) < 0.01 else f".{digits}f"  # noqa: PLR2004 - the last with two decimals
    return f"{value:{'+' if sign else ''}{form}}"


def ratio(value: float | None, digits: int = 2) -> str:
    """Write a ratio likewise, near 1 with three significant digits of its difference from 1.

    >>> ratio(1.5), ratio(1.0000301234, 3), ratio(0.00123), ratio(1.0)
    ('1.50', '1.0000301', '0.00123', '1.00')
    """
    if value is None or not 0 < abs(value - 1) < 0.01:  # noqa: PLR2004 - as above
        return estimate(value, digits)
    return f"{value:.{2 - math.floor(math.log10(abs(value - 1)))}f}"


def general(value: float | None, *, sign: bool = False) -> str:
    """Write a number of any size with four significant digits, or all before the point: ``0.01234``, ``12,345``."""
    if value is None:
        return NONE
    is_whole = float(value).is_integer() or abs(value) >= 1000  # noqa: PLR2004 - has four digits
    form = ",.0f" if is_whole and abs(value) < 1e15 else ".4g"  # noqa: PLR2004 - beyond, digits are not exact
    return f"{value:{'+' if sign and value else ''}{form}}".replace("-", "\N{MINUS SIGN}")


def interval(low: float | None, high: float | None) -> str:
    """Write an interval of such numbers: ``[0.01234, 12,345]``."""
    return NONE if low is None else f"[{general(low)}, {general(high)}]"


def setting(value: object) -> str:
    """Write the value of a setting, a number like any other."""
    return str(value) if isinstance(value, bool) or not isinstance(value, int | float | None) else general(value)


def share(value: float | None) -> str:
    """Write a share in whole percent: ``89%``."""
    return NONE if value is None or not math.isfinite(value) else f"{decimal(100 * value, 0)}%"


def percent(value: float | None) -> str:
    """Write a rate in percent: ``1.14%``, ``80.6%``."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{100 * value:.{_digits(value)}f}%"


def rate(value: float | None, low: float | None, high: float | None) -> str:
    """Write a rate with its interval: ``1.14% [1.00, 1.30]``."""
    if value is None or low is None or high is None:
        return NONE
    digits = _digits(value)
    return f"{percent(value)} [{100 * low:.{digits}f}, {100 * high:.{digits}f}]"


def _digits(rate_: float) -> int:
    return 2 if abs(rate_) < 0.1 else 1  # noqa: PLR2004 - three figures that count


def times(value: float | None, low: float | None, high: float | None) -> str:
    """Write a factor with its interval: ``2.5 [1.8, 3.6]``, below 2 to the second decimal: ``1.35 [0.85, 2.14]``."""
    if value is None or low is None or high is None:
        return NONE
    digits = 1 if value >= 2 else 2  # noqa: PLR2004 - below, a tenth is too coarse
    # An odds ratio beyond 1,000 is a sign of separation, not an estimate.
    shown = [">1000" if x >= 1000 else f"{x:.{digits}f}" for x in (value, low, high)]  # noqa: PLR2004
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def effect(value: float | None, low: float | None, high: float | None, digits: int = 2) -> str:
    """Write an estimate with its interval: ``+0.90 [+0.31, +1.49]``; without one where there is none: ``+0.90 [–]``."""
    ends = NONE if low is None else f"{decimal(low, digits, sign=True)}, {decimal(high, digits, sign=True)}"
    return f"{decimal(value, digits, sign=True)} [{ends}]"


def p_value(value: float | None) -> str:
    """Write a p-value: ``0.028``, ``<0.001``."""
    if value is None or not math.isfinite(value):
        return NONE
    return "<0.001" if value < 0.001 else f"{value:.3f}"  # noqa: PLR2004


def p_equals(value: float | None) -> str:
    """Write a p-value within a sentence: ``p = 0.028``, ``p < 0.001``."""
    shown = p_value(value)
    return f"p < {shown[1:]}" if shown.startswith("<") else f"p = {shown}"


def points(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """Write a difference of rates in percentage points, with its interval if given: ``+1.20 [+0.31, +2.09]``."""
    shown = [decimal(None if each is None else 100 * each, sign=True) for each in (value, low, high)]
    return shown[0] if low is None else f"{shown[0]} [{shown[1]}, {shown[2]}]"


def optional(value: str | None) -> str:
    """Write a text that may be missing."""
    return value or NONE


def moment(time: datetime) -> str:
    """Write a moment: ``3 March 2026, 14:00``."""
    return f"{time.day} {time:%B %Y, %H:%M}"
