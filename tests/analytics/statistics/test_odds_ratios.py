"""Claims about the test whether odds ratios are one and the same."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from statsmodels.stats.contingency_tables import StratifiedTable

from analytics.statistics.odds_ratios import Homogeneity, homogeneity_of_odds_ratios

Table = tuple[int, int, int, int]
"""Seen and asked, seen and not, not seen and asked, neither."""


def result_of(*tables: Table) -> Homogeneity:
    """The test of these tables, one for each segment."""
    a, b, c, d = np.array(tables, dtype=float).T
    return homogeneity_of_odds_ratios(a + b, a, c + d, c)


def test_opposite_tables_have_a_closed_form():
    """With (a b / b a) and (b a / a b) the common odds ratio is 1, so all is expected alike, n/4 in every cell.

    Then each deviation is (a − b) / 2, each variance n / 16, Tarone's correction 0: χ² = 8 (a − b)² / n.
    """
    found = result_of((30, 10, 10, 30), (10, 30, 30, 10))
    assert found.common_odds_ratio == pytest.approx(1)
    assert found.smallest_expected == pytest.approx(20)
    assert found.statistic == pytest.approx(8 * 20**2 / 80)
    # With one degree of freedom a χ² is the square of a normal number.
    assert found.p_value == pytest.approx(math.erfc(math.sqrt(40 / 2)))


TABLES = st.lists(st.tuples(*[st.integers(1, 300)] * 4), min_size=2, max_size=6)


@settings(max_examples=60, deadline=None)
@given(tables=TABLES)
def test_the_test_is_that_of_statsmodels(tables: list[Table]):
    """Statistic, p-value and common odds ratio equal those of an independent implementation."""
    reference = StratifiedTable([np.array(table, dtype=float).reshape(2, 2) for table in tables])
    found = result_of(*tables)
    assert found.common_odds_ratio == pytest.approx(reference.oddsratio_pooled)
    assert found.degrees_of_freedom == len(tables) - 1
    # Where the ratio is 1 but for rounding, theirs divides by its difference to 1.
    if abs(reference.oddsratio_pooled - 1) > 1e-4:
        theirs = reference.test_equal_odds(adjust=True)
        assert found.statistic == pytest.approx(theirs.statistic, rel=1e-6, abs=1e-6)
        assert found.p_value == pytest.approx(theirs.pvalue, rel=1e-5, abs=1e-8)


def test_under_homogeneity_it_rejects_as_often_as_it_says():
    """Of 2,000 draws with one odds ratio in three segments, 5 % are rejected, within 4 standard errors."""
    rng = np.random.default_rng(5)
    n_draws, n = 2000, np.array([400, 300, 500])
    p_unseen = np.array([0.2, 0.3, 0.25])
    p_seen = 1 / (1 + (1 - p_unseen) / p_unseen / 2)  # an odds ratio of 2
    draws = zip(rng.binomial(n, p_seen, (n_draws, 3)), rng.binomial(n, p_unseen, (n_draws, 3)), strict=True)
    p_values = [homogeneity_of_odds_ratios(n, a, n, c).p_value for a, c in draws]
    rejected = np.mean([p is not None and p < 0.05 for p in p_values])
    assert abs(rejected - 0.05) < 4 * math.sqrt(0.05 * 0.95 / n_draws)


def test_a_segment_without_information_is_dropped():
    """Where nobody asked, everybody has seen it, or there is nobody, the test is that of the other segments."""
    informative: list[Table] = [(20, 10, 10, 10), (30, 60, 5, 80)]
    assert result_of(*informative, (0, 5, 0, 9), (4, 9, 0, 0), (0, 0, 0, 0)) == result_of(*informative)


@pytest.mark.parametrize(
    ("tables", "note"),
    [
        ([(20, 10, 10, 10)], "only 1 of the segments inform about the odds ratio; two are needed"),
        ([(0, 5, 0, 9), (0, 0, 0, 0)], "only 0 of the segments"),
        ([(0, 10, 10, 10), (0, 7, 3, 80)], "nobody who saw it converted"),
    ],
)
def test_what_cannot_be_tested_has_no_number_but_a_note(tables: list[Table], note: str):
    """Neither a statistic nor a p-value is made up."""
    found = result_of(*tables)
    assert (found.statistic, found.p_value) == (None, None)
    assert note in str(found.note)


def test_small_numbers_are_noted():
    """A p-value that rests on fewer than 5 expected says so; one on more does not."""
    assert "approximate" in str(result_of((2, 10, 1, 10), (3, 9, 2, 11)).note)
    assert result_of((20, 10, 10, 10), (30, 60, 20, 80)).note is None
