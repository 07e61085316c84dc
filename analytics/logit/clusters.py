"""Clusters of visits: the account, else the visitor; by name or by key."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import polars as pl

from analytics.errors import VisitTableError
from analytics.logit.matrix import Integers

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
    """Number the clusters of the visits from 0; None if no account is known.

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
    return numbers


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
