"""Office hours: working time of a team, and of each representative, on the simulated clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from simulator.engine.clock import Clock
from simulator.settings.sales import WEEKDAYS, StaffSettings, TeamSettings, minutes_of

_SEARCH_DAYS = 400
"""Search horizon in days for the next office hour: longer than any usual absence."""


@dataclass(frozen=True)
class Shift:
    """A period of work, from ``opens_ms`` to ``closes_ms`` in ms since the start of the simulation."""

    opens_ms: int
    closes_ms: int

    @property
    def length_ms(self) -> int:
        """Length in ms; it differs on days with a time change."""
        return self.closes_ms - self.opens_ms


class OfficeHours:
    """Office hours of a team, exact across daylight-saving changes.

    Opening and closing are local times. A local time that occurs twice means the first occurrence; one that a change
    skips is read with the offset before the change.

    Args:
        team: Time zone, hours, weekdays and holidays.
        clock: Simulated time.

    >>> from simulator.settings.clock import ClockSettings
    >>> office = OfficeHours(TeamSettings(time_zone="Europe/Berlin"), Clock(ClockSettings()))
    >>> office.on(date(2026, 3, 3))
    Shift(opens_ms=28800000, closes_ms=61200000)
    >>> office.on(date(2026, 3, 7)) is None
    True
    """

    def __init__(self, team: TeamSettings, clock: Clock) -> None:
        self._zone = ZoneInfo(team.time_zone)
        self._opens, self._closes = minutes_of(team.opens), minutes_of(team.closes)
        self._weekdays = {WEEKDAYS.index(name) for name in team.weekdays}
        self._holidays = frozenset(team.holidays)
        self._clock = clock

    def day_of(self, time_ms: int) -> date:
        """Local date at a simulated time in ms."""
        return self._clock.to_utc(time_ms).astimezone(self._zone).date()

    def on(self, day: date) -> Shift | None:
        """Office hours of a local date; None if the office is closed all day."""
        if day.weekday() not in self._weekdays or day in self._holidays:
            return None
        return Shift(self._moment(day, self._opens), self._moment(day, self._closes))

    def _moment(self, day: date, minutes: int) -> int:
        """Simulated time of a local time; minute 1440 is the next midnight."""
        # 24:00 is midnight of the next day.
        days, minute = divmod(minutes, 24 * 60)
        wall = datetime.combine(day + timedelta(days=days), time(minute // 60, minute % 60), self._zone)
        # Through UTC: differences of local times ignore a change of the offset.
        return self._clock.to_ms(wall.astimezone(UTC))

    def days_from(self, time_ms: int) -> Iterator[date]:
        """Local dates from a simulated time on, up to the search horizon."""
        first = self.day_of(time_ms)
        return (first + timedelta(days=ahead) for ahead in range(_SEARCH_DAYS))

    def next_open(self, time_ms: int) -> int | None:
        """First time in office hours at or after a simulated time; None if there is none within the search horizon."""
        shift = RepCalendar(self).next_shift(time_ms)
        return None if shift is None else shift.opens_ms


@dataclass(frozen=True)
class RepCalendar:
    """Working hours of one representative.

    A new hire trains during the last part of the day: in week k of the N weeks of ramp-up they work the first k / (N +
    1) of each day's office hours.

    Attributes:
        office: The team's office hours.
        joins: First day of work; None for a representative who is there from the start.
        ramp_weeks: Weeks until a new hire works the whole day.
        absences: First and last day of each absence.
    """

    office: OfficeHours
    joins: date | None = None
    ramp_weeks: int = 0
    absences: tuple[tuple[date, date], ...] = ()

    def on(self, day: date) -> Shift | None:
        """The shift of a local date; None for a day off."""
        share = self._share(day)
        hours = self.office.on(day) if share else None
        return hours and Shift(hours.opens_ms, hours.opens_ms + round(share * hours.length_ms))

    def _share(self, day: date) -> float:
        """Share of the day's office hours that is worked."""
        if any(first <= day <= last for first, last in self.absences):
            return 0.0
        if self.joins is None:
            return 1.0
        weeks = (day - self.joins).days // 7
        return 0.0 if weeks < 0 else min(1.0, (weeks + 1) / (self.ramp_weeks + 1))

    def next_shift(self, time_ms: int) -> Shift | None:
        """Remainder of the current shift, or the next one; None if there is none within the search horizon.

        Args:
            time_ms: Simulated time in ms.
        """
        for day in self.office.days_from(time_ms):
            shift = self.on(day)
            # A shift that is nearly over still counts, with what is left of it.
            if shift is not None and shift.closes_ms > time_ms:
                return Shift(max(shift.opens_ms, time_ms), shift.closes_ms)
        return None

    def worked_ms(self, length_ms: int) -> int:
        """Working time in ms from the start of the simulation to ``length_ms``."""
        day, last, total = self.office.day_of(0), self.office.day_of(length_ms), 0
        while day <= last:
            if shift := self.on(day):
                total += max(0, min(shift.closes_ms, length_ms) - max(shift.opens_ms, 0))
            day += timedelta(days=1)
        return total


def rep_calendars(staff: StaffSettings, office: OfficeHours) -> list[RepCalendar]:
    """Working hours of each representative, in the order of their numbers.

    Args:
        staff: Headcount, hires and absences.
        office: The team's office hours.
    """
    joins = {hire.rep: hire.on for hire in staff.hires}
    return [
        RepCalendar(
            office,
            joins.get(rep),
            staff.ramp_weeks,
            tuple((absence.first, absence.last) for absence in staff.absences if absence.rep == rep),
        )
        for rep in range(1, staff.headcount + 1)
    ]
