"""Attributes of visitors: country, time zone, devices, channel, persona, company and e-mail address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from analytics.events.geography import REGION_OF_COUNTRY, REGIONS
from simulator.engine.arrays import Bools, Floats, Integers
from simulator.engine.sampling import Choices, probabilities
from simulator.engine.streams import Streams, VisitorDraws
from simulator.settings.personas import PersonaSettings
from simulator.settings.population import PopulationSettings
from simulator.world.accounts import Accounts, draw_accounts


@dataclass(frozen=True)
class People:
    """The visitors of a cohort, one row each; integer columns are indices in the population's lists.

    Attributes:
        country, zone, region, device, channel, persona: Indices; shape (n,).
        second_device: Index of the device of the second browser, −1 without one; shape (n,).
        account: Index of the company, −1 for none; shape (n,).
        company_email: Whether the address entered in a form is the company's; shape (n,).
        effect: Unobserved random effect of the visitor's company, 0 without one; shape (n,).
    """

    country: Integers
    zone: Integers
    region: Integers
    device: Integers
    second_device: Integers
    channel: Integers
    persona: Integers
    account: Integers
    company_email: Bools
    effect: Floats

    def __len__(self) -> int:
        return len(self.country)

    def device_used(self, visitor: Integers, second_browser: Bools) -> Integers:
        """Device of each visit.

        Args:
            visitor: Visitor of each visit; shape (visits,).
            second_browser: Whether it is made with the second browser; shape (visits,).

        Returns:
            Index of the device; shape (visits,).
        """
        return np.where(second_browser, self.second_device[visitor], self.device[visitor])

    def take(self, rows: Integers) -> Self:
        """The visitors in the given rows."""
        return replace(self, **{field.name: getattr(self, field.name)[rows] for field in fields(self)})


class Population:
    """Draws the attributes of visitors, a cohort at a time.

    Args:
        settings: Distribution of the attributes.
        channel_shares: Share of each channel (or origin), by name.
        streams: Random streams of the replication.
        scope: Arrival source whose visitors are drawn; the companies are the same for all sources.
        channels: Channel of each origin, where the names differ.
        accounts: The companies; drawn unless given.

    Attributes:
        personas: Names of the personas; a single None where the settings have none.

    >>> population = Population(PopulationSettings(accounts=10), {"direct": 1.0}, Streams(seed=7))
    >>> people = population.draw(100, cohort=0)
    >>> len(people), bool(people.channel.max() == 0)
    (100, True)
    """

    def __init__(
        self,
        settings: PopulationSettings,
        channel_shares: Mapping[str, float],
        streams: Streams,
        *,
        scope: str = "",
        channels: Sequence[str] | None = None,
        accounts: Accounts | None = None,
    ) -> None:
        self.settings = settings
        self.countries = list(settings.countries)
        self.devices = list(settings.devices)
        self.channels = list(channel_shares)
        self.personas: list[str | None] = [*settings.personas] or [None]
        self.zones = list(dict.fromkeys(z for country in settings.countries.values() for z in country.time_zones))
        self._streams, self._scope = streams, scope
        # Country and time zone are drawn together, as one alternative, so that one draw decides both.
        self._places = [
            (c, self.zones.index(zone), country.share * share)
            for c, country in enumerate(settings.countries.values())
            for zone, share in country.time_zones.items()
        ]
        self._region_of = np.array([REGIONS.index(REGION_OF_COUNTRY[code]) for code in self.countries])
        self._country_of = np.array([country for country, _, _ in self._places])
        self._zone_of = np.array([zone for _, zone, _ in self._places])
        self._place_choices = _one_of([share for _, _, share in self._places])
        self._device_choices = _one_of(settings.devices.values())
        self._second_devices = Choices(_other_devices(np.array(list(settings.devices.values()))))
        self._channel_choices = _one_of(channel_shares.values())
        personas = settings.persona_list
        self._personas = Choices(persona_mix(personas, self.channels if channels is None else channels))
        self._account_rate = settings.account_rate * np.array([persona.account_factor for persona in personas])
        self._email_rate = settings.company_email_rate * np.array([p.company_email_factor for p in personas])
        self.accounts = self._draw_accounts(streams) if accounts is None else accounts

    @property
    def zone_shares(self) -> dict[str, float]:
        """Share of the visitors in each time zone, by IANA name."""
        shares = dict.fromkeys(self.zones, 0.0)
        for _, zone, share in self._places:
            shares[self.zones[zone]] += share
        return shares

    def _draw_accounts(self, streams: Streams) -> Accounts:
        settings = self.settings
        shares = np.array([country.share for country in settings.countries.values()])
        of_region: Floats = np.bincount(self._region_of, weights=shares, minlength=len(REGIONS)).astype(np.float64)
        return draw_accounts(
            settings.accounts,
            of_region,
            sizes=settings.company_sizes,
            industries=settings.industries,
            size_spread=settings.account_size_spread,
            streams=streams,
        )

    def draw(self, n: int, cohort: int) -> People:
        """Draw the visitors of a cohort.

        Args:
            n: Number of visitors.
            cohort: Number of the cohort.
        """
        draws = VisitorDraws(self._streams.within(self._scope), cohort, np.arange(n))
        place = self._place_choices.pick(0, draws.uniforms("place"))
        region = self._region_of.take(self._country_of).take(place)
        channel = self._channel_choices.pick(0, draws.uniforms("channel"))
        persona = self._personas.pick(channel, draws.uniforms("persona"))
        in_company = draws.uniforms("company") < self._account_rate.take(persona)
        account = self._accounts_of(in_company, region, draws)
        return People(
            country=self._country_of.take(place),
            zone=self._zone_of.take(place),
            region=region,
            channel=channel,
            persona=persona,
            account=account,
            effect=np.where(account >= 0, self.accounts.effects.take(account), 0.0),
            **self._equipment(draws, persona, account),
        )

    def _accounts_of(self, in_company: Bools, region: Integers, draws: VisitorDraws) -> Integers:
        """Company of each visitor, −1 for none; shape (visitors,)."""
        # Only visitors who belong to a company need the costly look-up.
        account, members = np.full(len(in_company), -1), np.flatnonzero(in_company)
        account[members] = self.accounts.choose(region.take(members), draws.uniforms("account").take(members))
        return account

    def colleagues(self, inviters: People, persona: Integers, channel: int, draws: VisitorDraws) -> People:
        """Draw invited colleagues: they share the inviter's company and place; everything else is their own.

        Args:
            inviters: Inviter of each.
            persona: Index of the persona of each; shape (n,).
            channel: Index of the origin of invited visitors.
            draws: Draws of the colleagues.
        """
        # Country, company and its random effect are the inviter's.
        return replace(
            inviters,
            channel=np.full(len(persona), channel),
            persona=persona,
            **self._equipment(draws, persona, inviters.account),
        )

    def _equipment(self, draws: VisitorDraws, persona: Integers, account: Integers) -> dict[str, Any]:
        """Devices and e-mail address."""
        device = self._device_choices.pick(0, draws.uniforms("device"))
        second_device = np.full(len(device), -1)
        # Skipped at a rate of 0: two draws for each visitor would be wasted in most worlds.
        if self.settings.second_device_rate > 0:
            second = self._second_devices.pick(device, draws.uniforms("second_device"))
            has_second = draws.uniforms("has_second_device") < self.settings.second_device_rate
            second_device = np.where(has_second, second, -1)
        return {
            "device": device,
            "second_device": second_device,
            "company_email": (account >= 0) & (draws.uniforms("email") < self._email_rate.take(persona)),
        }


def _other_devices(shares: Floats) -> Floats:
    """Probability of each device as the second one, by the first device; the same device where no other exists."""
    others = shares * (1 - np.eye(len(shares)))
    alone = others.sum(axis=1) == 0
    # A world with desktops only still has people with two browsers.
    others[alone] = np.eye(len(shares))[alone]
    return probabilities(others)


def _one_of(shares: Iterable[float]) -> Choices:
    """Distribution over alternatives with these shares, which sum to 1."""
    return Choices(np.array([list(shares)]))


def persona_mix(personas: Sequence[PersonaSettings], channels: Sequence[str]) -> Floats:
    """Share of each persona among the visitors of each channel.

    Args:
        personas: The personas.
        channels: Names of the channels; each must have at least one persona with a factor above 0.

    Returns:
        Shares; each row sums to 1; shape (channels, personas).

    >>> rare, common = PersonaSettings(weight=1.0), PersonaSettings(weight=3.0, channels={"email": 0.0})
    >>> persona_mix([rare, common], ["email", "direct"])
    array([[1.  , 0.  ],
           [0.25, 0.75]])
    """
    weights = np.array(
        [[persona.weight * persona.channels.get(name, 1.0) for persona in personas] for name in channels]
    )
    return probabilities(weights)
