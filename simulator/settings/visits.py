"""How often visitors come and how long they read."""

from __future__ import annotations

from pydantic import Field

from simulator.settings.base import Settings, Weights

__all__ = ["VisitSettings"]

# Address of a draw: visitor, visit, step. A visit of more than 2^13 pages has a probability of practically 0.
STEP_BITS, VISIT_BITS = 13, 8


class VisitSettings(Settings):
    """How often visitors come and how long they read. The default figures are assumptions.

    Reading times follow a Weibull distribution with a shape below 1, as measured by Liu, White and Dumais,
    "Understanding web browsing behaviors through Weibull analysis of dwell time", SIGIR 2010.

    Attributes:
        return_rate: Probability that a visitor comes again after a visit.
        max_visits: Most visits of one visitor.
        after_request_rate: Probability that a visitor who has requested a demo goes on coming as if they had not,
            without ever asking again; all others are not seen again. What such a visitor reads then is no sign of what
            made them ask.
        gap_hours: Median time between two visits, in hours, beyond the shortest possible 31 minutes.
        gap_shape: Shape of the gaps' log-logistic distribution; the smaller, the more spread out.
        dwell_shape: Shape of the reading times' Weibull distribution.
        return_landing: Relative weights of the pages on which those who come again land.
    """

    return_rate: float = Field(default=0.34, ge=0, lt=1, strict=True)
    max_visits: int = Field(default=12, ge=1, lt=2**VISIT_BITS, strict=True)
    after_request_rate: float = Field(default=0.0, ge=0, le=1, strict=True)
    gap_hours: float = Field(default=3.0, gt=0, le=8760, strict=True)
    gap_shape: float = Field(default=1.2, ge=0.2, le=20, strict=True)
    dwell_shape: float = Field(default=0.8, ge=0.2, le=20, strict=True)
    return_landing: Weights = Field(
        default_factory=lambda: {"home": 0.35, "product": 0.2, "pricing": 0.2, "docs": 0.15, "security": 0.1}
    )
