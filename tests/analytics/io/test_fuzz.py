"""Hundreds of thousands of broken lines: none of them breaks the store, and every one is counted."""

import json
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

import psutil
import pytest
from flat_events import FOREIGN

from analytics.io.flatten import DeadLetter, track_view
from analytics.io.strict_json import MAX_EVENT_BYTES
from analytics.store.event_store import EventStore

MEGABYTE: Final = 1_000_000
ODD_VALUES: Final = (
    True, False, None, 0, -1, 1e308, 10**400, 1.5, "", " ", "a" * 101, "\x00", "😀", "null", [], {}, [[["x"]]],
    {"a": {"b": []}}, "9999-12-31T23:59:59.999Z", "0001-01-01T00:00:00Z", "2026-02-30T00:00:00Z",
    "2124-01-01T00:00:00+23:59", 99_999_999_999_999_999,
)  # fmt: skip
KEYS: Final = (
    "type", "messageId", "anonymousId", "userId", "timestamp", "receivedAt", "sentAt", "originalTimestamp", "context",
    "properties", "traits", "extra",
)  # fmt: skip


def damaged(random: Random, line: bytes) -> bytes:
    """A line cut at its end, or with a few other bytes in it."""
    place, other = random.randint(0, len(line)), random.choice([random.randbytes(5), b'"', b"\\", b"\x00"])
    return line[:place] + random.choice([b"", other + line[place + random.randint(0, 5) :]])


def odd(random: Random, line: bytes) -> bytes:
    """A key once more, with a value of another kind, or a number that JSON or no machine can hold."""
    numbers = ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5000, "1" * 400 + ".5", "00", "0x1", "1."]
    value = random.choice([random.choice(numbers), json.dumps(random.choice(ODD_VALUES))])
    return line[:-1] + f",{json.dumps(random.choice([*KEYS, 'n']))}:{value}".encode() + b"}"


def deep(random: Random, line: bytes) -> bytes:
    """An event with something nested in it, from a few levels to thousands."""
    levels = random.choice([50, 98, 99, 100, 101, 1000, 10_000])
    opened, closed = random.choice([("[", "]"), ('{"a":', "}")])
    inside = opened * levels + ("0" if opened != "[" else "") + closed * random.choice([levels, levels, levels - 1])
    return line[:-1] + b',"deep":' + inside.encode() + b"}"


def half_a_pair(random: Random, line: bytes) -> bytes:
    """Half of a surrogate pair, as an escape or as bytes."""
    half = random.choice([b"\\ud83d", b"\\uDE00", b"\xed\xa0\xbd", b"\\ude00\\ud83d", b"\\ud83d\\ude00"])
    key = random.choice([b"title", b"messageId", b"anonymousId", b"\\ud83d"])
    return line[:-1] + b',"' + key + b'":"' + half + b'"}'


def huge(random: Random, line: bytes) -> bytes:
    """A line about as long as allowed, or seldom of a megabyte."""
    length = random.choice([MAX_EVENT_BYTES - 50, MAX_EVENT_BYTES, MAX_EVENT_BYTES + 1])
    length = MEGABYTE if random.random() < 0.1 else length
    return line[:-1] + b',"x":"' + b"y" * max(length - len(line) - 7, 0) + b'"}'


MUTATIONS: Final[tuple[Callable[[Random, bytes], bytes], ...]] = (damaged, odd, deep, half_a_pair)


def mutated(lines: list[bytes], seed: int, n: int) -> Iterator[bytes]:
    """So many lines, most of them broken, none with a line break in it or blank."""
    random = Random(seed)  # noqa: S311 - test data, no secret
    for count in range(n):
        line = random.choice(lines)
        # Long lines take long; one in a few hundred will do.
        mutations = (huge,) if count % 250 == 0 else random.choices(MUTATIONS, k=random.choice([0, 1, 1, 1, 2]))
        for mutation in mutations:
            line = mutation(random, line)
        line = line.replace(b"\n", b" ").replace(b"\r", b" ")
        yield line if line.strip() else b"-"


def usable_lines() -> list[bytes]:
    """Lines of other senders that can be read."""
    lines = [line for line in FOREIGN.read_bytes().splitlines() if line.strip()]
    return [line for line in lines if isinstance(track_view(line), dict)]


def check(store: EventStore, lines: list[bytes]) -> Counter[str]:
    """Every line is counted once, and read together each has the verdict that it has alone; return the reasons."""
    counts = store.append_json(b"\n".join(lines))
    assert counts.received == len(lines)
    reasons = Counter(str(each.reason) for each in map(track_view, lines) if isinstance(each, DeadLetter))
    assert counts.invalid == sum(reasons.values())
    assert len(store.dead_letters) <= 1000
    assert max((len(letter.raw) for letter in store.dead_letters), default=0) <= MAX_EVENT_BYTES
    return reasons


def run(n: int, batch: int) -> tuple[EventStore, Counter[str]]:
    """Feed so many mutated lines to a store, batch by batch."""
    store, reasons, lines = EventStore(), Counter[str](), usable_lines()
    for seed in range(n // batch):
        reasons += check(store, list(mutated(lines, seed, batch)))
    assert store.counts.received == n
    assert dict(store.dead_letter_counts) == dict(reasons)
    assert store.events().height == sum(bucket.n_events for bucket in store.buckets)
    return store, reasons


@pytest.mark.slow
def test_thousands_of_broken_lines():
    """No line raises or is lost, every reason for a dead letter occurs, and memory holds no more than a few of them."""
    tracemalloc.start()
    try:
        store, reasons = run(3_000, 1_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert set(reasons) >= {"too_large", "not_utf8", "not_json", "too_deep", "unknown_type", "no_identity", "bad_time"}
    assert store.counts.accepted > 0
    # A thousand dead letters of 32 KB at most, and a batch with its megabytes three times over.
    assert peak < 1000 * MAX_EVENT_BYTES + 20 * MEGABYTE


@pytest.mark.validation
def test_hundreds_of_thousands_of_broken_lines():
    """The same at length; memory does not grow with the number of lines."""
    run(20_000, 5_000)
    before = psutil.Process().memory_info().rss
    run(200_000, 5_000)
    grown = (psutil.Process().memory_info().rss - before) / MEGABYTE
    assert grown < 150, f"memory grew by {grown:.0f} MB"


def test_any_value_at_any_place_is_an_event_or_a_dead_letter():
    """Each odd value at each key of each usable line, one at a time."""
    events = [json.loads(line) for line in usable_lines()[:4]]
    variants = [event | {key: value} for event in events for key in KEYS for value in ODD_VALUES]
    check(EventStore(), [json.dumps(each).encode() for each in variants])
