"""When the simulation starts and how long it runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from simulator.settings.base import Settings

# Time zones have rules for these years, and ten more years stay within the range of dates.
_EARLIEST_YEAR, _LATEST_YEAR = 1970, 2200

_MAX_HOURS = 10 * 366 * 24


def in_utc(moment: datetime) -> datetime:
    """Convert a time to UTC and truncate it to whole milliseconds; a time without a time zone is UTC already.

    Raises:
        ValueError: The year is outside the supported range.

    >>> in_utc(datetime(2026, 3, 3, 12, 0, 0, 123_456)).isoformat()
    '2026-03-03T12:00:00.123000+00:00'
    """
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if not _EARLIEST_YEAR <= moment.year <= _LATEST_YEAR:
        raise ValueError(f"must be in the years {_EARLIEST_YEAR} to {_LATEST_YEAR}")
    # Events are stamped in whole milliseconds, so the clock starts on one.
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class ClockSettings(Settings):
    """When the simulation starts and how long it runs.

    Attributes:
        start: First moment; UTC unless it has another time zone. The default is an ordinary Tuesday.
        hours: Length in hours, ten years at most. The end itself is not part of the simulation.
    """

    start: Annotated[datetime, AfterValidator(in_utc)] = datetime(2026, 3, 3, tzinfo=UTC)
    hours: int = Field(default=24, ge=1, le=_MAX_HOURS, strict=True)
