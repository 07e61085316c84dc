"""When an event arrived, where it does not say so itself."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from analytics.errors import AnalyticsError
from analytics.io.flatten import flatten
from analytics.store.event_store import EventStore

Maker = Callable[..., pl.DataFrame]
START = datetime(2026, 3, 3, tzinfo=UTC)
NOW = START + timedelta(hours=5)
WRONG = datetime(2124, 1, 1, tzinfo=UTC)


def line(message_id: str, **times: datetime) -> bytes:
    """A page view with these times, as a line."""
    given: dict[str, Any] = {name: time.isoformat() for name, time in times.items()}
    return json.dumps({"type": "page", "messageId": message_id, "anonymousId": "a"} | given).encode() + b"\n"


def test_an_event_that_says_no_arrival_came_with_its_batch():
    """The arrival known to the reader takes the device's delay, as a `receivedAt` would."""
    sent = {"originalTimestamp": START, "sentAt": START + timedelta(minutes=10)}
    store = EventStore()
    store.append_json(line("m", **sent), arrived_at=NOW)
    (event,) = store.events().iter_rows(named=True)
    assert (event["received_at"], event["event_time"]) == (NOW, NOW - timedelta(minutes=10))


@pytest.mark.parametrize("given", [{"timestamp": WRONG}, {"sentAt": WRONG}, {"sentAt": WRONG, "timestamp": WRONG}])
@pytest.mark.parametrize("with_arrival", [False, True])
def test_with_a_known_arrival_no_clock_moves_the_window(make_events: Maker, given: dict[str, Any], with_arrival: bool):  # noqa: FBT001
    """An event of 2124 counts at its arrival, even one that brings a `receivedAt` of 2124 along; so in any form."""
    times = given | ({"receivedAt": WRONG} if with_arrival else {})
    names = {"timestamp": "timestamp", "sentAt": "sent_at", "receivedAt": "received_at"}
    columns = dict.fromkeys(("timestamp", "sent_at", "received_at", "original_timestamp"))
    row = make_events(columns | {names[key]: value for key, value in times.items()})
    stores = [EventStore(), EventStore(), EventStore()]
    stores[0].append_json(line("m0", **times), arrived_at=NOW)
    stores[1].append(row, arrived_at=NOW)
    stores[2].append_flattened(flatten([line("m0", **times)], arrived_at=NOW), arrived_at=NOW)
    for store in stores:
        assert store.stream_time == NOW
        assert store.counts.accepted == 1
        assert store.n_future == int(with_arrival or "timestamp" in given)
    assert len({store.digest() for store in stores}) == 1


def test_an_event_without_any_time_came_with_its_batch():
    """Even an event that names no time is of use where its arrival is known; otherwise it is none."""
    store = EventStore()
    assert store.append_json(line("m"), arrived_at=NOW).accepted == 1
    assert store.stream_time == NOW
    assert store.append_json(line("n")).invalid == 1


def test_in_files_of_the_past_the_device_is_believed():
    """Where nobody knows the arrival it is when the device sent the event, and its clock is not guarded against."""
    store = EventStore()
    store.append_json(line("m", sentAt=START, originalTimestamp=START - timedelta(minutes=1)))
    assert store.stream_time == START - timedelta(minutes=1)
    store.append_json(line("n", sentAt=WRONG))
    assert store.stream_time == WRONG


def test_the_arrival_is_a_moment(make_events: Maker):
    """An arrival without a time zone is refused before anything is taken."""
    store = EventStore()
    for arrived_at in (NOW.replace(tzinfo=None), datetime.max.replace(tzinfo=UTC)):
        with pytest.raises(AnalyticsError, match="arrived_at must have a time zone"):
            store.append(make_events({}), arrived_at=arrived_at)
        with pytest.raises(AnalyticsError, match="arrived_at must have a time zone"):
            store.append_json(line("m", sentAt=START), arrived_at=arrived_at)
    assert store.counts.received == 0
