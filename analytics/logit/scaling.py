"""Columns of a design on a common scale, so that a fit does not depend on the units in which they are measured.

A search ends where its steps are short, and an inverse has as many digits as its matrix is well conditioned: both
depend on units. The columns are centred and scaled within the fit, and its results are converted back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from analytics.logit.matrix import DesignMatrix, Floats

_MODERATE: Final = 64.0
"""A column whose half range lies between 1/64 and 64, and whose middle is not further away, is left as it is."""


@dataclass(frozen=True, eq=False)
class Scaling:
    """Centre and size of each column; a scaled column is (x − centre) / size.

    Args:
        centre: 0 but for columns far away from 0, such as the year or seconds since 1970; shape (terms,).
        size: Power of 2 near the half range, so that scaling changes no digits; 1 for moderate columns.
    """

    centre: Floats
    size: Floats

    @classmethod
    def of(cls, matrix: DesignMatrix) -> Scaling:
        """Return the scaling that brings the columns near the range from −1 to 1.

        Args:
            matrix: Values of the terms, patterns × terms; the intercept first.

        >>> matrix = DesignMatrix.of(np.array([[1.0, -3e9], [1.0, 3e9]]))
        >>> Scaling.of(matrix).apply(matrix).dense().round(3)
        array([[ 1.   , -1.397],
               [ 1.   ,  1.397]])
        """
        low, high = matrix.extent
        half, middle = high / 2 - low / 2, high / 2 + low / 2
        # Without the intercept, and what else is constant.
        varies = half > 0
        is_far = varies & (np.abs(middle) > _MODERATE * half)
        is_moderate = ~varies | ((half >= 1 / _MODERATE) & (half <= _MODERATE) & ~is_far)
        size = 2.0 ** np.round(np.log2(np.where(is_moderate, 1.0, half)))
        return cls(np.where(is_far, middle, 0.0), np.asarray(size, np.float64))

    def apply(self, matrix: DesignMatrix) -> DesignMatrix:
        """Return the scaled columns; the matrix itself where there is nothing to scale."""
        if not self.centre.any() and (self.size == 1).all():
            return matrix
        return matrix.scaled(self.centre, self.size)

    def scaled(self, coefficients: Floats) -> Floats:
        """Convert coefficients of the columns to those of the scaled columns."""
        b = coefficients * self.size
        b[0] += coefficients @ self.centre
        return b

    def coefficients(self, scaled: Floats) -> Floats:
        """Convert coefficients of the scaled columns to those of the columns."""
        b = scaled / self.size
        b[0] -= b @ self.centre
        return b

    def covariance(self, scaled: Floats) -> Floats:
        """Convert the covariance of the coefficients likewise."""
        back = self.back
        return np.asarray(back @ scaled @ back.T)

    def root(self, scaled: Floats) -> Floats | None:
        """Root of the converted covariance; None where no column is far from 0 and none is needed, or none is known."""
        if not self.centre.any() or np.isnan(scaled).any():
            return None
        # Not Cholesky's: a covariance by few clusters is singular.
        values, vectors = np.linalg.eigh(scaled)
        return np.asarray(self.back @ (vectors * np.sqrt(np.maximum(values, 0.0))))

    @property
    def back(self) -> Floats:
        """Matrix that converts coefficients of the scaled columns, terms × terms."""
        back = np.diag(1 / self.size)
        back[0] -= self.centre / self.size
        return back
