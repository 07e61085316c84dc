"""Which rows of a table are of use."""

import math
from collections.abc import Callable
from datetime import datetime, timedelta

import polars as pl
from hypothesis import HealthCheck, given, settings, strategies as st

from analytics.events.times import EARLIEST, LATEST
from analytics.io import row_validation as module
from analytics.io.flatten import MAX_ID_LENGTH
from analytics.io.row_validation import usable_events

Maker = Callable[..., pl.DataFrame]
MS = timedelta(milliseconds=1)
IDENTIFIERS = st.sampled_from([None, "", "a", "a" * MAX_ID_LENGTH, "a" * (MAX_ID_LENGTH + 1), "ü" * MAX_ID_LENGTH])
TIMES = st.sampled_from([None, EARLIEST - MS, EARLIEST, LATEST, LATEST + MS])
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from([None, "page", "alias", "Page"]),
        **dict.fromkeys(("message_id", "anonymous_id", "user_id"), IDENTIFIERS),
        **dict.fromkeys(("received_at", "sent_at"), TIMES),
    },
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=3))
def test_the_quick_look_takes_no_row_for_fine_that_is_not(make_events: Maker, rows: list[dict[str, str | datetime]]):
    """Where the extremes of the columns say that all rows are fine, a look at every row says so too."""
    frame = make_events(*rows)
    if module._all_complete(frame):
        assert frame.select(module._COMPLETE).to_series().all()


def test_the_quick_look_is_enough_for_usual_events(make_events: Maker):
    """Events as they should be are taken as they are, also where the texts of one column are all missing."""
    frame = make_events({}, {"type": "track", "message_id": "m" * MAX_ID_LENGTH})
    assert module._all_complete(frame)
    assert usable_events(frame).frame is frame


TEXT_TIMES = {"received_at": "2026-03-03T00:00:00Z", "timestamp": "2026-03-03T00:00:00.250Z"}


def table_of(*cells: dict[str, object]) -> pl.DataFrame:
    """A table whose times are texts, as other tools write them."""
    rows = [
        {"type": "page", "message_id": f"m{n}", "anonymous_id": "a"} | TEXT_TIMES | row for n, row in enumerate(cells)
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def test_a_time_that_cannot_be_read_costs_its_row_only():
    """The row becomes a dead letter with its number, its reason and what stood there; the others are kept."""
    sorted_out = usable_events(table_of({}, {"timestamp": "yesterday"}, {}, {"received_at": "2026-02-30T00:00:00Z"}))
    assert sorted_out.frame["message_id"].to_list() == ["m0", "m2"]
    assert [(letter.position, letter.reason.value) for letter in sorted_out.dead_letters] == [
        (2, "bad_time"),
        (4, "bad_time"),
    ]
    assert b'"timestamp": "yesterday"' in sorted_out.dead_letters[0].raw
    assert "receivedAt is '2026-02-30T00:00:00Z', not a time" in sorted_out.dead_letters[1].detail


def test_a_column_of_nothing_but_nonsense_costs_its_rows_only():
    """Where Polars finds no form for a column at all, its rows are dead letters, too."""
    sorted_out = usable_events(table_of({"received_at": "soon"}, {"received_at": "later"}, {"received_at": None}))
    assert sorted_out.frame["message_id"].to_list() == ["m2"]
    assert [letter.position for letter in sorted_out.dead_letters] == [1, 2]


def test_a_time_in_another_form_than_its_column_is_read_all_the_same():
    """Texts of several forms in one column are times, each as a line of JSON would have it."""
    forms = ["2026-03-03T00:00:00Z", "2026-03-03T01:00:00.000+01:00", "2026-03-03 00:00:00", "20260303T000000Z"]
    sorted_out = usable_events(table_of(*({"received_at": form} for form in forms)))
    assert sorted_out.dead_letters == ()
    assert sorted_out.frame["received_at"].n_unique() == 1


def test_numbers_that_are_no_times_cost_their_rows_only():
    """Among epoch milliseconds NaN is an empty cell, and a number beyond all calendars a dead letter."""
    ms = 1_772_496_000_000.0
    cells = [ms, math.nan, math.inf, 1e300, None]
    sorted_out = usable_events(table_of(*({"received_at": cell} for cell in cells)))
    assert sorted_out.frame["message_id"].to_list() == ["m0", "m1", "m4"]
    assert [letter.position for letter in sorted_out.dead_letters] == [3, 4]
