"""Inflows: the ordinary traffic, each campaign and each launch, every one a Poisson process of its own.

Superposed, they are what comes to the site. Each has its own cohorts and its own streams of randomness, so an inflow
that is added moves no visitor of another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np

from simulator.engine.arrays import Floats
from simulator.engine.clock import Clock
from simulator.settings.traffic import ChannelSettings, TimedCampaignSettings, TrafficSettings, WorldEventSettings
from simulator.world.arrivals import Arrivals, Period, Window

__all__ = [
    "INVITATION",
    "ORDINARY",
    "ArrivalSource",
    "arrival_sources_of",
    "arrivals_of",
    "invited_scope",
    "origins_of",
    "steady_arrivals",
]

ORDINARY = ""
"""Name of the ordinary traffic among the inflows."""

INVITATION = "(invitation)"
"""Name of the way by which invited colleagues come, the last of all origins: a link without referrer or campaign."""


def invited_scope(arrival_source: str) -> str:
    """Name of those whom the visitors of an inflow have invited; also the scope of their randomness."""
    return f"{arrival_source}/invited" if arrival_source else "invited"


@dataclass(frozen=True)
class ArrivalSource:
    """Visitors who come for one reason.

    Attributes:
        name: ``campaign:NAME``, ``event:NAME``, or :data:`ORDINARY`; also the scope of its randomness.
        origins: The ways by which its visitors come, by name; their shares sum to 1.
        first_origin: Number of the first of them among the origins of all inflows.
        reason: The campaign or launch; None for the ordinary traffic.
        channels: The channel of each origin.
    """

    name: str
    origins: Mapping[str, ChannelSettings]
    channels: tuple[str, ...]
    first_origin: int = 0
    reason: TimedCampaignSettings | WorldEventSettings | None = None

    @property
    def shares(self) -> dict[str, float]:
        """Share of each origin among the inflow's visitors."""
        return {name: origin.share for name, origin in self.origins.items()}


def arrival_sources_of(traffic: TrafficSettings) -> tuple[ArrivalSource, ...]:
    """All inflows, the ordinary traffic first."""
    arrival_sources: list[ArrivalSource] = []
    n_origins = 0
    for name, origins, reason in _parts(traffic):
        prefix = f"{name}/" if name else ""
        channels = tuple(origin.removeprefix(prefix) for origin in origins)
        arrival_sources.append(ArrivalSource(name, origins, channels, n_origins, reason))
        n_origins += len(origins)
    return tuple(arrival_sources)


def origins_of(traffic: TrafficSettings) -> dict[str, ChannelSettings]:
    """The ways by which visitors of all inflows come, in the order in which visitors index them.

    Channels come first, the invitation last: those who come by it land like those who come again.
    """
    origins = dict(
        chain.from_iterable(arrival_source.origins.items() for arrival_source in arrival_sources_of(traffic))
    )
    return {**origins, INVITATION: ChannelSettings(share=1.0)}


_Part = tuple[str, Mapping[str, ChannelSettings], TimedCampaignSettings | WorldEventSettings | None]


def _parts(traffic: TrafficSettings) -> Iterator[_Part]:
    """Name, origins and reason of each inflow."""
    yield ORDINARY, traffic.channels, None
    for name, campaign in traffic.campaigns.items():
        yield f"campaign:{name}", _origin_of_campaign(name, campaign, traffic), campaign
    for name, event in traffic.events.items():
        if event.kind == "launch":
            yield f"event:{name}", _origins_of_launch(name, event, traffic), event


def _origin_of_campaign(
    name: str, campaign: TimedCampaignSettings, traffic: TrafficSettings
) -> dict[str, ChannelSettings]:
    channel = traffic.channels[campaign.channel]
    renamed = channel.campaign.model_copy(update={"name": name}) if channel.campaign else None
    changes = {
        "share": 1.0,
        "campaign": campaign.utm or renamed,
        "landing": campaign.landing or channel.landing,
        "engagement": channel.engagement if campaign.engagement is None else campaign.engagement,
    }
    return {f"campaign:{name}/{campaign.channel}": channel.model_copy(update=changes)}


def _origins_of_launch(name: str, event: WorldEventSettings, traffic: TrafficSettings) -> dict[str, ChannelSettings]:
    shares = event.channels or {channel: settings.share for channel, settings in traffic.channels.items()}
    origins = {}
    for channel, share in shares.items():
        ordinary = traffic.channels[channel]
        changes = {"share": share, "landing": event.landing or ordinary.landing}
        origins[f"event:{name}/{channel}"] = ordinary.model_copy(update=changes)
    return origins


def arrivals_of(
    arrival_source: ArrivalSource, traffic: TrafficSettings, clock: Clock, zone_shares: Mapping[str, float]
) -> Arrivals:
    """When the visitors of an inflow come.

    Args:
        inflow: The inflow.
        traffic: Volume and profiles of the ordinary traffic.
        clock: Start and end of the simulation.
        zone_shares: Share of the visitors who live in each time zone, by IANA name.

    Raises:
        ValueError: The profiles leave no time within a campaign's window at which anybody could come.
    """
    zones = list(zone_shares)
    if arrival_source.reason is None:
        return Arrivals(traffic, clock, zones)
    start_ms, end_ms = clock.to_ms(arrival_source.reason.start), clock.to_ms(arrival_source.reason.end)
    if isinstance(arrival_source.reason, WorldEventSettings):
        return Arrivals(traffic, clock, zones, Window(start_ms, end_ms, (arrival_source.reason.factor or 1.0) - 1))
    steady = _steady(traffic)
    whole = Arrivals(steady, Period(arrival_source.reason.start, end_ms - start_ms), zones)
    ordinary = float(np.dot(whole.expected_visitors, _shares(zone_shares)))
    if ordinary == 0:
        raise ValueError(
            f"{arrival_source.name}: by the profiles of the traffic, nobody comes between its start and end"
        )
    return Arrivals(steady, clock, zones, Window(start_ms, end_ms, arrival_source.reason.visitors / ordinary))


def steady_arrivals(traffic: TrafficSettings, clock: Clock, zone_shares: Mapping[str, float]) -> Arrivals:
    """The ordinary traffic without its growth: how fast time passes for those who keep the hours of their time zone."""
    return Arrivals(_steady(traffic), clock, list(zone_shares))


def _steady(traffic: TrafficSettings) -> TrafficSettings:
    """The same traffic without its growth."""
    return traffic.model_copy(update={"growth_per_week": 0.0})


def _shares(zone_shares: Mapping[str, float]) -> Floats:
    return np.array(list(zone_shares.values()))
