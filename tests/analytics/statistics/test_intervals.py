"""Claims about the intervals of rates."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, strategies as st
from statsmodels.stats.proportion import proportion_confint

from analytics.statistics.intervals import rate_with_interval, wilson_interval


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_equals_newcombes_published_table(successes: int, n: int, low: float, high: float):
    """The four examples of Newcombe (1998), table I, method 3, come out to the four digits printed."""
    assert np.round(wilson_interval(successes, n), 4).tolist() == [low, high]


@given(n=st.integers(1, 10_000), share=st.floats(0, 1), level=st.floats(0.5, 0.999))
def test_wilson_equals_statsmodels(n: int, share: float, level: float):
    """Any count and level give the interval that statsmodels gives."""
    successes = round(share * n)
    expected = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    np.testing.assert_allclose(wilson_interval(successes, n, level), expected, rtol=1e-9, atol=1e-12)


@given(n=st.integers(1, 500), data=st.data())
def test_wilson_holds_the_rate_and_stays_within_0_and_1(n: int, data: st.DataObject):
    """The observed rate lies within the bounds, and the bounds are probabilities."""
    successes = data.draw(st.integers(0, n))
    low, high = wilson_interval(successes, n)
    assert 0 <= low <= successes / n <= high <= 1


def test_wilson_takes_arrays_and_knows_nothing_of_nothing():
    """Counts broadcast; where the number is 0 the bounds are NaN, without a warning."""
    low, high = wilson_interval(np.array([0, 1, 0]), np.array([10, 10, 0]))
    assert low.shape == high.shape == (3,)
    assert np.isnan([low[2], high[2]]).all()
    assert not np.isnan(low[:2]).any()


@pytest.mark.parametrize(("successes", "n", "level"), [(-1, 5, 0.95), (6, 5, 0.95), (1, 5, 0.0), (1, 5, 1.0)])
def test_wilson_refuses_the_impossible(successes: int, n: int, level: float):
    """Negative counts, more successes than trials and levels outside 0 to 1 are errors."""
    with pytest.raises(ValueError, match="must lie between"):
        wilson_interval(successes, n, level)


def test_rates_of_a_table_come_with_bounds_or_not_at_all():
    """Each row gets its rate and bounds; a row with nobody in it gets nulls."""
    table = pl.DataFrame({"x": [2, 0, None], "n": [8, 0, None]}, schema={"x": pl.UInt32, "n": pl.UInt32})
    rates = table.with_columns(rate_with_interval("x", "n", "rate")).unnest("rates")
    low, high = wilson_interval(2, 8)
    assert rates.row(0) == (2, 8, 0.25, float(low), float(high))
    assert rates.rows()[1:] == [(0, 0, None, None, None), (None, None, None, None, None)]
