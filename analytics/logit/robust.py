"""Cluster-robust inference: the covariance of the coefficients, and the degrees of freedom of their tests.

Visits of one account are not independent. With many accounts of similar size the sandwich estimator CR1, with
Student's t of G − 1 degrees of freedom, has the nominal coverage. With few of them, or a few that dominate a term, it
is too small: then CR2 corrects it for the leverage of each account, and the degrees of freedom are Satterthwaite's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.sparse import coo_array

from analytics.logit.design import Design
from analytics.logit.matrix import MOST_WHOLE, ROWS_AT_ONCE, Floats, Integers
from analytics.logit.satterthwaite import Satterthwaite, SatterthwaiteSums

CovarianceKind = Literal["nonrobust", "CR1", "CR2"]
"""``CR1`` and ``CR2`` are cluster-robust; see :func:`clustered`."""

MIN_CLUSTERS: Final = 3
"""Clusters below which no standard error is given: the scores of two are equal but for the sign."""

_MANY_EFFECTIVE: Final = 40.0
"""Effective clusters from which CR1 with t(G − 1) covers nearly as often as CR2, which takes longer."""

_MOST_AT_ONCE: Final = 1 << 22
"""Visits up to which the sums of all clusters are made at once."""

_VISITS_AT_ONCE: Final = 5_000
"""Visits per batch: each matrix of outer products takes 13 MB for 18 terms."""

_LARGE_SHARE: Final = 0.5
"""Share of a cluster in the information, from which the information without it is tested for singularity."""

_WELL_CONDITIONED: Final = 1e8
"""Condition of the information up to which those shares have eight digits."""

_ILL_CONDITIONED: Final = 1e14
"""Condition beyond which rounding errors, other ones on each processor, decide how ill a matrix seems to be."""


@dataclass(frozen=True, eq=False)
class Inference:
    """What tests and intervals of a fit rest on, beside the covariance.

    Args:
        kind: Kind of the covariance.
        degrees_of_freedom: Of every test: infinite for independent visits, G − 1 for ``CR1``; NaN where there are fewer
            than three clusters, or where ``satterthwaite`` has them.
        satterthwaite: Degrees of freedom of ``CR2``, by test.
        effective_clusters: Effective number of clusters of each term; None for independent visits.
    """

    kind: CovarianceKind = "nonrobust"
    degrees_of_freedom: float = np.inf
    satterthwaite: Satterthwaite | None = None
    effective_clusters: Floats | None = None

    def freedom_of(self, rows: Floats) -> Floats:
        """Degrees of freedom for weighted sums of the coefficients, one for each row of weights; NaN where unknown."""
        if self.satterthwaite is not None:
            return self.satterthwaite.degrees_of_freedom(rows)
        return np.full(len(rows), self.degrees_of_freedom)


def clustered(inverse: Floats, design: Design, p: Floats, clusters: Integers, back: Floats) -> tuple[Floats, Inference]:
    """Return the cluster-robust covariance that suits the number of clusters, and what its tests rest on.

    It is ``CR1`` where every term has many effective clusters, else ``CR2``.

    Args:
        inverse: Inverse of the information, terms × terms.
        design: Design matrix, on a common scale, and outcomes.
        p: Fitted probability of each pattern.
        clusters: Number of each visit's cluster, from 0.
        back: Matrix that converts the coefficients to those of the columns in their own units.
    """
    n_clusters = int(clusters.max()) + 1
    if n_clusters < MIN_CLUSTERS:
        return np.full_like(inverse, np.nan), Inference("CR1", np.nan, None, np.full(len(back), np.nan))
    effective = effective_clusters(inverse, design, p, clusters, back)
    if effective.min() >= _MANY_EFFECTIVE:
        return cluster_robust(inverse, design, p, clusters), Inference("CR1", n_clusters - 1.0, None, effective)
    covariance, freedom = bias_reduced(inverse, design, p, clusters, back)
    return covariance, Inference("CR2", np.nan, freedom, effective)


def cluster_robust(inverse: Floats, design: Design, p: Floats, clusters: Integers) -> Floats:
    """Return the cluster-robust covariance CR1, terms × terms.

    It is the sandwich times G / (G − 1) · (n − 1) / (n − k), with G clusters, n visits and k terms, as of statsmodels
    and of Stata's ``regress``; Stata's ``logit`` has the first factor only. Source: A. C. Cameron and D. L. Miller,
    Journal of Human Resources 50 (2015) 317–372, section II.C.

    Args:
        inverse: Inverse of the information, terms × terms.
        design: Design matrix and outcomes.
        p: Fitted probability of each pattern.
        clusters: Number of each visit's cluster, from 0.
    """
    n_clusters, n, n_terms = int(clusters.max()) + 1, len(design.outcome), len(design.terms)
    squares = squared_scores(design, design.outcome - design.by_visit(p), clusters)
    correction = n_clusters / (n_clusters - 1) * (n - 1) / (n - n_terms)
    return np.asarray(inverse @ squares @ inverse * correction)


def squared_scores(design: Design, residuals: Floats, clusters: Integers) -> Floats:
    """Return the sum over clusters of the outer product of each one's score: the middle of the sandwich, terms × terms.

    Args:
        design: Design matrix and outcomes.
        residuals: Residual of each visit, times its weight in a weighted fit.
        clusters: Number of each visit's cluster, from 0.
    """
    squares = np.zeros((len(design.terms), len(design.terms)))
    for scores in sums_by_cluster(design, residuals, clusters):
        squares += scores.T @ scores
    return squares


def bias_reduced(
    inverse: Floats, design: Design, p: Floats, clusters: Integers, back: Floats
) -> tuple[Floats, Satterthwaite]:
    """Return the bias-reduced cluster-robust covariance CR2, terms × terms, with its degrees of freedom.

    The score of a cluster is multiplied by (I − H)^(−1/2), where H is the cluster's share of the information. If visits
    are independent, the expectation of CR2 is the nonrobust covariance. Sources: R. M. Bell and D. F. McCaffrey, Survey
    Methodology 28 (2002) 169–181; for the logit, by the linear regression that its last Newton step is, J. G.
    MacKinnon, M. Ø. Nielsen and M. D. Webb, Cluster-robust jackknife and bootstrap inference for logistic regression
    models, Econometric Reviews (2025).

    Args:
        inverse: Inverse of the information, terms × terms.
        design: Design matrix, on a common scale, and outcomes.
        p: Fitted probability of each pattern.
        clusters: Number of each visit's cluster, from 0.
        back: Matrix that converts the coefficients to those of the columns in their own units.
    """
    # With M = L Lᵀ all that is needed are the clusters' shares S = Lᵀ (X'WX)_g L, whatever the number of visits.
    root = np.linalg.cholesky(inverse)
    squares = np.zeros_like(inverse)
    sums = SatterthwaiteSums.empty(len(inverse))
    for scores, informations in _clusters(design, p, clusters):
        inverse_roots = sums.add(root.T @ informations @ root)
        adjusted = (inverse_roots @ (scores @ root)[..., np.newaxis])[..., 0]
        squares += adjusted.T @ adjusted
    return np.asarray(root @ squares @ root.T), Satterthwaite(back @ root, sums)


def effective_clusters(
    inverse: Floats, design: Design, p: Floats, clusters: Integers, back: Floats, *, weights: Floats | float = 1.0
) -> Floats:
    """Return the effective number of clusters of each coefficient; shape (terms,).

    G* = G / (1 + Γ), where Γ is the squared coefficient of variation of the clusters' contributions to the variance
    when visits of a cluster are perfectly correlated. Source: A. V. Carter, K. T. Schnepel and D. G. Steigerwald,
    Review of Economics and Statistics 99 (2017) 698-709, with the working weights p (1 − p) of the logit.

    Args:
        inverse: Inverse of the information, terms × terms.
        design: Design matrix and outcomes.
        p: Fitted probability of each pattern.
        clusters: Number of each visit's cluster, from 0.
        back: Matrix that converts the coefficients to those of the columns in their own units.
        weights: Weight of each visit in a weighted fit.
    """
    # The outcome of a visit has the standard deviation √(p (1 − p)).
    of_visits = weights * design.by_visit(np.sqrt(p * (1 - p)))
    total, squares = np.zeros(len(back)), np.zeros(len(back))
    for sums in sums_by_cluster(design, of_visits, clusters):
        added = (sums @ inverse @ back.T) ** 2
        total += added.sum(axis=0)
        squares += (added**2).sum(axis=0)
    return np.asarray(total**2 / squares)


def jackknife_errors(design: Design, information: Floats, p: Floats, clusters: Integers) -> Floats:
    """Return jackknife standard errors over clusters, with one Newton step per omitted cluster; shape (terms,).

    With few clusters they are slightly conservative. Source: J. G. MacKinnon, M. Ø. Nielsen and
    M. D. Webb, Journal of Applied Econometrics 38 (2023) 671-694 (CV3), in one step from the maximum as D. Pregibon,
    Annals of Statistics 9 (1981) 705-724.

    Args:
        design: Design matrix and outcomes.
        information: Fisher's information, terms × terms.
        p: Fitted probability of each pattern.
        clusters: Number of each visit's cluster, from 0.

    Returns:
        Standard errors; NaN for a term that only one cluster has.
    """
    n_clusters, scale = int(clusters.max()) + 1, np.sqrt(np.diag(information))
    scaled = _scaled(information, scale)
    inverse = np.linalg.inv(scaled) / np.outer(scale, scale)
    # Of columns far from 0 the shares would be rounding errors.
    largest = _LARGE_SHARE if np.linalg.cond(scaled) < _WELL_CONDITIONED else -np.inf
    squares = np.zeros(len(design.terms))
    for scores, shares in _clusters(design, p, clusters):
        left = _scaled(information - shares, scale)
        # Without a cluster some term may be constant: then it has no jackknife. The trace is the sum of the shares that
        # the cluster has in what is known of combinations of terms, so that only with a large one can a share be all.
        is_identified = np.einsum("ij,nij->n", inverse, shares) < largest
        large = ~is_identified
        is_identified[large] = np.linalg.cond(left[large]) < _ILL_CONDITIONED
        changes = np.full(scores.shape, np.nan)
        changes[is_identified] = np.linalg.solve(left[is_identified], (scores / scale)[is_identified][..., None])[
            ..., 0
        ]
        squares += (changes**2).sum(axis=0)
    return np.asarray(np.sqrt(squares * (n_clusters - 1) / n_clusters) / scale)


def _scaled(information: Floats, scale: Floats) -> Floats:
    """The information in units of each term's own, so that its condition does not depend on those of the signals."""
    return np.asarray(information / np.outer(scale, scale))


def _clusters(design: Design, p: Floats, clusters: Integers) -> Iterator[tuple[Floats, Floats]]:
    """Scores (clusters, terms) and information (clusters, terms, terms) of clusters, in batches."""
    for rows, places in by_cluster(clusters, _VISITS_AT_ONCE):
        pattern = rows if design.pattern is None else design.pattern[rows]
        x, weight = design.matrix.rows(pattern), (p * (1 - p))[pattern]
        scores = np.add.reduceat(x * (design.outcome[rows] - p[pattern])[:, None], places)
        shares = np.add.reduceat(np.einsum("n,ni,nj->nij", weight, x, x), places)
        yield scores, shares


def sums_by_cluster(design: Design, weights: Floats, clusters: Integers) -> Iterator[Floats]:
    """Weighted sums of the visits' rows over each cluster, clusters × terms, of many clusters at a time.

    Args:
        design: Design matrix and outcomes.
        weights: Weight of each visit.
        clusters: Number of each visit's cluster, from 0.
    """
    if design.matrix.n_rows <= MOST_WHOLE and len(clusters) <= _MOST_AT_ONCE:
        pattern = np.arange(len(clusters)) if design.pattern is None else design.pattern
        # Sparse, because most clusters have few of the patterns.
        shape = int(clusters.max()) + 1, design.matrix.n_rows
        yield np.asarray(coo_array((weights, (clusters, pattern)), shape=shape).tocsr() @ design.matrix.dense())
        return
    for rows, places in by_cluster(clusters):
        taken = design.matrix.rows(rows if design.pattern is None else design.pattern[rows])
        yield np.add.reduceat(taken * weights[rows, np.newaxis], places)


def by_cluster(clusters: Integers, at_once: int = ROWS_AT_ONCE) -> Iterator[tuple[Integers, Integers]]:
    """Group visits by cluster, many clusters at a time.

    Args:
        clusters: Number of each visit's cluster, from 0; shape (visits,).
        at_once: Most visits at a time, unless one cluster has more.

    Yields:
        Visits, cluster after cluster, and the place among them at which each cluster begins.

    >>> [(rows.tolist(), places.tolist()) for rows, places in by_cluster(np.array([1, 0, 1, 2]), at_once=3)]
    [([1, 0, 2], [0, 1]), ([3], [0])]
    """
    order = np.argsort(clusters, kind="stable")
    starts = np.append(np.flatnonzero(np.diff(clusters[order], prepend=-1)), len(clusters))
    first = 0
    while first < len(starts) - 1:
        # At least one cluster, however large it is.
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + at_once, side="right")) - 1)
        yield order[starts[first] : starts[last]], starts[first:last] - starts[first]
        first = last
