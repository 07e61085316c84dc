"""Power curve: the power of a test as a function of the sample size.

The z statistic of a Wald test has mean proportional to the square root of the sample size and variance 1. So power is
Φ(a + b √size): a probit regression of detection on √size (D. J. Finney, Probit Analysis, 3rd ed. 1971, chapter 4),
fitted as a binomial GLM. The size for a target power has Fieller's interval (E. C. Fieller, Journal of the Royal
Statistical Society B 16 (1954) 175–185).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NORMAL: Final = NormalDist()
_MAX_ITERATIONS: Final = 100
_TOLERANCE: Final = 1e-10
"""Change of the coefficients that ends the search; by the change of the deviance they would have four digits."""


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
        """Return the power at a sample size."""
        return _NORMAL.cdf(self.a + self.b * math.sqrt(size))

    def size(self, power: float) -> float:
        """Return the sample size for a target power; 0 where any size has it.

        >>> PowerCurve(-1.96, 0.05, np.zeros((2, 2))).size(0.8)
        3139.6...
        """
        return max((_NORMAL.inv_cdf(power) - self.a) / self.b, 0.0) ** 2

    def interval(self, power: float, level: float = 0.95) -> tuple[float, float | None]:
        """Return Fieller's interval of the sample size for a target power.

        x = √size satisfies (t − a − b x)² ≤ z² var(a + b x) with t = Φ⁻¹(power), which is quadratic in x.

        Args:
            power: Target power, between 0 and 1.
            level: Confidence level.

        Returns:
            The two ends; the upper is None where the data leave it open.
        """
        z2, t = _NORMAL.inv_cdf(0.5 + level / 2) ** 2, _NORMAL.inv_cdf(power) - self.a
        (v_aa, v_ab), (_, v_bb) = self.covariance
        square, half, constant = self.b**2 - z2 * v_bb, self.b * t + z2 * v_ab, t**2 - z2 * v_aa
        root = half**2 - square * constant
        if root < 0:
            return 0.0, None
        if square <= 0:
            # A slope of 0 is within the interval: sizes are bounded from below at most.
            low = constant / (half + math.sqrt(root)) if half > 0 else 0.0
            return max(low, 0.0) ** 2, None
        ends = [max((half + sign * math.sqrt(root)) / square, 0.0) ** 2 for sign in (-1, 1)]
        return ends[0], ends[1]


def fit_power_curve(size: Floats, n: Floats, found: Floats) -> PowerCurve | None:
    """Fit a power curve by maximum likelihood; None where the samples do not identify it.

    That is so where all or none of the effects were found, or fewer the larger the sample.

    Args:
        size: Sizes of the samples, shape (sizes,).
        n: Number of samples of each size.
        found: Number of those in which the effect was found.

    >>> curve = fit_power_curve(np.array([400.0, 900.0, 1600.0]), np.full(3, 50.0), np.array([12.0, 24.0, 37.0]))
    >>> round(curve.size(0.8))
    1852
    """
    # Where no failure lies above a success, the likelihood has no maximum, and statsmodels says that it has converged.
    if size[found < n].max(initial=0.0) <= size[found > 0].min(initial=math.inf):
        return None
    # Takes seconds to import, which only sample-size planning must wait for.
    from statsmodels.genmod.families import Binomial  # noqa: PLC0415
    from statsmodels.genmod.families.links import Probit  # noqa: PLC0415
    from statsmodels.genmod.generalized_linear_model import GLM  # noqa: PLC0415

    # Scaled, so that the two columns are of one magnitude.
    scale = np.array([1.0, 1 / math.sqrt(float(np.max(size)))])
    x = np.column_stack([np.ones(len(size)), np.sqrt(size)]) * scale
    model = GLM(np.column_stack([found, n - found]), x, family=Binomial(Probit()))
    with warnings.catch_warnings():
        # statsmodels takes a curve through all points, as through two, for one that separates them.
        warnings.simplefilter("ignore")
        fit = model.fit(maxiter=_MAX_ITERATIONS, tol=_TOLERANCE, tol_criterion="params")
    a, b = fit.params * scale
    if not fit.converged or not b > 0:
        return None
    covariance = np.asarray(fit.cov_params(), dtype=np.float64)
    return PowerCurve(float(a), float(b), covariance * np.outer(scale, scale))
