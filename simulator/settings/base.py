"""Base class and field types of all settings models."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PydanticUserError, Strict
from pydantic._internal._model_construction import ModelMetaclass  # public nowhere, like the error's place

Real = Annotated[float, Strict(), Field(allow_inf_nan=False)]
LogOdds = Annotated[Real, Field(ge=-50, le=50)]
"""Effect in log-odds. Beyond ±50 a probability equals 0 or 1 in double precision."""
Positive = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
Probability = Annotated[float, Strict(), Field(ge=0, le=1)]
Share = Probability
Factor = Annotated[float, Strict(), Field(ge=0, le=1e6)]
"""Multiplier of a base value. Beyond a million, sums of products could overflow."""
PositiveFactor = Annotated[float, Strict(), Field(ge=1e-6, le=1e6)]
"""Multiplier that cannot be 0."""
Count = Annotated[int, Strict(), Field(ge=1)]


class _SettingsClass(ModelMetaclass):
    """Class of settings classes: an error in the definition of one is a line that names it."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> type:  # noqa: ANN401
        try:
            return super().__new__(mcs, name, bases, namespace, **options)
        except PydanticUserError as error:
            raise TypeError(f"{namespace['__qualname__']}: {_one_line(error, namespace)}") from None


def _one_line(error: PydanticUserError, namespace: Mapping[str, Any]) -> str:
    """What is wrong with a settings class."""
    typed = namespace.get("__annotations__", {})
    for name, value in namespace.items():
        if error.code == "model-field-missing-annotation" and f"`{name} = " in error.message and name not in typed:
            return f"{name} = {value!r} has no type; write {name}: {type(value).__name__} = {value!r}"
    return error.message.partition("\n")[0]


class Settings(BaseModel, metaclass=_SettingsClass):
    """Base class of all settings: frozen, validated before the clock starts; an unknown key is an error.

    Attributes:
        renamed: New name of each old setting name; files may use both, the old one with a warning.
    """

    renamed: ClassVar[Mapping[str, str]] = {}

    model_config = ConfigDict(frozen=True, extra="forbid")


@cache
def defaults(section: str) -> dict[str, Any]:
    """Return a section of ``defaults.toml``, the data of an ordinary B2B software site.

    >>> defaults("industries")["software"]
    0.26
    """
    data = tomllib.loads((Path(__file__).parent / "defaults.toml").read_text(encoding="utf-8"))
    found: dict[str, Any] = data[section]
    return found


def unknown(kind: str, name: str, known: Collection[str]) -> str:
    """Message for an unknown name, with the closest known name or all of them.

    >>> unknown("page", "princing", ["home", "pricing"])
    "there is no page 'princing'; did you mean 'pricing'?"
    >>> unknown("page", "pricing", [])
    "there is no page 'pricing'; there are none"
    """
    near = get_close_matches(name, known, n=1)
    advice = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none'}"
    return f"there is no {kind} {name!r}; {advice}"


_TIME_ZONES = frozenset(available_timezones())


def _known_zone(zone: str) -> str:
    if zone not in _TIME_ZONES:
        raise ValueError(f"{zone!r} is not an IANA time zone such as 'Europe/Berlin'")
    return zone


TimeZone = Annotated[str, AfterValidator(_known_zone)]
"""IANA name of a time zone."""

# Shares are typed by hand, with rounding: a third is 0.333333.
_SHARE_TOLERANCE = 1e-6


def shares_fault(shares: Iterable[float]) -> str | None:
    """What is wrong with shares that must sum to 1; None if nothing is.

    >>> shares_fault([0.5, 0.4])
    'shares must sum to 1 (they sum to 0.9)'
    """
    # Exact summation: ten times 0.1 is 1.
    total = math.fsum(shares)
    if abs(total - 1) > _SHARE_TOLERANCE:
        return f"shares must sum to 1 (they sum to {total:.6g})"
    return None


def sum_to_one(shares: dict[str, float]) -> dict[str, float]:
    """Return the shares if they sum to 1.

    Raises:
        ValueError: They do not.
    """
    if fault := shares_fault(shares.values()):
        raise ValueError(fault)
    return shares


Shares = Annotated[dict[str, Share], AfterValidator(sum_to_one)]
"""Named shares of a whole; they sum to 1."""


WeightsT = TypeVar("WeightsT", dict[str, float], tuple[float, ...])


def some_weight(weights: WeightsT) -> WeightsT:
    """Return the weights if at least one of them is above 0.

    Raises:
        ValueError: None is.
    """
    if not any(weight > 0 for weight in (weights.values() if isinstance(weights, dict) else weights)):
        raise ValueError("at least one weight must be above 0")
    return weights


Weights = Annotated[dict[str, NonNegative], AfterValidator(some_weight)]
"""Named relative weights, at least one above 0; they need not sum to 1."""
