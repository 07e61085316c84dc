"""Mutated lines of sites with fields of their own: read together they give what each gives by itself."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any, Final

import pytest
from polars.testing import assert_frame_equal

from analytics.io.batch_decoding import flatten_lines
from analytics.io.flatten import flatten_numbered
from analytics.io.json_values import events_on_line

WHO: Final[dict[str, Any]] = {"messageId": "m-1", "anonymousId": "a-1", "userId": "u-1"}
TIMES: Final = dict.fromkeys(("originalTimestamp", "sentAt", "receivedAt", "timestamp"), "2026-03-03T12:00:00.123Z")
CONTEXT: Final[dict[str, Any]] = {
    "page": {"path": "/a", "url": "https://x.org/a?q=1", "title": "A", "search": "?q=1"},
    "campaign": {"source": "google", "id": 7},
    "library": {"name": "analytics.js", "version": "next-1.81.0"},
    "screen": {"width": 1440, "density": 1.5},
    "locale": "de-DE",
}
PAGE: Final[dict[str, Any]] = {"category": "docs", "plan": "team", "bucket": 3, "tags": ["a", "b"], "is_new": True}
ORDER: Final[dict[str, Any]] = {
    "total": 19.99,
    "products": [{"sku": "s", "price": 5}, {"sku": "t"}],
    "ids": [1, 2],
    "b": {"a": "x"},
}
EVENTS: Final[tuple[dict[str, Any], ...]] = (
    {"type": "page"} | WHO | TIMES | {"context": {"screen": {"width": 1440, "density": 2.25}}, "name": "A"}
    | {"properties": PAGE, "integrations": {"All": True}},
    {"type": "page"} | WHO | TIMES | {"context": CONTEXT}
    | {"properties": {"path": "/a", "title": "A", "search": "", "z": None, "a": {}}},
    {"type": "track"} | WHO | TIMES | {"event": "Order", "context": CONTEXT | {"page": {"path": "/b"}}}
    | {"properties": ORDER},
    {"type": "identify"} | WHO | TIMES | {"traits": {"email": "a@x.org", "plan": "team", "age": 44}, "context": {}},
    {"type": "group"} | WHO | TIMES | {"groupId": "g", "traits": {"employees": 12}, "extra": {"b": 1, "a": "x"}},
    {"type": "page"} | WHO | TIMES | {"context": None, "properties": None},
    {"anonymousId": "a", "channel": "web", "messageId": "m", "receivedAt": TIMES["sentAt"], "type": "screen"},
)  # fmt: skip
# As they stand in a line: texts, numbers, literals, nested values, and what only looks like one of them.
VALUES: Final = (
    *('""', '"x"', '"ü\u2028\x7f"', '"a,b"', '"a:{b}"', '"#3"', '"#3?"', '"null"', '"\\u0041"', '"\\""', '"x', '"a"b"'),
    *('"a\tb"', '"/a"', '"A"', '"?q=1"', '"?"', '"g"', '"{}"', '"page"', '"track"', '"undefined"', '" u "', '"7.0"'),
    *(f'"{"x" * 101}"', '"2026-03-03T12:00:00Z"', '"2026-02-30T00:00:00.000Z"', "null", "true", "false", "tru"),
    *("NaN", "Infinity", "-Infinity", "0", "-0", "-0.0", "0.0", "1.0", "1.50", "00", "01", "-1", "1.", ".5", "1e5"),
    *("1E400", "1e-7", "0.00001", "0.0001", "0.12345", "12345678901234567890", "9007199254740993", "99999999999.5"),
    *("0.1000000000000000055", "123456789.1234", "1_000", "0x1", "१", "[]", "{}", "[[]]", '["a","b","c"]', "[1,2.50]"),
    *('{"b":1,"a":2}', '{"a":{}}', '{"#3":"#4"}', '{"#3?":"#4?"}'),
)
KEYS: Final = (
    *("type", "messageId", "userId", "receivedAt", "context", "properties", "traits", "extra", "groupId", "category"),
    *(
        "plan",
        "path",
        "url",
        "search",
        "name",
        "#3",
        "#3?",
        "",
        "ü",
        "previousId",
        "bucket",
        "event",
        "zz",
        "referrer",
        "id",
    ),
)
PIECES: Final = (
    b'"',
    b",",
    b'","',
    b"{",
    b"}",
    b"[",
    b":",
    b"\\",
    b"\xff",
    b"\x00",
    b" ",
    b"1",
    b"a",
    b"-",
    b".",
    b"e",
)


def written(random: Random, event: dict[str, Any]) -> str:
    """An event as JSON, some with its keys in another order."""
    items = list(event.items())
    if random.random() < 0.05:
        random.shuffle(items)
    return json.dumps(dict(items), separators=(",", ":"), ensure_ascii=False)


def with_other_value(random: Random, line: str) -> str:
    """Another value in place of one of the values, which may be an object or a list."""
    begins = [at + 1 for at, character in enumerate(line) if character in ":[,"] or [0]
    begin = random.choice(begins)
    try:
        _, end = json.JSONDecoder().raw_decode(line, begin)
    except ValueError:
        end = begin + 1
    return line[:begin] + random.choice(VALUES) + line[end:]


def with_other_field(random: Random, line: str) -> str:
    """One more field in some object, perhaps with a key that is there already."""
    at = random.choice([at for at, character in enumerate(line) if character in "{,}"] or [0])
    field = f'"{random.choice(KEYS)}":{random.choice(VALUES)}'
    return line[: at + 1] + field + "," + line[at + 1 :] if line[at] != "}" else line[:at] + "," + field + line[at:]


def with_other_bytes(random: Random, line: bytes) -> bytes:
    """A few bytes put in, or taken out."""
    at = random.randint(0, len(line))
    return line[:at] + random.choice(PIECES) + line[at + random.randint(0, 2) :]


def mutated(random: Random, n: int) -> Iterator[bytes]:
    """So many lines of a few shapes, about half of them changed."""
    texts = [written(random, event) for event in random.sample(EVENTS, 3)]
    # A change that many lines share is part of their shape.
    if random.random() < 0.5:
        texts = [random.choice([with_other_field, with_other_value])(random, text) for text in texts]
    for _ in range(n):
        text = random.choice(texts)
        for _ in range(random.choice([0, 0, 1, 1, 2])):
            text = random.choice([with_other_value, with_other_value, with_other_field])(random, text)
        line = text.encode()
        yield with_other_bytes(random, line) if random.random() < 0.1 else line


def check(seed: int, n: int) -> int:
    """Both ways of reading give the same of so many lines; return how many events were usable."""
    random = Random(seed)  # noqa: S311 - test data, no secret
    lines = [line for line in mutated(random, n) if not events_on_line(line)]
    numbered = list(enumerate(lines, 1))
    ours, theirs = flatten_lines(numbered, enough=3), flatten_numbered(numbered)
    assert ours.dead_letters == theirs.dead_letters
    assert ours.ignored_times == theirs.ignored_times
    assert ours.ids_of_nobody == theirs.ids_of_nobody
    assert ours.frame.schema == theirs.frame.schema
    assert_frame_equal(ours.frame, theirs.frame)
    return ours.frame.height


def test_thousands_of_mutated_lines():
    """Rows, dead letters and counts are the same, and many lines are usable."""
    assert sum(check(seed, 400) for seed in range(10)) > 1_000


@pytest.mark.validation
def test_a_million_mutated_lines():
    """The same at length."""
    assert sum(check(seed, 1_000) for seed in range(1_000)) > 250_000
