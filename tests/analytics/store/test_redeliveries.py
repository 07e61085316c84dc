"""Claims about events that are delivered again hours or weeks later: none is counted twice, whoever takes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analytics.io.flatten import flatten
from analytics.store.event_store import EventStore
from analytics.store.whole_history import WholeHistory

SENT = datetime(2026, 3, 3, 9, 31, tzinfo=UTC)
PAGE = {"type": "page", "anonymousId": "a", "originalTimestamp": "2026-03-03T09:30:00Z", "sentAt": SENT.isoformat()}
LAGS = [timedelta(minutes=1), timedelta(hours=23, minutes=31), timedelta(days=1), timedelta(days=6), timedelta(days=30)]


def others(until: datetime, n: int) -> list[dict[str, Any]]:
    """Page views of somebody else in the minutes before a moment."""
    times = ((until - timedelta(minutes=n)).isoformat() for n in range(n))
    return [{"type": "page", "anonymousId": "b", "timestamp": time} for time in times]


@pytest.mark.parametrize("lag", LAGS, ids=str)
@pytest.mark.parametrize("between", [0, 50])
@pytest.mark.parametrize("given", [{"messageId": "m"}, {}], ids=["identifier", "fingerprint"])
def test_a_redelivery_counts_once(lag: timedelta, between: int, given: dict[str, str]) -> None:
    """With what was sent once, a store counts one event; while its identifier is remembered it is a duplicate."""
    again, sent = SENT + lag, PAGE | given
    batches = [[sent], others(again, between), [sent]]
    arrivals = [SENT, again, again]
    arrived = [
        [{"receivedAt": arrival.isoformat()} | each for each in batch]
        for batch, arrival in zip(batches, arrivals, strict=True)
    ]
    from_lines, from_tables, live, at_once = EventStore(), EventStore(), EventStore(), EventStore()
    for batch in arrived:
        flattened = flatten(batch)
        from_lines.append_flattened(flattened)
        from_tables.append(flattened.frame)
    for batch, arrival in zip(batches, arrivals, strict=True):
        live.append_json("\n".join(map(json.dumps, batch)).encode(), arrived_at=arrival)
    together = flatten([each for batch in arrived for each in batch])
    at_once.append_flattened(together)
    is_remembered = lag < timedelta(hours=1)
    for store in (from_lines, from_tables, live, at_once):
        assert store.counts.accepted == 1 + between
        assert (store.counts.duplicate, store.counts.late) == ((1, 0) if is_remembered else (0, 1))
        if not is_remembered:
            # Stream time is the latest of the redelivery itself and what came between.
            assert store.lateness.max_s == (lag + timedelta(minutes=bool(between))).total_seconds()
    history = WholeHistory([together])
    assert (history.counts.accepted, history.counts.duplicate, history.counts.late) == (1 + between, 1, 0)


@pytest.mark.parametrize("content", [{}, {"name": "Other"}], ids=["same", "other"])
def test_a_history_remembers_for_years(content: dict[str, str]) -> None:
    """In files of the past a redelivery is a duplicate or a conflict at any distance, once for each delivery."""
    first = PAGE | {"messageId": "m", "receivedAt": SENT.isoformat()}
    later = [first | content | {"receivedAt": (SENT + timedelta(days=days)).isoformat()} for days in (6, 40, 800)]
    history = WholeHistory([flatten([first, *others(SENT, 5), *later])])
    assert (history.counts.accepted, history.counts.late) == (6, 0)
    assert (history.counts.duplicate, history.counts.conflict) == ((0, 3) if content else (3, 0))
    assert history.events().filter(message_id="m")["event_time"].to_list() == [SENT - timedelta(minutes=1)]


@pytest.mark.parametrize(
    ("lag", "is_late"), [(timedelta(hours=20), False), (timedelta(days=3), True), (timedelta(days=31), False)], ids=str
)
def test_a_live_store_takes_slow_clocks_but_for_some_days(lag: timedelta, *, is_late: bool) -> None:
    """A clock in another time zone or of another year is corrected; 3 days are what a redelivery has, too."""
    now = SENT + lag
    store = EventStore()
    store.append_json(json.dumps(PAGE | {"messageId": "m"}).encode(), arrived_at=now)
    assert (store.counts.accepted, store.counts.late) == ((0, 1) if is_late else (1, 0))
    assert store.stream_time == now - timedelta(minutes=1)
    in_a_file = WholeHistory([flatten([PAGE | {"receivedAt": now.isoformat()}])])
    assert in_a_file.counts.accepted == 1, "where all is remembered, nothing is in doubt"


def test_a_stale_delivery_does_not_hide_a_fresh_one() -> None:
    """Within one batch the second delivery is the first that counts, as if they had come one by one."""
    now = SENT + timedelta(days=6)
    stale = PAGE | {"messageId": "m", "receivedAt": now.isoformat()}
    fresh = stale | {"originalTimestamp": now.isoformat(), "sentAt": now.isoformat()}
    one_by_one, at_once = EventStore(), EventStore()
    for event in (stale, fresh, stale, fresh):
        one_by_one.append_flattened(flatten([event]))
    at_once.append_flattened(flatten([stale, fresh, stale, fresh]))
    assert one_by_one.counts == at_once.counts
    # The stale one has another original time, so after the fresh one it is a conflict.
    assert (at_once.counts.accepted, at_once.counts.late) == (1, 1)
    assert (at_once.counts.duplicate, at_once.counts.conflict) == (1, 1)
    assert one_by_one.digest() == at_once.digest()
