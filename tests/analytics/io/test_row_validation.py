"""Claims about which rows of a table are usable events."""

import math
from datetime import datetime, timedelta

import polars as pl
from flat_events import make_events
from hypothesis import HealthCheck, given, settings, strategies as st

from analytics.events.times import EARLIEST, LATEST
from analytics.io import row_validation as module
from analytics.io.flatten import MAX_ID_LENGTH
from analytics.io.row_validation import usable_events

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
def test_the_quick_check_accepts_no_incomplete_row(rows: list[dict[str, str | datetime]]):
    """Where the extremes of the columns show that all rows are complete, a check of every row does so too."""
    frame = make_events(*rows)
    if module._all_complete(frame):
        assert frame.select(module._COMPLETE).to_series().all()


def test_the_quick_check_accepts_usual_events():
    """Complete events are returned as they are, also where one column has no values."""
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


def test_a_time_that_cannot_be_parsed_costs_only_its_row():
    """The row becomes a dead letter with its number, its reason and its text; the others are kept."""
    batch = usable_events(table_of({}, {"timestamp": "yesterday"}, {}, {"received_at": "2026-02-30T00:00:00Z"}))
    assert batch.frame["message_id"].to_list() == ["m0", "m2"]
    assert [(letter.position, letter.reason.value) for letter in batch.dead_letters] == [
        (2, "bad_time"),
        (4, "bad_time"),
    ]
    assert b'"timestamp": "yesterday"' in batch.dead_letters[0].raw
    assert "receivedAt is '2026-02-30T00:00:00Z', not a time" in batch.dead_letters[1].detail


def test_a_column_without_any_time_costs_only_its_rows():
    """Where Polars finds no format for a column at all, its rows are dead letters too."""
    batch = usable_events(table_of({"received_at": "soon"}, {"received_at": "later"}, {"received_at": None}))
    assert batch.frame["message_id"].to_list() == ["m2"]
    assert [letter.position for letter in batch.dead_letters] == [1, 2]


def test_a_time_in_another_format_than_its_column_is_parsed():
    """Texts of several formats in one column are times, each as in a line of JSON."""
    forms = ["2026-03-03T00:00:00Z", "2026-03-03T01:00:00.000+01:00", "2026-03-03 00:00:00", "20260303T000000Z"]
    batch = usable_events(table_of(*({"received_at": form} for form in forms)))
    assert batch.dead_letters == ()
    assert batch.frame["received_at"].n_unique() == 1


def test_numbers_that_are_no_times_cost_only_their_rows():
    """Among epoch milliseconds NaN is a missing value, and a number outside the calendar a dead letter."""
    ms = 1_772_496_000_000.0
    cells = [ms, math.nan, math.inf, 1e300, None]
    batch = usable_events(table_of(*({"received_at": cell} for cell in cells)))
    assert batch.frame["message_id"].to_list() == ["m0", "m1", "m4"]
    assert [letter.position for letter in batch.dead_letters] == [3, 4]
