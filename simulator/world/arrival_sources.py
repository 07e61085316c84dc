"""Arrival sources: the ordinary traffic, campaigns, launches and one's own, every one an independent Poisson process.

Their superposition is the traffic of the site. Each source has its own cohorts and its own random streams, so that
adding one changes no visitor of another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple, Protocol

import numpy as np

from simulator.engine.clock import Clock
from simulator.settings.traffic import (
    CampaignSettings,
    ChannelSettings,
    LinkSettings,
    TimedCampaignSettings,
    TrafficSettings,
    WorldEventSettings,
)
from simulator.world.arrivals import ArrivalProcess, Arrivals, Period, Window
from simulator.world.traffic_rule import TrafficRule, hourly_arrivals

ORDINARY = ""
"""Name of the ordinary traffic among the arrival sources."""

INVITATION = "(invitation)"
"""Name of the origin of invited colleagues, the last of all origins: a link without referrer or campaign."""


class Link(Protocol):
    """What leads to the site, as far as events can show it: a channel, or a campaign of a component."""

    @property
    def campaign(self) -> CampaignSettings | None:
        """UTM parameters of the link."""

    @property
    def referrer(self) -> str | None:
        """Address that the visit comes from."""


class CampaignLink(NamedTuple):
    """Link of a component's campaign, without a referrer: one in an e-mail, for example."""

    campaign: CampaignSettings | None
    referrer: str | None = None


def invited_scope(arrival_source: str) -> str:
    """Name of the colleagues invited by visitors of an arrival source; also the scope of their random streams.

    >>> invited_scope("campaign:spring"), invited_scope(ORDINARY)
    ('campaign:spring/invited', 'invited')
    """
    return f"{arrival_source}/invited" if arrival_source else "invited"


Reason = TimedCampaignSettings | WorldEventSettings | TrafficRule
"""Why visitors arrive beyond the ordinary traffic."""


@dataclass(frozen=True)
class ArrivalSource:
    """Visitors who arrive for one reason.

    Attributes:
        name: ``campaign:NAME``, ``event:NAME``, ``source:NAME``, or :data:`ORDINARY`; also the scope of its random
            streams.
        origins: Origins of its visitors (a channel, or another source's variant of one), by name; their shares sum to
            1.
        channels: Channel of each origin.
        first_origin: Index of its first origin among the origins of all sources.
        reason: The campaign, launch or rule of a traffic source; None for the ordinary traffic.
    """

    name: str
    origins: Mapping[str, ChannelSettings]
    channels: tuple[str, ...]
    first_origin: int = 0
    reason: Reason | None = None

    @property
    def shares(self) -> dict[str, float]:
        """Share of each origin among the visitors of the source."""
        return {name: origin.share for name, origin in self.origins.items()}


def arrival_sources_of(traffic: TrafficSettings) -> tuple[ArrivalSource, ...]:
    """All arrival sources, the ordinary traffic first.

    >>> [source.name for source in arrival_sources_of(TrafficSettings())]
    ['']
    """
    arrival_sources: list[ArrivalSource] = []
    n_origins = 0
    for name, origins, reason in _parts(traffic):
        prefix = f"{name}/" if name else ""
        # Personas know channels only, not the campaigns that use them.
        channels = tuple(origin.removeprefix(prefix) for origin in origins)
        arrival_sources.append(ArrivalSource(name, origins, channels, n_origins, reason))
        n_origins += len(origins)
    return tuple(arrival_sources)


def origins_of(traffic: TrafficSettings) -> dict[str, ChannelSettings]:
    """Origins of all arrival sources, in the order of the visitors' indices.

    The channels of the ordinary traffic come first, the invitation last.
    """
    origins = dict(
        chain.from_iterable(arrival_source.origins.items() for arrival_source in arrival_sources_of(traffic))
    )
    return {**origins, INVITATION: ChannelSettings(share=1.0)}


_Part = tuple[str, Mapping[str, ChannelSettings], Reason | None]


def _parts(traffic: TrafficSettings) -> Iterator[_Part]:
    """Name, origins and reason of each arrival source."""
    yield ORDINARY, traffic.channels, None
    for name, campaign in traffic.campaigns.items():
        yield f"campaign:{name}", _origin_of_link("campaign", name, campaign, traffic), campaign
    for name, event in traffic.events.items():
        if event.kind == "launch":
            yield f"event:{name}", _origins_of_launch(name, event, traffic), event
    for name, settings in traffic.sources.items():
        rule: TrafficRule = settings.build(f"source:{name}")
        yield rule.name, _origin_of_link("source", name, rule.settings, traffic), rule


def _origin_of_link(kind: str, name: str, link: LinkSettings, traffic: TrafficSettings) -> dict[str, ChannelSettings]:
    channel = traffic.channels[link.channel]
    # A campaign inherits its channel's UTM parameters under its own name.
    renamed = channel.campaign.model_copy(update={"name": name}) if channel.campaign else None
    changes = {
        "share": 1.0,
        "campaign": link.utm or renamed,
        "landing": link.landing or channel.landing,
        "engagement": channel.engagement if link.engagement is None else link.engagement,
    }
    return {f"{kind}:{name}/{link.channel}": channel.model_copy(update=changes)}


def _origins_of_launch(name: str, event: WorldEventSettings, traffic: TrafficSettings) -> dict[str, ChannelSettings]:
    shares = event.channels or {channel: settings.share for channel, settings in traffic.channels.items()}
    origins = {}
    for channel, share in shares.items():
        # Only share and landing pages differ; referrer and engagement are the channel's.
        ordinary = traffic.channels[channel]
        changes = {"share": share, "landing": event.landing or ordinary.landing}
        origins[f"event:{name}/{channel}"] = ordinary.model_copy(update=changes)
    return origins


def arrivals_of(
    arrival_source: ArrivalSource, traffic: TrafficSettings, clock: Clock, zone_shares: Mapping[str, float]
) -> ArrivalProcess:
    """Arrival process of a source.

    Args:
        arrival_source: The source.
        traffic: Volume and profiles of the ordinary traffic.
        clock: Start and end of the simulation.
        zone_shares: Share of the visitors in each time zone, by IANA name.

    Raises:
        ValueError: The profiles are 0 during the whole window of a campaign, so that its visitors cannot be distributed
            over it.
        ComponentError: The rule of a traffic source states something else than one number of visitors for each hour.
    """
    zones = list(zone_shares)
    if arrival_source.reason is None:
        return Arrivals(traffic, clock, zones)
    if isinstance(arrival_source.reason, TrafficRule):
        return hourly_arrivals(arrival_source.reason, clock, len(zones))
    start_ms, end_ms = clock.to_ms(arrival_source.reason.start), clock.to_ms(arrival_source.reason.end)
    # The ordinary traffic provides one times the intensity already.
    if isinstance(arrival_source.reason, WorldEventSettings):
        return Arrivals(traffic, clock, zones, Window(start_ms, end_ms, (arrival_source.reason.factor or 1.0) - 1))
    # A campaign has a fixed number of visitors; growth must not move them within the window.
    steady = _steady(traffic)
    # The whole window, even outside the clock, so that the clock sees only its part of the visitors.
    whole = Arrivals(steady, Period(arrival_source.reason.start, end_ms - start_ms), zones)
    ordinary = float(np.dot(whole.expected_visitors, list(zone_shares.values())))
    if ordinary == 0:
        raise ValueError(f"{arrival_source.name}: the traffic profiles allow no arrivals between its start and end")
    return Arrivals(steady, clock, zones, Window(start_ms, end_ms, arrival_source.reason.visitors / ordinary))


def steady_arrivals(traffic: TrafficSettings, clock: Clock, zone_shares: Mapping[str, float]) -> Arrivals:
    """Arrival process of the ordinary traffic without its growth.

    It measures the waiting time of invited colleagues, who keep the hours of their time zone.

    Args:
        traffic: Volume and profiles of the ordinary traffic.
        clock: Start and end of the simulation.
        zone_shares: Share of the visitors in each time zone, by IANA name.
    """
    return Arrivals(_steady(traffic), clock, list(zone_shares))


def _steady(traffic: TrafficSettings) -> TrafficSettings:
    """The same traffic without its growth."""
    return traffic.model_copy(update={"growth_per_week": 0.0})
