"""Settings of a scenario: the simulated world, and the name, seed and analysis of a run of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from io import StringIO
from itertools import islice
from typing import Annotated, Any, ClassVar, Final, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from ruamel.yaml import YAML

from analytics.settings import AnalyticsSettings, OwnChannelSettings
from analytics.signals.definitions import SIGNALS
from analytics.signals.settings import SignalSettings
from scenarios.measures.claims import Claims
from scenarios.measures.component_signals import analysis_settings
from simulator.agents.parts import components_of
from simulator.errors import ComponentError
from simulator.settings.traffic import ChannelSettings
from simulator.settings.world import ActiveAgents, WorldParts, WorldSettings

_MOST_BASES: Final = 3
"""Scenarios that another remembers to be made from: a change, what it changes, and what that extends."""

_HEAD: Final = ("name", "description", "seed", "active_agents")


class ScenarioSettings(WorldParts):
    """A scenario as data: frozen, checked whole, composed of the settings of each component.

    Args:
        name: Name of the scenario: small letters, digits and hyphens.
        description: What the scenario is for, in a sentence or two.
        seed: Default seed of a run, the source of all its randomness; 0 is a valid seed.
        active_agents: Which visitors run as agents on the clock: ``all``, only those who can affect shared state
            (``interacting``), or chosen by the number of visitors (``auto``); the events are the same.
        analytics: How the events are analysed.
        claims: Assertions about the runs of the scenario: comparisons of measures, by description.
    """

    renamed: ClassVar = {"wake": "active_agents"}

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]
    description: str = ""
    seed: Annotated[int, Field(ge=0)] = 7
    active_agents: ActiveAgents = "auto"
    analytics: AnalyticsSettings = AnalyticsSettings()
    claims: Claims = Field(default_factory=dict)

    @model_validator(mode="after")
    def _components_fit_together(self) -> Self:
        try:
            _ = components_of(self).events
        except ComponentError as error:
            raise ValueError(f"components: {error}") from None
        _ = self.analysis
        return self

    @cached_property
    def bases(self) -> tuple[ScenarioSettings, ...]:
        """The scenarios that this one was made from by changes, the nearest first; those that are known.

        Not a setting: it is neither written nor compared. Readers learn by it what a change has changed.
        """
        return ()

    def made_from(self, bases: Iterable[ScenarioSettings]) -> Self:
        """Return this scenario, with the scenarios that it was made from, the nearest first."""
        # Few, and without bases of their own: changes of changes would keep all that ever was.
        nearest = [base.model_copy() for base in islice(bases, _MOST_BASES)]
        for base in nearest:
            base.__dict__["bases"] = ()
        self.__dict__["bases"] = tuple(nearest)
        return self

    @property
    def world(self) -> WorldSettings:
        """The simulator's part of the scenario, without name, seed and analysis.

        Of the user's signals it has those that visitors decide by: all others are the analyst's.
        """
        used = {signal.name for signal in self.decision_signals if signal not in SIGNALS}
        signals = {name: definition for name, definition in self.analytics.signals.items() if name in used}
        return WorldSettings(**{name: getattr(self, name) for name in WorldParts.model_fields}, signals=signals)

    @property
    def signal_definitions(self) -> Mapping[str, SignalSettings]:
        """Signals beyond the built-in ones that may have an effect, by name."""
        return self.analytics.signals

    @property
    def analysis(self) -> AnalyticsSettings:
        """Settings of the analysis: those of the file, signals that show components' effects, and own channels."""
        settings = analysis_settings({name: getattr(self, name) for name in ("analytics", "components", "decision")})
        channels = {name: rule for name in self.own_channels if (rule := _rule_of(self.traffic.channels[name]))}
        return settings.model_copy(update={"channels": {**settings.channels, **channels}}) if channels else settings

    def to_data(self) -> dict[str, Any]:
        """Write all settings, with defaults, as plain data in the order of a scenario file."""
        data = self.model_dump(mode="json")
        return {key: data[key] for key in (*_HEAD, *(key for key in data if key not in _HEAD))}

    def to_yaml(self) -> str:
        """Write all settings, with defaults, as a scenario file that extends no other."""
        data = self.to_data()
        claims = data.pop("claims")
        # The innermost lists and mappings are in one line, as people write them; but each claim has its own line.
        text = yaml_text(data, flow=None)
        return text + yaml_text({"claims": claims}, flow=False) if claims else text


def _rule_of(channel: ChannelSettings) -> OwnChannelSettings | None:
    """What marks a channel in the events; None if nothing does, as for visitors who come directly."""
    campaign, host = channel.campaign, urlsplit(channel.referrer or "").hostname
    if campaign and (campaign.source or campaign.medium):
        # Timed campaigns by this channel have its source and medium, and names of their own.
        return OwnChannelSettings(
            utm_source=(campaign.source,) if campaign.source else (),
            utm_medium=(campaign.medium,) if campaign.medium else (),
        )
    return OwnChannelSettings(referrer=(host.removeprefix("www."),)) if host else None


def yaml_text(data: dict[str, Any], *, flow: bool | None) -> str:
    """Write plain data as YAML: mappings in one line each, or in lines of their own, or (None) the innermost in one."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = flow
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # ruamel declares it None
    yaml.allow_unicode = True
    yaml.width = 1000
    text = StringIO()
    yaml.dump(data, text)
    return text.getvalue()
