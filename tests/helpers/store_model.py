"""A model of the event store in forty lines, and a state machine that does the same to stores and model.

The model takes every rule of :mod:`analytics.store.event_store` literally, one delivery after the other.
"""

from collections import Counter
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl
from flat_events import START, TIMES
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from analytics.durable.durable_store import DurableStore
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.ndjson import encode
from analytics.store.buckets import HourBucket
from analytics.store.counts import Counts
from analytics.store.event_store import EventStore

MINUTE: Final = timedelta(minutes=1)
SKEW: Final = 1
DAY: Final = 1440

PARTS = st.fixed_dictionaries(
    {
        "message_id": st.integers(0, 6).map("m{}".format),
        "context_page_title": st.sampled_from("AB"),
        "type": st.sampled_from(["page", "page", "page", "screen"]),
        "category": st.sampled_from(["docs", "pricing", None]),
        "ago": st.sampled_from([0, 0, 10, 60, 200, 400]),
        "way": st.integers(0, 1),
        "ahead": st.sampled_from([0, 0, 1, 2, 10_000]),
        "missing": st.just(frozenset()) | st.frozensets(st.sampled_from([*TIMES, "anonymous_id"]), max_size=4),
    }
)

Event = dict[str, Any]
"""One delivery of an event; times are minutes after START, or None."""


class Model:
    """An event store that keeps its events in a dictionary; times in minutes after START."""

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

    def take(self, event: Event, arrived: int | None) -> str:
        """The verdict on a delivery, which arrived at this time if the stream is live."""
        self.counts["received"] += 1
        times = (event["received_at"], arrived, event["sent_at"], event["timestamp"], event[TIMES[0]])
        arrival = next((time for time in times if time is not None), None)
        if arrival is None or event["anonymous_id"] is None:
            return "invalid"
        original = event["timestamp"] if event[TIMES[0]] is None else event[TIMES[0]]
        if event["timestamp"] not in {None, original}:
            time = event["timestamp"]
        elif None not in (event["sent_at"], original):
            time = arrival - (event["sent_at"] - original)
        else:
            time = arrival if original is None else original
        latest = arrival if arrived is None else min(arrival, arrived)
        if time > latest + SKEW:
            self.n_future, time = self.n_future + 1, latest
        self.reach(time)
        if time // 60 < self.floor:
            self.lateness.append(self.stream - time)
            return "late"
        body = {key: value for key, value in event.items() if key not in TIMES[1:]}
        if event["message_id"] in self.kept:
            return "duplicate" if self.kept[event["message_id"]][1] == body else "conflict"
        lag = 0 if event["sent_at"] is None else arrival - event["sent_at"]
        if (
            max(self.window_hours - 1, 1) * 60 < lag <= 30 * DAY
            and original is not None
            and original // 60 < self.floor
        ):
            self.lateness.append(self.stream - original)
            return "late"
        self.kept[event["message_id"]] = time, body
        self.types[event["type"]] += 1
        return "accepted"

    def reach(self, time: int) -> None:
        """Advance stream time, and evict the hours that leave the window."""
        self.stream = time if self.stream is None else max(self.stream, time)
        for key, (at, _) in list(self.kept.items()):
            if at // 60 < self.floor:
                self.evicted[at // 60] += 1
                del self.kept[key]

    def report(self) -> list[tuple[int, int, int]]:
        """Hour, events and revision of the hours of the window."""
        n_events = Counter(at // 60 for at, _ in self.kept.values())
        hours = range(self.floor, self.floor + self.window_hours) if self.stream is not None else range(0)
        for hour in hours:
            n, revision = self.reported.get(hour, (n_events[hour], 0))
            self.reported[hour] = n_events[hour], revision + (n != n_events[hour])
        return [(hour, *self.reported[hour]) for hour in hours]

    def views(self, by: tuple[str, ...]) -> list[tuple[Any, ...]]:
        """Hour, segment and number of page views, in order; no event has a country."""
        pages = [
            (at // 60, event["category"] or "(not set)") for at, event in self.kept.values() if event["type"] == "page"
        ]
        segments = Counter(
            (hour, *({"page_group": group}.get(name, "(not set)") for name in by)) for hour, group in pages
        )
        return sorted((*segment, n) for segment, n in segments.items())


def moment(minute: int | None) -> datetime | None:
    """The moment so many minutes after START."""
    return None if minute is None else START + minute * MINUTE


def frame_of(events: list[Event]) -> pl.DataFrame:
    """Deliveries as a flat table."""
    rows = [event | {name: moment(event[name]) for name in TIMES} for event in events]
    return pl.DataFrame(rows, schema=EVENT_SCHEMA)


class StoreMachine(RuleBasedStateMachine):
    """Does the same to some stores and to the model, and compares all that can be asked of them."""

    sent = Bundle("sent")

    @initialize(window_hours=st.integers(1, 5))
    def begin(self, window_hours: int) -> None:
        """All begin empty."""
        self.now, self.model = 0, Model(window_hours)
        self.evicted: list[HourBucket] = []
        self.stores: list[EventStore | DurableStore] = [self.new_store(on_evict=self.evicted.append)]

    def new_store(self, **options: Any) -> EventStore:
        """An empty store in memory with the window of the model."""
        return EventStore(self.model.window_hours, SKEW * 60, max_dead_letters=3, **options)

    @rule(
        target=sent,
        drawn=st.lists(PARTS, min_size=1, max_size=6),
        step=st.sampled_from([0, 0, 1, 30, 90, 400]),
        live=st.booleans(),
    )
    def deliver(self, drawn: list[dict[str, Any]], step: int, *, live: bool) -> list[Event]:
        """Some events arrive, on time or after a delay, with any of their times missing or wrong."""
        self.now += step
        events = [self.event(each) for each in drawn]
        self.append(events, live=live)
        return events

    @rule(events=sent, wait=st.sampled_from([0, 5, 200]), other=st.booleans(), live=st.booleans())
    def deliver_again(self, events: list[Event], wait: int, *, other: bool, live: bool) -> None:
        """Earlier events are delivered again, the same or with another page title, and other arrival times."""
        again = [event | {"context_page_title": "other"} if other else dict(event) for event in events]
        for event in again:
            if event["received_at"] is not None:
                event["received_at"] += wait
        self.append(again, live=live)

    @rule(minutes=st.sampled_from([-500, 0, 30, 60, 61, 300]))
    def advance(self, minutes: int) -> None:
        """Time passes without events, or an earlier time is given."""
        now = (self.model.stream or 0) + minutes
        self.model.reach(now)
        for store in self.stores:
            store.advance_to(START + now * MINUTE)

    @rule(by=st.sampled_from([(), ("page_group",), ("page_group", "country")]))
    def report(self, by: tuple[str, ...]) -> None:
        """Hours are read, which numbers their revisions, and page views by hour and segment."""
        reported, views = self.model.report(), self.model.views(by)
        for store in self.stores:
            rows = store.hourly().select("hour", "n_events", "revision").rows()
            assert [((hour - START) // (60 * MINUTE), n, revision) for hour, n, revision in rows] == reported
            rows = store.views(by).select("hour", *by, "page_views").rows()
            assert [((hour - START) // (60 * MINUTE), *rest) for hour, *rest in rows] == views

    @invariant()
    def all_is_the_same(self) -> None:
        """Counts, times, the events in the window and the hours that have left."""
        for store in self.stores:
            self.compare(store)
        assert self.archive() == {START + 60 * hour * MINUTE: n for hour, n in self.model.evicted.items()}

    def archive(self) -> dict[datetime, int]:
        """Events of each hour that has left the window: each hour left once, whole, and the oldest first."""
        assert all(bucket.final and bucket.events.height == bucket.n_events for bucket in self.evicted)
        hours = {bucket.start: bucket.n_events for bucket in self.evicted}
        assert [*hours] == sorted(bucket.start for bucket in self.evicted)
        return hours

    def compare(self, store: EventStore | DurableStore) -> None:
        """A store reports what the model does."""
        model = self.model
        assert {name: n for name, n in asdict(store.counts).items() if n} == dict(model.counts)
        assert store.stream_time == moment(model.stream)
        begin = moment(60 * model.floor)
        end = moment(60 * (model.floor + model.window_hours))
        assert store.window == (None if model.stream is None else (begin, end))
        assert {name: n for name, n in store.counts_by_type.items() if n} == dict(model.types)
        assert store.n_future == model.n_future
        late = [60_000 * minutes for minutes in model.lateness]
        expected = (max(late) / 1000, sum(late) / len(late) / 1000) if late else (None, None)
        assert (store.lateness.max_s, store.lateness.mean_s) == expected
        titles = {key: content["context_page_title"] for key, (_, content) in model.kept.items()}
        events = store.events().select("event_time", "message_id", "context_page_title")
        assert {key: title for _, key, title in events.rows()} == titles
        assert events.rows() == sorted(events.rows())

    def event(self, drawn: dict[str, Any]) -> Event:
        """A delivery that arrives now."""
        given = {
            "original_timestamp": self.now - drawn["ago"] - drawn["way"] + 7,
            "sent_at": self.now - drawn["way"] + 7,
            "received_at": self.now,
            "timestamp": self.now - drawn["ago"] + drawn["ahead"],
        }
        times = {key: None if key in drawn["missing"] else value for key, value in given.items()}
        visitor = None if "anonymous_id" in drawn["missing"] else "a"
        content = {key: drawn[key] for key in ("message_id", "context_page_title", "type")}
        category = drawn["category"] if drawn["type"] == "page" else None
        return content | {"category": category, "anonymous_id": visitor} | times

    def append(self, events: list[Event], *, live: bool) -> None:
        """All take a batch; the stores as a table, or as lines. Of a live stream it is known that they arrive now."""
        frame, arrived = frame_of(events), self.now if live else None
        verdicts = Counter(self.model.take(event, arrived) for event in events)
        self.model.counts.update(verdicts)
        for store in self.stores:
            counts = self.take(store, frame, moment(arrived), as_lines=len(events) % 2 == 1)
            assert {name: n for name, n in asdict(counts).items() if n} == {**verdicts, "received": len(events)}

    def take(
        self, store: EventStore | DurableStore, frame: pl.DataFrame, arrived_at: datetime | None, *, as_lines: bool
    ) -> Counts:
        """A store takes a batch; a table need not have columns without values."""
        if as_lines:
            return store.append_json(encode(frame), arrived_at=arrived_at)
        filled = frame.select(each for each in frame if each.null_count() < frame.height)
        return store.append(filled, arrived_at=arrived_at)


USUAL: Final = settings(
    max_examples=4,
    stateful_step_count=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
