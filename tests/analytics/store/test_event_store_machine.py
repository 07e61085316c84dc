"""The event store against a store of forty lines that takes every promise literally, for any sequence of steps."""

import pickle
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from analytics.durable.opening import open_store
from analytics.durable.recovery import read_store
from analytics.durable.settings import StoreSettings
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.ndjson import encode
from analytics.store.buckets import HourBucket
from analytics.store.event_store import EventStore

START: Final = datetime(2026, 3, 3, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
TIMES: Final = ("original_timestamp", "sent_at", "received_at", "timestamp")
SKEW: Final = 1

PARTS = st.fixed_dictionaries(
    {
        "message_id": st.integers(0, 6).map("m{}".format),
        "context_page_title": st.sampled_from("AB"),
        "type": st.sampled_from(["page", "page", "page", "screen"]),
        "ago": st.sampled_from([0, 0, 10, 60, 200, 400]),
        "way": st.integers(0, 1),
        "ahead": st.sampled_from([0, 0, 1, 2, 10_000]),
        "missing": st.just(frozenset()) | st.frozensets(st.sampled_from([*TIMES, "anonymous_id"]), max_size=4),
    }
)

Event = dict[str, Any]
"""What a delivery says; times are minutes after START, or None."""


class Model:
    """A store that takes one delivery after the other and remembers what it holds in a dictionary; times in minutes."""

    def __init__(self, window_hours: int) -> None:
        self.window_hours = window_hours
        self.stream: int | None = None
        self.kept: dict[str, tuple[int, Event]] = {}
        self.counts, self.types, self.evicted = Counter[str](), Counter[str](), Counter[int]()
        self.lateness, self.n_future = list[int](), 0
        self.reported: dict[int, tuple[int, int]] = {}

    @property
    def floor(self) -> int:
        """The oldest hour of the window."""
        return (self.stream or 0) // 60 - self.window_hours + 1

    def take(self, event: Event) -> str:
        """What becomes of a delivery."""
        self.counts["received"] += 1
        given = [event[name] for name in ("received_at", "sent_at", "timestamp", TIMES[0]) if event[name] is not None]
        arrival = given[0] if given else None
        if arrival is None or event["anonymous_id"] is None:
            return "invalid"
        delay = None if None in (event["sent_at"], event["original_timestamp"]) else event["sent_at"] - event[TIMES[0]]
        time = arrival - delay if delay is not None else arrival if event["timestamp"] is None else event["timestamp"]
        if time > arrival + SKEW:
            self.n_future, time = self.n_future + 1, arrival
        self.reach(time)
        if time // 60 < self.floor:
            self.lateness.append(self.stream - time)
            return "late"
        body = {key: value for key, value in event.items() if key not in TIMES[1:]}
        if event["message_id"] in self.kept:
            return "duplicate" if self.kept[event["message_id"]][1] == body else "conflict"
        self.kept[event["message_id"]] = time, body
        self.types[event["type"]] += 1
        return "accepted"

    def reach(self, time: int) -> None:
        """Move on, and let go of what is too old."""
        self.stream = time if self.stream is None else max(self.stream, time)
        for key, (at, _) in list(self.kept.items()):
            if at // 60 < self.floor:
                self.evicted[at // 60] += 1
                del self.kept[key]

    def report(self) -> list[tuple[int, int, int]]:
        """Hour, events and revision of the hours of the window."""
        held = Counter(at // 60 for at, _ in self.kept.values())
        for hour in range(self.floor, self.floor + self.window_hours) if self.stream is not None else ():
            n, revision = self.reported.get(hour, (held[hour], 0))
            self.reported[hour] = held[hour], revision + (n != held[hour])
        hours = range(self.floor, self.floor + self.window_hours) if self.stream is not None else ()
        return [(hour, *self.reported[hour]) for hour in hours]


def moment(minute: int | None) -> datetime | None:
    """The moment so many minutes after START."""
    return None if minute is None else START + minute * MINUTE


def frame_of(events: list[Event]) -> pl.DataFrame:
    """Deliveries as a flat table."""
    rows = [event | {name: moment(event[name]) for name in TIMES} for event in events]
    return pl.DataFrame(rows, schema=EVENT_SCHEMA)


class StoreMachine(RuleBasedStateMachine):
    """Does the same to the store and to the model, and compares all that can be asked."""

    sent = Bundle("sent")

    @initialize(window_hours=st.integers(1, 5))
    def begin(self, window_hours: int) -> None:
        """Both begin empty."""
        self.model = Model(window_hours)
        self.evicted = Counter[datetime]()
        self.store = EventStore(window_hours, SKEW * 60, on_evict=self.note)
        self.now = 0

    def note(self, bucket: HourBucket) -> None:
        """Take an hour that leaves."""
        assert bucket.final
        assert bucket.events.height == bucket.n_events
        self.evicted[bucket.start] += bucket.n_events

    @rule(target=sent, drawn=st.lists(PARTS, min_size=1, max_size=4), step=st.sampled_from([0, 0, 1, 30, 90, 400]))
    def deliver(self, drawn: list[dict[str, Any]], step: int) -> list[Event]:
        """Some events arrive, on time or after a delay, with any of their times missing or wrong."""
        self.now += step
        events = [self.event(each) for each in drawn]
        self.append(events)
        return events

    @rule(events=sent, wait=st.sampled_from([0, 5, 200]), other=st.booleans())
    def deliver_again(self, events: list[Event], wait: int, other: bool) -> None:  # noqa: FBT001
        """What came before comes again, the same or from a page with another name; only times of the way differ."""
        again = [event | {"context_page_title": "other"} if other else dict(event) for event in events]
        for event in again:
            if event["received_at"] is not None:
                event["received_at"] += wait
        self.append(again)

    @rule(minutes=st.sampled_from([-500, 0, 30, 60, 61, 300]))
    def advance(self, minutes: int) -> None:
        """Time passes without events, or somebody gives an earlier time."""
        now = (self.model.stream or 0) + minutes
        self.model.reach(now)
        self.store.advance_to(START + now * MINUTE)

    @rule()
    def restore(self) -> None:
        """The store is written down and read again."""
        digest, note = self.store.digest(), self.store._hours._on_evict
        self.store._hours._on_evict = None
        self.store = pickle.loads(pickle.dumps(self.store))  # noqa: S301 - our own
        self.store._hours._on_evict = note
        assert self.store.digest() == digest

    @rule()
    def report(self) -> None:
        """Somebody looks at the hours."""
        rows = self.store.hourly().select("hour", "n_events", "revision").rows()
        assert [((hour - START) // (60 * MINUTE), n, revision) for hour, n, revision in rows] == self.model.report()

    @invariant()
    def all_is_the_same(self) -> None:
        """Counts, times, what is held and what has left."""
        store, model = self.store, self.model
        assert {name: n for name, n in asdict(store.counts).items() if n} == dict(model.counts)
        assert store.stream_time == moment(model.stream)
        assert {name: n for name, n in store.counts_by_type.items() if n} == dict(model.types)
        assert store.n_future == model.n_future
        late = [60_000 * minutes for minutes in model.lateness]
        expected = (max(late) / 1000, sum(late) / len(late) / 1000) if late else (None, None)
        assert (store.lateness.max_s, store.lateness.mean_s) == expected
        held = pl.concat([EVENT_SCHEMA.to_frame(), *store._hours.flat()], how="diagonal")
        titles = {key: body["context_page_title"] for key, (_, body) in model.kept.items()}
        assert dict(held.select("message_id", "context_page_title").rows()) == titles
        assert self.evicted == {START + 60 * hour * MINUTE: n for hour, n in model.evicted.items()}

    def event(self, drawn: dict[str, Any]) -> Event:
        """A delivery that arrives now."""
        given = {
            "original_timestamp": self.now - drawn["ago"] - drawn["way"] + 7,
            "sent_at": self.now - drawn["way"] + 7,
            "received_at": self.now,
            "timestamp": self.now - drawn["ago"] + drawn["ahead"],
        }
        times = {key: None if key in drawn["missing"] else value for key, value in given.items()}
        who = None if "anonymous_id" in drawn["missing"] else "a"
        said = {key: drawn[key] for key in ("message_id", "context_page_title", "type")}
        return said | {"anonymous_id": who} | times

    def append(self, events: list[Event]) -> None:
        """Both take a batch; the store as a table, or as lines."""
        frame = frame_of(events)
        took = self.store.append_json(encode(frame)) if len(events) % 2 else self.store.append(frame)
        outcomes = Counter(self.model.take(event) for event in events)
        self.model.counts.update(outcomes)
        assert {name: n for name, n in asdict(took).items() if n} == {**outcomes, "received": len(events)}


class DiskMachine(StoreMachine):
    """The same with a store in a folder, which is closed or left without a word, and opened again."""

    @initialize(window_hours=st.integers(1, 5))
    def begin(self, window_hours: int) -> None:
        """Both begin empty."""
        self.model, self.now = Model(window_hours), 0
        self.folder = TemporaryDirectory()
        self.settings = StoreSettings(
            window_hours=window_hours, skew_seconds=SKEW * 60, fsync="never", checkpoint_events=12
        )
        self.store = open_store(self.folder.name, self.settings)

    @property
    def evicted(self) -> Counter[datetime]:
        """What is in the archive."""
        files = Path(self.folder.name, "archive").rglob("*.parquet")
        hours = (pl.read_parquet(file)["event_time"].dt.truncate("1h") for file in files)
        return Counter(hour for each in hours for hour in each)

    @rule(ending=st.sampled_from(["close", "release"]))
    def restore(self, ending: str) -> None:
        """The process ends, in peace or not, and another opens the store."""
        digest = self.store.digest()
        getattr(self.store, ending)()
        assert read_store(self.folder.name).digest() == digest
        self.store = open_store(self.folder.name, self.settings)
        assert self.store.digest() == digest

    @rule()
    def checkpoint(self) -> None:
        """The store writes down what it knows."""
        self.store.checkpoint()

    def teardown(self) -> None:
        """Nothing is left behind."""
        if hasattr(self, "folder"):
            self.store.release()
            self.folder.cleanup()


USUAL = settings(
    max_examples=20,
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def test_no_sequence_of_steps_tells_store_and_model_apart():
    """Some hundred steps: deliveries, repetitions, time passing, restoring and reading."""
    run_state_machine_as_test(StoreMachine, settings=USUAL)


def test_no_sequence_of_steps_tells_a_store_on_disk_and_model_apart():
    """Nor do they where the store is in a folder, with checkpoints and the ends of processes among them."""
    run_state_machine_as_test(DiskMachine, settings=settings(USUAL, max_examples=8, stateful_step_count=20))


@pytest.mark.validation
def test_thousands_of_steps_do_not_either():
    """The same at length."""
    run_state_machine_as_test(StoreMachine, settings=settings(USUAL, max_examples=200, stateful_step_count=40))


@pytest.mark.validation
def test_thousands_of_steps_do_not_on_disk_either():
    """The same on disk at length."""
    run_state_machine_as_test(DiskMachine, settings=settings(USUAL, max_examples=60, stateful_step_count=40))
