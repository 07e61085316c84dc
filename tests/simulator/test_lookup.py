"""Claims about look-ups."""

import numpy as np
import polars as pl
import pytest

from simulator.lookup import looked_up


@pytest.mark.parametrize("dtype", [pl.String(), pl.Categorical()])
def test_a_look_up_gathers(dtype: pl.DataType):
    """It gives what Polars' own way gives: any rows, as often as one likes, nulls too."""
    table = pl.Series(["a", "b", None], dtype=dtype)
    for rows in (np.array([2, 0, 0, 1]), np.array([1], dtype=np.int16), np.array([], dtype=np.int64)):
        assert looked_up(table, rows).equals(table.gather(rows.astype(np.int64)), null_equal=True)
        assert looked_up(table, rows).dtype == dtype
