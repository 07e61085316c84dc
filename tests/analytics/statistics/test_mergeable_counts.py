"""Claims about counts that add up."""

from typing import Final

import polars as pl
import pytest
from hypothesis import given, settings, strategies as st

from analytics.errors import AnalyticsError
from analytics.statistics.mergeable_counts import MergeableCounts

SCHEMA: Final = {"hour": pl.Int64(), "country": pl.String(), "page_views": pl.UInt32(), "visits": pl.UInt32()}
KEYS: Final = ["hour", "country"]
ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["DE", "US", None]), st.integers(0, 9), st.integers(0, 9)), max_size=8
)


def table_of(rows: list[tuple[int, str | None, int, int]]):
    """Rows to be counted, several of the same keys among them."""
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def counts_of(rows: list[tuple[int, str | None, int, int]]):
    """These rows, counted by hour and country."""
    return MergeableCounts(table_of(rows), KEYS)


@settings(max_examples=40)
@given(a=ROWS, b=ROWS, c=ROWS)
def test_adding_is_associative_and_commutative_and_nothing_changes_nothing(a: list, b: list, c: list):
    """Whatever the order in which parts are put together, the sum is that of all their rows at once."""
    one, two, three = counts_of(a), counts_of(b), counts_of(c)
    assert (one + two) + three == one + (two + three) == counts_of([*a, *b, *c])
    assert one + two == two + one == MergeableCounts.sum([two, one])
    assert one + counts_of([]) == one


@given(rows=ROWS)
def test_equal_keys_are_one_row_and_a_missing_key_is_a_key(rows: list):
    """Each combination of keys stands once, with the sums that a loop finds."""
    sums: dict[tuple[int, str | None], tuple[int, int]] = {}
    for hour, country, views, visits in rows:
        before = sums.get((hour, country), (0, 0))
        sums[hour, country] = before[0] + views, before[1] + visits
    assert {row[:2]: row[2:] for row in counts_of(rows).table.rows()} == sums
    assert counts_of(rows).table.height == len(sums)


@given(rows=ROWS)
def test_without_keys_there_is_one_row(rows: list):
    """The whole is counted in a single row, of zeros where nothing was."""
    whole = MergeableCounts(table_of(rows).drop(KEYS), [])
    assert whole.table.rows() == [(sum(row[2] for row in rows), sum(row[3] for row in rows))]
    assert (whole + whole).table.rows() == [(2 * whole.table.row(0)[0], 2 * whole.table.row(0)[1])]


def test_different_measures_do_not_add_up():
    """Page views by hour and visits by hour are refused, and so are other keys."""
    views = MergeableCounts(table_of([]).select("hour", "page_views"), ["hour"])
    for other in (table_of([]).select("hour", "visits"), table_of([]).select("country", "page_views")):
        with pytest.raises(AnalyticsError, match="have different columns"):
            _ = views + MergeableCounts(other, other.columns[:1])


def test_counts_differ_where_a_number_or_a_key_does():
    """Equality looks at keys and numbers, not at the order of rows."""
    one = [(0, "DE", 1, 1), (1, "US", 2, 1)]
    assert counts_of(one) == counts_of(one[::-1])
    assert counts_of(one) != counts_of([(0, "DE", 1, 1), (1, "US", 2, 2)])
    assert counts_of(one) != MergeableCounts(table_of(one).drop("country"), ["hour"])
    assert hash(counts_of(one)) == hash(counts_of(one[::-1]))
