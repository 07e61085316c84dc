"""Claims about the event store, by example; those about any sequence of steps are in `test_event_store_machine.py`."""

import copy
import gzip
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from flat_events import CRAWLER, FOREIGN, START, TIMES, make_events

from analytics.errors import AnalyticsError
from analytics.events.enrichment import DERIVED_SCHEMA
from analytics.events.tracking_plan import EVENT_SCHEMA, EventName
from analytics.io.ndjson import decode, encode
from analytics.io.position import SourcePosition
from analytics.store import window as hour_window
from analytics.store.buckets import HOURLY_SCHEMA, HourBucket
from analytics.store.counts import Counts
from analytics.store.event_store import EventStore

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


def test_hours_are_half_open_and_report_zero_where_nothing_happened():
    """An event on the hour belongs to the hour that begins; every hour of the window has a row, empty ones too."""
    store = EventStore()
    demo = {"at": 5, "type": "track", "event": EventName.DEMO_REQUESTED}
    store.append(make_events({"at": 1 - 1 / 3_600_000}, {"at": 1}, demo, {"at": 6 - 1 / 3_600_000}))
    hourly = store.hourly()
    assert hourly["hour"].diff().drop_nulls().unique().to_list() == [HOUR]
    assert hourly.tail(6).select("n_events", "n_page_views", "n_demo_requests").rows() == [
        (1, 1, 0), (1, 1, 0), (0, 0, 0), (0, 0, 0), (0, 0, 0), (2, 1, 1),
    ]  # fmt: skip


def test_a_batch_is_counted_even_if_on_evict_fails():
    """If `on_evict` fails, the events are in the store and counted, and the hour is passed again at the next move."""
    evicted: list[int] = []

    def take(bucket: HourBucket) -> None:
        evicted.append(bucket.n_events)
        if len(evicted) == 1:
            raise OSError(28, "No space left on device")

    store = EventStore(1, on_evict=take)
    store.append(make_events({"at": 0}))
    with pytest.raises(OSError, match="No space"):
        store.append(make_events({"at": 1, "message_id": "x"}))
    assert summary(store.counts) == {"received": 2, "accepted": 2}
    assert store.events()["message_id"].to_list() == ["x"]
    store.append(make_events({"at": 1, "message_id": "y"}))
    assert evicted == [1, 1]


@pytest.mark.parametrize(("ahead_s", "expected_s"), [(60, 60), (60.001, 0)])
def test_skew_is_allowed_to_the_millisecond(ahead_s: float, expected_s: float):
    """An event may claim to have happened up to the skew after its arrival, and no millisecond more."""
    store = EventStore(skew_seconds=60)
    store.append(make_events({"original_timestamp": None, "timestamp": START + timedelta(seconds=ahead_s)}))
    assert store.stream_time == START + timedelta(seconds=expected_s)


def test_all_calls_and_bots_are_accepted():
    """Unused calls and bots are accepted, counted and tagged; page views of bots are counted if one asks for them."""
    store = EventStore()
    store.append(make_events({}, {"type": "screen"}, {"type": "alias"}, {"context_user_agent": CRAWLER}))
    assert store.counts_by_type == {"page": 2, "track": 0, "identify": 0, "group": 0, "screen": 1, "alias": 1}
    assert store.events()["is_bot"].to_list() == [False, False, False, True]
    assert [store.views(include_bots=bots)["page_views"].to_list() for bots in (False, True)] == [[1], [2]]


def test_unusable_rows_become_dead_letters():
    """In a table too, a row without type, identity or time becomes a dead letter with its number; others do not."""
    store = EventStore()
    rows = {}, {"type": "pageview"}, {"anonymous_id": None}, dict.fromkeys(TIMES), {"type": None}, {}
    assert summary(store.append(make_events(*rows))) == {"received": 6, "accepted": 2, "invalid": 4}
    reasons = [(2, "unknown_type"), (3, "no_identity"), (4, "no_time"), (5, "unknown_type")]
    assert [(letter.position, letter.reason.value) for letter in store.dead_letters] == reasons


def test_dead_letters_are_bounded():
    """Only the latest dead letters are kept, and none longer than an event may be; all are counted."""
    store = EventStore(max_dead_letters=2)
    store.append_json(b"a\nb\nc\n" + b"x" * 100_000)
    assert [letter.position for letter in store.dead_letters] == [3, 4]
    assert max(len(letter.raw) for letter in store.dead_letters) == 32 * 1024
    assert store.dead_letter_counts == {"not_json": 3, "too_large": 1}


def test_a_missing_identifier_gets_a_fingerprint():
    """Two deliveries of an event without identifier are one event, in tables and in lines."""
    store = EventStore()
    row = make_events({"message_id": None, "name": "A"})
    assert summary(store.append(pl.concat([row, row]))) == {"received": 2, "accepted": 1, "duplicate": 1}
    assert summary(store.append_json(encode(row))) == {"received": 1, "duplicate": 1}


@pytest.mark.parametrize("ms", [2**62, -(2**62), 10**15, -(10**14)])
def test_a_time_outside_the_calendar_is_invalid(ms: int):
    """A time outside the years 2 to 9998 makes its row a dead letter; a delay of thousands of years is only late."""
    store = EventStore()
    far = pl.lit(ms, pl.Int64()).cast(EVENT_SCHEMA["received_at"])
    assert summary(store.append(make_events({}).with_columns(received_at=far))) == {"received": 1, "invalid": 1}
    device = {"original_timestamp": datetime(3, 1, 1, tzinfo=UTC), "sent_at": datetime(9000, 1, 1, tzinfo=UTC)}
    device["timestamp"] = None
    store.append(make_events(device, {"at": 0}, device | {"message_id": "again"}))
    assert summary(store.counts) == {"received": 4, "accepted": 2, "late": 1, "invalid": 1}


def test_the_counts_of_a_foreign_file_add_up(tmp_path: Path):
    """Every line of a foreign file is counted once, whether it is read from a path, from bytes, or gzipped."""
    packed = tmp_path / "FOREIGN.gz"
    packed.write_bytes(gzip.compress(FOREIGN.read_bytes()))
    expected = Counts(received=41, accepted=18, duplicate=1, conflict=1, late=1, invalid=20)
    for source in (FOREIGN, FOREIGN.read_bytes(), packed):
        store = EventStore()
        assert store.append_json(source) == store.counts == expected
    assert sum(store.dead_letter_counts.values()) == 20
    assert sum(store.counts_by_type.values()) == 18


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: EventStore(window_hours=0), r"at least one hour.*got "),
        (lambda: EventStore(skew_seconds=-1), r"at least one hour.*got "),
        (lambda: EventStore(max_dead_letters=-1), r"at least one hour.*got "),
        (lambda: EventStore(spill=Path(__file__)), "no folder for past events can be made there"),
        (lambda: EventStore().advance_to(START.replace(tzinfo=None)), "now must have a time zone"),
        (lambda: EventStore().advance_to(datetime.max.replace(tzinfo=UTC)), "now must have a time zone"),
        (lambda: Counts(received=2, accepted=1), "2 events received, but 1 accounted for"),
    ],
    ids=["hours", "skew", "dead letters", "folder", "time zone", "end of the calendar", "counts"],
)
def test_impossible_values_are_refused(call: Callable[[], object], message: str):
    """Settings out of range, a file for a folder, a time that is no moment, and counts that do not add up."""
    with pytest.raises(AnalyticsError, match=message):
        call()


def test_many_small_batches_take_few_tables():
    """However small the batches, the events of an hour are in few tables."""
    store = EventStore()
    for number in range(130):
        store.append(make_events({"message_id": f"m{number}"}))
    assert max(len(hour._parts) for hour in store._hours._events_of_hour.values()) <= 65
    assert store.events().height == 130


def test_a_file_is_used_only_if_its_times_are_those_of_the_store(tmp_path: Path):
    """Events in a file leave memory, even those of the newest hour; not where a clock that runs ahead was corrected."""
    for name, change, n_files in (("fine", {}, 1), ("ahead", {"timestamp": START + 5 * HOUR}, 0)):
        store, part = EventStore(spill=tmp_path / name), make_events(change)
        part.write_parquet(tmp_path / "part.parquet")
        store.append(part, file=tmp_path / "part.parquet")
        assert len(list((tmp_path / name).rglob("*.parquet"))) == n_files
        assert store.buckets[-1].events.height == 1


def test_a_snapshot_has_the_whole_state():
    """A store restored from a snapshot is equal in all its attributes, and this test lists all that there are."""
    store = EventStore()
    batch = decode(encode(make_events({}, {"at": 1}, {"name": "B", "message_id": "m0"})) + b"broken")
    store.append_flattened(batch, SourcePosition("file", {"lines": 4}))
    again = EventStore()
    again.restore(store.snapshot())
    assert (again.digest(), again.summary, again.offsets) == (store.digest(), store.summary, {"file": {"lines": 4}})
    assert again.dead_letters == store.dead_letters
    assert len(again._seen) == len(store._seen)
    assert again._redeliveries.table().equals(store._redeliveries.table())
    # A new attribute must be restored too, and be named here.
    state = {"dead_letters", "offsets", "_hours", "_seen", "_redeliveries", "_counters"}
    assert vars(store).keys() == state | {"_window_hours", "_skew_ms", "_on_accept", "_on_late", "_own"}
    state = {"stream_ms", "reports", "_events_of_hour"}
    assert vars(store._hours).keys() == state | {"_n_hours", "_on_evict", "_spill", "_counts", "_empty"}


@pytest.fixture
def every_hour_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few events a past hour has, they go to a file."""
    monkeypatch.setattr(hour_window, "_WORTH_A_FILE", 1)


def test_buckets_and_copies_stay_what_they_were(tmp_path: Path):
    """Later events are in no bucket that a reader has already, nor in a copy; a store with files is not copied."""
    store = EventStore()
    store.append(make_events({}))
    bucket, other = store.buckets[-1], copy.deepcopy(store)
    store.append(make_events({"message_id": "later"}))
    assert (bucket.n_events, bucket.events.height, other.counts.accepted) == (1, 1, 1)
    assert store.buckets[-1].events.height == 2
    with pytest.raises(TypeError, match="cannot be copied"):
        copy.deepcopy(EventStore(spill=tmp_path))


@pytest.mark.usefixtures("every_hour_a_file")
def test_a_file_lasts_as_long_as_a_bucket_reads_it(tmp_path: Path):
    """The events of an evicted hour can be read while its bucket exists; then their file is deleted."""
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
def test_a_full_disk_costs_no_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where a file cannot be written an error says so, and the batch is in the store all the same, counted once."""
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
