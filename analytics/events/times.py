"""Datetimes and epoch milliseconds, and the range of event times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from analytics.errors import AnalyticsError

_Ms = TypeVar("_Ms", int, NDArray[np.int64])

HOUR_MS: Final = 3_600_000
"""An hour, in milliseconds."""

DAY_MS: Final = 24 * HOUR_MS
"""A day, in milliseconds."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Moment 0 of all times in milliseconds."""

EARLIEST: Final = datetime(2, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9998, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
"""First and last time of an event; a year on either side is reserved for times computed from it."""


def window_start(stream_ms: _Ms, n_hours: int) -> _Ms:
    """The beginning of a window of some hours, the current one included, at a stream time or at many.

    Args:
        stream_ms: In epoch milliseconds.
        n_hours: Hours in the window.

    >>> window_start(3_600_000 * 30 + 5, 24) == 3_600_000 * 7
    True
    """
    return stream_ms - stream_ms % HOUR_MS - (n_hours - 1) * HOUR_MS


def moment(ms: int) -> datetime:
    """The moment, in UTC, of a number of epoch milliseconds.

    >>> moment(3_600_000)
    datetime.datetime(1970, 1, 1, 1, 0, tzinfo=datetime.timezone.utc)
    """
    # Not `fromtimestamp`: it goes through a float, and fails for early years on some systems.
    return EPOCH + timedelta(milliseconds=ms)


def epoch_ms(given: datetime) -> int:
    """Epoch milliseconds of a moment with a time zone, cut to whole ones.

    >>> epoch_ms(datetime(1970, 1, 1, 1, tzinfo=UTC))
    3600000
    """
    # Integers throughout: `timestamp` is a float, which misses milliseconds in far years.
    return (given - EPOCH) // timedelta(milliseconds=1)


def in_utc(given: datetime | None) -> datetime | None:
    """The same moment with a time zone: a naive one is UTC, as everywhere in the analytics; None stays None.

    >>> in_utc(datetime(2026, 3, 3))
    datetime.datetime(2026, 3, 3, 0, 0, tzinfo=datetime.timezone.utc)
    """
    return given.replace(tzinfo=UTC) if given is not None and given.tzinfo is None else given


def moment_ms(name: str, given: datetime) -> int:
    """Epoch milliseconds of a moment that events can have.

    Args:
        name: Name of the argument, for the error message.
        given: The moment.

    Returns:
        Milliseconds since 1970, cut to whole ones.

    Raises:
        AnalyticsError: It has no time zone, or lies outside ``EARLIEST`` to ``LATEST``.

    >>> moment_ms("now", datetime(2026, 3, 3))
    Traceback (most recent call last):
    analytics.errors.AnalyticsError: now must have a time zone, and a year from 2 to 9998 (got 2026-03-03T00:00:00)
    """
    if given.tzinfo is None or not EARLIEST <= given <= LATEST:
        raise AnalyticsError(f"{name} must have a time zone, and a year from 2 to 9998 (got {given.isoformat()})")
    return epoch_ms(given)
