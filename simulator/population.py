"""Who the visitors are: country, time zone, device, channel, company and e-mail address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Annotated, Self
from zoneinfo import available_timezones

import numpy as np
import polars as pl
from pydantic import AfterValidator, Field, model_validator

from analytics.events import REGION_OF_COUNTRY, REGIONS
from simulator.arrays import Bools, Floats, Integers
from simulator.settings import Count, Probability, Settings, Share, Shares, shares_fault
from simulator.streams import Streams

__all__ = ["Accounts", "CountrySettings", "People", "Population", "PopulationSettings"]

_TIME_ZONES = frozenset(available_timezones())


def _known_zones(zones: dict[str, float]) -> dict[str, float]:
    for zone in zones:
        if zone not in _TIME_ZONES:
            raise ValueError(f"{zone!r} is not an IANA time zone such as 'Europe/Berlin'")
    return zones


class CountrySettings(Settings):
    """One country of the visitors.

    Attributes:
        share: Share of all visitors; the shares of all countries sum to 1.
        time_zones: Shares of its visitors by IANA time zone, which sum to 1.
    """

    share: Share
    time_zones: Annotated[Shares, AfterValidator(_known_zones)]


def _default_countries() -> dict[str, CountrySettings]:
    """Visitors of an English-language B2B site by country. The figures are assumptions."""
    return {
        "US": CountrySettings(
            share=0.42,
            time_zones={
                "America/New_York": 0.47,
                "America/Chicago": 0.28,
                "America/Denver": 0.07,
                "America/Los_Angeles": 0.18,
            },
        ),
        "CA": CountrySettings(share=0.05, time_zones={"America/Toronto": 0.7, "America/Vancouver": 0.3}),
        "GB": CountrySettings(share=0.10, time_zones={"Europe/London": 1.0}),
        "DE": CountrySettings(share=0.08, time_zones={"Europe/Berlin": 1.0}),
        "FR": CountrySettings(share=0.05, time_zones={"Europe/Paris": 1.0}),
        "NL": CountrySettings(share=0.04, time_zones={"Europe/Amsterdam": 1.0}),
        "SE": CountrySettings(share=0.02, time_zones={"Europe/Stockholm": 1.0}),
        "NO": CountrySettings(share=0.01, time_zones={"Europe/Oslo": 1.0}),
        "IN": CountrySettings(share=0.08, time_zones={"Asia/Kolkata": 1.0}),
        "AU": CountrySettings(share=0.04, time_zones={"Australia/Sydney": 0.8, "Australia/Perth": 0.2}),
        "JP": CountrySettings(share=0.03, time_zones={"Asia/Tokyo": 1.0}),
        "SG": CountrySettings(share=0.02, time_zones={"Asia/Singapore": 1.0}),
        "BR": CountrySettings(share=0.03, time_zones={"America/Sao_Paulo": 1.0}),
        "IL": CountrySettings(share=0.02, time_zones={"Asia/Jerusalem": 1.0}),
        "AE": CountrySettings(share=0.01, time_zones={"Asia/Dubai": 1.0}),
    }


class PopulationSettings(Settings):
    """The people who visit. The default figures are assumptions.

    Attributes:
        countries: Countries by ISO 3166-1 alpha-2 code; their shares sum to 1.
        devices: Shares of desktop, mobile and tablet, which sum to 1.
        accounts: Number of companies whose people may visit.
        account_size_spread: Standard deviation of the logarithm of a company's share of the visitors, 5 at most.
        account_rate: Probability that a visitor belongs to a company that is recognised (``context.groupId``).
        company_email_rate: Probability that a visitor from a company gives the company address in a form; all others
            give a private one.
    """

    countries: dict[str, CountrySettings] = Field(default_factory=_default_countries, min_length=1)
    devices: Shares = Field(default_factory=lambda: {"desktop": 0.66, "mobile": 0.30, "tablet": 0.04})
    accounts: Count = 4000
    account_size_spread: float = Field(default=0.8, ge=0, le=5, strict=True)
    account_rate: Probability = 0.6
    company_email_rate: Probability = 0.8

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        for code in self.countries:
            if code not in REGION_OF_COUNTRY:
                raise ValueError(f"countries.{code}: not an ISO 3166-1 alpha-2 country code")
        if fault := shares_fault(country.share for country in self.countries.values()):
            raise ValueError(f"countries: {fault}")
        if unknown := set(self.devices) - set(USER_AGENTS):
            raise ValueError(f"devices: unknown device {min(unknown)!r}; known are {', '.join(USER_AGENTS)}")
        return self


_BROWSERS = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) {}"
USER_AGENTS: Mapping[str, str] = {
    "desktop": _BROWSERS.format("Windows NT 10.0; Win64; x64", "Chrome/140.0 Safari/537.36"),
    "mobile": _BROWSERS.format("iPhone; CPU iPhone OS 18_6 like Mac OS X", "Version/18.6 Mobile Safari/604.1"),
    "tablet": _BROWSERS.format("iPad; CPU OS 18_6 like Mac OS X", "Version/18.6 Safari/604.1"),
}
"""User agent of each device; it also says which devices there are."""

_COMPANY_WORDS = (
    *("acorn", "basalt", "cedar", "delta", "ember", "fjord", "granite", "harbor", "indigo", "juniper"),
    *("krypton", "lantern", "meridian", "nimbus", "orchard", "pioneer", "quarry", "ridge", "summit", "tundra"),
)


@dataclass(frozen=True)
class Accounts:
    """The companies of one replication.

    Attributes:
        domains: Domain of each, below ``example.com``; also its identifier.
        by_region: Indices of the accounts of each region of :data:`REGIONS`.
        cumulative_share: For each region, the accounts' running share of the region's company visitors.
        effects: Unobserved willingness of each account, standard normal.
    """

    domains: pl.Series
    by_region: Sequence[Integers]
    cumulative_share: Sequence[Floats]
    effects: Floats

    def domains_of(self, accounts: Integers) -> pl.Series:
        """Domain of each account, null for −1; shape (n,)."""
        nowhere = len(self.domains)
        return self.domains.extend_constant(None, 1).gather(np.where(accounts >= 0, accounts, nowhere))

    def choose(self, regions: Integers, uniforms: Floats) -> Integers:
        """Account of each visitor, from the accounts of the visitor's region; shapes (n,)."""
        chosen = np.full(len(regions), -1, dtype=np.int64)
        for region, (members, shares) in enumerate(zip(self.by_region, self.cumulative_share, strict=True)):
            here = np.flatnonzero(regions == region)
            if len(members):
                chosen[here] = members[np.searchsorted(shares, uniforms[here], side="right")]
        return chosen


@dataclass(frozen=True)
class People:
    """The visitors of a cohort, one row each; the whole-number columns index the population's lists.

    Attributes:
        country, zone, region, device, channel: Indices; shape (n,).
        account: Index of the company, −1 for none; shape (n,).
        company_email: Whether the address given in a form is the company's; shape (n,).
        effect: Unobserved willingness of the visitor's account, 0 without one; shape (n,).
    """

    country: Integers
    zone: Integers
    region: Integers
    device: Integers
    channel: Integers
    account: Integers
    company_email: Bools
    effect: Floats

    def __len__(self) -> int:
        return len(self.country)

    def take(self, rows: Integers) -> Self:
        """The visitors in these rows."""
        return replace(self, **{field.name: getattr(self, field.name)[rows] for field in fields(self)})


class Population:
    """Draws visitors, a cohort at a time.

    Args:
        settings: Who they are.
        channel_shares: Share of each channel, by name.
        streams: Randomness of the replication.
        scope: Inflow of visitors whose draws these are; the companies are those of the whole world.
    """

    def __init__(
        self, settings: PopulationSettings, channel_shares: Mapping[str, float], streams: Streams, scope: str = ""
    ) -> None:
        self.settings = settings
        self.countries = list(settings.countries)
        self.devices = list(settings.devices)
        self.channels = list(channel_shares)
        self.zones = list(dict.fromkeys(z for country in settings.countries.values() for z in country.time_zones))
        self._streams = streams
        self._visitor_streams = streams.within(scope)
        self._places = [
            (c, self.zones.index(zone), country.share * share)
            for c, country in enumerate(settings.countries.values())
            for zone, share in country.time_zones.items()
        ]
        self._region_of = np.array([REGIONS.index(REGION_OF_COUNTRY[code]) for code in self.countries])
        self._place_steps = _steps([share for _, _, share in self._places])
        self._device_steps = _steps(list(settings.devices.values()))
        self._channel_steps = _steps(list(channel_shares.values()))
        self.accounts = self._draw_accounts()

    @property
    def zone_shares(self) -> dict[str, float]:
        """Share of the visitors who live in each time zone, by IANA name."""
        shares = dict.fromkeys(self.zones, 0.0)
        for _, zone, share in self._places:
            shares[self.zones[zone]] += share
        return shares

    def _draw_accounts(self) -> Accounts:
        n = self.settings.accounts
        rng = self._streams.generator("accounts")
        shares = np.array([country.share for country in self.settings.countries.values()])
        of_region = np.bincount(self._region_of, weights=shares, minlength=len(REGIONS))
        region = np.searchsorted(_steps(list(of_region)), rng.random(n), side="right")
        sizes = np.exp(self.settings.account_size_spread * rng.standard_normal(n))
        members = [np.flatnonzero(region == r) for r in range(len(REGIONS))]
        words = len(_COMPANY_WORDS)
        return Accounts(
            domains=pl.Series([f"{_COMPANY_WORDS[i % words]}-{i // words:04d}.example.com" for i in range(n)]),
            by_region=members,
            cumulative_share=[_steps(list(sizes[m] / sizes[m].sum())) if len(m) else np.empty(0) for m in members],
            effects=self._streams.generator("account_effects").standard_normal(n),
        )

    def draw(self, n: int, cohort: int) -> People:
        """Draw the ``n`` visitors of a cohort."""
        rows = np.arange(n)

        def uniforms(source: str) -> Floats:
            return self._visitor_streams.uniforms(source, cohort).at(rows)

        place = np.searchsorted(self._place_steps, uniforms("place"), side="right")
        country = np.array([c for c, _, _ in self._places])[place]
        region = self._region_of[country]
        in_company = uniforms("company") < self.settings.account_rate
        account = np.where(in_company, self.accounts.choose(region, uniforms("account")), -1)
        return People(
            country=country,
            zone=np.array([zone for _, zone, _ in self._places])[place],
            region=region,
            device=np.searchsorted(self._device_steps, uniforms("device"), side="right"),
            channel=np.searchsorted(self._channel_steps, uniforms("channel"), side="right"),
            account=account,
            company_email=(account >= 0) & (uniforms("email") < self.settings.company_email_rate),
            effect=np.where(account >= 0, self.accounts.effects[account], 0.0),
        )


def _steps(shares: Sequence[float]) -> Floats:
    """Running sum of shares without its last entry, which rounding could leave a little below 1."""
    return np.cumsum(shares)[:-1]
