"""Claims about replays to Kafka, made to a broker that librdkafka mocks: it speaks the protocol over real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from analytics.io.ndjson import encode
from scenarios.errors import DeliveryError
from scenarios.replays.sending import replay

kafka = pytest.importorskip("confluent_kafka")

TOPIC = "events"


@pytest.fixture
def servers() -> Iterator[str]:
    """Address of a broker that lives as long as the client that mocks it."""
    client = kafka.Producer({"test.mock.num.brokers": 1})
    yield ",".join(f"{broker.host}:{broker.port}" for broker in client.list_topics(timeout=10).brokers.values())
    client.flush(1)


def received(servers: str, n: int) -> list[tuple[bytes, bytes, int]]:
    """Key, value and partition of so many messages of the topic, and of whatever else is there."""
    consumer = kafka.Consumer({"bootstrap.servers": servers, "group.id": "tests", "auto.offset.reset": "earliest"})
    consumer.subscribe([TOPIC])
    messages = []
    while len(messages) < n:
        messages += consumer.consume(n, timeout=10)
    messages += consumer.consume(10, timeout=0.5)
    consumer.close()
    assert not [message.error() for message in messages if message.error()]
    return [(message.key(), message.value(), message.partition()) for message in messages]


@pytest.mark.slow
def test_the_topic_gets_every_event_and_each_browser_a_partition(servers: str, recorded: Path, tmp_path: Path) -> None:
    """All events come once, keyed by anonymousId and in order for each browser, also in two parts with a state."""
    lines = encode(pl.read_parquet(recorded / "events.parquet")).splitlines()
    middle = pl.read_parquet(recorded / "events.parquet")["received_at"][len(lines) // 2]
    for part in ({"until": middle}, {"since": middle}):
        state = tmp_path / f"state-{next(iter(part))}"
        result = replay(recorded, to=f"kafka:{servers}/{TOPIC}", speed="max", resume=state, **part)
        again = replay(recorded, to=f"kafka:{servers}/{TOPIC}", speed="max", resume=state, **part)
        assert (again.resumed_at, again.sent) == (result.sent, 0)
    messages = received(servers, len(lines))
    assert sorted(value for _, value, _ in messages) == sorted(lines)
    for key in {key for key, _, _ in messages}:
        theirs = [line for line in lines if json.loads(line)["anonymousId"].encode() == key]
        assert [value for its, value, _ in messages if its == key] == theirs
        assert len({partition for its, _, partition in messages if its == key}) == 1


def test_a_missing_broker_is_an_error(recorded: Path) -> None:
    """What cannot be delivered in time is a failed delivery; the address sets how long that is."""
    with pytest.raises(DeliveryError, match=r"events: not all could be sent to Kafka: .*\(0 lines have been ack"):
        replay(recorded, to="kafka:127.0.0.1:1/events?message.timeout.ms=300", speed="max")
