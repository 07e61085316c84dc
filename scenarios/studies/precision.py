"""How many replications are enough: until the mean of each response is known as precisely as wished.

The intervals of a study that stops at the first narrow one are too narrow: it stops when the spread happens to look
small. So when the wish is first met a quarter more replications are made, which know nothing of the stopping, and the
wish must be met by all of them together (the looking ahead of K. Hoad, S. Robinson and R. Davies, Journal of the
Operational Research Society 61 (2010) 1632–1644, in proportion).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.special import stdtrit

from simulator.settings.base import Positive, Settings

__all__ = ["Precision", "PrecisionSettings", "half_widths", "is_met", "stopping_point"]

Floats = NDArray[np.float64]

_LEVEL: Final = 0.95
_LOOK_AHEAD: Final = 1.25


class Precision(Settings):
    """How well a mean is to be known: half the width of its 95 % interval; exactly one of the two.

    Args:
        absolute: Half-width in the unit of the response.
        relative: Half-width as a share of the mean's distance from 0, on the side where the mean may be nearest to it:
            of the end of the interval that is nearer to 0. So an interval that holds 0 is never narrow enough, and the
            sign of the mean does not matter.
    """

    absolute: Positive | None = None
    relative: Positive | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.absolute is None) == (self.relative is None):
            raise ValueError("give absolute or relative, one of them")
        return self

    def is_met(self, mean: Floats, half_width: Floats) -> NDArray[np.bool_]:
        """Say whether intervals are narrow enough; what is not a number is not.

        Args:
            mean: Means.
            half_width: Half-widths of their intervals, as many.
        """
        wished = self.absolute if self.absolute is not None else (self.relative or 0) * (np.abs(mean) - half_width)
        return np.asarray(half_width <= wished)


class PrecisionSettings(Settings):
    """Replications until responses are known precisely enough.

    Args:
        precision: How well each of some responses is to be known, by name; all of them must be.
        min: Replications that are made in any case, 10 or more: fewer say too little of the spread.
        max: Replications after which a point is given up, precise or not.
    """

    renamed: ClassVar = {"least": "min", "most": "max"}

    precision: Annotated[dict[str, Precision], Field(min_length=1)]
    min: Annotated[int, Field(ge=10)] = 20
    max: Annotated[int, Field(ge=10, le=1_000_000)] = 1000

    @model_validator(mode="after")
    def _min_is_below_max(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min: must not be above max (got {self.min} and {self.max})")
        return self


def half_widths(values: Floats) -> tuple[Floats, Floats]:
    """Means and half-widths of the 95 % t intervals of the first 1, 2, … values; NaN values are passed over.

    Args:
        values: One number for each replication, in order.

    Returns:
        Mean and half-width, as long as the values; NaN where there are too few.
    """
    known = ~np.isnan(values)
    n = np.cumsum(known).astype(np.float64)
    # Taken from about where they lie, or the difference of two large sums would be all rounding.
    origin = float(values[known][0]) if known.any() else 0.0
    apart = np.where(known, values - origin, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.cumsum(apart) / n
        variance = np.maximum(np.cumsum(apart**2) - n * mean**2, 0.0) / (n - 1)
        width = stdtrit(np.maximum(n - 1, 1), 0.5 + _LEVEL / 2) * np.sqrt(variance / n)
    return np.asarray(mean + origin), np.where(n > 1, width, np.nan)


def is_met(values: Mapping[str, Floats], settings: PrecisionSettings) -> NDArray[np.bool_]:
    """Say after how many replications all responses are known as well as wished, looking no further.

    Args:
        values: Numbers of each response, one for each replication, in order, NaN where there is none.
        settings: The wish.

    Returns:
        One truth value for the first 1, 2, … replications.
    """
    wishes = [wish.is_met(*half_widths(values[name])) for name, wish in settings.precision.items()]
    met: NDArray[np.bool_] = np.logical_and.reduce(wishes)
    met[: settings.min - 1] = False
    return met


def stopping_point(values: Mapping[str, Floats], settings: PrecisionSettings) -> int | None:
    """Number of replications that are enough; None where more are needed than there are.

    It depends on nothing but the numbers in their order: whoever has more of them finds the same.

    Args:
        values: Numbers of each response, one for each replication, in order, NaN where there is none.
        settings: The wish.
    """
    met = is_met(values, settings)
    n = settings.min
    while n <= len(met):
        found = np.flatnonzero(met[n - 1 :])
        if not found.size:
            break
        end = min(math.ceil(_LOOK_AHEAD * (n + int(found[0]))), settings.max)
        if end > len(met):
            return None
        if met[end - 1] or end == settings.max:
            return end
        n = end + 1
    return settings.max if len(met) >= settings.max else None
