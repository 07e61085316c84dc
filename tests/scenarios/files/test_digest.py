"""Claims about the digest of a stream of events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, strategies as st

from analytics.events.event_rows import EventRows
from analytics.events.tracking_plan import EVENT_SCHEMA
from scenarios.files.digest import EventsDigest, HourDigest, digest_of

START = datetime(2026, 3, 3, tzinfo=UTC)
Rows = list[tuple[str | None, str | None, str | None]]
WORDS = st.none() | st.sampled_from(["", "a", "ab", "b", "é", "\x00"])


def frame(rows: Rows) -> pl.DataFrame:
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
def test_it_does_not_matter_how_the_stream_is_cut(rows: Rows, cuts: list[int]) -> None:
    """Any division of the events into batches, empty ones too, has the digest of the whole."""
    events, digest = frame(rows), EventsDigest()
    bounds = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    for start, end in pairwise(bounds):
        digest.update(EventRows(events[start:end]))
    assert digest.hexdigest() == digest_of(events)


def spread(n: int) -> pl.DataFrame:
    """So many events, one every ten minutes, the last of some hours without a time of arrival."""
    rows: Rows = [("page", str(i), f"/{i % 3}") for i in range(n)]
    times = [None if i % 7 == 5 else START + timedelta(minutes=10 * i) for i in range(n)]
    return frame(rows).with_columns(received_at=pl.Series(times, dtype=pl.Datetime("ms", "UTC")))


@given(st.integers(0, 40), st.lists(st.integers(0, 40), max_size=4), st.integers(0, 59))
def test_hours_can_be_fingerprinted_apart(n: int, cuts: list[int], minutes: int) -> None:
    """Hours added by their own digests, and batches cut anywhere, give the digest of the whole, whatever the start."""
    events, start = spread(n), START - timedelta(minutes=minutes)
    by_hour, by_batch = EventsDigest(start), EventsDigest(start)
    hours = ((pl.col("received_at") - start).dt.total_minutes() // 60).fill_null(strategy="forward")
    for _, hour in events.group_by(hours.alias("hour"), maintain_order=True):
        digest = HourDigest()
        digest.update(EventRows(hour.select(EVENT_SCHEMA.names())))
        by_hour.add_hour(digest.digest())
    by_hour.add_hour(HourDigest().digest())
    for begin, end in pairwise([0, *sorted(cuts), n]):
        by_batch.update(EventRows(events[begin : max(begin, end)]))
    assert by_hour.hexdigest() == by_batch.hexdigest() == digest_of(events, start)


def test_what_else_the_process_has_seen_does_not_matter() -> None:
    """Numbers by which Polars knows words change from process to process; the digest does not."""
    rows: Rows = [("page", "1", "/a"), ("track", "2", "/b")]
    before = digest_of(frame(rows))
    kept = pl.Series([f"word {i}" for i in range(999)]).cast(pl.Categorical())
    again = frame([("identify", "0", "/new"), *rows])[1:]
    assert len(kept) == 999
    assert digest_of(again.with_columns(frame(rows)["received_at"])) == before


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=4), st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=4))
def test_other_events_have_another_digest(ours: Rows, others: Rows) -> None:
    """Digests are equal exactly where the events are: order counts, null is not empty text, texts stay apart."""
    for left, right in ((ours, others), (ours, ours[::-1])):
        assert (digest_of(frame(left)) == digest_of(frame(right))) == (left == right)


@pytest.mark.parametrize("column", list(EVENT_SCHEMA))
def test_every_column_counts(column: str) -> None:
    """A change in any single column changes the digest."""
    events = frame([("page", "1", "/")])
    value = START + timedelta(days=1) if EVENT_SCHEMA[column] == pl.Datetime("ms", "UTC") else "changed"
    changed = events.with_columns(pl.lit(value).cast(EVENT_SCHEMA[column]).alias(column))
    assert digest_of(changed) != digest_of(events)


def test_the_digest_stays_what_it_is() -> None:
    """The digest of a small frame is pinned: a change of it belongs in the changelog."""
    pinned = "21572e935985a6ec4e5975a77a8ce361813786f3d1a9008b8598e6e7276d0d70"
    assert digest_of(frame([("page", "1", "/"), (None, "2", "é")])) == pinned
