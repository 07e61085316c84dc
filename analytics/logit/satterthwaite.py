"""Degrees of freedom of tests with the covariance CR2, by Satterthwaite's approximation.

CR2 is a sum over few clusters, and so it varies itself. If visits are independent, its mean and its variance are known
from the shares S of the clusters in the information: the degrees of freedom are those of the χ² distribution with the
same ratio of the two. For a joint test, that distribution is Wishart's (Hotelling's T²).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Final

import numpy as np

from analytics.logit.matrix import Floats

_ALL: Final = 1 - 1e-8
"""Share of a cluster in what is known of a combination of terms, from which nothing is known without the cluster."""

_SMALL: Final = 0.02
"""Sum of the shares of a cluster below which three powers of them suffice: standard errors then have seven digits."""

_LOST: Final = 1e-6
"""Share of a variance that may be unknown by rounding."""


@dataclass(eq=False)
class SatterthwaiteSums:
    """Sums over the clusters, of which the moments of CR2 are made.

    Args:
        known: Sum of the shares S, without combinations of terms that are known by one cluster alone; terms × terms.
        squares: Sum of vec(D) vec(D − 2E)ᵀ with D = S / (I − S) and E = S² / (I − S).
        products: Sum of the Kronecker products of R = S / √(I − S) with itself.
    """

    known: Floats
    squares: Floats
    products: Floats

    @classmethod
    def empty(cls, n_terms: int) -> SatterthwaiteSums:
        """Sums over no clusters."""
        return cls(np.zeros((n_terms, n_terms)), *np.zeros((2, n_terms**2, n_terms**2)))

    def add(self, shares: Floats) -> Floats:
        """Add clusters, and return their matrices (I − S)^(−1/2), without combinations that are known by one alone.

        Args:
            shares: Their shares S, clusters × terms × terms.
        """
        inverse_roots = np.empty_like(shares)
        is_small = np.trace(shares, axis1=1, axis2=2) < _SMALL
        for chosen, functions in ((is_small, _by_series), (~is_small, _by_eigenvalues)):
            if chosen.any():
                inverse_roots[chosen], *others = functions(shares[chosen])
                self._add(*(each.reshape(len(each), -1) for each in others))
        return inverse_roots

    def _add(self, known: Floats, d: Floats, e: Floats, r: Floats) -> None:
        n_terms = len(self.known)
        self.known += known.sum(axis=0).reshape(n_terms, n_terms)
        self.squares += d.T @ (d - 2 * e)
        # R ⊗ R, summed: the four indices are sorted afterwards, so that it is one product of matrices.
        pairs = (r.T @ r).reshape((n_terms,) * 4)
        self.products += pairs.transpose(0, 2, 1, 3).reshape(n_terms**2, n_terms**2)


_Matrices = tuple[Floats, Floats, Floats, Floats, Floats]
"""(I − S)^(−1/2), S, D, E and R of clusters."""


def _by_eigenvalues(shares: Floats) -> _Matrices:
    """Matrices of clusters of any size, without eigenvalues of 1."""
    values, vectors = np.linalg.eigh(shares)
    is_known = values < _ALL
    s = np.where(is_known, values, 0.0)
    root = np.where(is_known, 1 / np.sqrt(1 - s), 0.0)
    backwards = vectors.transpose(0, 2, 1)

    def matrices(of: Floats) -> Floats:
        return np.asarray((vectors * of[:, np.newaxis]) @ backwards)

    return matrices(root), matrices(s), matrices(s * root**2), matrices((s * root) ** 2), matrices(s * root)


def _by_series(shares: Floats) -> _Matrices:
    """The same of small clusters, by the first powers of their shares: eigenvalues take ten times as long."""
    squares = shares @ shares
    cubes = shares @ squares
    roots = np.eye(shares.shape[1]) + shares / 2 + 3 / 8 * squares + 5 / 16 * cubes
    return roots, shares, shares + squares + cubes, squares + cubes, shares + squares / 2 + 3 / 8 * cubes


@dataclass(frozen=True, eq=False)
class Satterthwaite:
    """Degrees of freedom of tests of weighted sums of the coefficients.

    Sources: R. M. Bell and D. F. McCaffrey, Survey Methodology 28 (2002) 169–181, section 3; for joint tests (AHT-Z)
    J. E. Pustejovsky and E. Tipton, Journal of Business & Economic Statistics 36 (2018) 672–683, section 3.2.

    Args:
        root: Root of the nonrobust covariance, terms × terms: the covariance is the root times its transpose.
        sums: Sums over the clusters, in coordinates in which that covariance is the identity.
    """

    root: Floats
    sums: SatterthwaiteSums

    def degrees_of_freedom(self, rows: Floats) -> Floats:
        """Return the degrees of freedom of t tests, one for each row of weights.

        Args:
            rows: Weights of the coefficients, tests × terms.

        Returns:
            From 1 up; NaN where a sum is known by one cluster alone, so that its variance between clusters is unknown.
        """
        return np.array([np.nan if self._is_lost(row) else self._wishart(row[np.newaxis]) for row in rows @ self.root])

    def joint(self, rows: Floats) -> float:
        """Return the degrees of freedom η of the Wishart distribution for a joint test; NaN as above.

        A Wald statistic W of q sums then has (η − q + 1) / (η q) · W distributed as F(q, η − q + 1).

        Args:
            rows: Weights of the coefficients, linearly independent, q × terms.
        """
        turned = rows @ self.root
        return np.nan if any(map(self._is_lost, turned)) else self._wishart(turned)

    def _is_lost(self, row: Floats) -> bool:
        total = row @ row
        return bool(total - row @ self.sums.known @ row > _LOST * total)

    def _wishart(self, rows: Floats) -> float:
        # Orthonormal, so that the expectation of the covariance is the identity.
        rows = np.linalg.qr(rows.T)[0].T
        n_terms = rows.shape[1]
        variance = 0.0
        for i, j in combinations_with_replacement(range(len(rows)), 2):
            both, first, second = (np.outer(rows[a], rows[b]).ravel() for a, b in ((i, j), (i, i), (j, j)))
            crossed = (self.sums.products @ both).reshape(n_terms, n_terms)
            squares = (first @ self.sums.squares @ second + second @ self.sums.squares @ first) / 2
            of_pair = squares + both @ self.sums.squares @ both + (crossed**2).sum() + (crossed * crossed.T).sum()
            # Each pair of different rows stands twice in the covariance.
            variance += of_pair if i == j else 2 * of_pair
        return float(len(rows) * (len(rows) + 1) / variance)
