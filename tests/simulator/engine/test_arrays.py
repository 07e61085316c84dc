"""Claims about look-ups and identifiers."""

import numpy as np
import polars as pl
import pytest

from simulator.engine.arrays import lookup
from simulator.visitors.cohort import hexadecimal


@pytest.mark.parametrize("dtype", [pl.String(), pl.Categorical()])
def test_a_look_up_gathers(dtype: pl.DataType):
    """It equals Polars' gather: any rows, repeated ones and nulls included."""
    table = pl.Series(["a", "b", None], dtype=dtype)
    for rows in (np.array([2, 0, 0, 1]), np.array([1], dtype=np.int16), np.array([], dtype=np.int64)):
        assert lookup(table, rows).equals(table.gather(rows.astype(np.int64)), null_equal=True)
        assert lookup(table, rows).dtype == dtype


def test_random_words_become_hexadecimal_digits():
    """Each word has sixteen digits, as Python formats it; also for no rows."""
    words = np.array([[0, 2**64 - 1], [0x0123456789ABCDEF, 10]], dtype=np.uint64)
    assert hexadecimal(words).to_list() == [f"{one:016x}{two:016x}" for one, two in words.tolist()]
    assert hexadecimal(words[:, :1]).to_list() == [f"{one:016x}" for one, _ in words.tolist()]
    assert hexadecimal(words[:0]).to_list() == []
