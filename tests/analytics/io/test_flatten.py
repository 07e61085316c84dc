"""One JSON event in, one flat row or one dead letter out; never an exception."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from analytics.events.dead_letters import DeadLetter, DeadLetterReason
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.flatten import FlatEvent, flatten, track_view
from analytics.io.strict_json import MAX_DEPTH, MAX_EVENT_BYTES

PAGE: dict[str, Any] = {
    "type": "page",
    "messageId": "m1",
    "anonymousId": "a1",
    "receivedAt": "2026-03-03T12:00:00.123Z",
}
NOON = datetime(2026, 3, 3, 12, 0, 0, 123_000, tzinfo=UTC)


def row_of(**changes: object) -> FlatEvent:
    """The flat row of the event PAGE with changes."""
    row = track_view(PAGE | changes)
    assert isinstance(row, dict), row
    return row


def reason_of(raw: bytes | str | dict[str, Any]) -> DeadLetterReason:
    """Why an event was refused."""
    letter = track_view(raw)
    assert isinstance(letter, DeadLetter), letter
    return letter.reason


def test_every_column_is_there():
    """A row has exactly the columns of the plan, in order, None where the event has no value."""
    row = row_of()
    assert list(row) == EVENT_SCHEMA.names()
    assert {name for name, value in row.items() if value is not None} == {
        "type", "message_id", "anonymous_id", "received_at",
    }  # fmt: skip


def test_bytes_text_and_mapping_give_one_row():
    """An event gives the same row as bytes, text or mapping, with a byte order mark or not."""
    text = json.dumps(PAGE)
    rows = [track_view(event) for event in (PAGE, text, text.encode(), b"\xef\xbb\xbf" + text.encode())]
    assert rows == [row_of()] * 4


WHERE: dict[str, Any] = {"path": "/a", "url": "https://example.com/a", "title": "A", "referrer": "https://example.org/"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"context": {"campaign": {"source": "google"}, "device": {"type": "mobile"}, "groupId": "acme"}},
            {"context_campaign_source": "google", "context_device_type": "mobile", "context_group_id": "acme"},
        ),
        ({"properties": {"category": "security"}}, {"category": "security"}),
        ({"category": "docs"}, {"category": "docs"}),
        ({"properties": WHERE}, {f"context_page_{key}": value for key, value in WHERE.items()}),
        (
            {"context": {"page": {"path": "/a"}}, "properties": {"path": "/b"}},
            {"context_page_path": "/a", "extra": '{"properties":{"path":"/b"}}'},
        ),
        (
            {"type": "track", "event": "Product Viewed", "properties": {"category": "security"}},
            {"event": "Product Viewed", "category": None, "extra": '{"properties":{"category":"security"}}'},
        ),
        (
            {"z": 1, "b": [1, {"c": None}], "context": {"os": {"name": "iOS"}, "ip": "192.0.2.1"}, "integrations": {}},
            {
                "context_ip": "192.0.2.1",
                "extra": '{"b":[1,{"c":null}],"context":{"os":{"name":"iOS"}},"integrations":{},"z":1}',
            },
        ),
    ],
    ids=[
        "nested values are in the columns whose paths lead to them",
        "properties of a page too",
        "or at the top",
        "properties replace a missing context",
        "the context has precedence, and the other is an extra",
        "columns are read from their calls only: a shop's category is no content of a page",
        "unknown fields are one compact JSON object with sorted keys",
    ],
)
def test_each_value_has_one_place(changes: dict[str, Any], expected: dict[str, Any]):
    """A value is in a column of the tracking plan or else in `extra`, never in both and never lost."""
    row = row_of(**changes)
    assert {name: row[name] for name in expected} == expected
    assert row["extra"] == expected.get("extra")


@pytest.mark.parametrize(
    ("page", "url"),
    [
        ({"path": "/p", "search": "?utm_source=google"}, "/p?utm_source=google"),
        ({"url": "https://acme.io/p#top", "search": "gclid=1"}, "https://acme.io/p?gclid=1#top"),
        ({"url": "https://acme.io/p?a=1", "search": "?a=1"}, "https://acme.io/p?a=1"),
        ({"path": "/p", "search": ""}, None),
        ({"path": "/p", "search": 7}, None),
    ],
)
def test_an_address_without_a_query_has_that_of_the_search(page: dict[str, Any], url: str | None):
    """Where a sender has the query apart, campaigns are found all the same; the search is kept as it came."""
    row = row_of(context={"page": page})
    assert row["context_page_url"] == url
    assert json.loads(row["extra"] or "") == {"context": {"page": {"search": page["search"]}}}


@pytest.mark.parametrize("more", [{"search": "?gclid=1"}, {"url": "https://acme.io/p?gclid=1#top"}])
def test_an_address_without_a_query_has_that_of_the_properties(more: dict[str, Any]):
    """Some senders have the query of a page in its properties alone; of other calls the url is that of a link."""
    context = {"page": {"url": "https://acme.io/p"}}
    assert row_of(context=context, properties=more)["context_page_url"] == "https://acme.io/p?gclid=1"
    track = row_of(type="track", event="Link Clicked", context=context, properties=more)
    assert track["context_page_url"] == "https://acme.io/p"


def test_the_referrer_of_the_context_is_that_of_the_page():
    """As the Segment Spec has it for mobile libraries."""
    row = row_of(context={"referrer": {"url": "https://www.google.com/"}})
    assert (row["context_page_referrer"], row["extra"]) == ("https://www.google.com/", None)


@pytest.mark.parametrize("call", ["page", "track", "identify", "group", "screen", "alias"])
def test_all_six_calls_are_taken(call: str):
    """Every call of the Segment Spec gives a row; the groupId of a group call is the account."""
    row = row_of(type=call, groupId="acme")
    assert row["type"] == call
    assert row["context_group_id"] == ("acme" if call == "group" else None)


def test_the_previous_identifier_is_that_of_alias_calls():
    """It is a column of alias calls, judged as every identifier is; of other calls it is a field like any other."""
    assert row_of(type="alias", previousId=12345.0)["previous_id"] == "12345"
    assert row_of(type="alias", previousId="undefined")["previous_id"] is None
    page = row_of(previousId=["a"])
    assert (page["previous_id"], page["extra"]) == (None, '{"previousId":["a"]}')
    assert reason_of(PAGE | {"type": "alias", "previousId": ["a"]}) == DeadLetterReason.BAD_ID
    assert reason_of(PAGE | {"type": "alias", "previousId": "a" * 101}) == DeadLetterReason.ID_TOO_LONG


@pytest.mark.parametrize(
    ("value", "text"),
    [(5, "5"), (1.5, "1.5"), (True, "true"), (["a", 1], '["a",1]'), ({"b": 1, "a": "é"}, '{"a":"é","b":1}')],
)
def test_other_values_become_text(value: object, text: str):
    """Numbers, booleans, arrays and objects where a text is expected become their JSON text; so do numeric user IDs."""
    assert row_of(name=value)["name"] == text
    assert row_of(userId=42)["user_id"] == "42"


@pytest.mark.parametrize(
    "time",
    [
        "2026-03-03T12:00:00.123Z", "2026-03-03T12:00:00.123999", "2026-03-03 13:00:00.123+01:00",
        "20260303T120000.123Z", 1772539200123, 1772539200123.0,
    ],
)  # fmt: skip
def test_times(time: object):
    """ISO 8601 with Z, an offset or neither (UTC), and epoch milliseconds name the same moment.

    Without receivedAt the arrival is the best of the other times.
    """
    assert row_of(receivedAt=time)["received_at"] == NOON
    for key in ("sentAt", "timestamp", "originalTimestamp"):
        assert row_of(receivedAt=None, **{key: time})["received_at"] == NOON


def test_fingerprint():
    """An event without identifier gets one from its content, the same at each delivery, another for another event."""
    first = row_of(messageId=None, sentAt="2026-03-03T11:00:00Z", originalTimestamp="2026-03-03T10:00:00Z")
    again = row_of(
        messageId="", sentAt="2026-03-03T11:30:00Z", originalTimestamp="2026-03-03T10:00:00Z", timestamp=10**12
    )
    other = row_of(messageId=None, originalTimestamp="2026-03-03T10:00:01Z")
    assert str(first["message_id"]).startswith("fingerprint-")
    assert first["message_id"] == again["message_id"] != other["message_id"]


def test_the_last_of_equal_keys_wins():
    """Of two equal keys the last one counts, as in JavaScript."""
    assert track_view(json.dumps(PAGE)[:-1] + ',"name":"A","name":"B"}') == row_of(name="B")


def test_half_an_emoji_becomes_the_replacement_character():
    """A lone surrogate, escaped or raw, is read as the replacement character, and a whole emoji as itself."""
    for ascii_only in (True, False):
        row = track_view(json.dumps(PAGE | {"name": "\ud83d", "k\udc00": "😀"}, ensure_ascii=ascii_only))
        assert row == row_of(name="\ufffd", **{"k\ufffd": "😀"})
        assert isinstance(row, dict)
        assert row["extra"] == '{"k\ufffd":"😀"}'


@pytest.mark.parametrize(
    ("reason", "events"),
    [
        ("not_json", [b"", b"{", b'{"type":"page"}{}', b'{"value":NaN}', b'{"value":-Infinity}', b"1" * 5000]),
        ("not_json", [{"type": float("nan")}, {1j: object}, b'{"type":"page","userId":"u","receivedAt":0,"x":1e999}']),
        ("not_utf8", [b'{"name":"\xff"}', b'"\xed\xa0\x80"']),
        ("too_deep", [b"[" * 20_000]),
        ("not_an_object", [b"[]", b"null"]),
        ("too_large", [b'{"a":"' + b"x" * MAX_EVENT_BYTES + b'"}']),
        ("unknown_type", [{"type": None}, {"type": ["page"]}, {"type": "Page"}]),
        ("no_identity", [PAGE | {"anonymousId": None}, PAGE | {"anonymousId": "", "userId": ""}]),
        ("bad_id", [PAGE | {"anonymousId": {}}, PAGE | {"userId": False}, PAGE | {"messageId": ["m"]}]),
        ("id_too_long", [PAGE | {"messageId": "m" * 101}]),
        ("no_time", [PAGE | {"receivedAt": None}]),
        ("bad_time", [PAGE | {"receivedAt": text} for text in ("", "2026-02-30T00:00:00Z")]),
        # Seconds since 1970, which must not become a day in January 1970.
        ("bad_time", [PAGE | {"timestamp": 1_772_539_200}]),
        ("bad_time", [PAGE | {"timestamp": "soon"}, PAGE | {"sentAt": True}, PAGE | {"sentAt": {}}]),
        ("bad_time", [PAGE | {"originalTimestamp": "9999-12-31T23:59:59-12:00"}]),
        ("bad_time", [PAGE | {"originalTimestamp": "0001-01-01T00:00:00+12:00"}]),
        ("bad_time", [PAGE | {"receivedAt": 1e300}, PAGE | {"receivedAt": 10**40}]),
        ("bad_time", [b'{"type":"page","userId":"u","receivedAt":1e999}']),
    ],
)
def test_dead_letters(reason: str, events: list[bytes | dict[Any, Any]]):
    """Each kind of unusable event is a dead letter with its reason."""
    assert [reason_of(event) for event in events] == [reason] * len(events)


def test_nesting_has_a_limit_of_its_own():
    """The deepest nesting accepted does not depend on the caller's stack; an object in itself is not followed."""
    # The event itself is the first level.
    deep = json.dumps(PAGE)[:-1] + ',"x":' + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1) + "}"
    assert isinstance(track_view(deep), dict)
    assert reason_of(deep.replace("[]", "[[]]")) == "too_deep"
    event: dict[str, Any] = dict(PAGE)
    event["context"] = event
    assert reason_of(event) in {"not_json", "too_deep"}


def test_flatten_separates_rows_and_dead_letters():
    """A batch gives rows in order, dead letters with bytes, positions and detail, and counts both; none is a table."""
    batch = flatten([PAGE, b'{"type":"page"', PAGE | {"messageId": "m2"}], start=10)
    assert batch.frame.schema == EVENT_SCHEMA
    assert batch.frame["message_id"].to_list() == ["m1", "m2"]
    (letter,) = batch.dead_letters
    assert (letter.raw, letter.position) == (b'{"type":"page"', 11)
    assert "delimiter" in letter.detail
    assert batch.n_received == 3
    assert flatten([]).frame.schema == EVENT_SCHEMA


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
KEYS = [*PAGE, "userId", "timestamp", "context", "properties", "traits", "name"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(KEYS), ANYTHING), st.sampled_from(["page", "track", "identify", "group"]))
def test_no_object_raises(changes: dict[str, Any], call: str):
    """Any event becomes a row that fits the table, or a dead letter."""
    event = PAGE | {"type": call} | changes
    assert flatten([event, json.dumps(event)]).n_received == 2


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.binary(max_size=60) | st.integers(0, 200).map(lambda n: json.dumps(PAGE | {"properties": {"a": 1}}).encode()[:n])
)
def test_no_bytes_raise(raw: bytes):
    """Any bytes become a row or a dead letter that keeps them."""
    result = track_view(raw)
    assert isinstance(result, dict) or result.raw == raw


@pytest.mark.parametrize(
    ("experiments", "arms"),
    [
        ("price=A;chat=on", "price=A;chat=on"),
        ({"price": "A", "chat": True, "rank": 2, "off": None}, "chat=true;price=A;rank=2"),
        ('{"price": "A"}', "price=A"),
        ({"price": {"arm": "A"}}, '{"price":{"arm":"A"}}'),
        ("{price", "{price"),
    ],
)
def test_arms_of_experiments_are_read_from_objects_too(experiments: object, arms: str | None):
    """An object has them by the names of their experiments; what has no arms stays as it is."""
    assert row_of(context={"experiments": experiments})["context_experiments"] == arms
