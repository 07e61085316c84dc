"""What tracking loses, damages and invents on the way from the visitors' browsers to the collector."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Discriminator, Field, Strict, Tag

from analytics.events.tracking_plan import REGIONS
from simulator.settings.base import Count, Factor, NonNegative, Probability, Settings, unknown
from simulator.settings.population import USER_AGENTS

__all__ = ["TrackingSettings"]

# Beyond this, times would leave the years that a timestamp can name.
_MAX_SECONDS = 1e8
_Duration = Annotated[float, Strict(), Field(gt=0, le=_MAX_SECONDS)]


def _all_known(kind: str, rate: float | dict[str, float], known: Collection[str]) -> float | dict[str, float]:
    for name in rate if isinstance(rate, dict) else ():
        if name not in known:
            raise ValueError(unknown(kind, name, known))
    return rate


# Told apart before they are checked, so that only the form that was meant complains.
_Rates = Annotated[
    Annotated[Probability, Tag("rate")] | Annotated[dict[str, Probability], Tag("rates")],
    Discriminator(lambda given: "rates" if isinstance(given, dict) else "rate"),
]
_DeviceRates = Annotated[_Rates, AfterValidator(lambda rate: _all_known("device", rate, USER_AGENTS))]
_RegionRates = Annotated[_Rates, AfterValidator(lambda rate: _all_known("region", rate, REGIONS))]


class TrackingSettings(Settings):
    """How lossy and dirty tracking is. By default it is neither: every event arrives once, at once, as it was.

    All of it befalls what browsers send. Server-side events, such as demo requests, come by another road and are never
    blocked, delayed, repeated or damaged. Rates are probabilities; the default durations are assumptions.

    Attributes:
        ad_blocker_rate: Share of browsers that block tracking: one number, or one for each device
            (``{desktop: 0.4}``; 0 for devices that are not named).
        ad_blocker_factors: Factors on that rate by persona (``{evaluator: 1.5}``; 1 for personas that are not named);
            beyond a rate of 1 all of them block.
        consent_refusal_rate: Share of browsers whose users refuse to be tracked: one number, or one for each region
            (``{europe: 0.5}``; 0 for regions that are not named).
        late_rate: Share of events that the device could not send at once because it was offline. Their ``sentAt`` is
            late by as much as their ``receivedAt``, so that the event time comes out right.
        late_minutes: Mean of that delay, exponential, in minutes.
        reorder_rate: Share of events that are held up in the network, after ``sentAt``, and so arrive behind later
            ones. The Segment Spec takes this delay for a wrong clock: analysts see the event later than it was.
        reorder_seconds: Mean of that delay, exponential, in seconds.
        duplicate_rate: Share of events that are sent a second time, the same in all but ``sentAt``.
        id_collision_rate: Share of events that are sent a second time, under the same ``messageId``, from a page that
            has got another title in the meantime.
        duplicate_minutes: Mean time from the first to the second delivery, exponential, in minutes.
        clock_skew_rate: Share of browsers on a device with a wrong clock. ``originalTimestamp`` and ``sentAt`` are off
            by the same time, so that the event time comes out right.
        clock_skew_seconds: Standard deviation of the clocks' error, normal with mean 0, in seconds.
        malformed_rate: Share of events whose line arrives truncated or garbled (as often one as the other): no event.
        bots_per_day: Expected crawlers a day, which say in their user agent what they are.
        undeclared_bots_per_day: Expected bots a day whose user agent is that of an ordinary browser.
        bot_pages: Pages that a bot opens, those of the site in order, over and over.
        bot_seconds: Time from one of them to the next, in seconds; at least a millisecond.
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
    def is_lossless(self) -> bool:
        """Whether every event arrives once, at once, as it was, and no other does."""
        rates = [getattr(self, name) for name in type(self).model_fields if name.endswith(("_rate", "_per_day"))]
        return not any(any(rate.values()) if isinstance(rate, dict) else rate for rate in rates)
