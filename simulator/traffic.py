"""Where visitors come from and when they arrive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

import numpy as np
import polars as pl
from pydantic import AfterValidator, Field, model_validator

from simulator.arrays import Floats, Integers
from simulator.clock import DAY_MS, Clock
from simulator.settings import NonNegative, Settings, Share, Weights, shares_fault

__all__ = ["Arrivals", "CampaignSettings", "ChannelSettings", "TrafficSettings"]

# Time zones change their offset, and local hours begin, on quarters of an hour at most.
_STEP_MS = 15 * 60_000


class CampaignSettings(Settings):
    """UTM parameters of the links by which a channel brings its visitors (utm_source, utm_medium, …)."""

    source: str
    medium: str
    name: str | None = None
    term: str | None = None
    content: str | None = None


class ChannelSettings(Settings):
    """One way by which visitors find the site.

    Attributes:
        share: Share of all visitors; the shares of all channels sum to 1.
        referrer: Address of the page that links to the site, or null.
        campaign: UTM parameters of that link, or null.
        landing: Relative weights of the pages on which visitors of this channel land.
    """

    share: Share
    referrer: str | None = Field(default=None, pattern=r"^https?://[^\s/?#\[\]]+")
    campaign: CampaignSettings | None = None
    landing: Weights = Field(default_factory=lambda: {"home": 1.0})


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
    channels: dict[str, ChannelSettings] = Field(default_factory=_default_channels, min_length=1)

    @model_validator(mode="after")
    def _channels_make_a_whole(self) -> Self:
        if fault := shares_fault(channel.share for channel in self.channels.values()):
            raise ValueError(f"channels: {fault}")
        return self


class Arrivals:
    """A non-homogeneous Poisson process of arrivals, by inversion (Çinlar 1975; Law, *Simulation Modeling*, ch. 8).

    Visitors are the points of a Poisson process of rate 1 on an axis of *expected visitors*; a visitor's time zone
    then says at what moment that many visitors would have been expected, had all of them lived there. As zones are
    drawn independently, each zone's arrivals are a Poisson process with the zone's share of the intensity, and the
    n-th visitor stays the n-th visitor when the intensity changes.

    Args:
        traffic: Volume and profiles.
        clock: Start and end of the simulation.
        time_zones: IANA names of the visitors' time zones.
    """

    def __init__(self, traffic: TrafficSettings, clock: Clock, time_zones: Sequence[str]) -> None:
        first_step = -(clock.start_ms % _STEP_MS)
        inner = np.arange(first_step + _STEP_MS, clock.length_ms, _STEP_MS)
        self._grid_ms = np.concatenate(([0], inner, [clock.length_ms])).astype(np.int64)
        self._expected = np.stack([self._expected_in(zone, traffic, clock) for zone in time_zones])

    def _expected_in(self, zone: str, traffic: TrafficSettings, clock: Clock) -> Floats:
        """Expected visitors up to each point of the grid, were all visitors in this zone."""
        local = pl.Series(self._grid_ms[:-1] + clock.start_ms).cast(pl.Datetime("ms", "UTC")).dt.convert_time_zone(zone)
        profile = np.array(traffic.hourly_profile) / np.mean(traffic.hourly_profile)
        weekday = np.array(traffic.weekday_weights)[local.dt.weekday().to_numpy() - 1]
        per_ms = traffic.visitors_per_day / DAY_MS * profile[local.dt.hour().to_numpy()] * weekday
        expected: Floats = np.concatenate(([0.0], np.cumsum(per_ms * np.diff(self._grid_ms))))
        return expected

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
        for zone in np.unique(zones):
            here = np.flatnonzero(zones == zone)
            times[here] = np.interp(positions[here], self._expected[zone], self._grid_ms)
        return times
