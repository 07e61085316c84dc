"""How often visitors return and how long they read."""

from __future__ import annotations

from pydantic import Field

from simulator.settings.base import Settings, Weights

# A draw's address packs visitor, visit and step into one integer. A visit of more than 2^13 pages is practically
# impossible.
STEP_BITS, VISIT_BITS = 13, 8


class VisitSettings(Settings):
    """How often visitors return and how long they read. The default figures are assumptions.

    Reading times follow a Weibull distribution with a shape below 1, as measured by Liu, White and Dumais,
    "Understanding web browsing behaviors through Weibull analysis of dwell time", SIGIR 2010.

    Attributes:
        return_rate: Probability of another visit after a visit.
        max_visits: Maximum number of visits of one visitor.
        after_request_rate: Probability that a visitor keeps visiting after a demo request, without ever requesting
            again; the others make no further visit. What such visitors read after the request did not cause it.
        gap_hours: Median time between two visits, in hours, beyond the minimum of 31 minutes.
        gap_shape: Shape of the gaps' log-logistic distribution; the smaller, the more dispersed.
        dwell_shape: Shape of the reading times' Weibull distribution.
        return_landing: Relative weights of the landing pages of returning visitors.
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
