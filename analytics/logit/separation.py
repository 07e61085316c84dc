"""Separation: signals that predict the outcome perfectly in some visits, so that the likelihood has no maximum.

Cross tables of one signal with the outcome show only the simplest cases. Linear programming finds them all: it searches
for a direction of coefficients along which no visit's outcome becomes less likely, and some become more likely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.errors import ConvergenceError
from analytics.logit.matrix import DesignMatrix, Floats, Integers
from analytics.logit.scaling import Scaling

_ZERO: Final = 1e-6
"""Components of a direction below this are rounding errors of the solver; the largest possible is 1."""


@dataclass(frozen=True, eq=False)
class Separation:
    """Coefficients without a finite estimate, and their signs.

    Args:
        direction: For each term 1 if its estimate is +∞, −1 if it is −∞, 0 if it is finite.
    """

    direction: Integers

    @property
    def found(self) -> bool:
        """Whether there is separation, complete or quasi-complete."""
        return bool(self.direction.any())


def find_separation(matrix: Floats, n_visits: Floats, n_requests: Floats) -> Separation:
    """Find separation by linear programming.

    Over directions β within a box, Σ ± xβ is maximised subject to xβ ≥ 0 in patterns where every visit ended in a
    request, xβ ≤ 0 where none did, and xβ = 0 where some did. A maximum above 0 is a separation; its non-zero
    coefficients are infinite. Source: K. Konis, Linear programming algorithms for detecting separated data in
    binary logistic regression models (DPhil thesis, Oxford 2007), section 4.4.

    Args:
        matrix: Values of the terms, patterns × terms; the columns must be linearly independent.
        n_visits: Visits of each pattern.
        n_requests: Of these, the ones that ended in a request.

    Raises:
        ConvergenceError: The linear programme was not solved.

    >>> matrix = np.array([[1.0, 0.0], [1.0, 1.0]])  # every visit with the signal ended in a request
    >>> find_separation(matrix, np.array([10.0, 4.0]), np.array([3.0, 4.0])).direction
    array([0, 1])
    """
    from scipy.optimize import linprog  # noqa: PLC0415 - takes a fifth of a second to import

    scaling = Scaling.of(DesignMatrix.of(matrix))
    scaled = scaling.apply(DesignMatrix.of(matrix)).dense()
    # On a common scale, so that the box bounds all terms alike.
    scaled = scaled / np.abs(scaled).max(axis=0)
    mixed = (n_requests > 0) & (n_requests < n_visits)
    sign = np.where(n_requests == n_visits, 1.0, -1.0)[~mixed]
    # Each constraint once: patterns differ in their counts, but many not in their values and outcomes.
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
        raise ConvergenceError(f"the check for separated signals failed ({solved.message})")
    direction = np.where(np.abs(solved.x) > _ZERO, solved.x, 0)
    return Separation(np.sign(scaling.coefficients(direction)).astype(np.int64))
