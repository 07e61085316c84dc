"""Who shares what we do not see: the account of each visit, else its visitor."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.errors import VisitTableError

__all__ = ["cluster_names", "cluster_numbers"]


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
