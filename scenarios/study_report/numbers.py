"""How the report of a study, and what the command line says of it, write numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["NONE", "cell", "interval", "number", "share"]

NONE: Final = "–"
"""What stands where there is nothing."""


def cell(value: object) -> str:
    """Write a value of a factor."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return number(value)


def number(value: float | None, *, sign: bool = False) -> str:
    """Write a number with four digits that count, or with all those before the point."""
    if value is None:
        return NONE
    is_whole = float(value).is_integer() or abs(value) >= 1000  # noqa: PLR2004 - has four digits
    form = ",.0f" if is_whole and abs(value) < 1e15 else ".4g"  # noqa: PLR2004 - beyond, digits are not exact
    return f"{value:{'+' if sign and value else ''}{form}}".replace("-", "\N{MINUS SIGN}")


def interval(row: Mapping[str, Any]) -> str:
    """Write an interval, from ``ci_low`` to ``ci_high``."""
    return NONE if row["ci_low"] is None else f"[{number(row['ci_low'])}, {number(row['ci_high'])}]"


def share(value: float | None) -> str:
    """Write a share in whole percent."""
    return NONE if value is None else f"{100 * value:.0f}%".replace("-", "\N{MINUS SIGN}")
