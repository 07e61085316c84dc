"""When the simulation starts and how long it lasts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from simulator.settings.base import Settings

__all__ = ["ClockSettings", "in_utc"]

# Time zones have rules for these years, and ten years more stay far from the limits of a date.
_EARLIEST_YEAR, _LATEST_YEAR = 1970, 2200

_MAX_HOURS = 10 * 366 * 24


def in_utc(moment: datetime) -> datetime:
    """The moment in UTC, cut to whole milliseconds; without a time zone it is UTC already."""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if not _EARLIEST_YEAR <= moment.year <= _LATEST_YEAR:
        raise ValueError(f"must be in the years {_EARLIEST_YEAR} to {_LATEST_YEAR}")
    # Events are stamped in whole milliseconds, so the clock starts on one.
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class ClockSettings(Settings):
    """When the simulation starts and how long it lasts.

    Attributes:
        start: First moment, UTC unless it says otherwise. The default is an ordinary Tuesday.
        hours: Length in hours, ten years at most. The last moment itself is not part of the simulation.
    """

    start: Annotated[datetime, AfterValidator(in_utc)] = datetime(2026, 3, 3, tzinfo=UTC)
    hours: int = Field(default=24, ge=1, le=_MAX_HOURS, strict=True)
