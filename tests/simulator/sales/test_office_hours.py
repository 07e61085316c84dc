"""Claims about office hours and shifts, compared with local time minute by minute."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from analytics.events.times import HOUR_MS
from simulator.engine.clock import Clock
from simulator.sales.office_hours import OfficeHours, RepCalendar, rep_calendars
from simulator.settings.clock import ClockSettings
from simulator.settings.sales import WEEKDAYS, StaffSettings, TeamSettings


def office(start: str, **team: Any) -> OfficeHours:
    """Office hours of a team on a clock that starts at this moment."""
    clock = Clock(ClockSettings.model_validate({"start": start}))
    return OfficeHours(TeamSettings.model_validate(team), clock)


def in_office(team: TeamSettings, moment: datetime) -> bool:
    """Whether the office is open at a UTC moment, by a look at the wall clock."""
    wall = moment.astimezone(ZoneInfo(team.time_zone))
    day = wall.date()
    works = WEEKDAYS[day.weekday()] in team.weekdays and day not in team.holidays
    return works and team.opens <= wall.strftime("%H:%M") < team.closes


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/Berlin", "2026-03-27T00:00:00Z"),  # spring forward on Sunday the 29th
        ("Europe/Berlin", "2026-10-23T12:34:00Z"),  # fall back on Sunday the 25th
        ("America/New_York", "2026-03-06T00:00:00Z"),
        ("America/New_York", "2026-10-30T00:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-03T00:00:00Z"),  # by half an hour
        ("Asia/Kolkata", "2026-03-27T00:00:00Z"),
        ("Pacific/Kiritimati", "2026-03-27T00:00:00Z"),
    ],
)
@pytest.mark.parametrize(
    "hours",
    [
        {"opens": "09:00", "closes": "17:30", "holidays": ["2026-03-27", "2026-10-26", "2026-04-03"]},
        {"opens": "08:15", "closes": "24:00", "weekdays": ["friday", "sunday"]},
    ],
)
def test_office_hours_are_those_of_the_wall_clock(zone: str, start: str, hours: dict[str, Any]):
    """Each of the minutes of five days over a change of the clocks is in a shift when the wall clock says so."""
    team = TeamSettings.model_validate({"time_zone": zone, **hours})
    hours_of_team = office(start, **team.model_dump())
    calendar, begins = RepCalendar(hours_of_team), datetime.fromisoformat(start)
    for minute in range(5 * 24 * 60):
        at_work = calendar.next_shift(60_000 * minute)
        is_open = at_work is not None and at_work.opens_ms == 60_000 * minute
        assert is_open == in_office(team, begins + timedelta(minutes=minute)), minute
        if at_work is not None and is_open:
            assert not in_office(team, begins + timedelta(milliseconds=at_work.closes_ms)) or team.closes == "24:00"


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("America/New_York", "2026-03-08", 23),
        ("America/New_York", "2026-11-01", 25),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Asia/Kolkata", "2026-03-29", 24),
    ],
)
def test_a_day_has_as_many_hours_as_the_sun_gave_it(zone: str, day: str, hours: float):
    """An office that never closes is open for 23 or 25 hours when the clocks change, and days meet without a gap."""
    never_closes = office(f"{day}T00:00:00Z", time_zone=zone, opens="00:00", closes="24:00", weekdays=WEEKDAYS)
    around = [never_closes.on(date.fromisoformat(day) + timedelta(days=d)) for d in (-1, 0, 1)]
    shifts = [shift for shift in around if shift is not None]
    assert shifts[1].length_ms == hours * HOUR_MS
    assert all(one.closes_ms == two.opens_ms for one, two in pairwise(shifts))


def test_after_the_weekend_of_the_change_the_office_opens_an_hour_earlier_in_utc():
    """Berlin opens at 8 UTC on Friday, and at 7 UTC on Monday; an office with a year and more of holidays never."""
    berlin = office("2026-03-27T00:00:00Z", time_zone="Europe/Berlin")
    assert berlin.next_open(0) == 8 * HOUR_MS
    assert berlin.next_open(17 * HOUR_MS) == 3 * 24 * HOUR_MS + 7 * HOUR_MS
    holidays = [date(2026, 1, 1) + timedelta(days=d) for d in range(900)]
    assert office("2026-03-03T00:00:00Z", holidays=holidays).next_open(0) is None


def staff(**settings: Any) -> list[RepCalendar]:
    """Working times of a staff with office hours of 00:00–24:00 UTC from Monday to Friday, from Monday 2 March 2026."""
    hours = office("2026-03-02T00:00:00Z", time_zone="UTC", opens="00:00", closes="24:00")
    return rep_calendars(StaffSettings.model_validate(settings), hours)


def test_an_absence_holds_from_its_first_day_to_its_last():
    """Away from Tuesday to Wednesday and on Friday is at work on Monday and Thursday; colleagues are not touched."""
    tuesday, wednesday, friday = (date(2026, 3, day) for day in (3, 4, 6))
    away = [{"rep": 2, "first": tuesday, "last": wednesday}, {"rep": 2, "first": friday, "last": friday}]
    first, second = staff(headcount=2, absences=away)
    days = [date(2026, 3, day) for day in range(2, 9)]
    assert [calendar.on(day) is not None for calendar in (first, second) for day in days] == [
        *(True, True, True, True, True, False, False),
        *(True, False, False, True, False, False, False),
    ]
    assert first.worked_ms(7 * 24 * HOUR_MS) == 5 * 24 * HOUR_MS
    assert second.worked_ms(7 * 24 * HOUR_MS) == 2 * 24 * HOUR_MS


def test_somebody_new_grows_into_the_whole_day():
    """With two weeks of ramp-up the day is a third in the first week, two thirds in the second, and then whole.

    Without any the first day is a whole one, and there is none before it.
    """
    (new,) = staff(headcount=1, ramp_weeks=2, hires=[{"rep": 1, "on": date(2026, 3, 9)}])
    worked = []
    for day in (6, 9, 13, 16, 20, 23, 30):
        shift = new.on(date(2026, 3, day))
        worked.append(None if shift is None else shift.length_ms / HOUR_MS)
    assert worked == pytest.approx([None, 8, 8, 16, 16, 24, 24])
    (at_once,) = staff(headcount=1, ramp_weeks=0, hires=[{"rep": 1, "on": date(2026, 3, 4)}])
    assert at_once.worked_ms(7 * 24 * HOUR_MS) == 3 * 24 * HOUR_MS


def test_time_at_work_counts_up_to_the_moment():
    """Of a day from 9 to 18 half is over at 13:30, and a clock that starts at noon has lost the morning."""
    assert RepCalendar(office("2026-03-03T00:00:00Z", time_zone="UTC")).worked_ms(27 * HOUR_MS // 2) == 4.5 * HOUR_MS
    assert RepCalendar(office("2026-03-03T12:00:00Z", time_zone="UTC")).worked_ms(24 * HOUR_MS) == (6 + 3) * HOUR_MS
    assert datetime(2026, 3, 3, tzinfo=UTC).weekday() == 1
