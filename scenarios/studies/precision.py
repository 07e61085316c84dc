"""How many replications are enough to estimate the mean of each response with a target precision.

The intervals of a study that stops at the first narrow one are too narrow: it stops when the spread happens to look
small. So when the target is first met, a quarter more replications are made, which do not depend on the stopping, and
the target must be met by all of them together (the looking ahead of K. Hoad, S. Robinson and R. Davies, Journal of the
Operational Research Society 61 (2010) 1632–1644, in proportion).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from simulator.settings.base import Positive, Settings

Floats = NDArray[np.float64]

_LEVEL: Final = 0.95
_LOOK_AHEAD: Final = 1.25


class Precision(Settings):
    """Target precision of a mean: half the width of its 95 % interval; exactly one of the two.

    Args:
        absolute: Half-width in the unit of the response.
        relative: Half-width relative to the absolute value of the interval's end that is nearer to 0. An interval that
            contains 0 never meets it. The sign of the mean does not matter.
    """

    absolute: Positive | None = None
    relative: Positive | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.absolute is None) == (self.relative is None):
            raise ValueError("give absolute or relative, one of them")
        return self

    def is_met(self, mean: Floats, half_width: Floats) -> NDArray[np.bool_]:
        """Whether intervals are narrow enough; NaN is not.

        Args:
            mean: Means.
            half_width: Half-widths of their intervals, as many.

        >>> Precision(relative=0.1).is_met(np.array([100.0]), np.array([5.0]))
        array([ True])
        """
        target = self.absolute if self.absolute is not None else (self.relative or 0) * (np.abs(mean) - half_width)
        return np.asarray(half_width <= target)


class PrecisionSettings(Settings):
    """Replications until responses reach their target precision.

    Args:
        precision: Target precision of some responses, by name; all of them must be met.
        min: Minimum number of replications; at least 10, because the standard deviation is too uncertain with fewer.
        max: Maximum number of replications of a point, even if the target is not met.
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
    """Means and half-widths of the 95 % t intervals of the first 1, 2, … values; NaN values are skipped.

    Args:
        values: One number for each replication, in order.

    Returns:
        Mean and half-width, as long as the values; NaN where there are too few.
    """
    known = ~np.isnan(values)
    n = np.cumsum(known).astype(np.float64)
    from scipy.special import stdtrit  # noqa: PLC0415 - a check of a file must not wait for it

    # Sums of deviations from the first value: with a large mean, those of the values would lose all digits.
    origin = float(values[known][0]) if known.any() else 0.0
    apart = np.where(known, values - origin, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.cumsum(apart) / n
        variance = np.maximum(np.cumsum(apart**2) - n * mean**2, 0.0) / (n - 1)
        width = stdtrit(np.maximum(n - 1, 1), 0.5 + _LEVEL / 2) * np.sqrt(variance / n)
    return np.asarray(mean + origin), np.where(n > 1, width, np.nan)


def is_met(values: Mapping[str, Floats], settings: PrecisionSettings) -> NDArray[np.bool_]:
    """Whether all responses meet their targets after the first 1, 2, … replications, without looking ahead.

    Args:
        values: Numbers of each response, one for each replication, in order, NaN where there is none.
        settings: The target.

    Returns:
        One truth value for the first 1, 2, … replications.
    """
    each = [target.is_met(*half_widths(values[name])) for name, target in settings.precision.items()]
    met: NDArray[np.bool_] = np.logical_and.reduce(each)
    # Few values may agree by chance: no interval counts before the minimum.
    met[: settings.min - 1] = False
    return met


def stopping_point(values: Mapping[str, Floats], settings: PrecisionSettings) -> int | None:
    """Number of replications that are enough; None where more are needed than there are.

    It depends only on the numbers in their order: further numbers do not change the result.

    Args:
        values: Numbers of each response, one for each replication, in order, NaN where there is none.
        settings: The target.

    >>> settings = PrecisionSettings(precision={"visitors": Precision(absolute=5.0)}, min=10)
    >>> stopping_point({"visitors": np.array([99.0, 101.0] * 10)}, settings)
    13
    """
    met = is_met(values, settings)
    n = settings.min
    while n <= len(met):
        found = np.flatnonzero(met[n - 1 :])
        if not found.size:
            break
        # The quarter more may not exceed the maximum, at which a point ends in any case.
        end = min(math.ceil(_LOOK_AHEAD * (n + int(found[0]))), settings.max)
        if end > len(met):
            return None
        if met[end - 1] or end == settings.max:
            return end
        # The target was met by chance; the search starts again after the values that refuted it.
        n = end + 1
    return settings.max if len(met) >= settings.max else None
