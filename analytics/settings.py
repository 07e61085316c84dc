"""What an analyst may choose: how long the averages are, what to segment by, which terms the model holds."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from analytics.dimensions import dimensions_of
from analytics.signals import DEFAULT_INTERACTIONS, SIGNALS, interaction_parts

__all__ = ["AnalyticsSettings"]


class AnalyticsSettings(BaseModel):
    """How the events of a run are analysed.

    Args:
        moving_average_hours: Length of the moving averages in hours, 1 to 168.
        segments: Dimensions, or pairs of them such as ``region:content``, that the statistics are broken down by.
        interactions: Products of signals that the intent model holds beside the signals, such as
            ``region_europe:security_page_view``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    moving_average_hours: Annotated[int, Field(ge=1, le=168)] = 3
    segments: tuple[str, ...] = ("region", "device", "channel", "content", "region:content")
    interactions: tuple[str, ...] = DEFAULT_INTERACTIONS

    @field_validator("segments")
    @classmethod
    def _of_known_dimensions(cls, segments: tuple[str, ...]) -> tuple[str, ...]:
        for segment in segments:
            dimensions_of(segment.split(":"), at_most=2)
        return segments

    @field_validator("interactions")
    @classmethod
    def _of_known_signals(cls, interactions: tuple[str, ...]) -> tuple[str, ...]:
        known = {signal.name for signal in SIGNALS}
        for name in interactions:
            parts = interaction_parts(name)
            if len(set(parts)) != 2 or not known.issuperset(parts):  # noqa: PLR2004 - a product of two
                raise ValueError(f"{name!r} is not a product of two signals, such as {DEFAULT_INTERACTIONS[0]!r}")
        return interactions
