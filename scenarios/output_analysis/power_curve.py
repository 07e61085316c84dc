"""The power curve of a test: how the chance of finding an effect grows with the size of the sample.

A Wald test's z has mean proportional to the square root of the sample's size and variance 1, so the chance of z beyond
its bound is Φ(a + b √size): a probit regression of what was found on the root of the size, fitted by Fisher scoring (D.
J. Finney, Probit Analysis, 3rd ed. 1971, chapter 4). The size at which a wished power is reached has Fieller's interval
(E. C. Fieller, Journal of the Royal Statistical Society B 16 (1954) 175–185).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["PowerCurve", "fit_power_curve"]

Floats = NDArray[np.float64]

_NORMAL: Final = NormalDist()
_STEPS: Final = 100
_CLOSE: Final = 1e-10
_HALF: Final = 0.5


@dataclass(frozen=True, eq=False)
class PowerCurve:
    """A fitted power curve Φ(a + b √size).

    Args:
        a: Intercept.
        b: Slope; above 0.
        covariance: Covariance of the two.
    """

    a: float
    b: float
    covariance: Floats

    def power(self, size: float) -> float:
        """Chance of finding the effect in a sample of a size."""
        return _NORMAL.cdf(self.a + self.b * math.sqrt(size))

    def size(self, power: float) -> float:
        """Size at which a power is reached; 0 where it is reached by any."""
        return max((_NORMAL.inv_cdf(power) - self.a) / self.b, 0.0) ** 2

    def interval(self, power: float, level: float = 0.95) -> tuple[float, float | None]:
        """Fieller's interval of that size; None for an end that the data leave open.

        The root x of the size satisfies (t − a − b x)² ≤ z² var(a + b x) with t = Φ⁻¹(power), a quadratic in x.
        """
        z2, t = _NORMAL.inv_cdf(0.5 + level / 2) ** 2, _NORMAL.inv_cdf(power) - self.a
        (v_aa, v_ab), (_, v_bb) = self.covariance
        square, half, constant = self.b**2 - z2 * v_bb, self.b * t + z2 * v_ab, t**2 - z2 * v_aa
        root = half**2 - square * constant
        if root < 0:
            return 0.0, None
        if square <= 0:
            # The slope may be 0: then sizes are only bounded from below, if at all.
            low = constant / (half + math.sqrt(root)) if half > 0 else 0.0
            return max(low, 0.0) ** 2, None
        ends = [max((half + sign * math.sqrt(root)) / square, 0.0) ** 2 for sign in (-1, 1)]
        return ends[0], ends[1]


def fit_power_curve(size: Floats, n: Floats, found: Floats) -> PowerCurve | None:
    """Fit a power curve; None where the samples do not tell it, as when all or none of the effects were found.

    Args:
        size: Sizes of the samples.
        n: How many samples there were of each size.
        found: In how many of them the effect was found.
    """
    # Scaled, so that the two columns are of one magnitude.
    scale = math.sqrt(float(np.max(size)))
    x = np.column_stack([np.ones(len(size)), np.sqrt(size) / scale])
    theta = np.array([_NORMAL.inv_cdf(min(max(float(found.sum() / n.sum()), 0.01), 0.99)), 0.0])
    for _ in range(_STEPS):
        p, density = _probit(x @ theta)
        weight = n * density**2 / (p * (1 - p))
        information = (x.T * weight) @ x
        if np.linalg.cond(information) > 1 / _CLOSE:
            return None
        step = np.linalg.solve(information, x.T @ ((found - n * p) * density / (p * (1 - p))))
        # Far from the maximum a whole step may leap beyond it.
        theta = theta + step * min(1.0, _HALF / max(float(np.abs(step).max()), _HALF))
        if np.abs(step).max() < _CLOSE:
            rescale = np.array([1.0, 1 / scale])
            covariance = np.asarray(np.linalg.inv(information) * np.outer(rescale, rescale), dtype=np.float64)
            a, b = theta * rescale
            return PowerCurve(float(a), float(b), covariance) if b > 0 else None
    return None


def _probit(eta: Floats) -> tuple[Floats, Floats]:
    """Probabilities and densities of the standard normal, kept from 0 and 1."""
    from scipy.special import ndtr  # noqa: PLC0415 - quick, but not for nothing

    density = np.exp(-(eta**2) / 2) / math.sqrt(2 * math.pi)
    return np.clip(ndtr(eta), 1e-12, 1 - 1e-12), density
