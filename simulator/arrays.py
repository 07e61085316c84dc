"""Names for the array types of the simulator, and sums over ragged arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Bools", "Floats", "Integers", "Words", "first_rows", "running_totals"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]


def first_rows(lengths: Integers) -> Integers:
    """Row at which each part of a ragged array begins, given the parts' lengths."""
    starts = np.zeros(len(lengths), dtype=np.int64)
    np.cumsum(lengths[:-1], out=starts[1:])
    return starts


def running_totals(values: Integers, starts: Integers, lengths: Integers) -> Integers:
    """Sum of the earlier values of the same part, for each value of a ragged array (0 for the first of a part).

    Args:
        values: The ragged array, flat; shape (n,).
        starts: First row of each part; shape (parts,).
        lengths: Number of values in each part; shape (parts,).
    """
    if len(values) == 0:
        return values.copy()
    before = np.cumsum(values) - values
    return before - np.repeat(before[np.minimum(starts, len(values) - 1)], lengths)
