"""Look-up: the values that stand in some rows of a column, by the shortest way."""

from __future__ import annotations

import polars as pl

from simulator.arrays import Integers

__all__ = ["looked_up"]


def looked_up(table: pl.Series, rows: Integers) -> pl.Series:
    """Values of a table in these rows, none of them negative; shape (n,).

    As ``table.gather(rows)``, which takes three times as long: it goes through the engine for lazy queries.
    """
    return table[pl.Series(rows, dtype=pl.UInt32)]
