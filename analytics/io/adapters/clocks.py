"""Times in units other than milliseconds, as some tools export them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# The limits of seconds, milliseconds and microseconds that lie between the years 1973 and 5138.
_SECONDS_END: Final = 10**11
_MS_END: Final = 10**14


def from_epoch(value: object) -> object:
    """A number of seconds, milliseconds or microseconds since 1970, or its text, as ISO 8601; other values unchanged.

    >>> from_epoch(1772532000), from_epoch("1772532000123456"), from_epoch("2026-03-03")
    ('2026-03-03T10:00:00+00:00', '2026-03-03T10:00:00.123456+00:00', '2026-03-03')
    """
    try:
        number = float(value) if isinstance(value, int | float | str) else None
    except ValueError:
        return value
    if number is None or not abs(number) < 10**17:
        return value
    whole = int(value) if isinstance(value, int | str) and float(value).is_integer() and "." not in str(value) else 0
    unit = 1_000_000 if abs(number) < _SECONDS_END else 1_000 if abs(number) < _MS_END else 1
    try:
        return (_EPOCH + timedelta(microseconds=whole * unit or round(number * unit))).isoformat()
    except OverflowError:
        return value
