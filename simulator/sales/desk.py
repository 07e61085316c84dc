"""The sales desk behind the form: response, booking, demo, opportunity and deal, as processes on the SimPy clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from statistics import NormalDist
from typing import NamedTuple, cast

import simpy
from simpy.resources.resource import Request

from analytics.events.tracking_plan import REGIONS, EventName
from simulator.engine.clock import Clock
from simulator.sales.office_hours import OfficeHours, RepCalendar, rep_calendars
from simulator.sales.outcome import DemoRequest, SalesOutcome, SalesStage, TeamHours, sales_outcome
from simulator.settings.sales import SalesSettings, TeamSettings
from simulator.world.accounts import UNKNOWN_COMPANY, Company

__all__ = ["SALES_EVENTS", "BuyerDraws", "SalesDesk", "no_show_probability"]

SALES_EVENTS = (
    EventName.DEMO_SCHEDULED,
    EventName.DEMO_HELD,
    EventName.DEMO_MISSED,
    EventName.OPPORTUNITY_CREATED,
    EventName.DEAL_WON,
)
"""Events that the sales desk tells of, in the order in which those of one moment happen."""

_DAY_S = 86_400.0
_ROUNDING_S = 1e-6
"""What sums of seconds may be off by; no office hours are so short."""

OnStep = Callable[[EventName], None]


class BuyerDraws(NamedTuple):
    """Numbers strictly between 0 and 1, drawn uniformly for each visitor, that settle what becomes of a request.

    They belong to the visitor: a larger team or another question asked of them moves none.

    Attributes:
        response: How long the response takes.
        delay: Before when the buyer does not want the demo.
        show: Whether the buyer comes to the demo.
        opportunity: Whether the demo becomes an opportunity.
        win: Whether the opportunity is won.
        close: How long that takes.
        value: What the deal is worth.
    """

    response: float
    delay: float
    show: float
    opportunity: float
    win: float
    close: float
    value: float


def no_show_probability(settings: SalesSettings, wait_s: float) -> float:
    """Probability that a buyer misses a demo ``wait_s`` seconds after the request.

    1 − (1 − p₀) · exp(−λ · days): p₀ of the buyers never meant to come, and interest dies at a constant rate λ.
    """
    return 1 - (1 - settings.no_show_rate) * math.exp(-settings.no_show_growth_per_day * wait_s / _DAY_S)


@dataclass(frozen=True)
class _Slot:
    """A demo slot: a beginning, and as many places as there are executives at work from its beginning to its end."""

    day: date
    begins_s: float
    places: simpy.Resource


class _Team:
    """The people of one team: an inbox that its SDRs empty, and a diary of demo slots.

    Args:
        settings: The team.
        clock: Simulated time.
        slot_s: Length of a demo slot, in seconds.
    """

    def __init__(self, settings: TeamSettings, clock: Clock, slot_s: float) -> None:
        self.office = OfficeHours(settings, clock)
        self.sdrs = rep_calendars(settings.sdrs, self.office)
        self.executives = rep_calendars(settings.account_executives, self.office)
        self.inbox = simpy.Store(clock.env)
        self._clock = clock
        self._slot_s = slot_s
        self._diary: dict[date, list[_Slot]] = {}

    def next_slot(self, not_before_s: float) -> _Slot | None:
        """Earliest free slot that begins at a time or later; None if there is none in sight."""
        for day in self.office.days_from(not_before_s):
            for slot in self._slots(day):
                if slot.begins_s >= not_before_s:
                    return slot
        return None

    def book(self, slot: _Slot) -> Request:
        """Take a place in a free slot, to be given back at its end."""
        place = slot.places.request()
        if slot.places.count == slot.places.capacity:
            self._diary[slot.day].remove(slot)
        return place

    def _slots(self, day: date) -> list[_Slot]:
        """Free slots of a day, in order: one after the other from the opening on."""
        if day not in self._diary:
            shifts = [shift for calendar in self.executives if (shift := calendar.on(day))]
            opens_s = min((shift.opens_s for shift in shifts), default=math.inf)
            self._diary[day] = []
            for number in count():
                begins_s, ends_s = opens_s + number * self._slot_s, opens_s + (number + 1) * self._slot_s
                n_at_work = sum(ends_s <= shift.closes_s + _ROUNDING_S for shift in shifts)
                if not n_at_work:
                    break
                self._diary[day].append(_Slot(day, begins_s, simpy.Resource(self._clock.env, n_at_work)))
        return self._diary[day]

    def hours(self, length_s: float) -> TeamHours:
        """Time at work in the first ``length_s`` seconds."""
        sdrs_s, executives_s = (sum(d.seconds_until(length_s) for d in of) for of in (self.sdrs, self.executives))
        return TeamHours(sdrs_s, executives_s)


@dataclass(frozen=True)
class _Lead:
    """A request in somebody's inbox, with the buyer's luck and company, and whom to tell of what becomes of it."""

    request: DemoRequest
    draws: BuyerDraws
    company: Company
    team: _Team
    on_step: OnStep


@dataclass
class SalesDesk:
    """All sales teams at work.

    A request goes into the inbox of its region's team. Its sales development representatives (SDRs) answer in order,
    those idle longest first, in their office hours; what they have begun at closing time they finish. With the response
    a demo is booked: the earliest free slot of the team's account executives after the lead time and not before the
    buyer wants it. With office hours of 00:00–24:00 on all days the response is the queue M/M/c.

    Args:
        clock: Simulated time.
        settings: Teams, lengths and rates.
    """

    clock: Clock
    settings: SalesSettings
    requests: list[DemoRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._env = self.clock.env
        self._slot_s = 60 * self.settings.slot_minutes
        self._teams = {
            name: _Team(team, self.clock, self._slot_s) for name, team in sorted(self.settings.teams.items())
        }
        self._team_of = {region: self.settings.team_of(region) for region in REGIONS}
        for team in self._teams.values():
            for calendar in team.sdrs:
                self._env.process(self._work(calendar, team.inbox))

    def request_demo(
        self,
        visitor: str,
        region: str,
        draws: BuyerDraws,
        on_step: OnStep | None = None,
        company: Company = UNKNOWN_COMPANY,
    ) -> DemoRequest:
        """Enter a request now.

        Args:
            visitor: Identifier of who asks.
            region: World region of who asks.
            draws: What settles the fate of the request.
            tell: Told of each step, as one of ``SALES_EVENTS``, when it happens.
            company: The company of who asks.
        """
        response_s = -60 * self.settings.response_minutes * math.log(draws.response)
        request = DemoRequest(visitor, region, self._env.now, response_s, account=company.account)
        self.requests.append(request)
        team = self._team(region)
        team.inbox.put(_Lead(request, draws, company, team, on_step or (lambda _step: None)))
        return request

    def visible_wait_days(self, region: str) -> float:
        """Days from now to the next demo slot that a visitor of this region can see; infinity if there is none."""
        now = self._env.now
        slot = self._team(region).next_slot(now + 3600 * self.settings.lead_hours)
        return math.inf if slot is None else (slot.begins_s - now) / _DAY_S

    def decision_penalty(self, region: str) -> float:
        """Effect of the visible wait on the decision, in log-odds; 0 or below."""
        effect = self.settings.wait_effect_per_day
        return effect * self.visible_wait_days(region) if effect else 0.0

    def outcome(self, length_s: float) -> SalesOutcome:
        """What the teams achieved in the ``length_s`` seconds until now."""
        hours = {name: team.hours(length_s) for name, team in self._teams.items()}
        return sales_outcome(self.requests, self._team_of, hours, self._slot_s, length_s)

    def _team(self, region: str) -> _Team:
        return self._teams[self._team_of[region]]

    def _work(self, calendar: RepCalendar, inbox: simpy.Store) -> Generator[simpy.Event, None, None]:
        """The working life of an SDR: shift by shift, request by request."""
        while shift := calendar.next_shift(self._env.now):
            yield self._env.at(shift.opens_s)
            closing = self._env.at(shift.closes_s)
            while self._env.now < shift.closes_s:
                next_lead = inbox.get()
                yield next_lead | closing
                if next_lead.triggered:
                    yield from self._respond(cast("_Lead", next_lead.value))
                else:
                    next_lead.cancel()

    def _respond(self, lead: _Lead) -> Generator[simpy.Event, None, None]:
        """Spend the time of a response, and book the demo at the end of it."""
        lead.request.responded_s = self._env.now
        lead.request.stage = SalesStage.RESPONDED
        yield self._env.timeout(lead.request.response_s)
        wanted_s = max(
            3600 * self.settings.lead_hours, -_DAY_S * self.settings.buyer_delay_days * math.log(lead.draws.delay)
        )
        slot = lead.team.next_slot(self._env.now + wanted_s)
        # Without a slot in sight nothing is booked, and the request is left as it is.
        if slot is not None:
            lead.request.scheduled_s, lead.request.slot_s = self._env.now, slot.begins_s
            lead.request.stage = SalesStage.SCHEDULED
            lead.on_step(EventName.DEMO_SCHEDULED)
            self._env.process(self._meet(lead, slot, lead.team.book(slot)))

    def _meet(self, lead: _Lead, slot: _Slot, place: Request) -> Generator[simpy.Event, None, None]:
        """Come to the demo or not, and go on from there."""
        request = lead.request
        yield self._env.at(slot.begins_s + self._slot_s)
        slot.places.release(place)
        if lead.draws.show < no_show_probability(self.settings, slot.begins_s - request.requested_s):
            request.missed_s, request.stage = self._env.now, SalesStage.MISSED
            lead.on_step(EventName.DEMO_MISSED)
            return
        request.held_s, request.stage = self._env.now, SalesStage.HELD
        lead.on_step(EventName.DEMO_HELD)
        factor = 1.0 if lead.company.good_fit else self.settings.poor_fit_factor
        if lead.draws.opportunity < factor * self.settings.held_to_opportunity:
            yield from self._sell(lead)

    def _sell(self, lead: _Lead) -> Generator[simpy.Event, None, None]:
        """Open an opportunity, and win it or not."""
        request = lead.request
        request.opportunity_s, request.stage = self._env.now, SalesStage.OPPORTUNITY
        lead.on_step(EventName.OPPORTUNITY_CREATED)
        if lead.draws.win >= self.settings.opportunity_to_won:
            return
        signed_s = lead.team.office.next_open(
            self._env.now - _DAY_S * self.settings.days_to_close * math.log(lead.draws.close)
        )
        if signed_s is None:
            return
        yield self._env.at(signed_s)
        request.won_s, request.stage = self._env.now, SalesStage.WON
        spread = self.settings.deal_value_spread * NormalDist().inv_cdf(lead.draws.value)
        request.deal_value = lead.company.deal_factor * self.settings.deal_value * math.exp(spread)
        lead.on_step(EventName.DEAL_WON)
