"""Companies: their firmographics, and the assignment of visitors to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from analytics.events.geography import REGIONS
from simulator.engine.arrays import Bools, Floats, Integers, lookup
from simulator.engine.sampling import Choices, probabilities
from simulator.engine.streams import Streams
from simulator.settings.population import CompanySizeSettings

ACCOUNTS_SCHEMA: Final = pl.Schema(
    {
        "account": pl.String(),
        "region": pl.String(),
        "industry": pl.String(),
        "size": pl.String(),
        "good_fit": pl.Boolean(),
        "willingness": pl.Float64(),
    }
)
"""Columns of the table of companies: domain, world region, industry and size band; whether the product fits; and the
unobserved random effect on willingness (standard normal).
"""

_COMPANY_WORDS: Final = (
    *("acorn", "basalt", "cedar", "delta", "ember", "fjord", "granite", "harbor", "indigo", "juniper"),
    *("krypton", "lantern", "meridian", "nimbus", "orchard", "pioneer", "quarry", "ridge", "summit", "tundra"),
)


class Company(NamedTuple):
    """What the sales desk knows about a company.

    Attributes:
        account: Its identifier, None where it is not recognised.
        good_fit: Whether the product fits it.
        deal_factor: Multiplier of the value of a deal with it.
    """

    account: str | None = None
    good_fit: bool = True
    deal_factor: float = 1.0


UNKNOWN_COMPANY: Final = Company()
"""Company of a visitor whose company is not recognised; it has average properties."""


@dataclass(frozen=True)
class Accounts:
    """The companies of one replication, one row each.

    Attributes:
        domains: Domain of each, below ``example.com``; also its identifier.
        region: Index in :data:`REGIONS`; shape (accounts,).
        industry, size: Indices in ``industries`` and ``sizes``; shape (accounts,).
        good_fit: Whether the product fits; shape (accounts,).
        weight: Number of visitors relative to the other companies of the region; shape (accounts,).
        effects: Unobserved random effect on willingness, standard normal; shape (accounts,).
        industries, sizes: Names.
        deal_factors: Multiplier of the value of a deal, by size.
    """

    domains: pl.Series
    region: Integers
    industry: Integers
    size: Integers
    good_fit: Bools
    weight: Floats
    effects: Floats
    industries: Sequence[str]
    sizes: Sequence[str]
    deal_factors: Floats

    def choose(self, regions: Integers, uniforms: Floats) -> Integers:
        """Assign each visitor to a company of the visitor's region.

        Args:
            regions: Index of each visitor's region; shape (n,).
            uniforms: Number between 0 and 1 for each visitor; shape (n,).

        Returns:
            Index of the company, −1 where the region has none; shape (n,).
        """
        # A small world may have no company in some region; its visitors then belong to none.
        chosen = np.full(len(regions), -1, dtype=np.int64)
        for region, (members, choices) in self._by_region.items():
            here = np.flatnonzero(regions == region)
            chosen[here] = members[choices.pick(0, uniforms[here])]
        return chosen

    @cached_property
    def _by_region(self) -> dict[int, tuple[Integers, Choices]]:
        """Companies of each region that has any, and the distribution of visitors over them."""
        found = {}
        # Cached: every cohort of every arrival source uses the same distributions.
        for region in range(len(REGIONS)):
            members = np.flatnonzero(self.region == region)
            if len(members):
                found[region] = members, Choices(probabilities(self.weight[members])[None, :])
        return found

    @cached_property
    def domains_or_none(self) -> pl.Series:
        """Domain of each company, and null in an additional last row for no company."""
        return self.domains.extend_constant(None, 1).rechunk()

    def domains_of(self, accounts: Integers) -> pl.Series:
        """Domain of each company.

        Args:
            accounts: Index of the company, −1 for none; shape (n,).

        Returns:
            Domains, null for none; shape (n,).
        """
        return lookup(self.domains_or_none, np.where(accounts >= 0, accounts, len(self.domains)))

    def company(self, account: int) -> Company:
        """What the sales desk knows about a company, by index; −1 for none."""
        if account < 0:
            return UNKNOWN_COMPANY
        factor = float(self.deal_factors[self.size[account]])
        return Company(self.domains[account], bool(self.good_fit[account]), factor)

    def table(self) -> pl.DataFrame:
        """Table of all companies; columns as in :data:`ACCOUNTS_SCHEMA`."""
        return pl.DataFrame(
            {
                "account": self.domains,
                "region": pl.Series(REGIONS).gather(self.region),
                "industry": pl.Series(self.industries).gather(self.industry),
                "size": pl.Series(self.sizes).gather(self.size),
                "good_fit": self.good_fit,
                "willingness": self.effects,
            },
            schema=ACCOUNTS_SCHEMA,
        )


def draw_accounts(
    n: int,
    region_shares: Floats,
    *,
    sizes: Mapping[str, CompanySizeSettings],
    industries: Mapping[str, float],
    size_spread: float,
    streams: Streams,
) -> Accounts:
    """Draw the companies.

    Args:
        n: Number of companies.
        region_shares: Share of each of :data:`REGIONS` among the visitors, and so among the companies.
        sizes: Size bands, by name.
        industries: Shares of the industries, by name.
        size_spread: Standard deviation of the log of a company's share of the visitors within its band.
        streams: Random streams of the replication; the companies are the same for all arrival sources.
    """
    # Regions and spreads are drawn sequentially from one generator, so their order here must not change.
    rng = streams.generator("accounts")
    region = np.searchsorted(np.cumsum(region_shares)[:-1], rng.random(n), side="right")
    # Lognormal sizes: a few companies send many visitors.
    spread = np.exp(size_spread * rng.standard_normal(n))
    rows, bands = np.arange(n), list(sizes.values())

    def drawn(source: str, shares: Sequence[float]) -> Integers:
        return np.searchsorted(np.cumsum(shares)[:-1], streams.uniforms(source).at(rows), side="right")

    size = drawn("account_size", [band.share for band in bands])
    words = len(_COMPANY_WORDS)
    return Accounts(
        # The number makes each domain unique beyond the first twenty.
        domains=pl.Series([f"{_COMPANY_WORDS[i % words]}-{i // words:04d}.example.com" for i in range(n)]),
        region=region,
        industry=drawn("account_industry", list(industries.values())),
        size=size,
        good_fit=streams.uniforms("account_fit").at(rows) < np.array([band.good_fit_rate for band in bands])[size],
        weight=spread * np.array([band.visitors for band in bands])[size],
        # A generator of its own: the number of companies changes no other draw.
        effects=streams.generator("account_effects").standard_normal(n),
        industries=list(industries),
        sizes=list(sizes),
        deal_factors=np.array([band.deal_value for band in bands]),
    )
