"""Claims about the timeline of each visitor."""

import polars as pl
import pytest
from flat_events import DEMO, make_events
from hypothesis import given, strategies as st

from analytics.events.enrichment import enrich
from analytics.sessions.timeline import as_categorical, stable_order, timeline

SMALL = st.one_of(st.none(), st.integers(0, 3))
# Three codes of this size and a place do not fit into one number of 64 bits.
HUGE = st.one_of(st.none(), st.integers(2**31, 2**31 + 2))


@pytest.mark.parametrize("codes", [SMALL, HUGE])
def test_rows_are_put_in_order_of_all_columns_and_equal_ones_stay_as_they_are(codes: st.SearchStrategy[int | None]):
    """Python's own stable sort gives the same order, missing values first, however large the codes."""

    @given(rows=st.lists(st.tuples(codes, codes, codes), max_size=12))
    def check(rows: list[tuple[int | None, ...]]) -> None:
        columns = [pl.Series([row[column] for row in rows], dtype=pl.UInt32) for column in range(3)]
        keys = [tuple(-1 if code is None else code for code in row) for row in rows]
        assert stable_order(*columns).tolist() == sorted(range(len(rows)), key=keys.__getitem__)

    check()


def test_a_page_is_called_from_the_browser_whatever_name_it_bears():
    """A page view named as a server-side event opens a visit like any other."""
    table = enrich(make_events({"event": "Demo Held"}))
    assert timeline(table, idle_minutes=30).select("server", "page", "visit_so_far", "in_visit").rows() == [
        (False, True, 1, True)
    ]


def test_only_wanted_events_are_kept_and_more_can_be_read_off_them():
    """Filtered events make no visit; facts are in the timeline's order, with their row in the table of events."""
    request = {"at": 0.5, "type": "track", "event": DEMO, "category": "d"}
    table = enrich(make_events({"at": 2, "category": "b"}, {"at": 1, "category": "a"}, {"category": "x"}, request))
    line = timeline(table, pl.col("category"), idle_minutes=30, where=pl.col("category") != "x")
    assert line.select("order", "category", "page", "request", "visit_so_far", "in_visit").rows() == [
        (3, "d", False, True, 0, False), (1, "a", True, False, 1, True), (0, "b", True, False, 2, True),
    ]  # fmt: skip


def test_words_are_numbered_and_vocabularies_left_alone():
    """Texts, numbers and truths become words; a missing value stays missing; an Enum is a vocabulary already."""
    for values in (["b", "a", None, "b"], [2, 1, None, 2], [True, False, None, True]):
        words = as_categorical(pl.Series(values))
        assert words.cast(pl.String).to_list() == pl.Series(values).cast(pl.String).to_list()
        assert words.to_physical().to_list() == [0, 1, None, 0]
    vocabulary = pl.Series(["x"], dtype=pl.Enum(["y", "x"]))
    assert as_categorical(vocabulary) is vocabulary
    word = pl.Series(["x"], dtype=pl.Categorical)
    assert as_categorical(word) is word
