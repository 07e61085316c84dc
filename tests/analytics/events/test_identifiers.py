"""Claims about identifiers: who stands for nobody is nobody, in lines and in tables alike."""

import json

import polars as pl
import pytest

from analytics.events.enrichment import conform, enrich
from analytics.events.identifiers import identifier, identifiers
from analytics.io.batch_decoding import flatten_lines
from analytics.io.flatten import flatten
from analytics.io.row_validation import usable_events

NOBODY = [
    "",
    "  ",
    "NaN",
    "null",
    "None",
    "undefined",
    "[object Object]",
    "00000000-0000-0000-0000-000000000000",
    "(not set)",
    *("\\N", "NA", "<NA>", "NaT", "#N/A", "-", "-1", "-1.0", "0.0", "Unknown", "[]", "{}", "\u200b", " \ufeff\n"),
]
SOMEBODY = [
    "a",
    "nanette",
    "00000000-0000-0000-0000-000000000001",
    "1.5",
    "12.0.1",
    "nullable",
    "e0",
    "-2",
    "--",
    "nab",
    "10",
    "a b",
    "1\nnull",
]
TIME = "2026-03-03T09:00:00.000Z"


@pytest.mark.parametrize("text", NOBODY)
def test_some_texts_stand_for_nobody(text: str):
    """A line, many lines of one shape, a row and a frame say so alike; with no other identifier it is a dead letter."""
    event = {"type": "page", "messageId": "1", "anonymousId": text, "userId": "u", "receivedAt": TIME}
    lines = [
        (n, json.dumps(event | {"messageId": str(n)}).replace(", ", ",").replace(": ", ":").encode()) for n in range(3)
    ]
    row = {"type": "page", "message_id": "1", "anonymous_id": text, "user_id": "u", "received_at": TIME}
    frames = [flatten([event]).frame, flatten_lines(lines, enough=2).frame, usable_events(pl.DataFrame([row])).frame]
    for frame in (*frames, enrich(pl.DataFrame([row]))):
        assert frame.select("anonymous_id", "user_id").unique().rows() == [(None, "u")]
    alone = {key: value for key, value in event.items() if key != "userId"}
    assert [letter.reason.value for letter in flatten([alone]).dead_letters] == ["no_identity"]
    unknown = pl.DataFrame([row]).drop("user_id")
    assert [letter.reason.value for letter in usable_events(unknown).dead_letters] == ["no_identity"]


def test_identifiers_that_stand_for_nobody_are_counted():
    """Of usable events, in lines of any shape and in rows, by their texts in small letters; nothing is lost unsaid."""
    who = [("a", "null"), ("b", 0), ("c", " NULL"), ("d", "u"), ("", "v"), ("e", None)]
    events = [
        {"type": "page", "messageId": str(n), "anonymousId": browser, "userId": user, "receivedAt": TIME}
        for n, (browser, user) in enumerate(who)
    ]
    counted = {"null": 2, "0": 1, "": 1}
    assert flatten(events).ids_of_nobody == counted
    lines = [(n, json.dumps(event, separators=(",", ":")).encode()) for n, event in enumerate(events * 2)]
    assert flatten_lines(lines, enough=2).ids_of_nobody == {text: 2 * n for text, n in counted.items()}
    rows = {"message_id": list("123456"), "anonymous_id": [browser for browser, _ in who]}
    users = [None if user is None else str(user) for _, user in who]
    table = pl.DataFrame({"type": "page", **rows, "user_id": users, "received_at": TIME}, strict=False)
    assert usable_events(table).ids_of_nobody == counted


@pytest.mark.parametrize("text", SOMEBODY)
def test_other_texts_are_identifiers(text: str):
    """What only looks like nobody is somebody."""
    assert identifier(text) == text
    assert pl.DataFrame({"user_id": [text]}).select(identifiers("user_id")).item() == text


@pytest.mark.parametrize("text", ["u ", "\tu", "\ufeffu\u200b\n", "\x1cu\xa0"])
def test_blanks_at_the_ends_are_no_part_of_an_identifier(text: str):
    """A line and a row of a table name the same person with them as without."""
    event = {"type": "page", "messageId": "1", "anonymousId": "a", "userId": text, "receivedAt": TIME}
    row = {"type": "page", "message_id": "1", "anonymous_id": "a", "user_id": text, "received_at": TIME}
    lines = [(n, json.dumps(event | {"messageId": str(n)}, ensure_ascii=False).encode()) for n in range(3)]
    frames = [flatten([event]).frame, flatten_lines(lines, enough=2).frame, usable_events(pl.DataFrame([row])).frame]
    for frame in (*frames, enrich(pl.DataFrame([row]))):
        assert frame["user_id"].unique().to_list() == ["u"]


@pytest.mark.parametrize("number", [12345, 12345.0, "12345.0", "12345"])
def test_a_number_is_the_same_person_however_it_is_written(number: object):
    """A float that a table tool made of a whole number is the number."""
    event = {"type": "page", "messageId": "1", "anonymousId": "a", "userId": number, "receivedAt": TIME}
    row = {"type": "page", "message_id": "1", "anonymous_id": "a", "user_id": number, "received_at": TIME}
    assert flatten([event]).frame["user_id"].to_list() == ["12345"]
    assert usable_events(pl.DataFrame([row])).frame["user_id"].to_list() == ["12345"]


def test_columns_of_a_table_with_gaps_are_read():
    """Pandas writes numbers with gaps as floats with NaN, and a column without any value as NaN alone."""
    nan = float("nan")
    table = pl.DataFrame(
        {
            "type": "track",
            "user_id": [nan, nan, 12345.0],
            "context_group_id": [nan] * 3,
            "event": [nan] * 3,
            "anonymous_id": ["a", "b", "c"],
        }
    )
    read = conform(table)
    assert read["user_id"].to_list() == [None, None, "12345"]
    assert read["context_group_id"].null_count() == read["event"].null_count() == 3
