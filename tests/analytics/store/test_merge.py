"""Claims about merging stores that took parts of a stream, and about the digest, which is equal for equal states."""

import copy
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import reduce
from itertools import pairwise, permutations
from operator import or_
from pathlib import Path
from random import Random
from typing import NamedTuple

import polars as pl
import pytest
from flat_events import START, make_events
from hypothesis import HealthCheck, given, settings, strategies as st
from other_processes import printed_by

from analytics.errors import AnalyticsError
from analytics.io.ndjson import encode
from analytics.store.event_store import EventStore

QUARTER = timedelta(minutes=15)
SLOW = settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])


class Delivery(NamedTuple):
    """One delivery of an event: identifier, content, event time and delay, the times in quarters of an hour."""

    number: int
    name: str
    at: int
    delay: int


# 23 hours at most from the first to the last: nothing can be late. Few values, to make them meet.
DELIVERIES, ANY_TIME = (
    st.lists(
        st.builds(Delivery, st.integers(0, 7), st.sampled_from("ABC"), st.integers(0, last), st.integers(0, 9)),
        max_size=20,
    )
    for last in (80, 400)
)


def frame_of(deliveries: Sequence[Delivery]) -> pl.DataFrame:
    """The events in the order given; the n-th arrives n milliseconds after the quarter, so no two at once."""
    rows = (
        {
            "message_id": f"m{each.number}",
            "name": each.name,
            "type": "page" if each.name != "C" else "screen",
            "original_timestamp": None,
            "timestamp": START + each.at * QUARTER,
            "received_at": START + (each.at + each.delay) * QUARTER + timedelta(milliseconds=n),
        }
        for n, each in enumerate(deliveries)
    )
    return make_events(*rows)


def store_of(frame: pl.DataFrame, cuts: Sequence[int] = (), **options: int) -> EventStore:
    """A store that has taken these events, in batches that end at the cuts."""
    store = EventStore(**options)
    for begin, end in pairwise([0, *sorted(min(cut, frame.height) for cut in cuts), frame.height]):
        store.append(frame[begin:end])
    return store


@SLOW
@given(deliveries=DELIVERIES, random=st.randoms(use_true_random=False))
def test_any_permutation_within_lateness_gives_one_digest(deliveries: list[Delivery], random: Random):
    """Where nothing is late events may come in any order; deliveries of one identifier keep theirs, or are the same.

    The first delivery of an identifier is kept. A second delivery of the same bytes may come at any time.
    """
    frame = frame_of(deliveries)
    turns = frame["message_id"].to_list()
    rows_of = {key: iter([row for row, each in enumerate(turns) if each == key]) for key in turns}
    random.shuffle(turns)
    shuffled = [next(rows_of[key]) for key in turns]
    assert store_of(frame[shuffled] if shuffled else frame).digest() == store_of(frame).digest()

    once = frame.unique("message_id", maintain_order=True)
    twice = [*range(once.height)] * 2
    random.shuffle(twice)
    copies = once[twice] if twice else once
    assert store_of(copies).digest() == store_of(copies.sort("message_id")).digest()


@SLOW
@given(deliveries=DELIVERIES, parts=st.lists(st.integers(0, 3), min_size=20, max_size=20), data=st.data())
def test_any_partition_merges_to_what_one_store_holds(
    deliveries: list[Delivery], parts: list[int], data: st.DataObject
):
    """However a stream without late events is partitioned, and in whatever order the stores are merged: one digest.

    Also where deliveries of one identifier went to several stores, each of which accepted its own.
    """
    frame = frame_of(deliveries).sort("received_at", maintain_order=True)
    part_of = pl.Series(parts[: frame.height], dtype=pl.Int64)
    stores = [store_of(frame.filter(part_of == part), data.draw(st.lists(st.integers(0, 9)))) for part in range(4)]
    whole = store_of(frame)
    for order in data.draw(st.lists(st.permutations(stores), min_size=1, max_size=2)):
        merged = reduce(or_, order)
        assert merged.digest() == whole.digest()
        assert merged.counts == whole.counts
        assert merged.events().equals(whole.events())
        assert (order[0] | order[1] | (order[2] | order[3])).digest() == whole.digest()


def check_order_does_not_matter(stores: Sequence[EventStore]) -> None:
    """Three stores may be merged in any order and grouping."""
    digests = set()
    for a, b, c in list(permutations(stores))[::2]:
        digests |= {((a | b) | c).digest(), (a | (b | c)).digest()}
    assert len(digests) == 1


@SLOW
@given(deliveries=ANY_TIME, parts=st.lists(st.integers(0, 2), min_size=20, max_size=20), hours=st.integers(1, 24))
def test_merging_is_associative_and_commutative(deliveries: list[Delivery], parts: list[int], hours: int):
    """Whatever was late or evicted in each part: where no identifier is in two parts, or all parts stand at one time.

    Where no identifier is in two parts, the counts are the sums.
    """
    frame = frame_of(deliveries)
    number = pl.col("message_id").str.slice(1).cast(pl.Int64)
    stores = [store_of(frame.filter(number % 3 == part), window_hours=hours) for part in range(3)]
    check_order_does_not_matter(stores)
    merged = reduce(or_, stores)
    assert merged.counts == reduce(lambda one, other: one + other, (store.counts for store in stores))

    part_of = pl.Series(parts[: frame.height], dtype=pl.Int64)
    stores = [store_of(frame.filter(part_of == part), window_hours=hours) for part in range(3)]
    reached = [store.stream_time for store in stores if store.stream_time is not None]
    for store in stores:
        store.advance_to(max(reached, default=START))
    check_order_does_not_matter(stores)


@SLOW
@given(deliveries=DELIVERIES, more=DELIVERIES, cut=st.integers(0, 20))
def test_a_merged_store_judges_as_one_store_would(deliveries: list[Delivery], more: list[Delivery], cut: int):
    """Later events are judged as if all had come to one store: identifiers and contents are remembered."""
    frame, later = frame_of(deliveries).sort("received_at", maintain_order=True), frame_of(more)
    # It arrives after all that was there before.
    later = later.with_columns(pl.col("received_at") + timedelta(days=1))
    merged, whole = store_of(frame[:cut]) | store_of(frame[cut:]), store_of(frame)
    assert merged.append(later) == whole.append(later)
    assert merged.digest() == whole.digest()


def test_merging_by_example():
    """The earlier arrival is kept; redeliveries of the other event become conflicts, those of the kept one do not."""
    texts = ["A", "B", "A", "B", "B"]
    frame = frame_of([Delivery(1, name, 0, n) for n, name in enumerate(texts)])
    one, other = store_of(frame[[0, 4]]), store_of(frame[[1, 2, 3]])
    assert (one.counts.conflict, other.counts.conflict, other.counts.duplicate) == (1, 1, 1)
    merged = one | other
    assert asdict(merged.counts) == {
        "received": 5, "accepted": 1, "duplicate": 1, "conflict": 3, "late": 0, "invalid": 0,
    }  # fmt: skip
    assert merged.events()["name"].to_list() == ["A"]


def test_merging_changes_neither_store():
    """The parts can take more events, and be merged again; stores with another window or skew cannot."""
    one, other = (store_of(frame_of([Delivery(1, name, 0, 0)])) for name in "AB")
    before = one.digest(), other.digest()
    merged = one | other
    merged.append(make_events({"message_id": "new"}))
    assert (one.digest(), other.digest()) == before
    for stranger in (EventStore(window_hours=2), EventStore(skew_seconds=1)):
        with pytest.raises(AnalyticsError, match="cannot be merged"):
            _ = one | stranger


def test_the_later_stream_time_holds():
    """Hours of the part that lags behind have left the merged window: they are counted, but not in it.

    Reasons of dead letters are added up, and the letters of both are kept as far as there is room.
    """
    one, other = EventStore(max_dead_letters=2), EventStore(max_dead_letters=2)
    one.append(make_events({"at": 0}, {"at": 3}))
    other.append(make_events({"at": 25, "message_id": "x"}))
    one.append_json(b"a\nb\n")
    other.append_json(b"{}\n")
    merged = one | other
    assert merged.stream_time == other.stream_time
    assert merged.counts.accepted == 3
    assert merged.events()["message_id"].to_list() == ["m1", "x"]
    assert merged.dead_letter_counts == {"not_json": 2, "unknown_type": 1}
    assert [letter.raw for letter in merged.dead_letters] == [letter.raw for letter in (other | one).dead_letters]
    assert len(merged.dead_letters) == 2


@pytest.mark.parametrize(
    "change",
    [{"name": "B"}, {"message_id": "x"}, {"extra": '{"a":1}'}, {"sent_at": None}, {"received_at": START + QUARTER}],
)
def test_the_digest_sees_every_difference(change: dict[str, object]):
    """Another text, identifier, extra or time gives another digest."""
    row = {"name": "A", "message_id": "m", "extra": None}
    assert store_of(make_events(row)).digest() != store_of(make_events(row | change)).digest()


def test_the_digest_sees_what_was_counted():
    """A duplicate, a late event, a dead letter, a setting or an advance gives another digest; a copy does not."""
    store = store_of(make_events({"at": 30}))
    digests = {store.digest(), EventStore().digest(), EventStore(window_hours=2).digest()}
    for take in (
        lambda: store.append(make_events({"at": 30})),
        lambda: store.append(make_events({"at": 0})),
        lambda: store.append_json(b"nonsense"),
        lambda: store.advance_to(START + timedelta(hours=31)),
    ):
        take()
        digests.add(store.digest())
    assert len(digests) == 7
    assert copy.deepcopy(store).digest() == store.digest()


def test_the_digest_is_the_same_in_another_process(tmp_path: Path):
    """It depends neither on hash seeds nor on the categories that a process has seen before."""
    frame = frame_of([Delivery(n % 3, "AB"[n % 2], n, n % 4) for n in range(12)])
    path = tmp_path / "events.ndjson"
    path.write_bytes(encode(frame))
    script = (
        "import polars as pl; pl.Series(['Z', 'B', 'A', 'screen']).cast(pl.Categorical())\n"
        "from analytics import EventStore; import sys\n"
        "store = EventStore(); store.append_json(sys.argv[1]); print(store.digest())"
    )
    assert printed_by(script, path) == store_of(frame).digest()
