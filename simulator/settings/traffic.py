"""How many visitors arrive and when: channels, profiles, campaigns, launches and outages, and one's own sources."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from simulator.settings.base import (
    NonNegative,
    Positive,
    Settings,
    Share,
    Shares,
    Weights,
    defaults,
    shares_fault,
    some_weight,
    unknown,
)
from simulator.settings.clock import in_utc
from simulator.settings.components import PartName, SourceSettings

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]
"""Name of a campaign, event, experiment or arm; it becomes part of event properties."""

Engagement = Annotated[float, Field(ge=0.01, le=100, strict=True, allow_inf_nan=False)]
"""Multiplier of the odds of viewing another page; 1 changes nothing."""

Moment = Annotated[datetime, AfterValidator(in_utc)]


class CampaignSettings(Settings):
    """UTM parameters of the links of a channel.

    Attributes:
        source: ``utm_source``: the referring site, such as a search engine.
        medium: ``utm_medium``: the marketing medium, such as ``cpc`` or ``email``.
        name: ``utm_campaign``, or null.
        term: ``utm_term``: the paid search keywords, or null.
        content: ``utm_content``: which of several links was clicked, or null.
    """

    source: str
    medium: str
    name: str | None = None
    term: str | None = None
    content: str | None = None


class WindowSettings(Settings):
    """A time window; its end is not included.

    Attributes:
        start: First moment; UTC unless it has another time zone.
        end: First moment after it; UTC unless it has another time zone.
    """

    start: Moment
    end: Moment

    @model_validator(mode="after")
    def _start_comes_first(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"end: must be after start ({self.start.isoformat()})")
        return self


class LinkSettings(Settings):
    """The link by which the visitors of a campaign or of a traffic source come, and what its clicks cost.

    Attributes:
        channel: Channel of its visitors; it provides the referrer and every value that is null here.
        landing: Relative weights of its landing pages; null for the channel's.
        utm: UTM parameters of its links; null for the channel's, with the name of the campaign or source as
            ``utm_campaign``.
        engagement: Multiplier of the odds of viewing another page; null for the channel's.
        cost_per_click: Cost of each of its visitors, at the first visit; goes with ``budget``.
        budget: Money for the clicks within the simulation; when the next click would exceed it, nobody comes by the
            link any more. Null for no limit.
    """

    channel: str = "direct"
    landing: Weights | None = None
    utm: CampaignSettings | None = None
    engagement: Engagement | None = None
    cost_per_click: Positive | None = None
    budget: NonNegative | None = None

    @model_validator(mode="after")
    def _a_budget_is_spent_on_clicks(self) -> Self:
        given = {"budget": self.budget, "cost_per_click": self.cost_per_click}
        missing = [name for name, value in given.items() if value is None]
        if len(missing) == 1:
            raise ValueError(f"{missing[0]}: is missing; budget and cost_per_click go together")
        return self


class TimedCampaignSettings(LinkSettings, WindowSettings):
    """A campaign: visitors in addition to the ordinary traffic, by one channel, within a time window.

    Their arrivals follow the hourly and weekday profiles of the ordinary traffic, without its growth.

    Attributes:
        channel: Channel of its visitors; it provides the referrer and every value that is null here.
        visitors: Visitors expected over the whole window, including the part outside the simulation.
    """

    channel: str
    visitors: Positive


class WorldEventSettings(WindowSettings):
    """An event that affects the whole site for a time.

    Attributes:
        kind: ``launch``: more visitors arrive. ``outage``: pages fail; every visit that starts in the window ends with
            its first page view, without form and without decision.
        factor: Launch only: multiplier of the ordinary arrivals in the window; above 1. It does not multiply campaigns.
        channels: Launch only: shares of its visitors' channels, which sum to 1; null for the ordinary mix.
        landing: Launch only: relative weights of its landing pages; null for those of the channels.
    """

    kind: Literal["launch", "outage"]
    factor: float | None = Field(default=None, gt=1, le=1000, strict=True)
    channels: Shares | None = None
    landing: Weights | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        # A default factor would hide a forgotten setting.
        if self.kind == "launch" and self.factor is None:
            raise ValueError("factor: is missing; give the arrivals of the launch as a multiple of the ordinary ones")
        given = [name for name in ("factor", "channels", "landing") if getattr(self, name) is not None]
        if self.kind == "outage" and given:
            raise ValueError(f"{given[0]}: an outage has none")
        return self


ChannelName = Annotated[str, Field(pattern=r"^[^:/()]+$", max_length=100)]
"""Name of a channel; the excluded characters build the names of campaigns and invitations."""


class ChannelSettings(Settings):
    """One channel by which visitors arrive.

    Attributes:
        share: Share of all visitors; the shares of all channels sum to 1.
        referrer: URL of the page that links to the site, or null.
        campaign: UTM parameters of that link, or null.
        landing: Relative weights of the landing pages of this channel.
        engagement: Multiplier of the odds of viewing another page; 1 changes nothing. It affects the decision only
            through what visitors read.
    """

    share: Share
    referrer: str | None = Field(default=None, pattern=r"^https?://[^\s/?#\[\]]+")
    campaign: CampaignSettings | None = None
    landing: Weights = Field(default_factory=lambda: {"home": 1.0})
    engagement: Engagement = 1.0


DEFAULT_CHANNELS = frozenset(defaults("channels"))
"""Names of the channels of an ordinary site; the analytics call them as Google Analytics does."""


def _default_channels() -> dict[str, ChannelSettings]:
    return {name: ChannelSettings.model_validate(channel) for name, channel in defaults("channels").items()}


class TrafficSettings(Settings):
    """How many visitors arrive, when, and by which channels. The default figures are assumptions.

    Attributes:
        visitors_per_day: New visitors expected world-wide on a day of weekday weight 1; one billion at most.
        hourly_profile: Relative weights of the 24 local hours, midnight first.
        weekday_weights: Traffic of Monday … Sunday relative to ``visitors_per_day``.
        channels: Channels by name; their shares sum to 1.
        growth_per_week: Relative growth of the ordinary traffic per week, compounded continuously from the start of the
            clock; -0.1 loses a tenth.
        campaigns: Campaigns by name, each with visitors in addition to the ordinary traffic.
        events: World events by name: launches and outages.
        sources: Further traffic sources by name, each with visitors in addition to all others: ``burst``, or a class of
            your own.
    """

    visitors_per_day: float = Field(default=20_000.0, gt=0, le=1e9, strict=True)
    # Quiet nights, a peak before and after lunch.
    hourly_profile: Annotated[
        tuple[NonNegative, ...], Field(min_length=24, max_length=24), AfterValidator(some_weight)
    ] = (
        *(0.25, 0.18, 0.14, 0.12, 0.13, 0.20, 0.40, 0.80, 1.35, 1.80, 2.00, 1.95),
        *(1.70, 1.75, 1.90, 1.85, 1.65, 1.35, 1.05, 0.90, 0.80, 0.70, 0.55, 0.38),
    )
    weekday_weights: Annotated[
        tuple[NonNegative, ...], Field(min_length=7, max_length=7), AfterValidator(some_weight)
    ] = (1.0, 1.0, 1.0, 1.0, 1.0, 0.35, 0.30)
    channels: dict[ChannelName, ChannelSettings] = Field(default_factory=_default_channels, min_length=1)
    # Above −1, because growth is compounded as (1 + g)^t.
    growth_per_week: float = Field(default=0.0, gt=-1, strict=True, allow_inf_nan=False)
    campaigns: dict[Name, TimedCampaignSettings] = Field(default_factory=dict)
    events: dict[Name, WorldEventSettings] = Field(default_factory=dict)
    sources: dict[PartName, SourceSettings] = Field(default_factory=dict)

    @model_serializer(mode="wrap")
    def _without_sources(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out sources where there are none: files of worlds without any are what they were before."""
        return {name: value for name, value in write(self).items() if value or name != "sources"}

    @model_validator(mode="after")
    def _channels_make_a_whole(self) -> Self:
        if fault := shares_fault(channel.share for channel in self.channels.values()):
            raise ValueError(f"channels: {fault}")
        return self

    @model_validator(mode="after")
    def _channels_are_known(self) -> Self:
        wanted = [(f"campaigns.{name}.channel", campaign.channel) for name, campaign in self.campaigns.items()]
        wanted += [(f"sources.{name}.channel", source.settings["channel"]) for name, source in self.sources.items()]
        for name, event in self.events.items():
            wanted += [(f"events.{name}.channels", channel) for channel in event.channels or ()]
        for where, channel in wanted:
            if channel not in self.channels:
                raise ValueError(f"{where}: {unknown('channel', channel, self.channels)}")
        return self
