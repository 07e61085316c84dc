"""Claims about choices: the guide table is a short cut to what a search finds, and nothing else."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from simulator.engine.sampling import Choices

Tables = st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=40)


def searched(tables: np.ndarray, table: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
    """What a search in the list of all tables' running sums finds."""
    steps = np.minimum(np.cumsum(tables, axis=1), 1.0) + 2.0 * np.arange(len(tables))[:, None]
    return np.searchsorted(steps.ravel(), uniforms + 2.0 * table, side="right") - table * tables.shape[1]


@given(weights=Tables)
def test_a_choice_is_what_the_search_finds_also_on_the_steps(weights: list[list[float]]):
    """On each step, right below and right above it, and on the cells' borders, guide and search agree exactly."""
    tables = np.array(weights)
    tables /= np.maximum(tables.sum(axis=1, keepdims=True), 1.0)
    steps, borders = np.cumsum(tables, axis=1).ravel(), np.arange(1, 128) / 128
    numbers = np.concatenate((steps, borders))
    numbers = np.concatenate((numbers, np.nextafter(numbers, 0), np.nextafter(numbers, 1)))
    numbers = numbers[(numbers > 0) & (numbers < 1)]
    for row in range(len(tables)):
        table = np.full(len(numbers), row)
        expected = searched(tables, table, numbers)
        np.testing.assert_array_equal(Choices(tables).pick_or_none(table, numbers), expected)


@pytest.mark.parametrize("n_tables", [1, 300, 300_000])
def test_many_tables_and_few_cells_change_nothing(n_tables: int):
    """With so many tables that the guide has few cells, or one, choices are the same."""
    rng = np.random.default_rng(n_tables)
    tables = rng.dirichlet(np.ones(4), n_tables) * 0.8
    table, numbers = rng.integers(0, n_tables, 20_000), rng.random(20_000)
    np.testing.assert_array_equal(Choices(tables).pick_or_none(table, numbers), searched(tables, table, numbers))


def test_a_table_number_may_stand_for_all_and_a_table_may_lack_something_to_one():
    """One table number equals an array of it. Numbers beyond the last step pick nothing, or the last where all must."""
    choices, numbers = Choices(np.array([[0.25, 0.75], [0.5, 0.5]])), np.array([0.1, 0.25, 0.3, 0.6])
    assert choices.pick(0, numbers).tolist() == [0, 1, 1, 1]
    assert choices.pick(1, numbers).tolist() == choices.pick(np.full(4, 1), numbers).tolist() == [0, 0, 0, 1]
    part, beyond = Choices(np.array([[0.25, 0.25]])), np.array([0.4, 0.6])
    assert part.pick_or_none(0, beyond).tolist() == [1, 2]
    assert part.pick(0, beyond).tolist() == [1, 1]
