"""Look-up tables: the texts of events for the integers that identify devices, pages and campaigns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import polars as pl

from analytics.events.tracking_plan import EVENT_SCHEMA, EventName
from simulator.sales.desk import SALES_EVENTS
from simulator.settings.population import USER_AGENTS
from simulator.settings.site import PageSettings
from simulator.settings.traffic import CampaignSettings, ChannelSettings
from simulator.settings.world import WorldSettings
from simulator.world.arrival_sources import origins_of
from simulator.world.assignment import Experiments
from simulator.world.population import Population


class EventLookups:
    """Look-up tables of a world; each ends in a row of null, for no page, campaign, referrer or company.

    Args:
        world: Settings of the world.
        population: Attributes of the visitors.

    Attributes:
        of_browser: Columns that depend on the browser and its visitor, one table each, the device first.
        user_agents: User agent of each device.
        of_page: Columns of the page on which a call is made.
        of_view: Columns of the page that is viewed.
        of_track: Event and asset: of each page's form, of a demo request, of each event of the sales desk.
        of_campaign: UTM columns of each origin.
        urls: Plain URL of each page, then the URL of each page by each origin.
        referrers: URL of each page, then the referrer of each origin.
    """

    def __init__(self, world: WorldSettings, population: Population) -> None:
        pages, origins = list(world.site.pages.values()), list(origins_of(world.traffic).values())
        self.n_pages, self.n_origins = len(pages), len(origins)
        self.of_browser = _of_browser(world, population)
        self.user_agents = _series([USER_AGENTS[device] for device in population.devices])
        self.of_page = _table(
            {"context_page_path": [page.path for page in pages], "context_page_title": [page.title for page in pages]}
        )
        self.of_view = _table(
            {
                "name": [page.title for page in pages],
                "category": [page.category for page in pages],
                "funnel_stage": [page.stage for page in pages],
            }
        )
        self.of_track = _of_track(pages)
        self.of_campaign = _table(
            {
                f"context_campaign_{key}": [getattr(origin.campaign, key, None) for origin in origins]
                for key in CampaignSettings.model_fields
            }
        )
        page_urls = [f"https://{world.site.host}{page.path}" for page in pages]
        # One flat table: the row is computed from origin and page.
        self.urls = _series(page_urls + [url + _link(origin) for origin in origins for url in page_urls])
        self.referrers = _series(page_urls + [origin.referrer for origin in origins])


def _of_browser(world: WorldSettings, population: Population) -> dict[str, pl.Series]:
    accounts, category = population.accounts, pl.Categorical()
    return {
        "context_device_type": _series(population.devices).cast(category),
        "context_location_country": _series(population.countries).cast(category),
        "context_timezone": _series(population.zones).cast(category),
        "context_group_id": accounts.domains_or_none,
        "context_company_industry": _series(accounts.industries).cast(category),
        "context_company_size": _series(accounts.sizes).cast(category),
        "context_experiments": Experiments(world.experiments).labels.cast(category),
        "_persona": pl.Series(population.personas, dtype=category),
    }


def _of_track(pages: Sequence[PageSettings]) -> pl.DataFrame:
    forms = [page.form for page in pages]
    return _table(
        {
            "event": [form.event if form else None for form in forms] + [EventName.DEMO_REQUESTED, *SALES_EVENTS],
            "asset": [form.asset if form else None for form in forms] + ["demo"] * (1 + len(SALES_EVENTS)),
        }
    )


def _link(origin: ChannelSettings) -> str:
    """Query string of a landing page by this origin."""
    return "?" + _query(origin.campaign) if origin.campaign else ""


def _series(values: Sequence[str | None]) -> pl.Series:
    """Look-up table with a last row of null."""
    return pl.Series([*values, None], dtype=pl.String)


def _table(columns: Mapping[str, Sequence[str | None]]) -> pl.DataFrame:
    """Look-up tables of columns of the flat event table, with a last row of nulls."""
    return pl.DataFrame({name: _series(values).cast(EVENT_SCHEMA[name]) for name, values in columns.items()})


def _query(campaign: CampaignSettings) -> str:
    """UTM parameters of a link."""
    # The one UTM parameter whose name differs from the setting.
    names = {"name": "utm_campaign"}
    given = campaign.model_dump(exclude_none=True)
    return urlencode({names.get(key, f"utm_{key}"): value for key, value in given.items()})
