"""Separation: signals that foretell the outcome perfectly in some visits, so that the likelihood has no maximum.

Cross tables of one signal with the outcome show the simplest cases only. A linear programme shows them all: it looks
for a direction of coefficients along which no visit becomes less likely to end as it did, and some become more so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.errors import ConvergenceError

__all__ = ["Separation", "find_separation"]

Floats = NDArray[np.float64]

_ZERO: Final = 1e-6
"""Components of a direction below this are the solver's rounding; the greatest possible is 1."""


@dataclass(frozen=True, eq=False)
class Separation:
    """Which coefficients have no finite estimate, and which way they run.

    Args:
        direction: For each term 1 where the likelihood grows as its coefficient rises without end, −1 where it grows as
            it falls, 0 where the estimate is finite.
    """

    direction: NDArray[np.int64]

    @property
    def found(self) -> bool:
        """Whether there is any: complete or quasi-complete."""
        return bool(self.direction.any())


def find_separation(matrix: Floats, n_visits: Floats, n_requests: Floats) -> Separation:
    """Look for separation by linear programming.

    Over directions β within a box, Σ ± xβ is greatest subject to xβ ≥ 0 in patterns where every visit ended in a
    request, xβ ≤ 0 where none did, and xβ = 0 where some did. A maximum above 0 is a separation, and the coefficients
    that are not 0 in it are infinite. Source: K. Konis, Linear programming algorithms for detecting separated data in
    binary logistic regression models (DPhil thesis, Oxford 2007), section 4.4.

    Args:
        matrix: Values of the terms, patterns × terms; the columns must be linearly independent.
        n_visits: Visits of each pattern.
        n_requests: Of these, the ones that ended in a request.

    Raises:
        ConvergenceError: The programme was not solved.
    """
    from scipy.optimize import linprog  # noqa: PLC0415 - takes a fifth of a second to import

    scaled = matrix / np.abs(matrix).max(axis=0)
    mixed = (n_requests > 0) & (n_requests < n_visits)
    sign = np.where(n_requests == n_visits, 1.0, -1.0)[~mixed]
    toward = np.unique(sign[:, np.newaxis] * scaled[~mixed], axis=0)
    level = np.unique(scaled[mixed], axis=0)
    solved = linprog(
        -toward.sum(axis=0),
        A_ub=-toward,
        b_ub=np.zeros(len(toward)),
        A_eq=level if len(level) else None,
        b_eq=np.zeros(len(level)) if len(level) else None,
        bounds=(-1, 1),
        method="highs",
    )
    if not solved.success or solved.x is None:
        raise ConvergenceError(f"whether signals are separated could not be told ({solved.message})")
    direction = np.where(np.abs(solved.x) > _ZERO, np.sign(solved.x), 0)
    return Separation(direction.astype(np.int64))
