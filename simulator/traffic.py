"""Where visitors come from and when they arrive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self

import numpy as np
import polars as pl
from pydantic import AfterValidator, Field, model_validator

from simulator.arrays import Floats, Integers
from simulator.campaigns import CampaignSettings, Engagement, Name, TimedCampaignSettings, WorldEventSettings
from simulator.clock import DAY_MS, Clock
from simulator.settings import NonNegative, Settings, Share, Weights, shares_fault, unknown

__all__ = ["Arrivals", "CampaignSettings", "ChannelSettings", "Stretch", "TrafficSettings", "Window"]

# Time zones change their offset, and local hours begin, on quarters of an hour at most.
_STEP_MS = 15 * 60_000


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


@dataclass(frozen=True)
class Stretch:
    """A stretch of time.

    Attributes:
        start: Its first moment, UTC.
        length_ms: How long it lasts, in ms.
    """

    start: datetime
    length_ms: int


@dataclass(frozen=True)
class Window:
    """A stretch of time with an intensity of its own.

    Attributes:
        start_ms, end_ms: From when on and until when, in ms since the start; either may lie outside the simulation.
        factor: Intensity in it, as a multiple of the ordinary one. Outside it nobody comes.
    """

    start_ms: int
    end_ms: int
    factor: float


class Arrivals:
    """A non-homogeneous Poisson process of arrivals, by inversion (Çinlar 1975; Law, *Simulation Modeling*, ch. 8).

    Visitors are the points of a Poisson process of rate 1 on an axis of *expected visitors*; a visitor's time zone
    then says at what moment that many visitors would have been expected, had all of them lived there. As zones are
    drawn independently, each zone's arrivals are a Poisson process with the zone's share of the intensity, and the
    n-th visitor stays the n-th visitor when the intensity changes.

    Args:
        traffic: Volume and profiles.
        clock: Start and end of the simulation, or of any stretch of time.
        time_zones: IANA names of the visitors' time zones.
        window: When alone visitors come, and how many times the ordinary ones; None for the ordinary traffic.
    """

    def __init__(
        self, traffic: TrafficSettings, clock: Clock | Stretch, time_zones: Sequence[str], window: Window | None = None
    ) -> None:
        start, length_ms = clock.start, clock.length_ms
        first_step = -(round(start.timestamp() * 1000) % _STEP_MS)
        inner = np.arange(first_step + _STEP_MS, length_ms, _STEP_MS)
        bounds = [] if window is None else [ms for ms in (window.start_ms, window.end_ms) if 0 < ms < length_ms]
        self._grid_ms = np.union1d(np.concatenate(([0], inner, [length_ms])), bounds).astype(np.int64)
        amount = _growth_integral(self._grid_ms, traffic.growth_per_week)
        if window is not None:
            inside = (self._grid_ms[:-1] >= window.start_ms) & (self._grid_ms[:-1] < window.end_ms)
            amount = amount * np.where(inside, window.factor, 0.0)
        self._expected = self._expected_in(time_zones, traffic, start, amount)

    def _expected_in(self, zones: Sequence[str], traffic: TrafficSettings, start: datetime, amount: Floats) -> Floats:
        """Expected visitors up to each point of the grid, were all visitors in one zone; shape (zones, points)."""
        moment = pl.Series("at", self._grid_ms[:-1] + round(start.timestamp() * 1000)).cast(pl.Datetime("ms", "UTC"))
        local = [pl.col("at").dt.convert_time_zone(zone).dt for zone in zones]
        # One query for all zones: each has its price.
        told = moment.to_frame().select(
            *(time.hour().alias(f"hour {place}") for place, time in enumerate(local)),
            *(time.weekday().alias(f"weekday {place}") for place, time in enumerate(local)),
        )
        hour, weekday = told.to_numpy().T.astype(np.int64).reshape(2, len(zones), -1)
        profile = np.array(traffic.hourly_profile) / np.mean(traffic.hourly_profile)
        weight = np.array(traffic.weekday_weights)[weekday - 1]
        per_ms = traffic.visitors_per_day / DAY_MS * profile[hour] * weight
        return np.cumsum(np.pad(per_ms * amount, ((0, 0), (1, 0))), axis=1)

    @property
    def expected_visitors(self) -> Floats:
        """Visitors expected over the whole simulation, were all of them in one zone; shape (zones,)."""
        totals: Floats = self._expected[:, -1]
        return totals

    def expected_until(self, time_ms: Integers, zone: int) -> Floats:
        """Visitors expected from the start to ``time_ms``, were all of them in this zone."""
        expected: Floats = np.interp(time_ms, self._grid_ms, self._expected[zone])
        return expected

    def earliest_ms(self, position: float) -> int:
        """Earliest moment at which a visitor at this position or later can arrive; the end if there is none."""
        moments = [np.interp(position, expected, self._grid_ms) for expected in self._expected]
        return int(min(moments))

    def times_ms(self, positions: Floats, zones: Integers) -> Integers:
        """Arrival times in milliseconds since the start.

        Args:
            positions: Places on the axis of expected visitors; shape (n,).
            zones: Index of each visitor's time zone; shape (n,).

        Returns:
            Arrival times; the end of the simulation for those who would arrive after it.
        """
        times = np.full(len(positions), self._grid_ms[-1], dtype=np.int64)
        for zone in np.flatnonzero(np.bincount(zones)):
            here = np.flatnonzero(zones == zone)
            times[here] = np.interp(positions[here], self._expected[zone], self._grid_ms)
        return times

    def times_after(self, since_ms: Integers, positions: Floats, zones: Integers) -> Integers:
        """Moments by which some more visitors would have been expected than at other moments.

        Args:
            since_ms: From when on, in ms since the start; shape (n,).
            positions: Expected visitors between the two moments, were all of them in the zone; shape (n,).
            zones: Index of the time zone of each; shape (n,).

        Returns:
            Times in ms since the start, not before ``since_ms``; the end of the simulation where it comes first.
        """
        expected = np.empty(len(positions))
        for zone in np.flatnonzero(np.bincount(zones)):
            here = np.flatnonzero(zones == zone)
            expected[here] = self.expected_until(since_ms[here], int(zone)) + positions[here]
        return np.maximum(self.times_ms(expected, zones), since_ms)


def _growth_integral(grid_ms: Integers, growth_per_week: float) -> Floats:
    """Length of each step of the grid in ms, weighted by the growth since the start: ∫ (1 + g)^(t / week) dt."""
    rate = np.log1p(growth_per_week) / (7 * DAY_MS)
    if rate == 0:
        return np.diff(grid_ms).astype(np.float64)
    total: Floats = np.expm1(rate * grid_ms) / rate
    return np.diff(total)
