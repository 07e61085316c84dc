"""Claims about encoding the event table as lines of JSON, and decoding it."""

import gzip
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from flat_events import FOREIGN, make_events
from hypothesis import HealthCheck, given, settings, strategies as st

from analytics.errors import EventFileError
from analytics.events.identifiers import WHO, identifier
from analytics.events.tracking_plan import COLUMNS, EVENT_SCHEMA, UTC_MS, CallType
from analytics.io.ndjson import decode, encode, flatten_ahead, read_ndjson
from analytics.io.strict_json import canonical

TEXT = st.text(max_size=6) | st.sampled_from(
    ['"', "\\", "\n\r\t", "\x00\x1f", "\u2028", "😀", "ß", "null", "{}", ",", ""]
)
# Texts that stand for nobody are read as none.
IDENTIFIER = st.text(min_size=1, max_size=8).filter(lambda text: identifier(text) == text)
TIME = st.integers(0, 4 * 10**12).map(lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
EXTRA = st.dictionaries(TEXT | st.sampled_from(["extra", "properties", "context"]), JSON, min_size=1, max_size=3)


@st.composite
def planned_rows(draw: st.DrawFn) -> dict[str, Any]:
    """A row that follows the tracking plan: columns of other calls empty, identifiers and arrival given."""
    call = draw(st.sampled_from(CallType))
    row: dict[str, Any] = {}
    for column in COLUMNS:
        if not column.calls or call in column.calls:
            text = IDENTIFIER if column.name in WHO else TEXT
            row[column.name] = draw(st.none() | (TIME if column.dtype == UTC_MS else text))
    required = {"type": call.value, "received_at": draw(TIME)}
    identifiers = {"message_id": draw(IDENTIFIER), "anonymous_id": draw(IDENTIFIER)}
    return row | required | identifiers | {"extra": draw(st.none() | EXTRA.map(canonical))}


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(planned_rows(), max_size=4))
def test_reading_gives_back_what_was_written(rows: list[dict[str, Any]]):
    """Decoding undoes encoding exactly: every value, null, type and the order of rows."""
    events = pl.DataFrame(rows, schema=EVENT_SCHEMA)
    batch = decode(encode(events))
    assert batch.dead_letters == ()
    assert batch.frame.schema == EVENT_SCHEMA
    assert batch.frame.equals(events)


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(planned_rows(), min_size=1, max_size=4))
def test_many_events_are_written_as_few_are(rows: list[dict[str, Any]]):
    """Many rows are encoded by distinct value, few row by row: the lines are the same, times without a year too."""
    events = pl.DataFrame([*rows, {"timestamp": None}], schema=EVENT_SCHEMA)
    events = events.with_columns(sent_at=pl.lit(10**18).cast(UTC_MS))
    many = pl.concat([events] * 600)
    assert encode(many) == encode(events) * 600


def test_a_line_is_a_segment_event():
    """A line nests as the Segment Spec does, writes times with milliseconds and Z, and leaves nulls out."""
    line = encode(make_events({"category": "docs", "context_campaign_source": "google", "extra": '{"a":{"b":1}}'}))
    time = "2026-03-03T00:00:00.000Z"
    assert line.endswith(b"\n")
    assert json.loads(line) == {
        "type": "page",
        "messageId": "m0",
        "anonymousId": "a",
        **dict.fromkeys(("originalTimestamp", "sentAt", "receivedAt", "timestamp"), time),
        "context": {"campaign": {"source": "google"}},
        "properties": {"category": "docs"},
        "extra": {"a": {"b": 1}},
    }


@pytest.mark.parametrize("extra", ["{", "no JSON", "[1]", '{"a":\n1}', '"', "[" * 5000])
def test_an_extra_that_is_no_object_breaks_no_line(extra: str):
    """A text in `extra` that is not one object on one line is written as a text."""
    assert json.loads(encode(make_events({"extra": extra}))) == json.loads(encode(make_events({}))) | {"extra": extra}


def test_line_ends_and_blank_lines_are_no_events():
    """Windows line ends, blank lines and a last line without end are read; an empty table is no bytes, and back."""
    lines = b"\r\n \n" + encode(make_events({}, {})).replace(b"\n", b"\r\n").rstrip()
    assert decode(lines).frame["message_id"].to_list() == ["m0", "m1"]
    assert encode(pl.DataFrame()) == b""
    assert decode(b"").frame.equals(EVENT_SCHEMA.to_frame())


def test_a_time_outside_the_calendar_does_not_stop_the_encoding():
    """A time outside the calendar is encoded as one that no reader accepts."""
    far = pl.lit(2**62, pl.Int64()).cast(UTC_MS)
    batch = decode(encode(make_events({}, {}).with_columns(timestamp=far, original_timestamp=None)))
    assert [letter.reason.value for letter in batch.dead_letters] == ["bad_time", "bad_time"]


def test_every_line_of_a_foreign_file_is_an_event_or_a_dead_letter():
    """Of 41 events 21 are usable, with their calls; each of the others has a reason and the number of its line.

    Blank lines are counted, and batches of any size give the same.
    """
    whole = decode(FOREIGN)
    calls = dict(whole.frame["type"].cast(pl.String).value_counts().iter_rows())
    assert calls == {"page": 14, "track": 3, "identify": 1, "group": 1, "screen": 1, "alias": 1}
    assert {letter.reason.value for letter in whole.dead_letters} == {
        "not_json", "not_an_object", "unknown_type", "no_identity", "bad_id", "id_too_long", "no_time", "bad_time",
        "too_large", "not_utf8",
    }  # fmt: skip
    assert [letter.position for letter in whole.dead_letters] == [*range(20, 38), 39, 40]
    parts = list(read_ndjson(FOREIGN, batch_lines=7))
    # The second batch has a blank line among its seven.
    assert [part.n_received for part in parts] == [7, 6, 7, 7, 7, 6, 1]
    assert tuple(letter for part in parts for letter in part.dead_letters) == whole.dead_letters
    assert pl.concat(part.frame for part in parts).equals(whole.frame)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_every_kind_of_file_is_read(tmp_path: Path, pack: Callable[[bytes], bytes]):
    """Bytes, an open file, a path as text or Path, gzipped or not, give the same events; a file given stays open."""
    events = make_events({}, {})
    path = tmp_path / "events"
    path.write_bytes(pack(encode(events)))
    stream = io.BytesIO(path.read_bytes())
    with path.open("rb") as file, path.open("rb", buffering=0) as raw_file:
        for source in (path.read_bytes(), path, str(path), file, stream):
            assert decode(source).frame.equals(events)
        assert decode(raw_file).frame.equals(events)  # type: ignore[arg-type]
    assert not stream.closed


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    """A missing file, a folder and a torn gzip file raise one error with the file's name."""
    torn = tmp_path / "torn.gz"
    torn.write_bytes(gzip.compress(b'{"type":"page"}\n' * 1000)[:-20])
    for path in (tmp_path / "missing", tmp_path, torn):
        with pytest.raises(EventFileError, match=f"{path.name}.*cannot be read as NDJSON"):
            decode(path)


def test_batches_before_an_error_are_yielded():
    """Every batch read before the error is flattened and yielded, and then the error is raised."""

    def batches() -> Iterator[int]:
        yield from range(5)
        raise OSError(5, "Input/output error")

    flattened = flatten_ahead(batches(), str)
    assert [next(flattened) for _ in range(5)] == list("01234")
    with pytest.raises(OSError, match="Input/output error"):
        next(flattened)
