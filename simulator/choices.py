"""Choices by inversion: one uniform number picks one alternative from a table of probabilities."""

from __future__ import annotations

import numpy as np

from simulator.arrays import Floats, Integers

__all__ = ["Choices", "probabilities"]


class Choices:
    """Several tables of probabilities over the same alternatives, from which many may be picked at once.

    Args:
        tables: Probability of each alternative, one row a table; shape (tables, alternatives). What a row lacks to 1 is
            the probability of none of them.
    """

    def __init__(self, tables: Floats) -> None:
        n_tables, self._n = tables.shape
        cumulative = np.minimum(np.cumsum(tables, axis=1), 1.0)
        # One sorted list for all tables: row i, shifted by 2 i, lies within [2 i, 2 i + 1].
        self._steps = (cumulative + 2.0 * np.arange(n_tables)[:, None]).ravel()

    def pick_or_none(self, table: Integers, uniforms: Floats) -> Integers:
        """Number of the alternative that each uniform number picks, the number of alternatives for none; shape (n,).

        Args:
            table: Row of the table from which each is picked; shape (n,).
            uniforms: Numbers strictly between 0 and 1; shape (n,).
        """
        picked: Integers = np.searchsorted(self._steps, uniforms + 2.0 * table, side="right") - table * self._n
        return picked

    def pick(self, table: Integers, uniforms: Floats) -> Integers:
        """The same from tables whose rows sum to 1, so that there is no none."""
        # Rounding can leave a row's last sum below 1: a number above it means the last alternative.
        picked: Integers = np.minimum(self.pick_or_none(table, uniforms), self._n - 1)
        return picked


def probabilities(weights: Floats) -> Floats:
    """Turn relative weights, at least one of each row above 0, into probabilities; shape (…, alternatives)."""
    shares: Floats = weights / weights.sum(axis=-1, keepdims=True)
    return shares
