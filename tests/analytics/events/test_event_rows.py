"""Claims about events that are known by their keys: whatever is done to them, the table is that of whole events."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import polars as pl
import pytest
from hypothesis import given, strategies as st
from polars.testing import assert_frame_equal

from analytics.events.event_rows import KEYS, OTHERS, DimensionTable, EventRows, Star
from analytics.events.tracking_plan import EVENT_SCHEMA

N_EVENTS = 5


def numbers(rows: list[int]) -> np.typing.NDArray[np.uint32]:
    """Numbers of rows."""
    return np.array(rows, dtype=np.uint32)


def rows_of(first: int) -> EventRows:
    """Five events of two visits of one browser each, on two pages; one has an address."""
    pages = pl.DataFrame({"name": ["Home", "Prices", None], "category": ["home", "pricing", None]})
    devices = pl.DataFrame({"context_device_type": ["desktop", "mobile"]})
    browsers = pl.DataFrame({"anonymous_id": [f"browser-{first}", f"browser-{first + 1}"]})
    visits = Star(lambda: [DimensionTable(devices, numbers([1, 0])), DimensionTable(browsers, numbers([0, 1]))])
    mails = pl.DataFrame({"email": ["a@b.example", None]})
    star = Star(
        lambda: [
            DimensionTable(visits, numbers([0, 0, 1, 1, 0])),
            DimensionTable(pages, numbers([0, 1, 0, 2, 1])),
            DimensionTable(mails, numbers([1, 1, 1, 0, 1])),
        ]
    )
    keys = EVENT_SCHEMA.to_frame().clear(N_EVENTS).select(KEYS)
    keys = keys.with_columns(message_id=pl.Series([f"m{first + number}" for number in range(N_EVENTS)]))
    return EventRows(keys, [(star, numbers([*range(N_EVENTS)]))])


def test_a_row_of_a_table_stands_for_all_its_events():
    """Columns of a table, and of a table behind a table, are repeated by event; those of no table are null."""
    frame = rows_of(0).frame()
    assert frame.schema == EVENT_SCHEMA
    assert frame["name"].to_list() == ["Home", "Prices", "Home", None, "Prices"]
    assert frame["context_device_type"].to_list() == ["mobile", "mobile", "desktop", "desktop", "mobile"]
    assert frame["anonymous_id"].to_list() == ["browser-0", "browser-0", "browser-1", "browser-1", "browser-0"]
    assert frame["email"].to_list() == [None, None, None, "a@b.example", None]
    assert frame["message_id"].to_list() == ["m0", "m1", "m2", "m3", "m4"]
    assert frame["context_ip"].null_count() == N_EVENTS


def test_nothing_is_made_before_somebody_asks():
    """Joining, cutting and filtering make no table; asking twice makes it once."""
    made = []

    def make() -> pl.DataFrame:
        made.append(1)
        return pl.DataFrame({"name": ["Home", "Prices"]})

    keys = EVENT_SCHEMA.to_frame().clear(2).select(KEYS)
    rows = EventRows(keys, [(Star.of(make), numbers([0, 1]))])
    both = EventRows.concat([rows.cut(1, 1), rows.filter(np.array([True, False]))])
    assert (len(both), made) == (2, [])
    assert both.frame()["name"].to_list() == ["Prices", "Home"]
    assert both.frame() is both.frame()
    assert rows.columns(["name", "type"]).columns == ["name", "type"]
    assert made == [1]


@given(st.lists(st.tuples(st.sampled_from(["cut", "filter", "whole", "join"]), st.integers(0, 2**30)), max_size=6))
def test_what_is_done_to_rows_is_done_to_the_table(steps: list[tuple[str, int]]):
    """Any sequence of cuts, filters and joins, with events by keys and with whole ones, gives the same as on tables."""
    rows = rows_of(0)
    frame = rows_of(0).frame()
    for number, (step, how) in enumerate(steps, 1):
        other = rows_of(10 * number)
        if step == "cut":
            begin = how % (frame.height + 1)
            n = (how >> 8) % (frame.height + 1 - begin)
            rows, frame = rows.cut(begin, n), frame.slice(begin, n)
        elif step == "filter":
            wanted = np.array([how >> place & 1 for place in range(frame.height)], dtype=np.bool_)
            rows, frame = rows.filter(wanted), frame.filter(wanted)
        else:
            more = EventRows(other.frame()) if step == "whole" else other
            rows, frame = EventRows.concat([rows, more]), pl.concat([frame, other.frame()])
    assert len(rows) == frame.height
    assert_frame_equal(
        rows.columns(["email", "type", "context_device_type"]), frame.select("email", "type", "context_device_type")
    )
    assert_frame_equal(rows.frame(), frame)


def test_a_star_that_was_cut_is_whole_again_when_joined():
    """Neighbouring parts of one star become one part, so that its tables are read once."""
    rows = rows_of(0)
    again = EventRows.concat([rows.cut(0, 2), rows.cut(2, 3), rows_of(1)])
    assert [events.tolist() for _, events in again.parts] == [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]


def test_several_tables_are_made_at_once(monkeypatch: pytest.MonkeyPatch):
    """Each is what it would be alone, also one without events and one that is whole; a star is gathered from once."""
    rows = EventRows.concat([rows_of(0), rows_of(7)])
    nothing = rows.filter(np.zeros(len(rows), np.bool_))
    several = [rows.cut(0, 2), nothing, rows.cut(2, 6), EventRows(rows_of(9).frame())]
    assert [len(each.parts) for each in several] == [1, 1, 2, 0]
    expected = [EventRows(each.keys, each.parts).frame() for each in several]
    gathered, columns = [], Star.columns

    def counted(star: Star, names: list[str], events: np.typing.NDArray[np.uint32]) -> pl.DataFrame:
        gathered.append(len(events))
        return columns(star, names, events)

    monkeypatch.setattr(Star, "columns", counted)
    EventRows.make_whole(several)
    assert gathered == [5, 3]
    for each, frame in zip(several, expected, strict=True):
        assert_frame_equal(each.frame(), frame)


def test_further_columns_stay_with_the_keys():
    """A column that is none of the tracking plan's comes last in the table."""
    rows = rows_of(0)
    timed = rows.with_keys(rows.keys.with_columns(event_time=pl.lit(1)))
    assert timed.frame().columns == [*EVENT_SCHEMA, "event_time"]
    assert timed.frame().select(OTHERS).equals(rows.frame().select(OTHERS))


def test_a_copy_holds_the_table_alone():
    """Copied and pickled events are whole: a star may hold on to a whole simulation."""
    pickled = pickle.loads(pickle.dumps(rows_of(0)))  # noqa: S301 - pickled here
    for again in (copy.deepcopy(rows_of(0)), pickled):
        assert list(again.parts) == []
        assert_frame_equal(again.frame(), rows_of(0).frame())


def test_fetched_rows_outlast_their_source():
    """What a star is made from may be gone once its tables were fetched."""
    source = [pl.DataFrame({"name": ["Home"]})]
    rows = EventRows(EVENT_SCHEMA.to_frame().clear(1).select(KEYS), [(Star.of(source.pop), numbers([0]))])
    rows.fetch()
    assert source == []
    assert rows.frame()["name"].to_list() == ["Home"]
