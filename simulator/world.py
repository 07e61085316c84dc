"""The settings of a world, whole, with what must hold between its parts."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from simulator.clock import ClockSettings
from simulator.intent import IntentSettings
from simulator.journey import VisitSettings
from simulator.population import PopulationSettings
from simulator.sales_settings import SalesSettings
from simulator.settings import Settings, unknown
from simulator.site import SiteSettings
from simulator.traffic import TrafficSettings

__all__ = ["WorldSettings"]


class WorldSettings(Settings):
    """Everything that a simulation needs to know; each part has its own model.

    Attributes:
        clock: When it starts and how long it lasts.
        traffic: How many visitors come, when, and by which channels.
        population: Who they are.
        site: The pages they can see.
        visits: How often they come and how long they read.
        intent: What moves them to request a demo.
        sales: Who answers the requests.
    """

    clock: ClockSettings = Field(default_factory=ClockSettings)
    traffic: TrafficSettings = Field(default_factory=TrafficSettings)
    population: PopulationSettings = Field(default_factory=PopulationSettings)
    site: SiteSettings = Field(default_factory=SiteSettings)
    visits: VisitSettings = Field(default_factory=VisitSettings)
    intent: IntentSettings = Field(default_factory=IntentSettings)
    sales: SalesSettings = Field(default_factory=SalesSettings)

    @model_validator(mode="after")
    def _landing_pages_exist(self) -> Self:
        landings = {f"traffic.channels.{name}.landing": c.landing for name, c in self.traffic.channels.items()}
        for where, landing in {**landings, "visits.return_landing": self.visits.return_landing}.items():
            for page in landing:
                if page not in self.site.pages:
                    raise ValueError(f"{where}: {unknown('page', page, self.site.pages)}")
        return self
