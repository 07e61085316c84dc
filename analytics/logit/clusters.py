"""Clusters of visits (account, else visitor), and standard errors by leaving out one cluster at a time.

Cluster-robust standard errors are right where clusters are many and much alike. For a term that few accounts have, or a
few very large ones, they are too small however many accounts there are in all; the jackknife shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array

from analytics.errors import VisitTableError
from analytics.logit.design import Design

__all__ = ["cluster_names", "cluster_numbers", "effective_clusters", "jackknife_errors"]


def cluster_numbers(visits: pl.DataFrame) -> NDArray[np.int64] | None:
    """Number the clusters of the visits from 0; none when no account, or only one cluster, is known.

    Args:
        visits: A visit table.

    Raises:
        VisitTableError: Some visits have no account, and the table does not say whose they are.
    """
    if "account" not in visits.columns or visits["account"].is_null().all():
        return None
    account = _numbered(visits["account"])
    alone = account.is_null()
    numbers = account.fill_null(0).to_numpy(writable=True)
    if alone.any():
        lone = visits.filter(alone)
        _refuse_nameless(lone)
        numbers[alone.to_numpy()] = numbers.max() + 1 + _numbered(lone["anonymous_id"]).to_numpy()
    return numbers if numbers.max() > 0 else None


def _numbered(names: pl.Series) -> pl.Series:
    """Numbers from 0 by name: sums over clusters are made in this order, and their last digits depend on it."""
    distinct = names.cast(pl.String).unique().drop_nulls().sort()
    return names.cast(pl.String).cast(pl.Enum(distinct)).to_physical().cast(pl.Int64)


def cluster_names(visits: pl.DataFrame) -> pl.Series:
    """Name the cluster of each visit; an account and a visitor of the same name are not mistaken.

    Args:
        visits: A visit table.

    Raises:
        VisitTableError: Some visits have no account, and the table does not say whose they are.
    """
    names = [pl.format("account {}", pl.col("account").cast(pl.String))] if "account" in visits.columns else []
    lone = visits.filter(pl.col("account").is_null()) if names else visits
    # A table without either column has no rows either.
    if not names or not lone.is_empty():
        _refuse_nameless(lone)
        names.append(pl.format("visitor {}", pl.col("anonymous_id").cast(pl.String)))
    return visits.select(name=pl.coalesce(names)).to_series()


def _refuse_nameless(lone: pl.DataFrame) -> None:
    if "anonymous_id" not in lone.columns:
        raise VisitTableError("the visit table has no column anonymous_id, which says whose visits without account are")
    if n := lone["anonymous_id"].null_count():
        raise VisitTableError(f"{n:,} visits have neither account nor anonymous_id, so nobody knows whose they are")


Floats = NDArray[np.float64]

Integers = NDArray[np.int64]

_VISITS_AT_ONCE: Final = 20_000
"""Visits whose squares are in memory at the same time: 52 MB for 18 terms."""


def effective_clusters(design: Design, information: Floats, p: Floats, clusters: Integers) -> Floats:
    """Say on how many clusters of equal weight each coefficient would rest as much as on these; shape (terms,).

    G* = G / (1 + Γ), where Γ is the squared coefficient of variation of what each cluster adds to the variance if its
    visits are alike in all that is not seen. Source: A. V. Carter, K. T. Schnepel and D. G. Steigerwald, Review of
    Economics and Statistics 99 (2017) 698-709, with the working weights p (1 − p) of the logit.

    Args:
        design: What the likelihood is made of.
        information: Fisher's, terms × terms.
        p: Fitted probability of each pattern.
        clusters: Number of each visit's cluster, from 0.
    """
    influence = np.linalg.solve(information, (design.matrix * np.sqrt(p * (1 - p))[:, None]).T).T
    pattern = np.arange(len(p)) if design.pattern is None else design.pattern
    n_clusters = int(clusters.max()) + 1
    n_of = coo_array((np.ones(len(clusters)), (clusters, pattern)), shape=(n_clusters, len(p))).tocsr()
    added: Floats = (n_of @ influence) ** 2
    return np.asarray(n_clusters * added.mean(axis=0) ** 2 / (added**2).mean(axis=0))


def jackknife_errors(design: Design, information: Floats, p: Floats, clusters: Integers) -> Floats:
    """Standard errors by leaving out one cluster after the other, in one step of Newton's method each; shape (terms,).

    They are never too small for want of clusters, rather a little too large. Source: J. G. MacKinnon, M. Ø. Nielsen and
    M. D. Webb, Journal of Applied Econometrics 38 (2023) 671-694 (CV3), in one step from the maximum as D. Pregibon,
    Annals of Statistics 9 (1981) 705-724.

    Args:
        design: What the likelihood is made of.
        information: Fisher's, terms × terms.
        p: Fitted probability of each pattern.
        clusters: Number of each visit's cluster, from 0.

    Returns:
        Not a number for a term that a single cluster alone tells of.
    """
    n_clusters = int(clusters.max()) + 1
    squares = np.zeros(len(design.terms))
    for scores, shares in _clusters(design, p, clusters):
        left = information - shares
        is_told = np.linalg.cond(left) < 1 / np.finfo(np.float64).eps
        changes = np.full(scores.shape, np.nan)
        changes[is_told] = np.linalg.solve(left[is_told], scores[is_told][..., None])[..., 0]
        squares += (changes**2).sum(axis=0)
    return np.asarray(np.sqrt(squares * (n_clusters - 1) / n_clusters))


def _clusters(design: Design, p: Floats, clusters: Integers) -> Iterator[tuple[Floats, Floats]]:
    """Scores (clusters, terms) and shares in the information (clusters, terms, terms), some clusters at a time."""
    order = np.argsort(clusters, kind="stable")
    starts = np.flatnonzero(np.diff(clusters[order], prepend=-1))
    first = 0
    while first < len(starts):
        last = max(first + 1, int(np.searchsorted(starts, starts[first] + _VISITS_AT_ONCE)))
        rows = order[starts[first] : starts[last] if last < len(starts) else None]
        pattern = rows if design.pattern is None else design.pattern[rows]
        x, weight = design.matrix[pattern], (p * (1 - p))[pattern]
        places = starts[first:last] - starts[first]
        scores = np.add.reduceat(x * (design.outcome[rows] - p[pattern])[:, None], places)
        shares = np.add.reduceat(np.einsum("n,ni,nj->nij", weight, x, x), places)
        yield scores, shares
        first = last
