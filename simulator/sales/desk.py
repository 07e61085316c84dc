"""The sales desk: response, booking, demo, opportunity and deal, as processes on the SimPy clock."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import NamedTuple, TypeVar, cast

import simpy

from analytics.events.geography import REGIONS
from analytics.events.times import HOUR_MS
from analytics.events.tracking_plan import EventName
from simulator.engine.clock import DAY_MS, MINUTE_MS, Clock
from simulator.errors import ComponentError
from simulator.sales.office_hours import RepCalendar
from simulator.sales.outcome import DemoRequest, SalesOutcome, SalesStage, sales_outcome
from simulator.sales.routing import ByRegion, RoutingPolicy
from simulator.sales.team import Slot, Team
from simulator.settings.sales import SalesSettings
from simulator.world.accounts import UNKNOWN_COMPANY, Company

Choice = TypeVar("Choice")

SALES_EVENTS = (
    EventName.DEMO_SCHEDULED,
    EventName.DEMO_HELD,
    EventName.DEMO_MISSED,
    EventName.OPPORTUNITY_CREATED,
    EventName.DEAL_WON,
)
"""Events of the sales desk, in the order in which those of one millisecond happen."""

# Called with each event of a request when it happens.
OnStep = Callable[[EventName], None]


class BuyerDraws(NamedTuple):
    """Uniform numbers strictly between 0 and 1 that decide the outcome of a visitor's request.

    They belong to the visitor, so neither a larger team nor a further step of the process changes the others.

    Attributes:
        response: Length of the response.
        delay: Time during which the buyer is not available.
        show: Whether the buyer attends the demo.
        opportunity: Whether the demo becomes an opportunity.
        win: Whether the opportunity is won.
        close: Time from opportunity to deal.
        value: Value of the deal.
    """

    response: float
    delay: float
    show: float
    opportunity: float
    win: float
    close: float
    value: float


def no_show_probability(settings: SalesSettings, wait_ms: int) -> float:
    """Probability that a buyer misses a demo ``wait_ms`` after the request.

    1 − (1 − p₀) · exp(−λ · days): p₀ of the buyers never intend to attend, and the others lose interest at a constant
    rate λ.

    Args:
        settings: p₀ (``no_show_rate``) and λ (``no_show_growth_per_day``).
        wait_ms: Time from the request to the demo in ms.

    >>> round(no_show_probability(SalesSettings(no_show_rate=0.1, no_show_growth_per_day=0.0), 3_600_000), 6)
    0.1
    """
    return 1 - (1 - settings.no_show_rate) * math.exp(-settings.no_show_growth_per_day * wait_ms / DAY_MS)


@dataclass(frozen=True)
class _Lead:
    """A request in an inbox, with the buyer's draws and the callback for its events."""

    request: DemoRequest
    draws: BuyerDraws
    team: Team
    on_step: OnStep


@dataclass
class SalesDesk:
    """The sales teams of all regions and their queues.

    A request goes into the inbox of the team that the routing policy chooses: by default that of its region. Sales
    development representatives (SDRs) answer in order of arrival during their office hours, the longest idle first;
    they finish a response that they have started at closing time. At the end of the response a demo is booked: the
    earliest free slot of the team's account executives after the lead time and when the buyer is available; the policy
    chooses among those who are free. With office hours of 00:00–24:00 on all days the response is an M/M/c queue.

    Args:
        clock: Simulated time.
        settings: Teams, durations and rates.

    Attributes:
        requests: All requests so far, in order.
        teams: The teams, by name.
        routing: Which team a request goes to, and which executive holds the demo.

    >>> from simulator.settings.clock import ClockSettings
    >>> clock = Clock(ClockSettings(hours=48))
    >>> desk = SalesDesk(clock, SalesSettings())
    >>> request = desk.request_demo("visitor-1", "europe", BuyerDraws(*[0.5] * 7))
    >>> clock.env.run(until=clock.length_ms)
    >>> request.responded_ms is not None
    True
    """

    clock: Clock
    settings: SalesSettings
    requests: list[DemoRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._env = self.clock.env
        self._lead_ms = round(HOUR_MS * self.settings.lead_hours)
        # Sorted, so that the order of teams in a scenario does not matter.
        self.teams = {name: Team(name, self.settings, self.clock) for name in sorted(self.settings.teams)}
        routing = self.settings.routing
        self.routing: RoutingPolicy = routing.build("routing") if routing else ByRegion()
        self._serving = {region: self.routing.teams_of(region, self.teams) for region in REGIONS}
        # SimPy serves waiting SDRs in the order of their processes, so the order of teams matters.
        for team in self.teams.values():
            for calendar in team.sdrs:
                self._env.process(self._sdr(calendar, team))

    def request_demo(
        self,
        visitor: str,
        region: str,
        draws: BuyerDraws,
        on_step: OnStep | None = None,
        company: Company = UNKNOWN_COMPANY,
    ) -> DemoRequest:
        """Submit a request now.

        Args:
            visitor: Identifier of the visitor.
            region: World region of the visitor.
            draws: Random numbers that decide the outcome of the request.
            on_step: Called with each of ``SALES_EVENTS`` when it happens.
            company: Company of the visitor.

        Returns:
            The request; the desk updates it as time passes.
        """
        response_ms = _exponential_ms(MINUTE_MS * self.settings.response_minutes, draws.response)
        request = DemoRequest(visitor, region, self._env.now, response_ms, company=company)
        self.requests.append(request)
        team = _chosen(self.routing.choose_team(request, self.teams), self.teams.values(), self.routing)
        request.team = team.name
        team.inbox.put(_Lead(request, draws, team, on_step or (lambda _step: None)))
        return request

    def visible_wait_days(self, region: str) -> float:
        """Days from now to the next demo slot that a visitor of this region can see; infinity if there is none."""
        now = self._env.now
        slots = [team.next_slot(now + self._lead_ms) for team in self._serving[region]]
        return min(((slot.begins_ms - now) / DAY_MS for slot in slots if slot), default=math.inf)

    def decision_penalty(self, region: str) -> float:
        """Effect of the visible wait on the decision in log-odds; 0 or below."""
        effect = self.settings.wait_effect_per_day
        return effect * self.visible_wait_days(region) if effect else 0.0

    def queue_lengths(self) -> dict[str, int]:
        """Requests that wait for an answer now, by team."""
        return {name: team.n_waiting for name, team in self.teams.items()}

    def outcome(self, length_ms: int) -> SalesOutcome:
        """Outcome of the first ``length_ms``, which end now."""
        hours = {name: team.hours(length_ms) for name, team in self.teams.items()}
        slot_ms = next(iter(self.teams.values())).slot_ms
        return sales_outcome(self.requests, hours, slot_ms, length_ms)

    def _sdr(self, calendar: RepCalendar, team: Team) -> Generator[simpy.Event, None, None]:
        """Work of an SDR, shift by shift and request by request; a SimPy process."""
        while shift := calendar.next_shift(self._env.now):
            yield self._env.at(shift.opens_ms)
            # One event for the whole shift, shared by all waits of it.
            closing = self._env.at(shift.closes_ms)
            while self._env.now < shift.closes_ms:
                next_lead = team.inbox.get()
                # An SDR waits for a request or for closing time, whichever comes first.
                yield next_lead | closing
                if next_lead.triggered:
                    team.n_answering += 1
                    yield from self._respond(cast("_Lead", next_lead.value))
                    team.n_answering -= 1
                else:
                    # Otherwise the inbox would give the next request to an SDR who has left.
                    next_lead.cancel()

    def _respond(self, lead: _Lead) -> Generator[simpy.Event, None, None]:
        """Spend the response time, then book the demo."""
        lead.request.responded_ms = self._env.now
        lead.request.stage = SalesStage.RESPONDED
        yield self._env.timeout(lead.request.response_ms)
        delay_ms = _exponential_ms(DAY_MS * self.settings.buyer_delay_days, lead.draws.delay)
        slot = lead.team.next_slot(self._env.now + max(self._lead_ms, delay_ms))
        # Without a slot within the search horizon nothing is booked, and the request stays at this step.
        if slot is not None:
            lead.request.scheduled_ms, lead.request.slot_ms = self._env.now, slot.begins_ms
            lead.request.stage = SalesStage.SCHEDULED
            chosen = self.routing.choose_executive(lead.request, slot.free)
            executive = _chosen(chosen, slot.free, self.routing)
            lead.team.book(slot, executive)
            lead.request.account_executive = str(executive)
            lead.on_step(EventName.DEMO_SCHEDULED)
            self._env.process(self._hold_demo(lead, slot))

    def _hold_demo(self, lead: _Lead, slot: Slot) -> Generator[simpy.Event, None, None]:
        """Hold the demo or record a no-show; a SimPy process."""
        request = lead.request
        yield self._env.at(slot.begins_ms + lead.team.slot_ms)
        # The waiting time runs from the request, not from the booking.
        if lead.draws.show < no_show_probability(self.settings, slot.begins_ms - request.requested_ms):
            request.missed_ms, request.stage = self._env.now, SalesStage.MISSED
            lead.on_step(EventName.DEMO_MISSED)
            return
        request.held_ms, request.stage = self._env.now, SalesStage.HELD
        lead.on_step(EventName.DEMO_HELD)
        # It scales the threshold, not the draw: a poor fit only ever loses opportunities.
        factor = 1.0 if request.company.good_fit else self.settings.poor_fit_factor
        if lead.draws.opportunity < factor * self.settings.held_to_opportunity:
            yield from self._close_deal(lead)

    def _close_deal(self, lead: _Lead) -> Generator[simpy.Event, None, None]:
        """Open an opportunity and decide whether it is won."""
        request = lead.request
        request.opportunity_ms, request.stage = self._env.now, SalesStage.OPPORTUNITY
        lead.on_step(EventName.OPPORTUNITY_CREATED)
        if lead.draws.win >= self.settings.opportunity_to_won:
            return
        # Deals are signed in office hours only.
        signed_ms = lead.team.office.next_open(
            self._env.now + _exponential_ms(DAY_MS * self.settings.days_to_close, lead.draws.close)
        )
        if signed_ms is None:
            return
        yield self._env.at(signed_ms)
        request.won_ms, request.stage = self._env.now, SalesStage.WON
        spread = self.settings.deal_value_spread * NormalDist().inv_cdf(lead.draws.value)
        # Lognormal by inversion: the draw is a quantile of the normal distribution.
        request.deal_value = request.company.deal_factor * self.settings.deal_value * math.exp(spread)
        lead.on_step(EventName.DEAL_WON)


def _exponential_ms(mean_ms: float, draw: float) -> int:
    """Exponentially distributed time by inversion of a visitor's own draw, in whole ms."""
    return round(-mean_ms * math.log(draw))


def _chosen(choice: Choice, possible: Iterable[Choice], policy: RoutingPolicy) -> Choice:
    """Return what a policy has chosen, if it was possible."""
    # A team of another world, or an executive who is busy, would falsify the demos in silence.
    if choice not in possible:
        raise ComponentError(f"{type(policy).__name__} must choose one of those that it is given, not {choice!r}")
    return choice
