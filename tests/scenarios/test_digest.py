"""Claims about the digest of a stream of events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.events import EVENT_SCHEMA
from scenarios.digest import EventsDigest, digest_of

START = datetime(2026, 3, 3, tzinfo=UTC)
WORDS = st.none() | st.sampled_from(["", "a", "ab", "b", "é", "\x00"])


def frame(rows: list[tuple[str | None, str | None, str | None]]) -> pl.DataFrame:
    """Events whose type, message id and URL are given."""
    return pl.DataFrame(
        {
            "type": [row[0] for row in rows],
            "message_id": [row[1] for row in rows],
            "context_page_url": [row[2] for row in rows],
            "received_at": [START + timedelta(seconds=i) if i % 3 else None for i in range(len(rows))],
            **{name: [None] * len(rows) for name in EVENT_SCHEMA if name not in _GIVEN},
        },
        schema_overrides=dict(EVENT_SCHEMA),
    ).select(EVENT_SCHEMA.names())


_GIVEN = {"type", "message_id", "context_page_url", "received_at"}


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=12), st.lists(st.integers(0, 12), max_size=4))
def test_it_does_not_matter_how_the_stream_is_cut(
    rows: list[tuple[str | None, str | None, str | None]], cuts: list[int]
) -> None:
    """Any division of the events into batches, empty ones too, has the digest of the whole."""
    events, digest = frame(rows), EventsDigest()
    bounds = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    for start, end in pairwise(bounds):
        digest.update(events[start:end])
    assert digest.hexdigest() == digest_of(events)


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=4), st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=4))
def test_other_events_have_another_digest(
    ours: list[tuple[str | None, str | None, str | None]], others: list[tuple[str | None, str | None, str | None]]
) -> None:
    """Digests are equal exactly where the events are: null is not empty text, and text does not run together."""
    assert (digest_of(frame(ours)) == digest_of(frame(others))) == (ours == others)


def test_the_order_of_events_counts() -> None:
    """The same events in another order are another stream."""
    events = frame([("page", "1", None), ("page", "2", None)])
    assert digest_of(events) != digest_of(events.reverse())


@pytest.mark.parametrize("column", list(EVENT_SCHEMA))
def test_every_column_counts(column: str) -> None:
    """A change in any single column changes the digest."""
    events = frame([("page", "1", "/")])
    value = START + timedelta(days=1) if EVENT_SCHEMA[column] == pl.Datetime("ms", "UTC") else "changed"
    changed = events.with_columns(pl.lit(value).cast(EVENT_SCHEMA[column]).alias(column))
    assert digest_of(changed) != digest_of(events)


def test_the_digest_stays_what_it_is() -> None:
    """The digest of a small frame is pinned: a change of it belongs in the changelog."""
    assert digest_of(frame([("page", "1", "/"), (None, "2", "é")])) == PINNED


PINNED = "395d578bf2719469297fcf96f0a67340aaeaabd9e7add9ee02ec13eb4728d238"
