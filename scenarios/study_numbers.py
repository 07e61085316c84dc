"""How the report of a study writes its numbers."""

from __future__ import annotations

from typing import Final

__all__ = ["NONE", "cell", "number", "share"]

NONE: Final = "–"
"""What stands where there is nothing."""


def cell(value: object) -> str:
    """Write a value of a factor."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return number(value)


def number(value: float | None, *, sign: bool = False) -> str:
    """Write a number with four digits that count."""
    if value is None:
        return NONE
    whole = float(value).is_integer() and abs(value) < 1e15  # noqa: PLR2004 - beyond, digits are not exact
    shown = f"{value:{'+' if sign and value else ''},.0f}" if whole else f"{value:{'+' if sign else ''}.4g}"
    return shown.replace("-", "\N{MINUS SIGN}")


def share(value: float | None) -> str:
    """Write a share in whole percent."""
    return NONE if value is None else f"{100 * value:.0f}%".replace("-", "\N{MINUS SIGN}")
