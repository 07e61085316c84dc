"""Names for the array types of the simulator, and what ragged arrays need."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Bools", "Floats", "Integers", "Words", "first_rows", "part_of_each"]

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
