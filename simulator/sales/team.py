"""A sales team: an inbox of requests for its SDRs, and the demo slots of its account executives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import simpy

from simulator.engine.clock import MINUTE_MS, Clock
from simulator.sales.office_hours import OfficeHours, RepCalendar, rep_calendars
from simulator.sales.outcome import TeamHours
from simulator.settings.sales import SalesSettings


@dataclass(eq=False)
class Executive:
    """An account executive, who holds one demo at a time.

    Attributes:
        team: Name of the team.
        number: Number in the team, from 1.
        calendar: Working hours.
        n_demos: Demos booked so far.

    >>> from simulator.settings.clock import ClockSettings
    >>> settings = SalesSettings.model_validate({"teams": {"europe": {}, "default": {}}})
    >>> str(Team("europe", settings, Clock(ClockSettings())).executives[2])
    'europe-3'
    """

    team: str
    number: int
    calendar: RepCalendar
    n_demos: int = 0

    def __str__(self) -> str:
        return f"{self.team}-{self.number}"


@dataclass(eq=False)
class Slot:
    """A demo slot.

    Attributes:
        day: Local date.
        begins_ms: Start in ms since the start of the simulation.
        free: Executives at work throughout the slot who have no demo in it yet, by number.
    """

    day: date
    begins_ms: int
    free: list[Executive]


class Team:
    """A team on the clock.

    Args:
        name: Name of the team.
        settings: The sales desk with the team.
        clock: Simulated time.

    Attributes:
        name: Name of the team.
        office: Its office hours.
        sdrs: Working hours of its SDRs.
        executives: Its account executives, by number.
        inbox: Requests that wait for an answer.
        n_answering: SDRs who are answering a request.
        slot_ms: Length of a demo slot.
    """

    def __init__(self, name: str, settings: SalesSettings, clock: Clock) -> None:
        team = settings.teams[name]
        self.name = name
        self.office = OfficeHours(team, clock)
        self.sdrs = rep_calendars(team.sdrs, self.office)
        calendars = rep_calendars(team.account_executives, self.office)
        self.executives = [Executive(name, number, calendar) for number, calendar in enumerate(calendars, start=1)]
        self.inbox = simpy.Store(clock.env)
        self.n_answering = 0
        # At least a millisecond: a day must not have endless slots.
        self.slot_ms = max(1, round(MINUTE_MS * settings.slot_minutes))
        self._response_ms = MINUTE_MS * settings.response_minutes
        self._clock = clock
        self._diary: dict[date, list[Slot]] = {}

    @property
    def n_waiting(self) -> int:
        """Requests that wait for an answer now."""
        return len(self.inbox.items)

    @property
    def expected_wait_ms(self) -> float:
        """Time after which a request of now would be answered if all responses took their mean time."""
        now_ms = self._clock.now_ms
        # Most representatives have the same calendar: work it out once for each kind.
        opening = {calendar: shift.opens_ms for calendar in set(self.sdrs) if (shift := calendar.next_shift(now_ms))}
        if not opening:
            return math.inf
        opens_ms = min(opening.values())
        n_sdrs = sum(opening.get(calendar) == opens_ms for calendar in self.sdrs)
        n_ahead = self.n_waiting + self.n_answering
        return opens_ms - now_ms + self._response_ms * max(0, n_ahead + 1 - n_sdrs) / n_sdrs

    def next_slot(self, not_before_ms: int) -> Slot | None:
        """Earliest free slot that starts at a given time or later; None if there is none within the search horizon."""
        for day in self.office.days_from(not_before_ms):
            for slot in self._slots(day):
                if slot.begins_ms >= not_before_ms:
                    return slot
        return None

    def book(self, slot: Slot, executive: Executive) -> None:
        """Give a free slot of an executive away."""
        slot.free.remove(executive)
        executive.n_demos += 1
        # A full slot leaves the diary, so that the search does not visit it again.
        if not slot.free:
            self._diary[slot.day].remove(slot)

    def _slots(self, day: date) -> list[Slot]:
        """Free slots of a day, in order: consecutive from the opening on."""
        if day not in self._diary:
            on_day = {calendar: calendar.on(day) for calendar in {each.calendar for each in self.executives}}
            at_work = [(each, shift) for each in self.executives if (shift := on_day[each.calendar])]
            # Everybody comes when the office opens; new hires leave early.
            begins_ms = at_work[0][1].opens_ms if at_work else 0
            slots = self._diary[day] = []
            while free := [each for each, shift in at_work if begins_ms + self.slot_ms <= shift.closes_ms]:
                slots.append(Slot(day, begins_ms, free))
                begins_ms += self.slot_ms
        return self._diary[day]

    def hours(self, length_ms: int) -> TeamHours:
        """Working time in the first ``length_ms``."""
        executives = [each.calendar for each in self.executives]
        worked_ms = {calendar: calendar.worked_ms(length_ms) for calendar in {*self.sdrs, *executives}}
        sdrs_ms, executives_ms = (sum(worked_ms[calendar] for calendar in of) for of in (self.sdrs, executives))
        return TeamHours(sdrs_ms / 1000, executives_ms / 1000)
