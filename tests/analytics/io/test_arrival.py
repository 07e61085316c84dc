"""Claims about the arrival of events, by example; `test_event_store_machine.py` makes them for any stream."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from flat_events import START, make_events

from analytics.errors import AnalyticsError
from analytics.io.flatten import flatten
from analytics.store.event_store import EventStore

NOW = START + timedelta(hours=5)
WRONG = datetime(2124, 1, 1, tzinfo=UTC)


def line(message_id: str, **times: datetime) -> bytes:
    """A page view with these times, as a line."""
    given = {name: time.isoformat() for name, time in times.items()}
    return json.dumps({"type": "page", "messageId": message_id, "anonymousId": "a"} | given).encode() + b"\n"


def test_with_a_known_arrival_no_clock_moves_the_window():
    """Of a live stream an event of 2124 counts at its arrival, even one with a `receivedAt` of 2124; in any form."""
    raw = line("m0", timestamp=WRONG, receivedAt=WRONG, sentAt=WRONG)
    stores = [EventStore(), EventStore()]
    stores[0].append_json(raw, arrived_at=NOW)
    stores[1].append_flattened(flatten([raw], arrived_at=NOW), arrived_at=NOW)
    for store in stores:
        assert (store.stream_time, store.counts.accepted, store.n_future) == (NOW, 1, 1)
    assert stores[0].digest() == stores[1].digest()
    past = EventStore()
    past.append_json(raw)
    assert past.stream_time == WRONG, "in files of the past nothing protects against a clock"


def test_the_arrival_is_a_moment():
    """An arrival without a time zone is refused before anything is taken."""
    store = EventStore()
    for arrived_at in (NOW.replace(tzinfo=None), datetime.max.replace(tzinfo=UTC)):
        for append in (store.append, store.append_json):
            with pytest.raises(AnalyticsError, match="arrived_at must have a time zone"):
                append(make_events({}) if append == store.append else line("m", sentAt=START), arrived_at=arrived_at)
    assert store.counts.received == 0
