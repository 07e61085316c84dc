"""What brings visitors and when: channels, daily and weekly profile, campaigns, launches and outages."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from simulator.settings.base import NonNegative, Positive, Settings, Share, Shares, Weights, shares_fault, unknown
from simulator.settings.clock import in_utc

__all__ = [
    "CampaignSettings",
    "ChannelSettings",
    "Engagement",
    "Name",
    "TimedCampaignSettings",
    "TrafficSettings",
    "WindowSettings",
    "WorldEventSettings",
]

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]
"""Name of a campaign, an event, an experiment or an arm; it becomes part of texts in events."""

Engagement = Annotated[float, Field(ge=0.01, le=100, strict=True, allow_inf_nan=False)]
"""Factor on the odds that a reader goes on to another page; 1 changes nothing."""

Moment = Annotated[datetime, AfterValidator(in_utc)]


class CampaignSettings(Settings):
    """UTM parameters of the links by which a channel brings its visitors.

    Attributes:
        source: ``utm_source``: who sends them, such as a search engine.
        medium: ``utm_medium``: by what, such as ``cpc`` or ``email``.
        name: ``utm_campaign``, or null.
        term: ``utm_term``: the words that were searched for, or null.
        content: ``utm_content``: which of several links it was, or null.
    """

    source: str
    medium: str
    name: str | None = None
    term: str | None = None
    content: str | None = None


class WindowSettings(Settings):
    """A stretch of time, its end not included.

    Attributes:
        start: First moment, UTC unless it says otherwise.
        end: First moment after it, UTC unless it says otherwise.
    """

    start: Moment
    end: Moment

    @model_validator(mode="after")
    def _start_comes_first(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"end: must be after start ({self.start.isoformat()})")
        return self


class TimedCampaignSettings(WindowSettings):
    """A campaign: visitors who come beside the ordinary traffic, by one channel, while it lasts.

    They come by the local hours and weekdays of the ordinary traffic, without its growth.

    Attributes:
        channel: Channel whose visitors they are: it gives the referrer and whatever else is not said here.
        visitors: Visitors expected over the whole window, also where the simulation sees only part of it.
        landing: Relative weights of the pages on which they land; null for the channel's.
        utm: UTM parameters of its links; null for the channel's, with the campaign's own name as ``utm_campaign``.
        engagement: Factor on the odds of going on to another page; null for the channel's.
    """

    channel: str
    visitors: Positive
    landing: Weights | None = None
    utm: CampaignSettings | None = None
    engagement: Engagement | None = None


class WorldEventSettings(WindowSettings):
    """Something that happens to the whole site for a while.

    Attributes:
        kind: ``launch``: more visitors come. ``outage``: pages fail, and every visit that begins in the window ends
            with its first page view, without form and without decision.
        factor: Of a launch: arrivals in the window are this many times those of the ordinary traffic;
            above 1. Campaigns are not multiplied.
        channels: Of a launch: shares of the channels by which its visitors come, which sum to 1; null for the
            ordinary mix.
        landing: Of a launch: relative weights of the pages on which they land; null for those of their channels.
    """

    kind: Literal["launch", "outage"]
    factor: float | None = Field(default=None, gt=1, le=1000, strict=True)
    channels: Shares | None = None
    landing: Weights | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind == "launch" and self.factor is None:
            raise ValueError("factor: is missing: how many times the ordinary arrivals the launch brings")
        given = [name for name in ("factor", "channels", "landing") if getattr(self, name) is not None]
        if self.kind == "outage" and given:
            raise ValueError(f"{given[0]}: an outage has none")
        return self


ChannelName = Annotated[str, Field(pattern=r"^[^:/()]+$", max_length=100)]
"""Name of a channel; the signs it may not hold make the names of campaigns and invitations."""


class ChannelSettings(Settings):
    """One way by which visitors find the site.

    Attributes:
        share: Share of all visitors; the shares of all channels sum to 1.
        referrer: Address of the page that links to the site, or null.
        campaign: UTM parameters of that link, or null.
        landing: Relative weights of the pages on which visitors of this channel land.
        engagement: Factor on the odds that a visitor of this channel goes on to another page; 1 changes nothing. It
            touches what they see, never the decision beyond that.
    """

    share: Share
    referrer: str | None = Field(default=None, pattern=r"^https?://[^\s/?#\[\]]+")
    campaign: CampaignSettings | None = None
    landing: Weights = Field(default_factory=lambda: {"home": 1.0})
    engagement: Engagement = 1.0


def _default_channels() -> dict[str, ChannelSettings]:
    """Channels of an ordinary B2B software site. The figures are assumptions."""
    return {
        "direct": ChannelSettings(
            share=0.24, landing={"home": 0.62, "pricing": 0.1, "docs": 0.12, "careers": 0.06, "product": 0.1}
        ),
        "organic_search": ChannelSettings(
            share=0.30,
            referrer="https://search.example.com/",
            landing={"home": 0.34, "product": 0.16, "blog": 0.2, "docs": 0.16, "customers": 0.06, "careers": 0.08},
        ),
        "paid_search": ChannelSettings(
            share=0.14,
            referrer="https://search.example.com/",
            campaign=CampaignSettings(source="search", medium="cpc", name="brand-and-category", term="data platform"),
            landing={"product": 0.5, "pricing": 0.2, "white_paper": 0.3},
        ),
        "paid_social": ChannelSettings(
            share=0.10,
            referrer="https://social.example.com/",
            campaign=CampaignSettings(source="social", medium="paid_social", name="white-paper", content="carousel"),
            landing={"white_paper": 0.5, "webinar": 0.25, "product": 0.25},
        ),
        "tech_blog": ChannelSettings(
            share=0.10,
            referrer="https://techblog.example.org/data-platforms",
            landing={"engineering_blog": 0.6, "docs": 0.25, "home": 0.15},
        ),
        "email": ChannelSettings(
            share=0.06,
            campaign=CampaignSettings(source="newsletter", medium="email", name="monthly-digest"),
            landing={"blog": 0.4, "webinar": 0.35, "customers": 0.25},
        ),
        "partner": ChannelSettings(
            share=0.06,
            referrer="https://partner.example.net/marketplace",
            landing={"product": 0.5, "integrations": 0.4, "home": 0.1},
        ),
    }


def _some_traffic(weights: tuple[float, ...]) -> tuple[float, ...]:
    if not any(weight > 0 for weight in weights):
        raise ValueError("at least one weight must be above 0")
    return weights


class TrafficSettings(Settings):
    """How many visitors arrive, when, and by which channels. The default figures are assumptions.

    Attributes:
        visitors_per_day: New visitors expected on a day of weekday weight 1, world-wide; a thousand million at most.
        hourly_profile: Relative weights of the 24 local hours, midnight first; only their proportions count.
        weekday_weights: Traffic of Monday … Sunday relative to ``visitors_per_day``.
        channels: Channels by name; their shares sum to 1.
        growth_per_week: Relative growth of the ordinary traffic in a week, compounded at every moment from the start of
            the clock; -0.1 loses a tenth.
        campaigns: Campaigns by name, each bringing visitors of its own beside the ordinary traffic.
        events: World events by name: launches and outages.
    """

    visitors_per_day: float = Field(default=20_000.0, gt=0, le=1e9, strict=True)
    hourly_profile: Annotated[
        tuple[NonNegative, ...], Field(min_length=24, max_length=24), AfterValidator(_some_traffic)
    ] = (
        *(0.25, 0.18, 0.14, 0.12, 0.13, 0.20, 0.40, 0.80, 1.35, 1.80, 2.00, 1.95),
        *(1.70, 1.75, 1.90, 1.85, 1.65, 1.35, 1.05, 0.90, 0.80, 0.70, 0.55, 0.38),
    )
    weekday_weights: Annotated[
        tuple[NonNegative, ...], Field(min_length=7, max_length=7), AfterValidator(_some_traffic)
    ] = (1.0, 1.0, 1.0, 1.0, 1.0, 0.35, 0.30)
    channels: dict[ChannelName, ChannelSettings] = Field(default_factory=_default_channels, min_length=1)
    growth_per_week: float = Field(default=0.0, gt=-1, strict=True, allow_inf_nan=False)
    campaigns: dict[Name, TimedCampaignSettings] = Field(default_factory=dict)
    events: dict[Name, WorldEventSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _channels_make_a_whole(self) -> Self:
        if fault := shares_fault(channel.share for channel in self.channels.values()):
            raise ValueError(f"channels: {fault}")
        return self

    @model_validator(mode="after")
    def _channels_are_known(self) -> Self:
        wanted = [(f"campaigns.{name}.channel", campaign.channel) for name, campaign in self.campaigns.items()]
        for name, event in self.events.items():
            wanted += [(f"events.{name}.channels", channel) for channel in event.channels or ()]
        for where, channel in wanted:
            if channel not in self.channels:
                raise ValueError(f"{where}: {unknown('channel', channel, self.channels)}")
        return self
