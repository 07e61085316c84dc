"""Array types of the simulator, ragged arrays, and look-up of a column's values by row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["Bools", "Floats", "Integers", "Words", "first_rows", "lookup", "part_of_each", "row_numbers"]

Floats = npt.NDArray[np.float64]

Integers = npt.NDArray[np.int64]

Bools = npt.NDArray[np.bool_]

Words = npt.NDArray[np.uint64]


def first_rows(lengths: Integers) -> Integers:
    """Row at which each part of a ragged array begins, given the parts' lengths."""
    starts = np.zeros(len(lengths), dtype=np.int64)
    np.cumsum(lengths[:-1], out=starts[1:])
    return starts


def part_of_each(starts: Integers, n: int) -> Integers:
    """Part that each value of a ragged array belongs to.

    Args:
        starts: First row of each part, none of which is empty; shape (parts,).
        n: Number of values.
    """
    part = np.zeros(n, dtype=np.int64)
    part[starts[1:]] = 1
    return np.cumsum(part, out=part)


def row_numbers(rows: Integers) -> pl.Series:
    """Rows, none of them negative, by which series and frames can be indexed; shape (n,).

    ``table[row_numbers(rows)]`` is ``table.gather(rows)``, which takes three times as long: that goes through Polars'
    engine for queries, and checks for negative rows.
    """
    return pl.Series(rows.astype(np.uint32))


def lookup(table: pl.Series, rows: Integers) -> pl.Series:
    """Values of a table in these rows, none of them negative; shape (n,)."""
    return table[row_numbers(rows)]
