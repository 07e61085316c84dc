"""What drives demo requests: coefficients, interactions and the intercept."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from analytics.signals.definitions import ConversionUnit, interaction_parts
from simulator.settings.base import LogOdds, Settings

_TARGET_CONVERSION = 0.015


def _single(coefficients: dict[str, float]) -> dict[str, float]:
    for term in coefficients:
        if ":" in term:
            raise ValueError(f"{term!r}: an interaction belongs under intent.interactions")
    return coefficients


def _pairs(interactions: dict[str, float]) -> dict[str, float]:
    for term in interactions:
        if len(interaction_parts(term)) != 2:  # noqa: PLR2004  (a pair is two)
            raise ValueError(
                f"{term!r} is not an interaction: name two signals, as in region_europe:security_page_view"
            )
    return interactions


class IntentSettings(Settings):
    """What drives demo requests. The default figures are assumptions.

    Attributes:
        target_conversion: Share of visitors who eventually request a demo; the intercept is calibrated to it. 0.015
            unless ``intercept`` is given. It describes the visitors, not the observed period: requests in visits after
            the end of the simulation, and those that a colleague's request makes unnecessary (``conversion_unit``), are
            not observed. It leaves out what experiments and components change. A change of behaviour or coefficients
            solves the intercept anew, so conversion stays at the target.
        intercept: The intercept itself, in log-odds per visit, instead of ``target_conversion``: with it, every change
            moves conversion.
        coefficients: Effect of each signal in log-odds; a signal that is not named has none. Signals that the scenario
            defines itself, under ``analytics.signals``, may be named as the built-in ones.
        interactions: Effect of two signals together, beyond the sum of both, named ``a:b``; in log-odds.
        account_sd: Standard deviation of the companies' unobserved random effect, in log-odds. Visitors without a
            company have none.
        conversion_unit: ``account``: once a visitor of a recognised company has requested a demo, their colleagues keep
            visiting but no longer request one. ``visitor``: each visitor decides independently. Visitors without a
            company always do.

    >>> IntentSettings().target_conversion
    0.015
    >>> IntentSettings(intercept=-4.0).target_conversion is None
    True
    >>> IntentSettings(coefficients={"pricing_page_view": 0.8}, interactions={}).effects
    {'pricing_page_view': 0.8}
    """

    alternatives: ClassVar = (("target_conversion", "intercept"),)
    """Settings that exclude each other: setting one in a later layer clears the other."""

    renamed: ClassVar = {"visitor_to_demo": "target_conversion", "demo_per": "conversion_unit"}

    target_conversion: float | None = Field(default=None, gt=0, lt=1, strict=True)
    intercept: LogOdds | None = None
    coefficients: Annotated[dict[str, LogOdds], AfterValidator(_single)] = Field(
        default_factory=lambda: {
            "white_paper_download": 1.1,
            "security_page_view": 0.9,
            "pricing_page_view": 0.8,
            "customer_story_view": 0.3,
            "webinar_registration": 0.7,
            "company_email": 0.8,
            "careers_page_view": 0.0,
            "tech_blog_referral": 0.0,
            "utm_paid_search": 0.2,
            "device_mobile": -0.4,
            "region_europe": -0.1,
            "log_session_minutes": 0.4,
        }
    )
    interactions: Annotated[dict[str, LogOdds], AfterValidator(_pairs)] = Field(
        default_factory=lambda: {"region_europe:security_page_view": 0.5}
    )
    account_sd: float = Field(default=0.0, ge=0, le=10, strict=True)
    conversion_unit: ConversionUnit = "account"

    @model_validator(mode="before")
    @classmethod
    def _default_target(cls, given: object) -> object:
        # The default must not conflict with an intercept, so it is not a default of the field.
        if isinstance(given, dict) and "target_conversion" not in given and given.get("intercept") is None:
            return {"target_conversion": _TARGET_CONVERSION, **given}
        return given

    @model_validator(mode="after")
    def _one_source_of_intercept(self) -> Self:
        if (self.target_conversion is None) == (self.intercept is None):
            raise ValueError("give target_conversion or intercept, and null for the other")
        return self

    @property
    def effects(self) -> dict[str, float]:
        """Coefficients and interactions together, in log-odds, by term."""
        return {**self.coefficients, **self.interactions}
