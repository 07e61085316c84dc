"""Choices by inversion: one uniform number picks one alternative from a table of probabilities."""

from __future__ import annotations

from typing import Final

import numpy as np

from simulator.engine.arrays import Floats, Integers

__all__ = ["Choices", "probabilities"]

# The guide should fit into the cache of a core; beyond some cells for each alternative it gains nothing.
_MAX_CELLS: Final = 2**19
_CELLS_PER_ALTERNATIVE: Final = 32


class Choices:
    """Several tables of probabilities over the same alternatives, from which many may be picked at once.

    A guide table (Chen and Asau, "On generating random variates from an empirical distribution", AIIE Transactions 6,
    1974) cuts the interval from 0 to 1 into equal cells and knows for most of them which alternative any number in the
    cell picks. The others are searched for.

    Args:
        tables: Probability of each alternative, one row a table; shape (tables, alternatives). What a row lacks to 1 is
            the probability of none of them.
    """

    def __init__(self, tables: Floats) -> None:
        n_tables, self._n = tables.shape
        cumulative = np.minimum(np.cumsum(tables, axis=1), 1.0)
        # One sorted list for all tables: row i, shifted by 2 i, lies within [2 i, 2 i + 1].
        shifts = 2.0 * np.arange(n_tables)[:, None]
        self._steps = (cumulative + shifts).ravel()
        wanted = min(_CELLS_PER_ALTERNATIVE * self._n, _MAX_CELLS // max(n_tables, 1))
        # A power of two, so that a number's cell is found without rounding.
        self._cells = 2 ** max(wanted.bit_length() - 1, 0)
        self._guide = _guide(self._steps.reshape(n_tables, -1) - shifts, self._cells)

    def pick_or_none(self, table: Integers | int, uniforms: Floats) -> Integers:
        """Number of the alternative that each uniform number picks, the number of alternatives for none; shape (n,).

        Args:
            table: Row of the table from which each is picked, or of all; shape (n,).
            uniforms: Numbers strictly between 0 and 1; shape (n,).
        """
        cell = (uniforms * self._cells).astype(np.int64)
        cell += np.asarray(table, dtype=np.int64) * self._cells
        picked: Integers = self._guide.take(cell).astype(np.int64)
        unsure = np.flatnonzero(picked < 0)
        if len(unsure):
            row = table if isinstance(table, int) else table[unsure].astype(np.int64)
            picked[unsure] = np.searchsorted(self._steps, uniforms[unsure] + 2.0 * row, side="right") - row * self._n
        return picked

    def pick(self, table: Integers | int, uniforms: Floats) -> Integers:
        """The same from tables whose rows sum to 1, so that there is no none."""
        # Rounding can leave a row's last sum below 1: a number above it means the last alternative.
        picked: Integers = np.minimum(self.pick_or_none(table, uniforms), self._n - 1)
        return picked


def _guide(steps: Floats, cells: int) -> Integers:
    """Alternative that every number of a cell picks, −1 where they differ; shape (tables × cells,).

    Args:
        steps: Running sums of each table's probabilities, as they are searched; shape (tables, alternatives).
        cells: Number of cells, a power of two.
    """
    n_tables, n = steps.shape
    # A number at the left end of cell c has passed all steps up to it; one just below its right end rounds up at most
    # to that end, the left end of the next cell.
    first = np.ceil(steps * cells).astype(np.int64) + (cells + 1) * np.arange(n_tables)[:, None]
    passed = np.cumsum(np.bincount(first.ravel(), minlength=n_tables * (cells + 1)).reshape(n_tables, -1), axis=1)
    sure = passed[:, :-1] == passed[:, 1:]
    return np.where(sure, passed[:, :-1], -1).astype(np.min_scalar_type(-n - 1)).ravel()


def probabilities(weights: Floats) -> Floats:
    """Turn relative weights, at least one of each row above 0, into probabilities; shape (…, alternatives)."""
    shares: Floats = weights / weights.sum(axis=-1, keepdims=True)
    return shares
