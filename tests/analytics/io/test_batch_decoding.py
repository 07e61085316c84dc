"""Lines decoded by their shape: the same rows and dead letters as line by line."""

import json
from typing import Any
from unittest.mock import patch

import pytest
from flat_events import make_events
from hypothesis import HealthCheck, given, settings, strategies as st

from analytics.events.tracking_plan import CallType, EventName
from analytics.io import batch_decoding
from analytics.io.batch_decoding import flatten_lines
from analytics.io.flatten import flatten_numbered
from analytics.io.ndjson import encode

PAGE: dict[str, Any] = {
    "type": "page",
    "messageId": "m",
    "anonymousId": "a",
    "receivedAt": "2026-03-03T12:00:00.123Z",
    "context": {"campaign": {"source": "google"}, "page": {"path": "/a"}},
    "properties": {"category": "docs"},
}
ODD_TEXTS = [
    "", "page", "track", "alias", "x" * 101, '"', "\\", "\t", ",", ',"', '","', '":"', "}", "#1", "ü", "\u2028", "\x7f",
    "null",
    "2026-03-03T12:00:00.123Z", "2026-03-03T24:00:00.000Z", "2026-02-30T00:00:00.000Z", "0001-03-03T00:00:00.000Z",
    "2026-03-03T12:00:60.000Z", "2026-03-03 12:00:00.123Z", "2026-03-03T12:00:00.123+01:00", "2026-03-03T12:00:00Z",
]  # fmt: skip
VALUES = st.sampled_from(ODD_TEXTS) | st.sampled_from([None, 5, 10**12, True, [], ["a", "b"], {}, {"source": "b"}])
KEYS = st.sampled_from([*PAGE, "userId", "previousId", "sentAt", "name", "extra", "k"])
PIECES = [b'"', b",", b'","', b"{", b"}", b"[", b":", b"\\", b"\\u0041", b"\xff", b"\x00", b" ", b"1", b"a", b"NaN"]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A line of an ordinary event with some values changed, perhaps cut, or with bytes put in or taken out."""
    event = PAGE | draw(st.dictionaries(KEYS, VALUES, max_size=2))
    event |= {"context": PAGE["context"] | draw(st.dictionaries(st.sampled_from(["ip", "page", "k"]), VALUES))}
    line = json.dumps(event, separators=draw(st.sampled_from([(",", ":"), (", ", ": ")])), ensure_ascii=False).encode()
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(line)))
        line = line[:at] + draw(st.sampled_from(PIECES)) + line[at + draw(st.integers(0, 2)) :]
    return line


def assert_same(lines: list[bytes]) -> None:
    """Decoded by their shape or each by itself, lines give the same rows, types and dead letters."""
    numbered = list(enumerate(lines, 1))
    ours, theirs = flatten_lines(numbered, enough=1), flatten_numbered(numbered)
    assert ours.dead_letters == theirs.dead_letters
    assert ours.frame.schema == theirs.frame.schema
    assert ours.frame.equals(theirs.frame)


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(mutated() | st.binary(max_size=20) | st.just(json.dumps(PAGE).encode()), min_size=1, max_size=8))
def test_by_shape_or_one_by_one(lines: list[bytes]):
    """Whatever is in the lines, decoding them by their shape gives the same as decoding each by itself."""
    assert_same(lines)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("type", "track"), ("type", "null"), ("messageId", ""), ("messageId", "x" * 101), ("anonymousId", '"'),
        ("anonymousId", "\\"), ("name", '","'), ("name", '":"'), ("name", "}"), ("name", "\u2028"),
        ("receivedAt", "2026-02-30T00:00:00.000Z"), ("receivedAt", "2026-03-03T24:00:00.000Z"),
        ("sentAt", "2026-03-03T12:00:00.123+01:00"), ("sentAt", "2026-03-03 12:00:00.123Z"),
    ],
)  # fmt: skip
def test_one_odd_value_among_its_like(key: str, text: str):
    """An odd value in one of many lines of a shape is read, or refused, as by itself."""
    events = [PAGE | {"sentAt": PAGE["receivedAt"], "name": "A"} for _ in range(3)]
    events[1][key] = text
    lines = [json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode() for event in events]
    assert_same(lines)


def test_our_own_lines_are_not_read_one_by_one():
    """All lines that we have written ourselves are decoded by their shape: none is left to be decoded by itself."""
    rows = [
        {"category": "docs", "context_page_path": "/docs", "name": "Docs"},
        {"type": "track", "event": EventName.DEMO_REQUESTED, "asset": "demo", "user_id": "u"},
        {"type": "identify", "email": "a@example.com", "context_campaign_source": "google"},
    ]
    events = make_events(*rows * 5)
    numbered = list(enumerate(encode(events).splitlines(), 1))
    with patch.object(batch_decoding, "flatten_numbered", wraps=flatten_numbered) as one_by_one:
        batch = flatten_lines(numbered, enough=1)
    assert list(one_by_one.call_args.args[0]) == []
    assert batch.frame.equals(events)


def test_lines_of_other_sites_are_not_read_one_by_one():
    """Nor are lines with fields of their own, of any kind, and a page's values twice, as analytics.js sends them."""
    page = {"path": "/a", "url": "https://x.org/a?q=1", "search": "?q=1", "title": "A", "referrer": ""}
    own = {"plan": "team", "n": 3, "price": 1.5, "is_new": True, "none": None, "tags": ["a", "b"], "deep": {"b": 1}}
    event = PAGE | {"context": {"page": page, "screen": {"width": 1440}}, "properties": page | own}
    lines = [json.dumps(event | {"messageId": f"m{n}"}, separators=(",", ":")).encode() for n in range(5)]
    with patch.object(batch_decoding, "flatten_numbered", wraps=flatten_numbered) as one_by_one:
        batch = flatten_lines(list(enumerate(lines)), enough=1)
    assert list(one_by_one.call_args.args[0]) == []
    assert batch.frame.equals(flatten_numbered(enumerate(lines)).frame)
    assert json.loads(batch.frame["extra"][0])["properties"] == own | {"search": "?q=1"}


@pytest.mark.parametrize("call", CallType)
def test_what_belongs_to_other_calls_is_kept(call: CallType):
    """A value that the call does not carry is an extra, also where many lines have it."""
    line = json.dumps(PAGE | {"type": call, "event": "E"}, separators=(",", ":")).encode()
    assert_same([line] * 3)
