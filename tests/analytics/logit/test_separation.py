"""Claims about the linear programme that finds separated signals."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings, strategies as st

from analytics.logit.separation import find_separation


def test_the_endometrial_example_is_separated_by_neovasculization_alone():
    """As R's detectseparation says of these data: NV runs to +∞, the other estimates are finite."""
    table = pl.read_csv(Path(__file__).parents[1] / "data" / "endometrial.csv", comment_prefix="#")
    matrix = table.select(pl.lit(1.0), "NV", "PI", "EH").to_numpy()
    found = find_separation(matrix, np.ones(79), table["HG"].cast(pl.Float64).to_numpy())
    assert found.direction.tolist() == [0, 1, 0, 0]


def test_complete_separation_is_found():
    """Agresti's six points in two groups: the slope runs to −∞; one visit on the wrong side makes all finite."""
    matrix = np.column_stack([np.ones(6), np.arange(1, 7)])
    found = find_separation(matrix, np.ones(6), np.array([1.0, 1, 1, 0, 0, 0]))
    assert found.found
    assert found.direction[1] == -1
    assert not find_separation(matrix, np.ones(6), np.array([1.0, 1, 0, 1, 0, 0])).found


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=2))
@settings(max_examples=100, deadline=None)
def test_of_one_signal_it_finds_empty_cells_and_nothing_else(cells: list[tuple[int, int]]):
    """In a two-by-two table an estimate is infinite exactly where a cell is empty."""
    n, y = np.array([sum(cell) for cell in cells], dtype=float), np.array([cell[0] for cell in cells], dtype=float)
    if 0 in n:
        return
    found = find_separation(np.array([[1.0, 1.0], [1.0, 0.0]]), n, y)
    assert found.found == any(0 in cell for cell in cells)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e6])
def test_the_unit_of_a_signal_does_not_matter(scale: float):
    """Minutes or milliseconds: the same signal is separated."""
    rng = np.random.default_rng(3)
    matrix = np.column_stack([np.ones(200), rng.random(200) < 0.3, rng.exponential(5, 200)])
    outcome = (rng.random(200) < 0.3).astype(float)
    outcome[matrix[:, 1] == 1] = 0
    assert find_separation(matrix * [1, 1, scale], np.ones(200), outcome).direction.tolist() == [0, -1, 0]
