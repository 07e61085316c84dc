"""Clusters of visits (account, else visitor), their effective number, and jackknife standard errors over clusters.

Cluster-robust standard errors need many clusters of similar size. For a term that few accounts have, or that a few very
large ones dominate, they are too small however many accounts there are in total. The jackknife is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

import numpy as np
import polars as pl

from analytics.errors import VisitTableError
from analytics.logit.design import Design
from analytics.logit.likelihood import by_cluster, sums_by_cluster
from analytics.logit.matrix import Floats, Integers

_VISITOR_KEY: Final = "key of the visitor"
_ACCOUNT_KEY: Final = "key of the account"
VISITOR_COLUMNS: Final = ("anonymous_id", _VISITOR_KEY)
ACCOUNT_COLUMNS: Final = ("account", _ACCOUNT_KEY)
"""Columns that tell whose a visit is: by name, or by key; see :func:`with_keys`."""

_NAMES: Final = {
    _VISITOR_KEY: pl.format("visitor {}", pl.col("anonymous_id").cast(pl.String)),
    _ACCOUNT_KEY: pl.format("account {}", pl.col("account").cast(pl.String)),
}
"""Names of clusters; those of accounts and visitors differ."""


def cluster_numbers(visits: pl.DataFrame) -> Integers | None:
    """Number the clusters of the visits from 0; None if no account is known, or there is only one cluster.

    Args:
        visits: A visit table, or one :func:`with_keys`.

    Raises:
        VisitTableError: Some visits have neither an account nor a visitor.
    """
    accounts = next((visits[name] for name in ACCOUNT_COLUMNS if name in visits.columns), None)
    if accounts is None or accounts.is_null().all():
        return None
    if _VISITOR_KEY in visits.columns:
        numbers = (cluster_keys(visits).rank("dense").cast(pl.Int64) - 1).to_numpy()
    else:
        numbers = _numbered(accounts).fill_null(0).to_numpy(writable=True)
        without_account = accounts.is_null()
        if without_account.any():
            single = visits.filter(without_account)
            _refuse_nameless(single)
            numbers[without_account.to_numpy()] = numbers.max() + 1 + _numbered(single["anonymous_id"]).to_numpy()
    return numbers if numbers.max() > 0 else None


def _numbered(names: pl.Series) -> pl.Series:
    """Numbers from 0, in the order of names."""
    # Sums over clusters run in this order, and their last digits depend on it.
    distinct = names.cast(pl.String).unique().drop_nulls().sort()
    return names.cast(pl.String).cast(pl.Enum(distinct)).to_physical().cast(pl.Int64)


def cluster_keys(visits: pl.DataFrame) -> pl.Series:
    """Return the key of each visit's cluster, which is its account or else its visitor; see :func:`name_keys`.

    Args:
        visits: A visit table, or one :func:`with_keys`.

    Raises:
        VisitTableError: Some visits have neither an account nor a visitor.
    """
    if _VISITOR_KEY in visits.columns:
        return visits.select(pl.coalesce(_ACCOUNT_KEY, _VISITOR_KEY)).to_series()
    names = [_NAMES[_ACCOUNT_KEY]] if "account" in visits.columns else []
    single = visits.filter(pl.col("account").is_null()) if names else visits
    # A table without either column has no rows either.
    if not names or not single.is_empty():
        _refuse_nameless(single)
        names.append(_NAMES[_VISITOR_KEY])
    return name_keys(visits.select(name=pl.coalesce(names)).to_series())


def with_keys(visits: pl.DataFrame) -> pl.DataFrame:
    """Replace names of accounts and visitors by keys: a tenth of the memory, where visits are millions.

    Args:
        visits: A visit table.

    Returns:
        The table with other columns in place of ``anonymous_id`` and ``account``; its clusters and folds are the same.
    """
    keys = [name_keys(visits.select(name).to_series()).alias(key) for key, name in _NAMES.items()]
    return visits.drop("anonymous_id", "account").with_columns(keys)


def name_keys(names: pl.Series) -> pl.Series:
    """Return a hash of each name, of 64 bits and the same in every process; null where there is no name.

    >>> name_keys(pl.Series(["acme", "initech", "acme"])).to_list()
    [3469556990258029185, 3657950728791642288, 3469556990258029185]
    """
    names = names.cast(pl.String)
    distinct = names.drop_nulls().unique()
    # Python's own hash of a string differs from process to process.
    keys = [int.from_bytes(blake2b(name.encode(), digest_size=8).digest()) for name in distinct]
    return names.replace_strict(distinct, pl.Series(keys, dtype=pl.UInt64), default=None, return_dtype=pl.UInt64)


def _refuse_nameless(single: pl.DataFrame) -> None:
    if "anonymous_id" not in single.columns:
        raise VisitTableError("the visit table has no column anonymous_id, needed for visits without an account")
    if n := single["anonymous_id"].null_count():
        raise VisitTableError(f"{n:,} visits have neither account nor anonymous_id, so their cluster is unknown")


_VISITS_AT_ONCE: Final = 20_000
"""Visits per batch: their outer products take 52 MB for 18 terms."""

_LARGE_SHARE: Final = 0.5
"""Share of a cluster in the information, from which the information without it is tested for singularity."""

_WELL_CONDITIONED: Final = 1e8
"""Condition of the information up to which those shares have eight digits."""


def effective_clusters(design: Design, information: Floats, p: Floats, clusters: Integers) -> Floats:
    """Return the effective number of clusters of each coefficient; shape (terms,).

    G* = G / (1 + Γ), where Γ is the squared coefficient of variation of the clusters' contributions to the variance
    when visits of a cluster are perfectly correlated. Source: A. V. Carter, K. T. Schnepel and D. G. Steigerwald,
    Review of Economics and Statistics 99 (2017) 698-709, with the working weights p (1 − p) of the logit.

    Args:
        design: Design matrix and outcomes.
        information: Fisher's information, terms × terms.
        p: Fitted probability of each pattern.
        clusters: Number of each visit's cluster, from 0.
    """
    # The outcome of a visit has the standard deviation √(p (1 − p)).
    scale, deviation = np.sqrt(np.diag(information)), np.sqrt(p * (1 - p))
    inverse = np.linalg.inv(_scaled(information, scale))
    total, squares = np.zeros(len(scale)), np.zeros(len(scale))
    of_visits = deviation if design.pattern is None else deviation[design.pattern]
    for sums in sums_by_cluster(design, of_visits, clusters):
        added = ((sums / scale) @ inverse) ** 2
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
        is_identified[large] = np.linalg.cond(left[large]) < 1 / np.finfo(np.float64).eps
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
