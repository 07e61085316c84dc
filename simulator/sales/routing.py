"""Routing: which team a request goes to, and which account executive holds the demo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from simulator.sales.outcome import DemoRequest
from simulator.sales.team import Executive, Team
from simulator.settings.base import PositiveFactor, Settings as SettingsModel, unknown
from simulator.settings.own_classes import check_class
from simulator.settings.plugins import ROUTING
from simulator.settings.sales import check_regions, team_of


class RoutingPolicy:
    """Base class of the rules by which requests are routed; it is the rule by region.

    A request goes to the team of its region, and the demo to the first executive who is free. Override what is needed;
    no method needs ``super()``. A policy may remember what it has done: each model has one of its own.

    Args:
        settings: Settings of the policy, as keyword arguments.

    Attributes:
        settings: Its settings, checked.

    >>> class FromTheEnd(RoutingPolicy):
    ...     def choose_executive(self, request, free):
    ...         return free[-1]
    """

    class Settings(SettingsModel):
        """Settings of the policy; frozen, with a default for each."""

    registered_as: ClassVar[str] = ROUTING
    """Group of entry points under which packages register such classes by short names."""

    settings: Any

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - as Python has it
        super().__init_subclass__(**options)
        check_class(cls, SettingsModel)

    def __init__(self, _name: str | None = None, /, **settings: object) -> None:
        self.settings = self.Settings(**settings)

    def check(self, teams: Collection[str]) -> None:
        """Refuse teams that the policy cannot choose from, before the clock starts.

        Args:
            teams: Names of the teams.

        Raises:
            ValueError: A name is no region, or a region has no team.
        """
        check_regions(teams)

    def teams_of(self, region: str, teams: Mapping[str, Team]) -> Sequence[Team]:
        """Teams that may serve a region; its visitors see the earliest demo slot of any of them.

        Args:
            region: World region.
            teams: All teams, by name.
        """
        return [teams[team_of(region, teams)]]

    def choose_team(self, request: DemoRequest, teams: Mapping[str, Team]) -> Team:
        """Choose the team that answers a request; called once, when it arrives.

        Args:
            request: The request, with the visitor's region and company.
            teams: All teams, by name.
        """
        return self.teams_of(request.region, teams)[0]

    def choose_executive(self, request: DemoRequest, free: Sequence[Executive]) -> Executive:
        """Choose the account executive who holds the demo; called once, when it is booked.

        Args:
            request: The request, with the visitor's region and company.
            free: Executives of the team who are free in the earliest slot, by number; at least one.
        """
        return free[0]


class ByRegion(RoutingPolicy):
    """By region: each region has a team, and the team ``default`` serves all others."""


class _AnyTeam(RoutingPolicy):
    """A policy that chooses among all teams, whatever they are called."""

    def check(self, teams: Collection[str]) -> None:
        """Any teams will do."""

    def teams_of(self, region: str, teams: Mapping[str, Team]) -> Sequence[Team]:
        """All of them."""
        return list(teams.values())


class RoundRobin(_AnyTeam):
    """In turn: requests go to one team after the other, by name, and demos to one free executive after the other."""

    def __init__(self, name: str | None = None, /, **settings: object) -> None:
        super().__init__(name, **settings)
        self._n_requests = 0
        self._last = Counter[str]()

    def choose_team(self, request: DemoRequest, teams: Mapping[str, Team]) -> Team:
        """The next team."""
        chosen = list(teams.values())[self._n_requests % len(teams)]
        self._n_requests += 1
        return chosen

    def choose_executive(self, request: DemoRequest, free: Sequence[Executive]) -> Executive:
        """The next executive of the team who is free."""
        last = self._last[free[0].team]
        chosen = min(free, key=lambda each: (each.number <= last, each.number))
        self._last[chosen.team] = chosen.number
        return chosen


class LeastLoaded(_AnyTeam):
    """To the team that would answer first, and to the executive with the fewest demos."""

    def choose_team(self, request: DemoRequest, teams: Mapping[str, Team]) -> Team:
        """The team with the shortest expected wait; of several, the one of the region, then by name."""
        own = team_of(request.region, teams)
        return min(teams.values(), key=lambda team: (team.expected_wait_ms, team.name != own, team.name))

    def choose_executive(self, request: DemoRequest, free: Sequence[Executive]) -> Executive:
        """The executive with the fewest demos so far."""
        return min(free, key=lambda each: each.n_demos)


class ByAccountSize(RoutingPolicy):
    """By the size of the company: large ones go to a team of their own, or to senior executives of their region's."""

    class Settings(RoutingPolicy.Settings):
        """Settings of routing by account size.

        Attributes:
            min_deal_value: Companies are large if the multiplier ``deal_value`` of their size band is at least this.
            team: Name of the team that serves large companies; that of the region unless given.
            senior_executives: The first executives of each team are senior: if one is free in the earliest slot, a
                large company meets a senior one, and another company somebody else.
        """

        min_deal_value: PositiveFactor = 2.0
        team: str | None = None
        senior_executives: int = Field(default=2, ge=0, strict=True)

    def check(self, teams: Collection[str]) -> None:
        """There must be such a team, beside those of the regions.

        Raises:
            ValueError: There is no such team, a name is no region, or a region has no team.
        """
        if self.settings.team is not None and self.settings.team not in teams:
            raise ValueError(f"routing.team: {unknown('team', self.settings.team, teams)}")
        check_regions(teams, beside=self.settings.team)

    def choose_team(self, request: DemoRequest, teams: Mapping[str, Team]) -> Team:
        """The team of large companies, or that of the region."""
        if self.settings.team is not None and self._is_large(request):
            return teams[self.settings.team]
        return self.teams_of(request.region, teams)[0]

    def choose_executive(self, request: DemoRequest, free: Sequence[Executive]) -> Executive:
        """Somebody senior for a large company, somebody else for any other, if there is one."""
        is_large = self._is_large(request)
        fitting = [each for each in free if (each.number <= self.settings.senior_executives) == is_large]
        return (fitting or free)[0]

    def _is_large(self, request: DemoRequest) -> bool:
        return bool(request.company.deal_factor >= self.settings.min_deal_value)
