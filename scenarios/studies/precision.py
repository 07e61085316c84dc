"""How many replications are enough to estimate the mean of each response with a target precision.

The intervals of a study that stops at the first narrow one are too narrow: it stops when the spread happens to look
small. So when the target is first met, a quarter more replications are made, which do not depend on the stopping, and
the target must be met by all of them together (the looking ahead of K. Hoad, S. Robinson and R. Davies, Journal of the
Operational Research Society 61 (2010) 1632–1644, in proportion).

Values that are all the same have no spread, and yet do not prove that there is none: a rare event may not have been
seen. So nothing stops before ten values differ from the most frequent one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from scenarios.studies.intervals import mean_intervals, running_exceptions, running_sample
from simulator.settings.base import Positive, Settings

Floats = NDArray[np.float64]

_LOOK_AHEAD: Final = 1.25

_MIN_EXCEPTIONS: Final = 10
"""Values other than the most frequent one, below which no interval counts: a spread of fewer is too uncertain."""


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

    def is_met(self, low: Floats, high: Floats) -> NDArray[np.bool_]:
        """Whether intervals are narrow enough; NaN is not.

        Args:
            low: Lower ends.
            high: Upper ends, as many.

        >>> Precision(relative=0.1).is_met(np.array([95.0]), np.array([105.0]))
        array([ True])
        """
        # 0 where the interval contains 0.
        nearer = np.maximum(np.maximum(low, -high), 0.0)
        target = self.absolute if self.absolute is not None else (self.relative or 0) * nearer
        return np.asarray((high - low) / 2 <= target)


class PrecisionSettings(Settings):
    """Replications until responses reach their target precision.

    No target is met before ten values differ from the most frequent one: a response that does not vary runs to the
    maximum.

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


def is_met(values: Mapping[str, Floats], settings: PrecisionSettings) -> NDArray[np.bool_]:
    """Whether all responses meet their targets after the first 1, 2, … replications, without looking ahead.

    Args:
        values: Numbers of each response, one for each replication, in order, NaN where there is none.
        settings: The target.

    Returns:
        One truth value for the first 1, 2, … replications.
    """
    each = [is_response_met(values[name], target) for name, target in settings.precision.items()]
    met: NDArray[np.bool_] = np.logical_and.reduce(each)
    # Few values may agree by chance: no interval counts before the minimum.
    met[: settings.min - 1] = False
    return met


def is_response_met(values: Floats, target: Precision) -> NDArray[np.bool_]:
    """Whether a response meets its target after the first 1, 2, … replications; never while it does not vary.

    Args:
        values: One number for each replication, in order, NaN where there is none.
        target: Its target precision.
    """
    ends = mean_intervals(running_sample(values))
    return target.is_met(*ends) & (running_exceptions(values) >= _MIN_EXCEPTIONS)


def stopping_point(values: Mapping[str, Floats], settings: PrecisionSettings) -> int | None:
    """Number of replications that are enough; None where more are needed than there are.

    It depends only on the numbers in their order: further numbers do not change the result.

    Args:
        values: Numbers of each response, one for each replication, in order, NaN where there is none.
        settings: The target.

    >>> settings = PrecisionSettings(precision={"visitors": Precision(absolute=5.0)}, min=10)
    >>> stopping_point({"visitors": np.array([99.0, 101.0] * 20)}, settings)
    25
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
