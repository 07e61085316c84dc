"""What all settings models share: frozen, closed, and in plain units."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict

__all__ = [
    "Count",
    "Factor",
    "LogOdds",
    "NonNegative",
    "Positive",
    "PositiveFactor",
    "Probability",
    "Real",
    "Settings",
    "Share",
    "Shares",
    "Weights",
    "shares_fault",
    "unknown",
]

Real = Annotated[float, Strict(), Field(allow_inf_nan=False)]
LogOdds = Annotated[Real, Field(ge=-50, le=50)]
"""An effect in log-odds; beyond 50 a probability can no longer be told from 0 or 1."""
Positive = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
Probability = Annotated[float, Strict(), Field(ge=0, le=1)]
Share = Probability
Factor = Annotated[float, Strict(), Field(ge=0, le=1e6)]
"""How many times something ordinary; beyond a million, sums could no longer be told from infinity."""
PositiveFactor = Annotated[float, Strict(), Field(ge=1e-6, le=1e6)]
"""The same, where nothing may vanish."""
Count = Annotated[int, Strict(), Field(ge=1)]


class Settings(BaseModel):
    """A part of a scenario: frozen data, checked whole before the clock starts; an unknown key is an error.

    Attributes:
        renamed: Old names of settings, and what each is called now; files may use both, with a warning.
    """

    renamed: ClassVar[Mapping[str, str]] = {}

    model_config = ConfigDict(frozen=True, extra="forbid")


def unknown(kind: str, name: str, known: Collection[str]) -> str:
    """Say that there is no such thing, and what may have been meant."""
    near = get_close_matches(name, known, n=1)
    advice = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    return f"there is no {kind} {name!r}; {advice}"


_SHARE_TOLERANCE = 1e-6


def shares_fault(shares: Iterable[float]) -> str | None:
    """Say what is wrong with shares that must sum to 1, or None."""
    total = math.fsum(shares)
    if abs(total - 1) > _SHARE_TOLERANCE:
        return f"shares must sum to 1 (they sum to {total:.6g})"
    return None


def _sum_to_one(shares: dict[str, float]) -> dict[str, float]:
    if fault := shares_fault(shares.values()):
        raise ValueError(fault)
    return shares


Shares = Annotated[dict[str, Share], AfterValidator(_sum_to_one)]
"""Named parts of a whole, which sum to 1."""


def _some_weight(weights: dict[str, float]) -> dict[str, float]:
    if not any(weight > 0 for weight in weights.values()):
        raise ValueError("at least one weight must be above 0")
    return weights


Weights = Annotated[dict[str, NonNegative], AfterValidator(_some_weight)]
"""Named relative weights, at least one above 0; they need not sum to 1."""
