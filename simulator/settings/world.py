"""The settings of a world, whole, with what must hold between its parts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Self

from pydantic import Field, model_validator

from simulator.settings.base import Settings, unknown
from simulator.settings.clock import ClockSettings
from simulator.settings.experiments import ExperimentsSettings
from simulator.settings.intent import IntentSettings
from simulator.settings.personas import DEFAULT_PERSONAS, PersonaSettings
from simulator.settings.population import PopulationSettings
from simulator.settings.sales import SalesSettings
from simulator.settings.site import SiteSettings
from simulator.settings.tracking import TrackingSettings
from simulator.settings.traffic import TrafficSettings
from simulator.settings.visits import VisitSettings

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
        tracking: What is lost, damaged and invented before the events reach the collector.
        experiments: What is tried out on some visitors and not on others, by name.
    """

    clock: ClockSettings = Field(default_factory=ClockSettings)
    traffic: TrafficSettings = Field(default_factory=TrafficSettings)
    population: PopulationSettings = Field(default_factory=PopulationSettings)
    site: SiteSettings = Field(default_factory=SiteSettings)
    visits: VisitSettings = Field(default_factory=VisitSettings)
    intent: IntentSettings = Field(default_factory=IntentSettings)
    sales: SalesSettings = Field(default_factory=SalesSettings)
    tracking: TrackingSettings = Field(default_factory=TrackingSettings)
    experiments: ExperimentsSettings = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        personas, channels = self.population.personas, self.traffic.channels
        for name in self.tracking.ad_blocker_factors:
            if name not in personas:
                raise ValueError(f"tracking.ad_blocker_factors: {unknown('persona', name, personas)}")
        for name, persona in personas.items():
            # Scenarios with pages and channels of their own keep the default personas, which know the default ones.
            usual = DEFAULT_PERSONAS.get(name, PersonaSettings())
            for kind, given, known in (
                ("channel", persona.channels.keys() - usual.channels.keys(), channels),
                ("page", persona.pages.keys() - usual.pages.keys(), self.site.pages),
            ):
                for strange in sorted(given - known.keys()):
                    raise ValueError(f"population.personas.{name}.{kind}s: {unknown(kind, strange, known)}")
        return self

    @model_validator(mode="after")
    def _somebody_comes_by_every_channel(self) -> Self:
        for name in self.traffic.channels:
            if not any(persona.weight * persona.channels.get(name, 1.0) for persona in self.population.persona_list):
                raise ValueError(
                    f"population.personas: nobody comes by the channel {name!r}: all personas have a factor of 0 for it"
                )
        return self

    @model_validator(mode="after")
    def _landing_pages_exist(self) -> Self:
        for where, pages in self._named_pages():
            for page in pages:
                if page not in self.site.pages:
                    raise ValueError(f"{where}: {unknown('page', page, self.site.pages)}")
        return self

    def _named_pages(self) -> Iterator[tuple[str, Collection[str]]]:
        """Where pages are named outside the site, and which."""
        traffic = self.traffic
        for name, channel in traffic.channels.items():
            yield f"traffic.channels.{name}.landing", channel.landing
        for name, campaign in traffic.campaigns.items():
            yield f"traffic.campaigns.{name}.landing", campaign.landing or ()
        for name, event in traffic.events.items():
            yield f"traffic.events.{name}.landing", event.landing or ()
        yield "visits.return_landing", self.visits.return_landing
        for name, experiment in self.experiments.items():
            for arm, effects in experiment.arms.items():
                yield f"experiments.{name}.arms.{arm}.links", effects.links
                yield f"experiments.{name}.arms.{arm}.exit_rate", effects.exit_rate
