"""Look-up tables: the texts of events for the integers that identify devices, pages and campaigns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
import polars as pl

from analytics.events.tracking_plan import EVENT_SCHEMA, CallType, EventName
from simulator.engine.arrays import Bools
from simulator.sales.desk import SALES_EVENTS
from simulator.settings.population import USER_AGENTS
from simulator.settings.site import PageSettings
from simulator.settings.traffic import CampaignSettings
from simulator.settings.world import WorldSettings
from simulator.tracking.activity import REQUEST, SUBMIT
from simulator.world.arrival_sources import Link, origins_of
from simulator.world.assignment import Experiments
from simulator.world.population import Population

_ID_PARTS = ("-view-", "-identify-", "-form-", "-request-")


@dataclass(frozen=True)
class ComponentEvent:
    """A `track` call of a component.

    Attributes:
        name: Name of the event.
        on_server: Whether the company's servers send it, which nothing blocks, and not the visitor's browser.
    """

    name: str
    on_server: bool = False


class EventLookups:
    """Look-up tables of a world; each ends in a row of null, for no page, campaign, referrer or company.

    Args:
        world: Settings of the world.
        population: Attributes of the visitors.
        events: Events of components, in the order of their kinds.
        campaigns: Links of the components' campaigns.

    Attributes:
        of_browser: Columns that depend on the browser and its visitor, one table each, the device first.
        personas: Name of each persona.
        user_agents: User agent of each device.
        of_page: Columns of the page on which a call is made.
        of_view: Columns of the page that is viewed.
        of_call: Type and library of each kind of activity.
        on_server: Whether the servers send the event of each kind; shape (kinds,).
        id_parts: Part of the event's identifier that names its kind, for each kind.
        of_track: Event and asset: of each page's form, of a demo request, of each event of the sales desk and of the
            components.
        of_campaign: UTM columns of each origin.
        urls: Plain URL of each page, then the URL of each page by each origin.
        referrers: URL of each page, then the referrer of each origin.
    """

    def __init__(
        self,
        world: WorldSettings,
        population: Population,
        events: Sequence[ComponentEvent] = (),
        campaigns: Sequence[Link] = (),
    ) -> None:
        pages, origins = list(world.site.pages.values()), [*origins_of(world.traffic).values(), *campaigns]
        self.n_pages, self.n_origins = len(pages), len(origins)
        self.of_browser = _of_browser(world, population)
        self.personas = pl.Series(population.personas, dtype=pl.Categorical())
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
        names = [*SALES_EVENTS, *(event.name for event in events)]
        self.id_parts = [*_ID_PARTS, *(f"-{name.lower().replace(' ', '-')}-" for name in names)]
        # Page views, identification and forms come from the browser; a request and what follows, from the servers.
        self.on_server = np.array(
            [*[False] * REQUEST, *[True] * (1 + len(SALES_EVENTS)), *(e.on_server for e in events)]
        )
        self.of_call = _of_call(self.on_server)
        self.of_track = _of_track(pages, [event.name for event in events])
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
    }


def _of_call(on_server: Bools) -> pl.DataFrame:
    types = [CallType.PAGE, CallType.IDENTIFY, *[CallType.TRACK] * (len(on_server) - SUBMIT)]
    libraries = ["analytics-python" if server else "analytics.js" for server in on_server]
    columns = {"type": types, "context_library_name": libraries}
    return pl.DataFrame(columns, schema={name: EVENT_SCHEMA[name] for name in columns})


def _of_track(pages: Sequence[PageSettings], events: Sequence[str]) -> pl.DataFrame:
    forms = [page.form for page in pages]
    demo = [EventName.DEMO_REQUESTED, *SALES_EVENTS]
    return _table(
        {
            "event": [*(form.event if form else None for form in forms), *demo, *events],
            "asset": [*(form.asset if form else None for form in forms), *["demo"] * len(demo), *[None] * len(events)],
        }
    )


def _link(origin: Link) -> str:
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
