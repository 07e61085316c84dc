"""Settings of the sales desk: its teams, the steps from request to deal, and buyer behaviour."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from analytics.events.geography import REGIONS
from simulator.settings.base import Count, NonNegative, Positive, Probability, Settings, TimeZone, unknown
from simulator.settings.components import RoutingSettings

DEFAULT_TEAM = "default"
"""Name of the team that serves all other regions."""

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)


def _time_of_day(text: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", text):
        raise ValueError(f"{text!r} is not a time of day from 00:00 to 24:00, such as '09:00'")
    return text


TimeOfDay = Annotated[str, AfterValidator(_time_of_day)]


def minutes_of(time_of_day: str) -> int:
    """Minutes from midnight to a time of day.

    >>> minutes_of("09:30"), minutes_of("24:00")
    (570, 1440)
    """
    hours, minutes = time_of_day.split(":")
    return 60 * int(hours) + int(minutes)


class AbsenceSettings(Settings):
    """An absence of a representative.

    Attributes:
        rep: Number of the representative, from 1.
        first: First day of the absence, in the team's time zone.
        last: Last day of the absence.
    """

    rep: Count
    first: date
    last: date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError(f"an absence must not end ({self.last}) before it begins ({self.first})")
        return self


class HireSettings(Settings):
    """A representative who joins the team on a given day.

    Attributes:
        rep: Number of the representative, from 1.
        on: First day of work, in the team's time zone.
    """

    rep: Count
    on: date


class StaffSettings(Settings):
    """Representatives of a team who do the same work. The default figures are assumptions.

    Attributes:
        headcount: Number of representatives, including later hires.
        ramp_weeks: Weeks of ramp-up of a new hire: in week k of N they work the first k / (N + 1) of each day's office
            hours and train in the rest.
        hires: First days of new hires; all other representatives are there from the start.
        absences: Absences of representatives.
    """

    renamed: ClassVar = {"reps": "headcount", "joiners": "hires"}

    headcount: Count = 1
    ramp_weeks: int = Field(default=4, ge=0, strict=True)
    hires: tuple[HireSettings, ...] = ()
    absences: tuple[AbsenceSettings, ...] = ()

    @model_validator(mode="after")
    def _there_are_such_reps(self) -> Self:
        numbers = [hire.rep for hire in self.hires]
        for number in (*numbers, *(absence.rep for absence in self.absences)):
            if number > self.headcount:
                raise ValueError(f"there is no rep {number}; there are {self.headcount}, numbered from 1")
        for number in numbers:
            if numbers.count(number) > 1:
                raise ValueError(f"rep {number} joins twice; give each hire once")
        return self


class TeamSettings(Settings):
    """A team that serves a region. The default figures are assumptions.

    Attributes:
        time_zone: IANA time zone of the team.
        opens: Local time at which the office opens, such as ``09:00``.
        closes: Local time at which it closes, later on the same day; ``24:00`` is midnight.
        weekdays: Working days, such as ``monday``.
        holidays: Dates on which the team does not work.
        sdrs: Sales development representatives, who answer requests and book demos.
        account_executives: Account executives, who hold the demos.
    """

    renamed: ClassVar = {"executives": "account_executives"}

    time_zone: TimeZone = "America/New_York"
    opens: TimeOfDay = "09:00"
    closes: TimeOfDay = "18:00"
    weekdays: Annotated[tuple[Weekday, ...], Field(min_length=1)] = WEEKDAYS[:5]
    holidays: tuple[date, ...] = ()
    # Enough for the default traffic with some idle time.
    sdrs: StaffSettings = StaffSettings(headcount=12)
    account_executives: StaffSettings = StaffSettings(headcount=30)

    @model_validator(mode="after")
    def _opens_before_it_closes(self) -> Self:
        if minutes_of(self.opens) >= minutes_of(self.closes):
            raise ValueError(f"the office must open ({self.opens}) before it closes ({self.closes})")
        return self


class SalesSettings(Settings):
    """The process from a demo request to a deal. The default figures are assumptions.

    Attributes:
        teams: Teams by the region they serve; the team ``default`` serves all other regions. With some routing policies
            teams can have any name.
        routing: Which team a request goes to, and which account executive holds the demo: ``by_region`` unless given,
            ``round_robin``, ``least_loaded``, ``by_account_size``, or a class of your own.
        response_minutes: Mean time that a sales development representative spends on a request, in minutes;
            exponential.
        slot_minutes: Length of a demo slot in minutes.
        lead_hours: Minimum time between booking and demo in hours.
        buyer_delay_days: Mean time after booking during which the buyer is not available, in days; exponential. The
            later of this and ``lead_hours`` counts.
        no_show_rate: Probability that a buyer misses a demo that takes place without any wait.
        no_show_growth_per_day: Rate at which buyers lose interest, per day: a demo w days after the request is missed
            with probability 1 − (1 − ``no_show_rate``) · exp(−``no_show_growth_per_day`` · w).
        held_to_opportunity: Probability that a demo held becomes an opportunity, at the end of the demo.
        poor_fit_factor: Multiplier of that probability for companies that the product does not fit.
        opportunity_to_won: Probability that an opportunity is won.
        days_to_close: Mean time from opportunity to deal in days; exponential, then the next office hour.
        deal_value: Median value of a deal in US dollars a year, before the multiplier of the company's size band;
            lognormal.
        deal_value_spread: Standard deviation of the log of the value.
        wait_effect_per_day: Effect of the visible wait, from now to the next free demo slot, on the decision to request
            a demo, in log-odds per day; 0 or below. ``intent.target_conversion`` is calibrated without it.

    >>> sales = SalesSettings.model_validate({"teams": {"default": {}, "europe": {"time_zone": "Europe/Berlin"}}})
    >>> team_of("europe", sales.teams), team_of("asia_pacific", sales.teams)
    ('europe', 'default')
    """

    teams: dict[str, TeamSettings] = Field(default_factory=lambda: {DEFAULT_TEAM: TeamSettings()})
    routing: RoutingSettings | None = None
    response_minutes: Positive = 15.0
    slot_minutes: Positive = 45.0
    lead_hours: NonNegative = 2.0
    buyer_delay_days: NonNegative = 1.0
    no_show_rate: Probability = 0.1
    no_show_growth_per_day: NonNegative = 0.04
    held_to_opportunity: Probability = 0.4
    poor_fit_factor: Probability = 0.5
    opportunity_to_won: Probability = 0.25
    days_to_close: NonNegative = 60.0
    deal_value: Positive = 60_000.0
    deal_value_spread: NonNegative = 0.9
    wait_effect_per_day: float = Field(default=0.0, le=0, strict=True, allow_inf_nan=False)

    @model_serializer(mode="wrap")
    def _without_routing(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the policy where none is named: files of worlds without one are what they were before."""
        return {name: value for name, value in write(self).items() if value is not None or name != "routing"}

    @model_validator(mode="after")
    def _every_region_is_served(self) -> Self:
        if not self.teams:
            raise ValueError("teams: there is none")
        # The policy decides which teams it can do with.
        (self.routing.build("routing").check if self.routing else check_regions)(self.teams)
        for name, team in self.teams.items():
            # A slot longer than the day could never be booked, and the search for it would not end.
            if self.slot_minutes > minutes_of(team.closes) - minutes_of(team.opens):
                raise ValueError(f"teams.{name}: a slot of {self.slot_minutes:g} minutes does not fit its office hours")
        return self


def team_of(region: str, teams: Collection[str]) -> str:
    """Name of the team that is named after a region, or of the default team."""
    return region if region in teams else DEFAULT_TEAM


def check_regions(teams: Collection[str], beside: str | None = None) -> None:
    """Refuse teams that do not serve every region.

    Args:
        teams: Names of the teams.
        beside: Name of a team that need not be a region.

    Raises:
        ValueError: A name is no region, or a region has no team.
    """
    known = (*REGIONS, DEFAULT_TEAM)
    for name in teams:
        if name not in known and name != beside:
            raise ValueError(f"teams.{name}: {unknown('region', name, known)}")
    unserved = [region for region in REGIONS if region not in teams]
    if unserved and DEFAULT_TEAM not in teams:
        raise ValueError(f"teams: nobody serves {', '.join(unserved)}; add a team {DEFAULT_TEAM!r}")
