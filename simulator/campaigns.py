"""What brings visitors beside the ordinary traffic, and what drives them off: campaigns, launches, outages."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from simulator.clock import in_utc
from simulator.settings import Positive, Settings, Shares, Weights

__all__ = [
    "CampaignSettings",
    "Engagement",
    "Name",
    "TimedCampaignSettings",
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
