"""The promises of the event store."""

import copy
import gzip
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from polars.testing import assert_frame_equal

from analytics.errors import AnalyticsError
from analytics.events.enrichment import DERIVED_SCHEMA
from analytics.events.tracking_plan import EVENT_SCHEMA, EventName
from analytics.io.ndjson import decode, encode
from analytics.store import window as hour_window
from analytics.store.buckets import HOURLY_SCHEMA, HourBucket
from analytics.store.counts import Counts
from analytics.store.event_store import EventStore

Maker = Callable[..., pl.DataFrame]
START = datetime(2026, 3, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)


def summary(counts: Counts) -> dict[str, int]:
    """The counts that are not zero."""
    return {name: n for name, n in asdict(counts).items() if n}


def test_an_empty_store_has_no_window():
    """Before the first event there is no time, no window and no bucket, and frames are empty but complete."""
    store = EventStore()
    assert (store.stream_time, store.window, store.buckets) == (None, None, ())
    assert store.hourly().schema == HOURLY_SCHEMA
    assert store.events().schema == pl.Schema({**EVENT_SCHEMA, **DERIVED_SCHEMA})
    assert store.append(pl.DataFrame()) == Counts()


def test_hours_are_half_open(make_events: Maker):
    """An event exactly on the hour belongs to the hour that begins, one a millisecond earlier to the one that ends."""
    store = EventStore()
    store.append(make_events({"at": 1 - 1 / 3_600_000}, {"at": 1}, {"at": 2 - 1 / 3_600_000}))
    assert [(bucket.start - START, bucket.n_events) for bucket in store.buckets[-2:]] == [(0 * HOUR, 1), (HOUR, 2)]


def test_the_window_is_the_running_hour_and_the_23_before(make_events: Maker):
    """The window spans 24 hours to the end of the running one; the oldest hour is the 23rd before."""
    store = EventStore()
    counts = store.append(make_events({"at": 23.5}, {"at": 0}, {"at": -1 / 3600}))
    assert store.window == (START, START + 24 * HOUR)
    assert summary(counts) == {"received": 3, "accepted": 2, "late": 1}
    assert len(store.buckets) == 24


def test_empty_hours_report_zero(make_events: Maker):
    """Every hour of the window has a row, also where nothing happened."""
    store = EventStore()
    store.append(make_events({"at": 0}, {"at": 5, "type": "track", "event": EventName.DEMO_REQUESTED}, {"at": 5}))
    hourly = store.hourly()
    assert hourly["hour"].diff().drop_nulls().unique().to_list() == [HOUR]
    assert hourly.tail(6).select("n_events", "n_page_views", "n_demo_requests").rows() == [
        (1, 1, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0), (2, 1, 1),
    ]  # fmt: skip


def test_first_delivery_wins(make_events: Maker):
    """A second delivery of the same is a duplicate, the same identifier with another body a conflict."""
    store = EventStore()
    first = make_events({"name": "A", "message_id": "m"})
    again = first.with_columns(pl.col("sent_at", "received_at", "timestamp") + pl.duration(seconds=9))
    counts = store.append(pl.concat([first, again, first.with_columns(name=pl.lit("B"))]))
    assert summary(counts) == {"received": 3, "accepted": 1, "duplicate": 1, "conflict": 1}
    assert summary(store.append(again)) == {"received": 1, "duplicate": 1}
    assert store.events()["name"].to_list() == ["A"]


def test_identifiers_are_forgotten_with_their_hour(make_events: Maker):
    """A day later the same identifier is a new event; an hour before that it is not."""
    store = EventStore()
    day = make_events({"at": 0, "message_id": "m"}, {"at": 23.9, "message_id": "m"}, {"at": 24, "message_id": "m"})
    assert summary(store.append(day)) == {"received": 3, "accepted": 2, "conflict": 1}
    assert len(store._seen) == 1


def test_an_event_dated_2124_does_not_empty_the_window(make_events: Maker):
    """An impossible event time is replaced by the arrival, so the window stays where it is."""
    store = EventStore()
    wrong = {"at": 1, "timestamp": datetime(2124, 1, 1, tzinfo=UTC), "original_timestamp": None}
    store.append(make_events({"at": 0}, wrong, {"at": 1.5}))
    assert store.stream_time == START + 1.5 * HOUR
    assert store.counts.accepted == 3
    assert store.n_future == 1
    assert store.events()["event_time"].to_list() == [START, START + HOUR, START + 1.5 * HOUR]


@pytest.mark.parametrize(
    ("missing", "hour"),
    [((), 2), (("sent_at",), 3), (("original_timestamp",), 3), (("sent_at", "timestamp"), 5), (("timestamp",), 2)],
)
def test_an_event_counts_in_the_hour_of_its_corrected_time(make_events: Maker, missing: tuple[str, ...], hour: int):
    """The device's delay is taken off the arrival, whatever its clock says; else `timestamp`, else the arrival."""
    by_its_clock = {"original_timestamp": START + 95 * HOUR, "sent_at": START + 98 * HOUR}
    times = by_its_clock | {"timestamp": START + 3 * HOUR, "received_at": START + 5 * HOUR}
    store = EventStore()
    store.append(make_events(times | dict.fromkeys(missing)))
    assert [(each.start - START) // HOUR for each in store.buckets if each.n_events] == [hour]
    assert store.stream_time == START + hour * HOUR


def test_a_batch_is_accounted_for_though_an_hour_cannot_be_handed_on(make_events: Maker):
    """If handing on an hour fails, the events are in and counted, and the hour is handed on at the next occasion."""
    handed: list[int] = []

    def take(bucket: HourBucket) -> None:
        handed.append(bucket.n_events)
        if len(handed) == 1:
            raise OSError(28, "No space left on device")

    store = EventStore(1, on_evict=take)
    store.append(make_events({"at": 0}))
    with pytest.raises(OSError, match="No space"):
        store.append(make_events({"at": 1, "message_id": "x"}))
    assert summary(store.counts) == {"received": 2, "accepted": 2}
    assert store.events()["message_id"].to_list() == ["x"]
    store.append(make_events({"at": 1, "message_id": "y"}))
    assert handed == [1, 1]


@pytest.mark.parametrize(("ahead_s", "expected_s"), [(60, 60), (60.001, 0)])
def test_a_little_skew_is_believed(make_events: Maker, ahead_s: float, expected_s: float):
    """An event may claim to have happened up to the skew after its arrival, and no millisecond more."""
    store = EventStore(skew_seconds=60)
    store.append(make_events({"original_timestamp": None, "timestamp": START + timedelta(seconds=ahead_s)}))
    assert store.stream_time == START + timedelta(seconds=expected_s)


def test_stream_time_never_falls(make_events: Maker):
    """Neither an older event nor an earlier `now` takes stream time back."""
    store = EventStore()
    store.append(make_events({"at": 5}, {"at": 3}))
    store.advance_to(START)
    assert store.stream_time == START + 5 * HOUR


def test_time_passes_without_events(make_events: Maker):
    """Advancing to a moment evicts what it leaves behind and makes later arrivals late."""
    store = EventStore()
    store.append(make_events({"at": 0}, {"at": 1}))
    store.advance_to(START + 24 * HOUR)
    assert store.events()["message_id"].to_list() == ["m1"]
    assert summary(store.append(make_events({"at": 0.5, "message_id": "x"}))) == {"received": 1, "late": 1}


@pytest.mark.parametrize("now", [datetime(2026, 3, 3), datetime.max.replace(tzinfo=UTC)])  # noqa: DTZ001
def test_now_must_be_a_moment(now: datetime):
    """A time without zone, or at the end of all time, is refused."""
    with pytest.raises(AnalyticsError, match="now must have a time zone"):
        EventStore().advance_to(now)


def test_lateness_is_counted(make_events: Maker):
    """A late event is counted with its distance to stream time; none has no lateness."""
    store = EventStore(window_hours=1)
    assert store.lateness.max_s is None
    store.append(make_events({"at": 10}, {"at": 8}, {"at": 7}))
    assert (store.lateness.max_s, store.lateness.mean_s) == (3 * 3600, 2.5 * 3600)


def test_evicted_hours_are_handed_on(make_events: Maker):
    """Each hour with events that leaves the window is handed on once, whole, oldest first."""
    evicted: list[HourBucket] = []
    store = EventStore(window_hours=2, on_evict=evicted.append)
    store.append(make_events({"at": 0}, {"at": 0.5}, {"at": 1}, {"at": 9}))
    assert [(bucket.start, bucket.n_events) for bucket in evicted] == [(START, 2), (START + HOUR, 1)]
    assert evicted[0].events["message_id"].to_list() == ["m0", "m1"]


def test_all_calls_and_bots_are_accepted(make_events: Maker):
    """Unused calls and bots are accepted, counted and tagged."""
    store = EventStore()
    store.append(make_events({"type": "screen"}, {"type": "alias"}, {"context_user_agent": "Googlebot/2.1"}))
    assert store.counts_by_type == {"page": 1, "track": 0, "identify": 0, "group": 0, "screen": 1, "alias": 1}
    assert store.events()["is_bot"].to_list() == [False, False, True]


def test_events_come_in_order_of_time(make_events: Maker):
    """Events are returned by event time, then identifier, in whatever order they arrived."""
    store = EventStore()
    for message_id, at in (("c", 2), ("b", 1), ("a", 2), ("d", 1.5)):
        store.append(make_events({"message_id": message_id, "at": at}))
    assert store.events()["message_id"].to_list() == ["b", "d", "a", "c"]


def test_rows_of_no_use_become_dead_letters(make_events: Maker):
    """In a table too, a row without type, identity or time costs itself only, and is known by its number."""
    store = EventStore()
    nothing = dict.fromkeys(("original_timestamp", "sent_at", "received_at", "timestamp"))
    counts = store.append(make_events({}, {"type": "pageview"}, {"anonymous_id": None}, nothing, {"type": None}, {}))
    assert summary(counts) == {"received": 6, "accepted": 2, "invalid": 4}
    reasons = ["unknown_type", "no_identity", "no_time", "unknown_type"]
    assert [(letter.position, letter.reason.value) for letter in store.dead_letters] == list(
        zip([2, 3, 4, 5], reasons, strict=True)
    )


def test_a_missing_identifier_gets_a_fingerprint(make_events: Maker):
    """Two deliveries of an event without identifier are one event, in a table as in lines."""
    store = EventStore()
    row = make_events({"message_id": None, "name": "A"})
    assert summary(store.append(pl.concat([row, row]))) == {"received": 2, "accepted": 1, "duplicate": 1}
    assert summary(store.append_json(encode(row))) == {"received": 1, "duplicate": 1}


def test_a_row_without_arrival_counts_from_its_other_times(make_events: Maker):
    """A table without received_at is taken, as lines without receivedAt are."""
    store = EventStore()
    store.append(make_events({"at": 1, "received_at": None}, {"at": 2}).drop("received_at"))
    assert store.stream_time == START + 2 * HOUR


@pytest.mark.parametrize("ms", [2**62, -(2**62), 10**15, -(10**14)])
def test_a_time_that_no_calendar_holds_is_invalid(make_events: Maker, ms: int):
    """A time out of all range makes its row a dead letter."""
    store = EventStore()
    far = pl.lit(ms, pl.Int64()).cast(EVENT_SCHEMA["received_at"])
    assert summary(store.append(make_events({}).with_columns(received_at=far))) == {"received": 1, "invalid": 1}


def test_the_longest_delay_is_only_late(make_events: Maker):
    """A delay of thousands of years puts an event at the beginning of time, not into an error."""
    store = EventStore()
    device = {"original_timestamp": datetime(3, 1, 1, tzinfo=UTC), "sent_at": datetime(9000, 1, 1, tzinfo=UTC)}
    store.append(make_events(device, {"at": 0}, device | {"message_id": "again"}))
    assert summary(store.counts) == {"received": 3, "accepted": 2, "late": 1}
    assert store.window is not None


def test_a_foreign_file_adds_up(foreign: Path, tmp_path: Path):
    """Of a foreign file every line is counted once, whether it is read from a path, bytes, or gzipped."""
    packed = tmp_path / "foreign.gz"
    packed.write_bytes(gzip.compress(foreign.read_bytes()))
    expected = Counts(received=41, accepted=18, duplicate=1, conflict=1, late=1, invalid=20)
    for source in (foreign, foreign.read_bytes(), packed):
        store = EventStore()
        assert store.append_json(source) == store.counts == expected
    assert sum(store.dead_letter_counts.values()) == 20
    assert sum(store.counts_by_type.values()) == 18


def test_dead_letters_are_bounded():
    """Only the latest dead letters are kept, and none longer than an event may be; all are counted."""
    store = EventStore(max_dead_letters=2)
    store.append_json(b"a\nb\nc\n" + b"x" * 100_000)
    assert [letter.position for letter in store.dead_letters] == [3, 4]
    assert max(len(letter.raw) for letter in store.dead_letters) == 32 * 1024
    assert store.dead_letter_counts == {"not_json": 3, "too_large": 1}


def test_counts_must_add_up():
    """Counts whose parts do not sum to what was received cannot be made."""
    with pytest.raises(AnalyticsError, match="2 events received, but 1 accounted for"):
        Counts(received=2, accepted=1)


@pytest.mark.parametrize("wrong", [{"window_hours": 0}, {"skew_seconds": -1}, {"max_dead_letters": -1}])
def test_settings_in_range(wrong: dict[str, Any]):
    """A store without hours, or with a negative skew or number of dead letters, is refused."""
    with pytest.raises(AnalyticsError, match=r"at least one hour.*got "):
        EventStore(**wrong)


def test_many_small_batches_take_one_frame(make_events: Maker):
    """However small the batches, an hour is held in few frames."""
    store = EventStore()
    for number in range(130):
        store.append(make_events({"message_id": f"m{number}"}))
    assert max(len(held._parts) for held in store._hours._events_of_hour.values()) <= 65
    assert store.events().height == 130


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    hours=st.lists(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["docs", "pricing", None])), max_size=5)),
    by=st.sampled_from([None, "page_group", ("page_group", "country")]),
)
def test_views_are_those_of_the_events(
    make_events: Maker, hours: list[list[tuple[int, str | None]]], by: str | tuple[str, ...] | None
):
    """However often it is asked and whatever comes in between, the store counts the page views of its events."""
    store = EventStore()
    for number, batch in enumerate(hours):
        rows = [
            {"at": at, "category": category, "message_id": f"{number}-{k}"} for k, (at, category) in enumerate(batch)
        ]
        store.append(make_events(*rows, {"type": "track", "at": 1, "message_id": f"{number}"}))
        names = [] if by is None else [by] if isinstance(by, str) else list(by)
        expected = (
            store.events()
            .filter(pl.col("type") == "page")
            .with_columns(
                pl.col("event_time").dt.truncate("1h").alias("hour"),
                pl.col("category").cast(pl.String).fill_null("(not set)").alias("page_group"),
                pl.col("context_location_country").cast(pl.String).fill_null("(not set)").alias("country"),
            )
            .group_by("hour", *names)
            .agg(page_views=pl.len())
            .sort("hour", *names)
        )
        assert_frame_equal(store.views(by).drop("revision", "final"), expected)


def test_views_leave_programs_out(make_events: Maker):
    """Page views of programs are counted only if asked for."""
    store = EventStore()
    store.append(make_events({}, {"context_user_agent": "Googlebot/2.1"}))
    assert store.views()["page_views"].to_list() == [1]
    assert store.views(include_bots=True)["page_views"].to_list() == [2]


Delivery = tuple[int, int, int, str]
DELIVERIES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 300), st.integers(-20, 20), st.sampled_from("AB")), max_size=30
)
"""Identifier, arrival and claimed event time in quarters of an hour (few values, to make them meet), and body."""


def as_frame(make: Maker, deliveries: list[Delivery]) -> pl.DataFrame:
    """Events as claimed, in order of delivery."""
    return make(
        *(
            {
                "message_id": f"m{number % 6}",
                "name": name,
                "original_timestamp": None,
                "received_at": START + arrival * HOUR / 4,
                "timestamp": START + (arrival - delay) * HOUR / 4,
            }
            for number, arrival, delay, name in deliveries
        )
    )


def one_by_one(deliveries: list[Delivery], window_hours: int) -> tuple[Counter[str], dict[int, int]]:
    """What the promises say, taken literally, one delivery after the other; and the events in each hour at the end."""
    stream, kept, counts = -(10**9), {}, Counter[str]()
    for number, arrival, delay, name in deliveries:
        time = arrival if delay < 0 else arrival - delay
        stream = max(stream, time)
        oldest = stream // 4 - window_hours + 1
        kept = {key: event for key, event in kept.items() if event[0] >= oldest}
        if time // 4 < oldest:
            outcome = "late"
        elif (key := number % 6) in kept:
            outcome = "duplicate" if kept[key][1] == name else "conflict"
        else:
            kept[key] = (time // 4, name)
            outcome = "accepted"
        counts[outcome] += 1
        counts["received"] += 1
    return counts, Counter(hour for hour, _ in kept.values())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(deliveries=DELIVERIES, cuts=st.lists(st.integers(0, 30), max_size=4), window_hours=st.integers(1, 24))
def test_batches_do_not_matter(make_events: Maker, deliveries: list[Delivery], cuts: list[int], window_hours: int):
    """Any split into batches gives the counts and buckets of a literal store that takes one delivery at a time."""
    events = as_frame(make_events, deliveries)
    store = EventStore(window_hours)
    edges = [0, *sorted(min(cut, len(deliveries)) for cut in cuts), len(deliveries)]
    for begin, end in pairwise(edges):
        store.append(events[begin:end])
    counts, hours = one_by_one(deliveries, window_hours)
    assert summary(store.counts) == dict(counts)
    assert {(b.start - START) // HOUR: b.n_events for b in store.buckets if b.n_events} == dict(hours)
    whole = EventStore(window_hours)
    whole.append(events)
    assert (whole.lateness, whole.stream_time, whole.n_future) == (store.lateness, store.stream_time, store.n_future)
    assert whole.events().equals(store.events())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(deliveries=DELIVERIES, cuts=st.lists(st.integers(0, 30), max_size=4))
def test_files_do_not_matter(make_events: Maker, deliveries: list[Delivery], cuts: list[int]):
    """A store whose past hours are in files judges, counts and gives back its events like one without files."""
    events = as_frame(make_events, deliveries)
    edges = [0, *sorted(min(cut, len(deliveries)) for cut in cuts), len(deliveries)]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(hour_window, "_WORTH_A_FILE", 1)
        evicted: list[list[pl.DataFrame]] = [[], []]
        stores = [
            EventStore(4, on_evict=lambda bucket: evicted[0].append(bucket.events)),
            EventStore(4, on_evict=lambda bucket: evicted[1].append(bucket.events), spill=Path(folder)),
        ]
        for begin, end in pairwise(edges):
            counts = [store.append(events[begin:end]) for store in stores]
            assert counts[0] == counts[1]
            assert_frame_equal(stores[0].views("page_group"), stores[1].views("page_group"))
        assert stores[0].buckets == stores[1].buckets
        assert stores[0].events().equals(stores[1].events())
        assert all(one.equals(other) for one, other in zip(*evicted, strict=True))
        kept = {bucket.start for bucket in stores[1].buckets}
        files = [
            START.fromtimestamp(int(path.name.split("-")[0]) / 1000, UTC) for path in Path(folder).rglob("*.parquet")
        ]
        assert kept.issuperset(files)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(deliveries=DELIVERIES, cuts=st.lists(st.integers(0, 30), max_size=4), can_link=st.booleans())
def test_events_that_are_in_a_file_already_are_left_there(
    make_events: Maker, deliveries: list[Delivery], cuts: list[int], *, can_link: bool
):
    """A store told where its events are judges, counts and gives them back as any, though the file is deleted."""
    events = as_frame(make_events, deliveries)
    edges = [0, *sorted(min(cut, len(deliveries)) for cut in cuts), len(deliveries)]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(hour_window, "_WORTH_A_FILE", 1)
        if not can_link:
            patch.setattr(os, "link", no_links)
        stores = [EventStore(4), EventStore(4, spill=Path(folder) / "store")]
        for begin, end in pairwise(edges):
            part, file = events[begin:end], Path(folder) / "part.parquet"
            part.write_parquet(file)
            counts = [stores[0].append(part), stores[1].append(part, file=file)]
            file.unlink()
            assert counts[0] == counts[1]
            assert_frame_equal(stores[0].views("page_group"), stores[1].views("page_group"))
        assert stores[0].buckets == stores[1].buckets
        assert stores[0].events().equals(stores[1].events())


def no_links(*_: object) -> None:
    """Stand in for a file system on which a file has one name."""
    raise OSError(1, "Operation not permitted")


def test_a_file_is_taken_over_only_where_it_tells_all(make_events: Maker, tmp_path: Path):
    """The newest hour's events leave memory where a file has them; not where a clock that runs ahead was put right."""
    for name, change, n_files in (("fine", {}, 1), ("ahead", {"original_timestamp": START + 5 * HOUR}, 0)):
        store, part = EventStore(spill=tmp_path / name), make_events(change)
        part.write_parquet(tmp_path / "part.parquet")
        store.append(part, file=tmp_path / "part.parquet")
        assert len(list((tmp_path / name).rglob("*.parquet"))) == n_files
        assert store.buckets[-1].events.height == 1


@pytest.fixture
def every_hour_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few events a past hour has, they go to a file."""
    monkeypatch.setattr(hour_window, "_WORTH_A_FILE", 1)


def test_a_bucket_stays_what_it_was(make_events: Maker):
    """What comes later is not in a bucket that was handed out before."""
    store = EventStore()
    store.append(make_events({}))
    bucket = store.buckets[-1]
    store.append(make_events({"message_id": "later"}))
    assert (bucket.n_events, bucket.events.height) == (1, 1)
    assert store.buckets[-1].events.height == 2


@pytest.mark.usefixtures("every_hour_a_file")
def test_a_file_lasts_as_long_as_a_bucket_reads_it(make_events: Maker, tmp_path: Path):
    """The events of an evicted hour can be read while its bucket is kept; then their file is gone."""
    evicted: list[HourBucket] = []
    store = EventStore(2, on_evict=evicted.append, spill=tmp_path)
    for at in (0, 1, 9):
        store.append(make_events({"at": at, "message_id": f"{at}"}))
    assert [bucket.events["message_id"].to_list() for bucket in evicted] == [["0"], ["1"]]
    assert len(list(tmp_path.rglob("*.parquet"))) == 1
    evicted.clear()
    assert not list(tmp_path.rglob("*.parquet"))
    del store
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("every_hour_a_file")
def test_stores_may_share_a_folder(make_events: Maker, tmp_path: Path):
    """Two stores with files in one folder keep their events apart."""
    stores = [EventStore(spill=tmp_path) for _ in range(2)]
    for number, store in enumerate(stores):
        store.append(make_events({"message_id": f"{number}"}, {"at": 1, "message_id": f"{number}+"}))
    assert [store.events()["message_id"].to_list() for store in stores] == [["0", "0+"], ["1", "1+"]]


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path):
    """A store whose folder cannot be made is not made either."""
    (tmp_path / "file").touch()
    with pytest.raises(AnalyticsError, match="no folder for past events can be made there"):
        EventStore(spill=tmp_path / "file")


@pytest.mark.usefixtures("every_hour_a_file")
def test_a_full_disk_costs_no_event(make_events: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where a file cannot be written that is said, and the batch is in all the same, counted once."""
    store = EventStore(spill=tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pl.DataFrame, "write_parquet", full)
        with pytest.raises(AnalyticsError, match=r"stay in memory.*No space left"):
            store.append(make_events({}, {"at": 1}))
    assert summary(store.counts) == {"received": 2, "accepted": 2}
    assert summary(store.append(make_events({}, {"at": 2, "message_id": "m2"}))) == {
        "received": 2, "accepted": 1, "duplicate": 1,
    }  # fmt: skip
    assert store.events()["message_id"].to_list() == ["m0", "m1", "m2"]


def test_a_store_with_files_is_not_copied(make_events: Maker, tmp_path: Path):
    """Two stores would write to the same files; without files a copy goes its own way."""
    with pytest.raises(TypeError, match="cannot be copied"):
        copy.deepcopy(EventStore(spill=tmp_path))
    store = EventStore()
    store.append(make_events({}))
    other = copy.deepcopy(store)
    other.append(make_events({"message_id": "another"}))
    assert (store.counts.accepted, other.counts.accepted) == (1, 2)


def test_lines_and_tables_are_stored_alike(make_events: Maker):
    """Events appended as a table, as lines or as a decoded batch give the same store."""
    events = make_events(
        {"at": 0}, {"at": 1, "email": "a@gmail.com", "type": "identify"}, {"at": 1, "message_id": "m0"}
    )
    stores = [EventStore() for _ in range(3)]
    stores[0].append(events)
    stores[1].append_json(encode(events))
    stores[2].append_flattened(decode(encode(events)))
    assert stores[0].counts == stores[1].counts == stores[2].counts
    assert stores[0].events().equals(stores[1].events())
    assert stores[0].events().equals(stores[2].events())
