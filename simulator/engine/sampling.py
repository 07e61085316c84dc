"""Discrete sampling by inversion: one uniform number picks one alternative from a table of probabilities."""

from __future__ import annotations

from typing import Final

import numpy as np

from simulator.engine.arrays import Floats, Integers

# The guide should fit into a core's cache; beyond 32 cells for each alternative the search is rare already.
_MAX_CELLS: Final = 2**19
_CELLS_PER_ALTERNATIVE: Final = 32


class Choices:
    """Samples from several discrete distributions over the same alternatives, many draws at a time.

    A guide table (Chen and Asau, "On generating random variates from an empirical distribution", AIIE Transactions 6,
    1974) divides the unit interval into equal cells. For most cells it stores the alternative that every number in the
    cell picks; only the others need a binary search.

    Args:
        tables: Probability of each alternative, one distribution a row; shape (tables, alternatives). What a row lacks
            to 1 is the probability of none of them.

    >>> choices = Choices(np.array([[0.25, 0.75], [0.5, 0.3]]))
    >>> choices.pick(0, np.array([0.1, 0.3]))
    array([0, 1])
    >>> choices.pick_or_none(1, np.array([0.6, 0.9]))
    array([1, 2])
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
        """Pick an alternative, or none, for each uniform number.

        Args:
            table: Row of the table for each draw, shape (n,), or one row for all.
            uniforms: Numbers strictly between 0 and 1; shape (n,).

        Returns:
            Index of the alternative; the number of alternatives stands for none; shape (n,).
        """
        cell = (uniforms * self._cells).astype(np.int64)
        cell += np.asarray(table, dtype=np.int64) * self._cells
        picked: Integers = self._guide.take(cell).astype(np.int64)
        unsure = np.flatnonzero(picked < 0)
        if len(unsure):
            row = table if isinstance(table, int) else table[unsure].astype(np.int64)
            # The shift by two for each table selects the table within the one sorted list.
            picked[unsure] = np.searchsorted(self._steps, uniforms[unsure] + 2.0 * row, side="right") - row * self._n
        return picked

    def pick(self, table: Integers | int, uniforms: Floats) -> Integers:
        """Pick an alternative for each uniform number, from tables whose rows sum to 1.

        Args:
            table: Row of the table for each draw, shape (n,), or one row for all.
            uniforms: Numbers strictly between 0 and 1; shape (n,).

        Returns:
            Index of the alternative; shape (n,).
        """
        # Rounding can leave a row's last sum below 1: a number above it means the last alternative.
        picked: Integers = np.minimum(self.pick_or_none(table, uniforms), self._n - 1)
        return picked


def _guide(steps: Floats, cells: int) -> Integers:
    """Alternative that every number of a cell picks, −1 where they differ; shape (tables × cells,).

    Args:
        steps: Cumulative probabilities of each table, as the search uses them; shape (tables, alternatives).
        cells: Number of cells, a power of two.
    """
    n_tables, n = steps.shape
    # A number at the left end of cell c has passed all steps up to it. One just below its right end rounds up at most
    # to that end, which is the left end of the next cell.
    first = np.ceil(steps * cells).astype(np.int64) + (cells + 1) * np.arange(n_tables)[:, None]
    passed = np.cumsum(np.bincount(first.ravel(), minlength=n_tables * (cells + 1)).reshape(n_tables, -1), axis=1)
    sure = passed[:, :-1] == passed[:, 1:]
    # The smallest integer type that holds −1 and every alternative, for the sake of the cache.
    return np.where(sure, passed[:, :-1], -1).astype(np.min_scalar_type(-n - 1)).ravel()


def probabilities(weights: Floats) -> Floats:
    """Normalise relative weights to probabilities.

    Args:
        weights: Non-negative weights, at least one of each row above 0; shape (…, alternatives).

    Returns:
        Rows that sum to 1; same shape.

    >>> probabilities(np.array([1.0, 3.0]))
    array([0.25, 0.75])
    """
    shares: Floats = weights / weights.sum(axis=-1, keepdims=True)
    return shares
