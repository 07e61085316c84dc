"""Random numbers of one visitor for one purpose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import TypeVar

from simulator.engine.streams import AddressedUniforms

Option = TypeVar("Option")

DRAW_BITS = 20
"""Bits for the number of a draw in the address of a visitor's own random numbers."""


class VisitorRandom:
    """Random numbers of one visitor for one purpose, in order.

    They are found by address: which other visitors are on the clock, and what else is drawn, changes none of them.

    Args:
        uniforms: Random numbers of the purpose, for the visitor's cohort.
        row: The visitor's row in the cohort as drawn.

    >>> from simulator.engine.streams import Streams
    >>> random = VisitorRandom(Streams(seed=7).uniforms("length"), row=3)
    >>> 0 < random.uniform() < 1
    True
    """

    def __init__(self, uniforms: AddressedUniforms, row: int) -> None:
        self._uniforms = uniforms
        self._address = row << DRAW_BITS

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Uniform number strictly between ``low`` and ``high``."""
        number = self._uniforms.one(self._address)
        self._address += 1
        return low + (high - low) * number

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.uniform() < probability

    def exponential(self, mean: float) -> float:
        """Exponentially distributed number with the given mean."""
        return -mean * math.log(self.uniform())

    def normal(self, mean: float = 0.0, deviation: float = 1.0) -> float:
        """Normally distributed number with the given mean and standard deviation."""
        return mean + deviation * NormalDist().inv_cdf(self.uniform())

    def choice(self, options: Sequence[Option], weights: Sequence[float] | None = None) -> Option:
        """One of the options, with probabilities in proportion to the weights; all alike without any."""
        if weights is None:
            return options[int(self.uniform() * len(options))]
        left = self.uniform() * math.fsum(weights)
        for option, weight in zip(options, weights, strict=True):
            left -= weight
            if left < 0:
                return option
        # Only rounding errors lead here.
        return options[-1]
