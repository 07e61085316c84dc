"""Data-quality faults between the visitors' browsers and the collector, and their rates."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Discriminator, Field, Strict, Tag

from analytics.events.geography import REGIONS
from simulator.settings.base import Count, Factor, NonNegative, Probability, Settings, unknown
from simulator.settings.population import USER_AGENTS

# Longer delays could lead to years outside the range of timestamps.
_MAX_SECONDS = 1e8
_Duration = Annotated[float, Strict(), Field(gt=0, le=_MAX_SECONDS)]


def _all_known(kind: str, rate: float | dict[str, float], known: Collection[str]) -> float | dict[str, float]:
    for name in rate if isinstance(rate, dict) else ():
        if name not in known:
            raise ValueError(unknown(kind, name, known))
    return rate


# The tag selects one form before validation, so that only that form reports errors.
_Rates = Annotated[
    Annotated[Probability, Tag("rate")] | Annotated[dict[str, Probability], Tag("rates")],
    Discriminator(lambda given: "rates" if isinstance(given, dict) else "rate"),
]
_DeviceRates = Annotated[_Rates, AfterValidator(lambda rate: _all_known("device", rate, USER_AGENTS))]
_RegionRates = Annotated[_Rates, AfterValidator(lambda rate: _all_known("region", rate, REGIONS))]


class TrackingSettings(Settings):
    """Rates of tracking faults. By default there are none: every event arrives once, immediately and intact.

    All faults affect events sent by browsers. Server-side events, such as demo requests, take another path and are
    never blocked, delayed, repeated or corrupted. Rates are probabilities; the default durations are assumptions.

    Attributes:
        ad_blocker_rate: Share of browsers that block tracking: one number, or one for each device (``{desktop: 0.4}``;
            0 for devices that are not named).
        ad_blocker_factors: Multipliers of that rate by persona (``{evaluator: 1.5}``; 1 for personas that are not
            named); the result is at most 1.
        consent_refusal_rate: Share of browsers whose users refuse consent: one number, or one for each region
            (``{europe: 0.5}``; 0 for regions that are not named).
        late_rate: Share of events sent late because the device was offline. ``sentAt`` is delayed as much as
            ``receivedAt``, so the computed event time is right.
        late_minutes: Mean of that delay in minutes; exponential.
        reorder_rate: Share of events delayed in the network, after ``sentAt``, which therefore arrive after later ones.
            The Segment Spec attributes this delay to a wrong clock: the computed event time is too late by the delay.
        reorder_seconds: Mean of that delay in seconds; exponential.
        duplicate_rate: Share of events sent a second time, equal in all but ``sentAt``.
        id_collision_rate: Share of events sent a second time, under the same ``messageId``, after the page title has
            changed.
        duplicate_minutes: Mean time from the first to the second delivery in minutes; exponential.
        clock_skew_rate: Share of browsers on a device with a wrong clock. ``originalTimestamp`` and ``sentAt`` have the
            same error, so the computed event time is right.
        clock_skew_seconds: Standard deviation of the clock error in seconds; normal with mean 0.
        malformed_rate: Share of events whose line arrives truncated or garbled, with equal probability; it cannot be
            parsed.
        bots_per_day: Expected number of crawlers a day that identify themselves in the user agent.
        undeclared_bots_per_day: Expected number of bots a day with the user agent of an ordinary browser.
        bot_pages: Page views of a bot; it views the pages of the site in order, repeatedly.
        bot_seconds: Seconds between two page views of a bot; at least a millisecond.

    >>> TrackingSettings().is_lossless
    True
    >>> TrackingSettings(ad_blocker_rate={"desktop": 0.4}).is_lossless
    False
    """

    renamed: ClassVar = {
        "conflict_rate": "id_collision_rate",
        "disguised_bots_per_day": "undeclared_bots_per_day",
    }

    ad_blocker_rate: _DeviceRates = 0.0
    ad_blocker_factors: dict[str, Factor] = Field(default_factory=dict)
    consent_refusal_rate: _RegionRates = 0.0
    late_rate: Probability = 0.0
    late_minutes: _Duration = 60.0
    reorder_rate: Probability = 0.0
    reorder_seconds: _Duration = 30.0
    duplicate_rate: Probability = 0.0
    id_collision_rate: Probability = 0.0
    duplicate_minutes: _Duration = 5.0
    clock_skew_rate: Probability = 0.0
    clock_skew_seconds: _Duration = 120.0
    malformed_rate: Probability = 0.0
    bots_per_day: NonNegative = 0.0
    undeclared_bots_per_day: NonNegative = 0.0
    bot_pages: Count = 30
    bot_seconds: Annotated[float, Strict(), Field(ge=0.001, le=_MAX_SECONDS)] = 2.0

    @property
    def loss_rates(self) -> dict[str, dict[str, float]] | None:
        """Share of browsers of which nothing is seen, by device and region; None where it differs by persona too.

        >>> TrackingSettings(consent_refusal_rate={"europe": 0.3}).loss_rates
        {'region': {'europe': 0.3}}
        """
        if self.ad_blocker_factors and self.ad_blocker_rate:
            return None
        of_all = {
            "device": (self.ad_blocker_rate, USER_AGENTS),
            "region": (self.consent_refusal_rate, REGIONS),
        }
        rates = {
            name: dict(rate) if isinstance(rate, dict) else dict.fromkeys(known, rate)
            for name, (rate, known) in of_all.items()
        }
        return {name: by_value for name, by_value in rates.items() if any(by_value.values())}

    @property
    def is_lossless(self) -> bool:
        """Whether every event arrives once, immediately and intact, and no bots are added."""
        # By name, so that a new rate is never forgotten here.
        rates = [getattr(self, name) for name in type(self).model_fields if name.endswith(("_rate", "_per_day"))]
        return not any(any(rate.values()) if isinstance(rate, dict) else rate for rate in rates)
