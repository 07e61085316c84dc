"""Claims about which rows of a table are usable events."""

import math
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from flat_events import make_events
from hypothesis import HealthCheck, given, settings, strategies as st

from analytics.events.enrichment import enrich
from analytics.events.times import EARLIEST, LATEST
from analytics.io import row_validation as module
from analytics.io.flatten import MAX_ID_LENGTH, Flattened, flatten
from analytics.io.row_validation import usable_events
from analytics.store.event_store import EventStore

MS = timedelta(milliseconds=1)
IDENTIFIERS = st.sampled_from([None, "", "a", "a" * MAX_ID_LENGTH, "a" * (MAX_ID_LENGTH + 1), "ü" * MAX_ID_LENGTH])
TIMES = st.sampled_from([None, EARLIEST - MS, EARLIEST, LATEST, LATEST + MS])
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from([None, "page", "alias", "Page"]),
        **dict.fromkeys(("message_id", "anonymous_id", "user_id", "previous_id"), IDENTIFIERS),
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


def arriving(*times: object) -> Flattened:
    """Events that arrive at these times, written as other tools do, as far as they are usable."""
    rows = [{"type": "page", "message_id": f"m{n}", "anonymous_id": "a", "received_at": t} for n, t in enumerate(times)]
    timestamp = pl.lit("2026-03-03T00:00:00.250Z")
    return usable_events(pl.DataFrame(rows, infer_schema_length=None).with_columns(timestamp=timestamp))


@pytest.mark.parametrize(
    ("times", "bad"),
    [
        (["2026-03-03T00:00:00Z", "yesterday", "2026-03-03 00:00:00", "2026-02-30T00:00:00Z"], [2, 4]),
        (["soon", "later", None], [1, 2]),
        ([1_772_496_000_000.0, math.nan, math.inf, 1e300, None], [3, 4]),
    ],
    ids=["some texts", "no text is a time", "numbers: NaN is a missing value"],
)
def test_a_time_that_cannot_be_read_costs_only_its_row(times: list[object], bad: list[int]):
    """The row becomes a dead letter with its number, its reason and its text; the others are kept."""
    batch = arriving(*times)
    assert batch.frame["message_id"].to_list() == [f"m{n}" for n in range(len(times)) if n + 1 not in bad]
    assert [(letter.position, letter.reason.value) for letter in batch.dead_letters] == [(n, "bad_time") for n in bad]
    for letter in batch.dead_letters:
        if isinstance(time := times[letter.position - 1], str):
            assert f'"receivedAt": "{time}"'.encode() in letter.raw
            assert f"receivedAt is '{time}', not a time" in letter.detail


def test_a_time_in_another_format_than_its_column_is_parsed():
    """Texts of several formats in one column are times, each as in a line of JSON."""
    forms = ["2026-03-03T00:00:00Z", "2026-03-03T01:00:00.000+01:00", "2026-03-03 00:00:00", "20260303T000000Z"]
    batch = arriving(*forms)
    assert batch.dead_letters == ()
    assert batch.frame["received_at"].n_unique() == 1


@pytest.mark.parametrize("column", ["timestamp", "original_timestamp", "received_at"])
@pytest.mark.parametrize("dtype", [pl.Int64, pl.Float64, pl.Int32])
def test_epoch_seconds_are_no_times_in_a_table_either(column: str, dtype: pl.DataType):
    """As in a line of JSON, they are dead letters that say what the numbers look like; milliseconds are read."""
    who = {"type": "page", "message_id": "m", "anonymous_id": "a", "received_at": "2026-03-03T09:00:00Z"}
    batch = usable_events(pl.DataFrame(who).with_columns(pl.lit(1_772_528_400).cast(dtype).alias(column)))
    (letter,) = batch.dead_letters
    assert letter.reason == "bad_time"
    assert "looks like epoch seconds" in letter.detail
    if dtype != pl.Int32:
        read = usable_events(pl.DataFrame(who).with_columns(pl.lit(1_772_528_400_000).cast(dtype).alias(column)))
        assert read.frame[column].to_list() == [datetime(2026, 3, 3, 9, tzinfo=UTC)]


@pytest.mark.parametrize("bad", ["sent_at", "original_timestamp"])
@pytest.mark.parametrize("value", ["invalid", "", 1_772_528_400])
def test_a_time_that_is_not_needed_costs_no_event(bad: str, value: object):
    """Beside a readable timestamp another time that cannot be read is ignored and counted, in tables as in lines."""
    good = {"type": "page", "message_id": "m", "anonymous_id": "a", "timestamp": "2026-03-03T09:00:00Z"}
    key = {"sent_at": "sentAt", "original_timestamp": "originalTimestamp"}[bad]
    line = {"type": "page", "messageId": "m", "anonymousId": "a", "timestamp": "2026-03-03T09:00:00Z", key: value}
    for batch in (usable_events(pl.DataFrame(good | {bad: value})), flatten([line])):
        assert enrich(batch.frame)["event_time"].to_list() == [datetime(2026, 3, 3, 9, tzinfo=UTC)]
        assert (batch.dead_letters, batch.ignored_times) == ((), {key: 1})
        store = EventStore()
        store.append_flattened(batch)
        assert store.ignored_times == {key: 1}
        again = EventStore()
        again.restore(store.snapshot())
        assert again.ignored_times == {key: 1}
