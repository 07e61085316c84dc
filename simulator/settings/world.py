"""The settings of a whole world, and the relations that must hold between its parts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from analytics.signals.definitions import SIGNALS, EverSeen, Signal, interaction_parts
from analytics.signals.settings import SignalSettings, UserSignals
from simulator.settings.base import Settings, unknown
from simulator.settings.clock import ClockSettings
from simulator.settings.components import (
    ComponentSettings,
    DecisionSettings,
    PartName,
    PartSettings,
    ProbeSettings,
    check_parts,
)
from simulator.settings.experiments import ExperimentsSettings
from simulator.settings.intent import IntentSettings
from simulator.settings.personas import DEFAULT_PERSONAS, PersonaSettings
from simulator.settings.population import PopulationSettings
from simulator.settings.sales import SalesSettings
from simulator.settings.signals import why_unknown
from simulator.settings.site import SiteSettings
from simulator.settings.tracking import TrackingSettings
from simulator.settings.traffic import DEFAULT_CHANNELS, TrafficSettings
from simulator.settings.visits import VisitSettings

_OPTIONAL: Final = frozenset({"decision", "components", "probes", "signals"})

ActiveAgents = Literal["auto", "all", "interacting"]
"""Which visitors are agents on the clock: all, page by page; only those who can interact with the world, for their
decisions; or whichever is faster for the size of the world. The events are the same, byte for byte.
"""

MAX_BINARY_SIGNALS = 64
"""Signals of the kind "has ever seen" that visitors can decide by, the built-in ones included: one bit each."""

_BUILT_IN = tuple(signal.name for signal in SIGNALS)


class WorldParts(Settings):
    """The parts of a world, each with its own model, and the relations between them.

    Attributes:
        clock: Start and length.
        traffic: How many visitors arrive, when, and by which channels.
        population: Who the visitors are.
        site: The pages of the site.
        visits: How often visitors return and how long they read.
        intent: What drives demo requests.
        sales: The teams that answer the requests.
        tracking: Events that are lost, corrupted or added before they reach the collector.
        experiments: A/B tests, by name.
        decision: Rule by which visitors decide; the logit unless given.
        components: What visitors can meet beyond pages, forms and the sales team, by name.
        probes: What is measured while the clock runs, by name.

    Raises:
        pydantic.ValidationError: A value is out of range, or names a page, channel, persona or signal that does not
            exist.
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
    decision: DecisionSettings | None = None
    components: dict[PartName, ComponentSettings] = Field(default_factory=dict)
    probes: dict[PartName, ProbeSettings] = Field(default_factory=dict)

    @property
    def parts(self) -> dict[tuple[str, ...], PartSettings]:
        """Decision model, components, traffic sources and probes, by their paths such as ``("components", "chat")``.

        Each campaign with a budget has a component of its own, ``campaign:NAME``, and each source with one has
        ``source:NAME/budget`` beside its own component ``source:NAME``.
        """
        return {
            **({("decision",): self.decision} if self.decision else {}),
            **{("components", name): part for name, part in self.components.items()},
            **{("traffic", "sources", name): part for name, part in self.traffic.sources.items()},
            **self._budgets,
            **{("probes", name): part for name, part in self.probes.items()},
        }

    @property
    def _budgets(self) -> dict[tuple[str, ...], PartSettings]:
        """The component of each budget of the traffic."""
        campaigns, sources = self.traffic.campaigns.items(), self.traffic.sources.items()
        links: dict[tuple[str, ...], tuple[str, Mapping[str, Any]]] = {
            **{("traffic", "campaigns", name): (name, dict(each)) for name, each in campaigns},
            **{("traffic", "sources", name, "budget"): (f"source:{name}", each.settings) for name, each in sources},
        }
        return {
            place: ComponentSettings(
                use="campaign_budget", campaign=name, budget=link["budget"], cost_per_click=link["cost_per_click"]
            )
            for place, (name, link) in links.items()
            if link["budget"] is not None
        }

    @property
    def classes(self) -> dict[tuple[str, ...], PartSettings]:
        """Everything whose class the world names: its parts, the routing policy and the navigation model."""
        return {
            **self.parts,
            **({("sales", "routing"): self.sales.routing} if self.sales.routing else {}),
            **self._navigation,
        }

    @property
    def _navigation(self) -> dict[tuple[str, ...], PartSettings]:
        return {("site", "navigation"): self.site.navigation} if self.site.navigation else {}

    @model_serializer(mode="wrap")
    def _without_empty_parts(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out sections that name no class: files of worlds without any are what they were without sections."""
        data: dict[str, Any] = write(self)
        return {name: value for name, value in data.items() if value or name not in _OPTIONAL}

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if "decision" in self.components:
            raise ValueError("components.decision: is the name of the decision model; give the component another name")
        check_parts(self, {**self._navigation, **self.parts})
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        personas, channels = self.population.personas, self.traffic.channels
        for name in self.tracking.ad_blocker_factors:
            if name not in personas:
                raise ValueError(f"tracking.ad_blocker_factors: {unknown('persona', name, personas)}")
        for name, persona in personas.items():
            # Scenarios with pages and channels of their own keep the default personas, which name the default ones.
            usual = DEFAULT_PERSONAS.get(name, PersonaSettings())
            for kind, given, known in (
                ("channel", persona.channels.keys() - usual.channels.keys(), channels),
                ("page", persona.pages.keys() - usual.pages.keys(), self.site.pages),
            ):
                for strange in sorted(given - known.keys()):
                    raise ValueError(f"population.personas.{name}.{kind}s: {unknown(kind, strange, known)}")
        return self

    @property
    def signal_definitions(self) -> Mapping[str, SignalSettings]:
        """Signals beyond the built-in ones that may have an effect, by name."""
        return {}

    @property
    def own_channels(self) -> tuple[str, ...]:
        """Names of channels beyond the default ones."""
        return tuple(name for name in self.traffic.channels if name not in DEFAULT_CHANNELS)

    @property
    def decision_signals(self) -> tuple[Signal, ...]:
        """Signals that visitors decide by: the built-in ones, then those of the user that ``intent`` names."""
        named = {name for term in self.intent.effects for name in interaction_parts(term)}
        # An analyst's own definition of a built-in signal is not what visitors decide by.
        named -= set(_BUILT_IN)
        own = [found.signal(name) for name, found in self.signal_definitions.items() if name in named]
        return (*SIGNALS, *own)

    @model_validator(mode="after")
    def _effects_are_of_known_signals(self) -> Self:
        for section in ("coefficients", "interactions"):
            for term in getattr(self.intent, section):
                for name in interaction_parts(term):
                    if name not in _BUILT_IN and (fault := self._fault_of(name)):
                        raise ValueError(f"intent.{section}.{term}: {fault}")
        if sum(isinstance(signal, EverSeen) for signal in self.decision_signals) > MAX_BINARY_SIGNALS:
            raise ValueError(f"intent.coefficients: at most {MAX_BINARY_SIGNALS} signals can be of the kind ever seen")
        return self

    def _fault_of(self, name: str) -> str | None:
        """Why a signal that is not built in cannot have an effect; None if it can."""
        if name not in self.signal_definitions:
            return unknown("signal", name, [*_BUILT_IN, *self.signal_definitions])
        pages = self.site.pages.values()
        form_events = [page.form.event for page in pages if page.form]
        signal = self.signal_definitions[name].signal(name)
        why = why_unknown(signal, form_events, [page.category for page in pages])
        if getattr(signal, "column", None) == "channel" and self.own_channels:
            why = f"the analysis names {', '.join(self.own_channels)} itself; use utm_source, utm_medium or referrer"
        return f"visitors cannot decide by {name!r}: {why}" if why else None

    @model_validator(mode="after")
    def _every_channel_has_a_persona(self) -> Self:
        for name in self.traffic.channels:
            # Weights of 0 for a whole channel cannot be normalised to shares.
            if not any(persona.weight * persona.channels.get(name, 1.0) for persona in self.population.persona_list):
                raise ValueError(
                    f"population.personas: channel {name!r} has no visitors: all personas have a factor of 0 for it"
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
        """Page names used outside the site settings, with the path of the setting."""
        traffic = self.traffic
        for name, channel in traffic.channels.items():
            yield f"traffic.channels.{name}.landing", channel.landing
        for name, campaign in traffic.campaigns.items():
            yield f"traffic.campaigns.{name}.landing", campaign.landing or ()
        for name, event in traffic.events.items():
            yield f"traffic.events.{name}.landing", event.landing or ()
        for name, source in traffic.sources.items():
            yield f"traffic.sources.{name}.landing", source.settings["landing"] or ()
        yield "visits.return_landing", self.visits.return_landing
        for name, experiment in self.experiments.items():
            for arm, effects in experiment.arms.items():
                yield f"experiments.{name}.arms.{arm}.links", effects.links
                yield f"experiments.{name}.arms.{arm}.exit_rate", effects.exit_rate


class WorldSettings(WorldParts):
    """All settings of a simulation.

    Attributes:
        signals: Definitions of signals beyond the built-in ones, by name, for those that ``intent`` gives an effect;
            scenario files have them under ``analytics.signals``.

    >>> WorldSettings.model_validate({"traffic": {"visitors_per_day": 500}}).clock.hours
    24
    >>> docs = {"kind": "page_category", "categories": ["docs"]}
    >>> world = WorldSettings.model_validate({"signals": {"docs": docs}, "intent": {"coefficients": {"docs": 0.5}}})
    >>> world.decision_signals[-1].name
    'docs'
    """

    signals: UserSignals = Field(default_factory=dict)

    @property
    def signal_definitions(self) -> Mapping[str, SignalSettings]:
        """Signals beyond the built-in ones that may have an effect, by name."""
        return self.signals
