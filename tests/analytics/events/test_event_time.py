"""When an event happened: which of its four times tells it, and in which spellings."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from flat_events import make_events
from hypothesis import given, strategies as st

from analytics.events.enrichment import enrich
from analytics.events.event_time import event_times
from analytics.events.time_values import read_ms, read_times
from analytics.events.times import epoch_ms
from analytics.events.tracking_plan import UTC_MS
from analytics.io.batch_decoding import flatten_lines
from analytics.io.flatten import flatten
from analytics.io.row_validation import usable_events
from analytics.store.event_store import EventStore

DAY = "2026-03-03T{}:00.000Z"
KEYS = {
    "original_timestamp": "originalTimestamp",
    "sent_at": "sentAt",
    "received_at": "receivedAt",
    "timestamp": "timestamp",
}
WHO = {"type": "page", "message_id": "m", "anonymous_id": "a"}
CASES = [
    # A library's own payload: what it calls `timestamp` is the original time.
    ({"timestamp": "09:50", "sent_at": "10:00", "received_at": "12:00"}, "11:50"),
    ({"timestamp": "12:50", "sent_at": "13:00", "received_at": "12:00"}, "11:50"),
    ({"timestamp": "09:50", "sent_at": "10:00"}, "09:50"),
    # A warehouse row: its `timestamp` was corrected already, here for a queue on the device that `sentAt` hides.
    ({"original_timestamp": "08:50", "sent_at": "12:00", "received_at": "12:00", "timestamp": "11:50"}, "11:50"),
    ({"original_timestamp": "08:50", "timestamp": "11:50", "received_at": "12:00"}, "11:50"),
    # A collector that has copied the time without correcting it.
    ({"original_timestamp": "08:50", "sent_at": "09:00", "received_at": "12:00", "timestamp": "08:50"}, "11:50"),
    ({"original_timestamp": "08:50", "sent_at": "09:00", "received_at": "12:00"}, "11:50"),
    # Without the sending the clock cannot be corrected.
    ({"original_timestamp": "09:00", "received_at": "12:00"}, "09:00"),
    ({"timestamp": "09:00", "received_at": "12:00"}, "09:00"),
    ({"original_timestamp": "09:00"}, "09:00"),
    ({"sent_at": "09:00", "received_at": "12:00"}, "12:00"),
]


@pytest.mark.parametrize(("times", "right"), CASES)
def test_one_rule_for_lines_of_both_paths_tables_and_streams(times: dict[str, str], right: str):
    """Each combination of times gives the same event time, however the event comes."""
    written = {name: DAY.format(time) for name, time in times.items()}
    line = {"type": "page", "messageId": "m", "anonymousId": "a"} | {KEYS[name]: time for name, time in written.items()}
    raw = json.dumps(line, separators=(",", ":")).encode()
    frames = [
        flatten([line]).frame,
        flatten_lines([(1, raw), (2, raw)], enough=1).frame.head(1),
        usable_events(pl.DataFrame(WHO | written)).frame,
        usable_events(
            pl.DataFrame(WHO | written).with_columns(pl.col(list(written)).str.to_datetime(time_zone="UTC"))
        ).frame,
    ]
    for frame in frames:
        assert event_times(frame).to_list() == [datetime.fromisoformat(DAY.format(right))]
        assert enrich(frame)["event_time"].equals(event_times(frame))


def test_a_live_payload_is_corrected_by_its_arrival():
    """Without receivedAt, the moment at which a stream delivers the payload is the arrival."""
    line = {"type": "page", "messageId": "m", "anonymousId": "a"}
    for timestamp, sent in (("09:50", "10:00"), ("15:50", "16:00")):
        store = EventStore()
        raw = json.dumps(line | {"timestamp": DAY.format(timestamp), "sentAt": DAY.format(sent)}).encode()
        store.append_json(raw, arrived_at=datetime(2026, 3, 3, 12, tzinfo=UTC))
        assert store.stream_time == datetime(2026, 3, 3, 11, 50, tzinfo=UTC)
        assert store.n_future == 0


def test_a_clock_that_is_wrong_by_years_is_corrected():
    """It is wrong at both times alike: only the delay between them counts."""
    noon = datetime(2026, 3, 3, 12, tzinfo=UTC)
    for year in (1970, 2090):
        wrong = datetime(year, 1, 1, tzinfo=UTC)
        times = {"original_timestamp": wrong, "sent_at": wrong + timedelta(seconds=5), "received_at": noon}
        event = make_events(times | {"timestamp": None})
        assert event_times(event).item() == noon - timedelta(seconds=5)


NINE = datetime(2026, 3, 3, 9, tzinfo=UTC)
SPELLINGS = [
    "2026-03-03T09:00:00z", "2026-03-03t09:00:00Z", "2026-03-03 09:00:00 UTC", "2026-03-03 09:00:00.000 UTC",
    "2026-03-03T09:00:00+0000", "2026-03-03 09:00:00.000 +0000", "2026-03-03 01:00:00.000 -0800",
    "2026-03-03 09:00:00+00", "2026-03-03 09:00:00.000 Z", "2026-03-03T10:00:00+01:00", "2026-03-03 09:00:00",
    " 2026-03-03T09:00:00Z ", "2026-03-03T08:59:60Z", "2026-03-03T09:00:00.000000000Z",
    "2026-03-03 09:00:00.000000 utc",
]  # fmt: skip


@pytest.mark.parametrize("text", SPELLINGS)
def test_spellings_of_rfc_3339_and_of_warehouses(text: str):
    """What RFC 3339 allows, and BigQuery, Snowflake and Redshift write, is read in lines and tables alike."""
    line = {"type": "page", "messageId": "m", "anonymousId": "a", "timestamp": text}
    for batch in (flatten([line]), usable_events(pl.DataFrame(WHO | {"timestamp": text}))):
        assert batch.frame["timestamp"].to_list() == [NINE], batch.dead_letters
    # A spelling does not depend on its neighbours in the column.
    mixed = read_times(pl.Series([*SPELLINGS, text, "soon", None]))
    assert mixed.to_list() == [NINE] * (len(SPELLINGS) + 1) + [None, None]


@pytest.mark.parametrize(
    "text",
    [
        "03/04/2026 09:00:00",
        "2026-3-3T9:00:00Z",
        "1772528400",
        "2026-03-03T24:30:00Z",
        "",
        "2026- 3-03T09:00:00.000Z",
        "+2026-3-03T9:00:00.000Z",
    ],
)
def test_what_is_no_time_is_none_in_lines_and_tables(text: str):
    """Days before months, single digits, seconds as text: refused in both, where one of them used to guess."""
    line = {"type": "page", "messageId": "m", "anonymousId": "a", "timestamp": text}
    for batch in (flatten([line]), usable_events(pl.DataFrame(WHO | {"timestamp": text}))):
        assert [letter.reason.value for letter in batch.dead_letters] == ["bad_time"]
        assert ("looks like epoch seconds" in batch.dead_letters[0].detail) == text.isdecimal()


@given(
    time=st.datetimes(datetime(3, 1, 1), datetime(9000, 1, 1)),  # noqa: DTZ001 - Hypothesis takes naive
    separator=st.sampled_from("T "),
    precision=st.sampled_from(["seconds", "milliseconds", "microseconds"]),
    zone=st.sampled_from(["", "Z", "z", " UTC", "+00:00", "+0000", " +0000", "+05:30", " -0800"]),
)
def test_lines_and_tables_read_any_time_alike(time: datetime, separator: str, precision: str, zone: str):
    """The fast reader of columns and the reader of single values agree to the millisecond."""
    text = time.isoformat(separator, precision) + zone
    ms = read_ms(text)
    assert ms is not None
    assert read_times(pl.Series([text])).cast(UTC_MS).dt.epoch("ms").to_list() == [ms]
    if zone in {"", "Z", "z", " UTC"} and precision == "microseconds":
        assert ms == epoch_ms(time.replace(tzinfo=UTC))


@pytest.mark.parametrize("hours", [0.001, 23, 24, 6 * 24, 30 * 24 + 1, 400 * 24])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_formula_holds_whatever_the_lag(hours: float, sign: int):
    """A clock that is slow or fast by minutes, days or a year is corrected: sending and arrival are one moment."""
    sent = datetime(2026, 3, 3, 9, tzinfo=UTC)
    arrived, happened = sent + sign * timedelta(hours=hours), sent - timedelta(minutes=5)
    for original in ({"original_timestamp": happened, "timestamp": None}, {"original_timestamp": None}):
        times = {"timestamp": happened, "sent_at": sent, "received_at": arrived} | original
        assert event_times(make_events(times)).item() == arrived - timedelta(minutes=5)
