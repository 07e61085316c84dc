"""What events show: look-up tables of facts, one bit each, for everything that a column of an event can depend on.

The column belongs to the visitor (country, company), the visit (device; what leads to it), the page, or a submitted
form (event, e-mail address). For each of these a table of bits is built once, so that facts of a whole cohort are an OR
of a few look-ups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from analytics.events.enrichment import enrich
from analytics.events.geography import REGION_OF_COUNTRY
from simulator.engine.arrays import Words
from simulator.settings.signals import ORIGIN_COLUMNS
from simulator.settings.site import PageSettings, SiteSettings
from simulator.world.arrival_sources import Link
from simulator.world.population import Population

Fact = tuple[tuple[str, tuple[str | bool, ...]], ...]
"""What an event may show: one of certain values in a column, or in one of several columns."""

_CAMPAIGN = ("source", "medium", "name", "term", "content")


class ShownTables:
    """Tables of facts: which of them an event shows because of its page, form, origin, visitor or device.

    Args:
        site: Pages and forms.
        channels: Origins by name, in the order of the visitors' indices; then those of components.
        population: Companies, countries and devices, in the order of the visitors' indices.
        facts: The facts, by bit.

    Attributes:
        of_page: Facts of the view of each page; shape (pages,).
        of_form: Facts of the form of each page; shape (pages,).
        of_company_email: Facts of a private, and of a company's e-mail address; shape (2,).
        of_origin: Facts of the landing of a visit by each origin, and by none in the last row, which the index −1
            selects; shape (origins + 1,).
        of_country: Facts of visitors of each country; shape (countries,).
        of_account: Facts of visitors of each company, and of none in the last row; shape (companies + 1,).
        of_device: Facts of visits with each device; shape (devices,).
    """

    def __init__(
        self, site: SiteSettings, channels: Mapping[str, Link], population: Population, facts: Sequence[Fact]
    ) -> None:
        self._facts = facts
        pages, accounts = list(site.pages.values()), population.accounts
        self.of_page = self._bits([_of_page(page) for page in pages])
        self.of_form = self._bits([_of_form(page) for page in pages])
        self.of_company_email = self._bits([{"company_email": False}, {"company_email": True}])
        self.of_origin = self._bits(self._origins([*channels.values(), None], site.host))
        self.of_country = self._bits(
            [
                {"region": REGION_OF_COUNTRY[code], "country_code": code, "context_location_country": code}
                for code in population.countries
            ]
        )
        of_size = self._bits([{"context_company_size": size} for size in accounts.sizes])
        of_industry = self._bits([{"context_company_industry": industry} for industry in accounts.industries])
        # Index −1 (no company) selects the last row, which has no bits.
        self.of_account = np.append(of_size[accounts.size] | of_industry[accounts.industry], np.uint64(0))
        self.of_device = self._bits(
            [{"device_type": device, "context_device_type": device} for device in population.devices]
        )

    def _bits(self, rows: Sequence[Mapping[str, object]]) -> Words:
        """Facts that each row of column values shows; shape (rows,)."""
        return np.array(
            [
                sum(
                    1 << bit
                    for bit, fact in enumerate(self._facts)
                    if any(row.get(column) in values for column, values in fact)
                )
                for row in rows
            ],
            dtype=np.uint64,
        )

    def _origins(self, links: Sequence[Link | None], host: str) -> list[dict[str, object]]:
        """Column values of the landing of a visit by each link."""
        campaigns = [_campaign(link) for link in links]
        landings = {
            "type": ["page"] * len(links),
            "context_page_url": [f"https://{host}/"] * len(links),
            "context_page_referrer": [link.referrer if link else None for link in links],
            **{name: [campaign[name] for campaign in campaigns] for name in campaigns[0]},
        }
        # By the rules of the analytics themselves, of which there are too many to repeat.
        found = enrich(pl.DataFrame(landings, schema=dict.fromkeys(landings, pl.String)))
        return found.select(sorted(ORIGIN_COLUMNS)).to_dicts()


def _of_page(page: PageSettings) -> dict[str, object]:
    return {
        "category": page.category,
        "name": page.title,
        "funnel_stage": page.stage,
        "context_page_path": page.path,
        "context_page_title": page.title,
    }


def _of_form(page: PageSettings) -> dict[str, object]:
    return {"event": page.form.event, "asset": page.form.asset} if page.form else {}


def _campaign(link: Link | None) -> dict[str, object]:
    """Columns of the campaign of a link."""
    campaign = link.campaign if link else None
    return {f"context_campaign_{key}": getattr(campaign, key, None) for key in _CAMPAIGN}
