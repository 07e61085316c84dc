"""Who visits: countries, devices, companies and personas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from analytics.events.geography import REGION_OF_COUNTRY
from simulator.settings.base import (
    Positive,
    PositiveFactor,
    Probability,
    Settings,
    Share,
    Shares,
    TimeZone,
    defaults,
    shares_fault,
    sum_to_one,
    unknown,
)
from simulator.settings.personas import DEFAULT_PERSONAS, PersonaSettings, persona_code
from simulator.settings.traffic import Name


class CountrySettings(Settings):
    """One country of the visitors.

    Attributes:
        share: Share of all visitors; the shares of all countries sum to 1.
        time_zones: Shares of its visitors by IANA time zone; they sum to 1.
    """

    share: Share
    time_zones: Annotated[dict[TimeZone, Share], AfterValidator(sum_to_one)]


def _default_countries() -> dict[str, CountrySettings]:
    return {code: CountrySettings.model_validate(country) for code, country in defaults("countries").items()}


class CompanySizeSettings(Settings):
    """One size band of companies.

    Attributes:
        share: Share of the companies; the shares of all bands sum to 1.
        visitors: Visitors from such a company, relative to the other bands.
        good_fit_rate: Probability that the product fits such a company.
        deal_value: Multiplier of the value of a deal with it.
    """

    share: Share
    visitors: PositiveFactor = 1.0
    good_fit_rate: Probability = 0.5
    deal_value: PositiveFactor = 1.0


DEFAULT_INDUSTRIES: Final[dict[str, float]] = defaults("industries")
"""Shares of the industries. The figures are assumptions."""

DEFAULT_SIZES: Final = {
    name: CompanySizeSettings.model_validate(size) for name, size in defaults("company_sizes").items()
}
"""Size bands: below 200, below 2,000, and more employees. The figures are assumptions."""


class PopulationSettings(Settings):
    """The visitors. The default figures are assumptions.

    Attributes:
        countries: Countries by ISO 3166-1 alpha-2 code; their shares sum to 1.
        devices: Shares of desktop, mobile and tablet; they sum to 1.
        second_device_rate: Probability that a person also uses a second device, with its own browser and anonymous
            identifier.
        second_device_share: Share of such a person's visits, from the second on, that are made with the second device.
        personas: Personas by name; empty for visitors who do not differ.
        invitation_hours: Mean time from a visit to the arrival of a colleague who is invited after it, in hours of
            average traffic; exponential. The time passes more slowly at night and on weekends, when traffic is low.
        accounts: Number of companies.
        company_sizes: Size bands of the companies, by name; their shares sum to 1.
        industries: Shares of the companies' industries; they sum to 1.
        account_size_spread: Standard deviation of the log of a company's share of the visitors within its size band; 5
            at most.
        account_rate: Probability that a visitor belongs to a recognised company (``context.groupId``).
        company_email_rate: Probability that a visitor from a company enters the company address in a form; the others
            enter a private one.
    """

    countries: dict[str, CountrySettings] = Field(default_factory=_default_countries, min_length=1)
    devices: Shares = Field(default_factory=lambda: {"desktop": 0.66, "mobile": 0.30, "tablet": 0.04})
    second_device_rate: Probability = 0.0
    second_device_share: Probability = 0.5
    personas: dict[Name, PersonaSettings] = Field(default_factory=lambda: dict(DEFAULT_PERSONAS))
    invitation_hours: Positive = 20.0
    accounts: int = Field(default=4000, ge=1, le=10_000_000, strict=True)
    company_sizes: dict[Name, CompanySizeSettings] = Field(default_factory=lambda: dict(DEFAULT_SIZES), min_length=1)
    industries: Shares = Field(default_factory=lambda: dict(DEFAULT_INDUSTRIES))
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
        if strange := set(self.devices) - set(USER_AGENTS):
            raise ValueError(f"devices: unknown device {min(strange)!r}; known are {', '.join(USER_AGENTS)}")
        return self

    @property
    def persona_list(self) -> list[PersonaSettings]:
        """The personas in order; a single default persona if there are none."""
        return [*self.personas.values()] or [PersonaSettings()]

    @model_validator(mode="after")
    def _persona_codes_are_unique(self) -> Self:
        names: dict[int, str] = {}
        for name in self.personas:
            other = names.setdefault(persona_code(name), name)
            if other != name:
                raise ValueError(
                    f"personas.{name}: has the same code as {other!r}, so both would share random draws; rename one"
                )
        return self

    @model_validator(mode="after")
    def _companies_and_colleagues_fit(self) -> Self:
        if fault := shares_fault(size.share for size in self.company_sizes.values()):
            raise ValueError(f"company_sizes: {fault}")
        for name, persona in self.personas.items():
            for invited in persona.invites:
                if invited not in self.personas:
                    raise ValueError(f"personas.{name}.invites: {unknown('persona', invited, self.personas)}")
        return self


_BROWSERS = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) {}"

USER_AGENTS: Mapping[str, str] = {
    "desktop": _BROWSERS.format("Windows NT 10.0; Win64; x64", "Chrome/140.0 Safari/537.36"),
    "mobile": _BROWSERS.format("iPhone; CPU iPhone OS 18_6 like Mac OS X", "Version/18.6 Mobile Safari/604.1"),
    "tablet": _BROWSERS.format("iPad; CPU OS 18_6 like Mac OS X", "Version/18.6 Safari/604.1"),
}
"""User agent of each device; its keys are the supported devices."""
