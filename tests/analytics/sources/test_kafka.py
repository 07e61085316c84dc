"""Claims about Kafka as a source, over real sockets, against librdkafka's own mock of a broker."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from stores_on_disk import archived, batches, dead_letters_in, state_of

from analytics.durable.journal import Journal
from analytics.durable.recovery import read_store
from analytics.durable.settings import StoreSettings
from analytics.errors import EventFileError, StoreWriteError
from analytics.ingestion import ingest
from analytics.io.position import SourceBatch
from analytics.store.counts import Counts
from analytics.store.event_store import EventStore

confluent_kafka = pytest.importorskip("confluent_kafka", reason="Kafka needs confluent-kafka, the extra [kafka]")
mock_kafka = pytest.importorskip("mock_kafka")
if mock_kafka.library() is None:
    pytest.skip(
        "this build of confluent_kafka brings no librdkafka of its own to mock a broker", allow_module_level=True
    )

from analytics.sources import kafka  # noqa: E402 - after it is known that there is something to import

ALL = pl.concat([batch.events.frame for batch in batches(seed=9, n_batches=20, n_rows=30, hours_each=0.2)])
# Of two events with one identifier in two partitions either may come first: only exact duplicates are used.
EVENTS = ALL.filter(pl.struct(pl.all()) == pl.struct(pl.all()).first().over("message_id"))
SETTINGS = StoreSettings(window_hours=24 * 7, fsync="never")


@pytest.fixture
def broker() -> Iterator[mock_kafka.MockKafka]:
    """A broker with a topic of three partitions."""
    cluster = mock_kafka.MockKafka()
    yield cluster
    cluster.close()


def send(broker: mock_kafka.MockKafka, events: pl.DataFrame) -> None:
    """Send events to the topic."""
    sink = kafka.KafkaSink(broker.address)
    sink.send(events)
    sink.flush()


def committed(broker: mock_kafka.MockKafka) -> dict[str, int]:
    """Offsets that the group has committed, where there are any."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": broker.servers, "group.id": "tests"})
    partitions = [confluent_kafka.TopicPartition(mock_kafka.TOPIC, partition) for partition in range(3)]
    known = {
        kafka.offset_name(mock_kafka.TOPIC, partition.partition): partition.offset
        for partition in consumer.committed(partitions, timeout=10)
        if partition.offset >= 0
    }
    consumer.close()
    return known


def in_memory(*parts: pl.DataFrame) -> Counts:
    """Counts of a store in memory after these tables."""
    store = EventStore(window_hours=24 * 7)
    for part in parts:
        store.append(part)
    return store.counts


def test_a_topic_is_read_to_its_end_and_resumed_from_there(broker: mock_kafka.MockKafka, tmp_path: Path) -> None:
    """All events of all partitions arrive once; a second ingest brings only what has come since.

    Redelivered messages are duplicates.
    """
    send(broker, EVENTS[:400])
    done = ingest([broker.address], tmp_path, SETTINGS, n_events=50)
    assert done.counts == in_memory(EVENTS[:400])
    assert sum(offset["offset"] for offset in done.offsets.values()) == 400
    assert committed(broker) == {name: offset["offset"] for name, offset in done.offsets.items()}
    send(broker, EVENTS[400:])
    again = ingest([broker.address], tmp_path, SETTINGS, n_events=50)
    assert again.counts.received == len(EVENTS) - 400
    assert again.store_counts == in_memory(EVENTS)
    assert again.store_counts.duplicate > 0


def test_the_events_of_a_browser_are_in_one_partition(broker: mock_kafka.MockKafka, tmp_path: Path) -> None:
    """The key is the anonymousId: no browser is in two partitions, and no batch is larger than asked for."""
    send(broker, EVENTS)
    seen: dict[str, set[str]] = {}
    sizes = []

    def look(batch: SourceBatch, counts: Counts) -> None:
        sizes.append(batch.events.n_received)
        for browser in batch.events.frame["anonymous_id"].unique():
            seen.setdefault(browser, set()).add(batch.position.source)

    ingest([broker.address], tmp_path, SETTINGS, n_events=25, acknowledged=look)
    assert {len(partitions) for partitions in seen.values()} == {1}
    assert len(set.union(*seen.values())) > 1
    assert max(sizes) <= 25
    assert sum(sizes) == len(EVENTS)


@pytest.mark.slow
def test_timestamps_of_messages_are_the_arrival_of_live_events(broker: mock_kafka.MockKafka, tmp_path: Path) -> None:
    """Live events without `receivedAt` arrive at the timestamps of their messages; no device's clock moves the window.

    Messages of one second share the last of their timestamps.
    """
    sent_at = [1_772_514_000_000, 1_772_514_000_900, 1_772_514_007_000]
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.servers})
    for number, ms in enumerate(sent_at):
        event = {"type": "page", "anonymousId": "a", "messageId": str(number), "timestamp": "2090-01-01T00:00:00Z"}
        producer.produce(mock_kafka.TOPIC, json.dumps(event), "a", timestamp=ms)
    producer.flush()
    done = ingest([broker.address], tmp_path / "live", SETTINGS, live=True)
    assert done.counts.accepted == len(sent_at)
    events = read_store(tmp_path / "live").events()
    assert events["event_time"].dt.epoch("ms").to_list() == [sent_at[1], sent_at[1], sent_at[2]]
    ingest([broker.address.replace("group=", "group=other-")], tmp_path / "past", SETTINGS)
    assert read_store(tmp_path / "past").events()["event_time"].dt.year().unique().to_list() == [2090]


@pytest.mark.slow
def test_stores_can_share_the_partitions_of_a_topic(broker: mock_kafka.MockKafka, tmp_path: Path) -> None:
    """Two stores with partitions of their own have each event once; a missing partition is an error."""
    send(broker, EVENTS)
    parts = [ingest([f"{broker.address}&partitions={some}"], tmp_path / some, SETTINGS) for some in ("0", "1,2")]
    assert sum(part.counts.received for part in parts) == len(EVENTS)
    assert [len(part.offsets) for part in parts] == [1, 2]
    with pytest.raises(EventFileError, match="there is no partition 7"):
        ingest([f"{broker.address}&partitions=0,7"], tmp_path / "none")


def test_only_safe_offsets_are_committed(
    broker: mock_kafka.MockKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk fails in mid-stream, no offset beyond the store is committed; a second ingest brings the rest."""
    send(broker, EVENTS)
    n_written = [0]

    def write(journal: object, kind: int, payload: bytes) -> None:
        n_written[0] += 1
        if n_written[0] == 8:
            raise StoreWriteError(tmp_path, OSError(28, "No space left on device"))
        append(journal, kind, payload)

    append = Journal.append
    always = SETTINGS.model_copy(update={"fsync": "always"})
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", write)
        with pytest.raises(StoreWriteError):
            ingest([broker.address], tmp_path / "store", always, n_events=40)
    safe = read_store(tmp_path / "store")
    assert safe.counts.received == sum(offset["offset"] for offset in safe.offsets.values())
    assert committed(broker)
    assert all(offset <= safe.offsets[name]["offset"] for name, offset in committed(broker).items())
    assert ingest([broker.address], tmp_path / "store", SETTINGS).store_counts == in_memory(EVENTS)


def test_offsets_are_committed_after_the_flush(
    broker: mock_kafka.MockKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a policy other than `always` no offset is committed before its events are flushed to the disk."""
    monkeypatch.setattr("analytics.ingestion._ACKNOWLEDGE_S", 1000.0)
    send(broker, EVENTS)
    seen: list[dict[str, int]] = []
    ingest([broker.address], tmp_path, SETTINGS, n_events=100, acknowledged=lambda *_: seen.append(committed(broker)))
    # No acknowledgement was due before the end.
    assert seen[-1] == {}
    assert sum(committed(broker).values()) == len(EVENTS)


@pytest.mark.slow
def test_a_broker_that_restarts_in_mid_stream_loses_nothing(broker: mock_kafka.MockKafka, tmp_path: Path) -> None:
    """While a topic is followed its broker fails and restarts: nothing is lost, and nothing counted twice."""
    send(broker, EVENTS[:300])
    stop, half, all_here = threading.Event(), threading.Event(), threading.Event()
    received = [0]

    def look(batch: SourceBatch, counts: Counts) -> None:
        received[0] += counts.received
        if received[0] >= 150:
            half.set()
        if received[0] >= len(EVENTS):
            all_here.set()

    def follow() -> None:
        ingest([broker.address], tmp_path, SETTINGS, n_events=30, follow=True, stop=stop, acknowledged=look)

    thread = threading.Thread(target=follow)
    thread.start()
    assert half.wait(60)
    broker.down()
    stop.wait(0.5)
    broker.up()
    send(broker, EVENTS[300:])
    assert all_here.wait(60)
    stop.set()
    thread.join(60)
    assert not thread.is_alive()
    store = read_store(tmp_path)
    assert store.counts == in_memory(EVENTS)
    assert archived(tmp_path).height + store.events().height == store.counts.accepted


def test_broken_messages_are_dead_letters_with_their_offsets(broker: mock_kafka.MockKafka, tmp_path: Path) -> None:
    """A message that is no event is kept with its partition and offset; a message without value is skipped."""
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.servers})
    for value in (b"broken", None, b'{"type": "page"}'):
        producer.produce(mock_kafka.TOPIC, value, partition=1)
    producer.flush()
    assert ingest([broker.address], tmp_path, SETTINGS).counts == Counts(received=2, invalid=2)
    entries = [(entry["source"], entry["position"], entry["reason"]) for entry in dead_letters_in(tmp_path)]
    assert entries == [("kafka:events/1", 0, "not_json"), ("kafka:events/1", 2, "no_identity")]


def test_a_new_store_begins_at_the_beginning(broker: mock_kafka.MockKafka, tmp_path: Path) -> None:
    """What another store of the same group has taken and committed is in a new store too."""
    send(broker, EVENTS)
    first = ingest([broker.address], tmp_path / "first", SETTINGS)
    assert sum(committed(broker).values()) == len(EVENTS)
    assert ingest([broker.address], tmp_path / "second", SETTINGS).counts == first.counts


def test_partitions_that_are_added_are_read(
    broker: mock_kafka.MockKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a topic is followed its new partitions are read from their beginning; those read before go on."""
    listed = kafka.KafkaTopic._listed
    looks = []

    def fewer_at_first(topic: kafka.KafkaTopic, seconds: float) -> frozenset[int]:
        looks.append(seconds)
        return listed(topic, seconds) - (frozenset({1, 2}) if len(looks) < 3 else frozenset())

    monkeypatch.setattr(kafka.KafkaTopic, "_listed", fewer_at_first)
    monkeypatch.setattr(kafka, "_REFRESH_S", 0.3)
    send(broker, EVENTS)
    stop, received = threading.Event(), [0]
    timer = threading.Timer(60, stop.set)
    timer.start()

    def look(batch: SourceBatch, counts: Counts) -> None:
        received[0] += counts.received
        if received[0] >= len(EVENTS):
            stop.set()

    done = ingest([broker.address], tmp_path, SETTINGS, follow=True, stop=stop, acknowledged=look)
    timer.cancel()
    assert len(done.offsets) == 3
    assert done.counts.received == len(EVENTS)
    assert len(looks) >= 3


FOLLOW = """
import sys, threading
from pathlib import Path
from analytics.durable.settings import StoreSettings
from analytics.ingestion import ingest
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()
ingest([sys.argv[1]], Path(sys.argv[2]), StoreSettings(fsync="never"), follow=True, stop=stop,
       acknowledged=lambda *_: print("received", flush=True))
print("ended", flush=True)
"""


@pytest.mark.slow
def test_a_request_to_end_takes_seconds_also_without_a_broker(broker: mock_kafka.MockKafka, tmp_path: Path) -> None:
    """When the broker has gone, the process ends within seconds; what was received is in the store."""
    send(broker, EVENTS)
    command = [sys.executable, "-c", FOLLOW, broker.address, str(tmp_path / "store")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "received\n"
        broker.down()
        time.sleep(1)
        begin = time.monotonic()
        process.stdin.write("end\n")
        process.stdin.flush()
        assert process.stdout.read().endswith("ended\n")
        assert process.wait(30) == 0
    assert time.monotonic() - begin < 15
    assert read_store(tmp_path / "store").counts.received > 0


@pytest.mark.parametrize(
    "name",
    ["auto.offset.reset", "enable.auto.commit", "enable.partition.eof", "plugin.library.paths", "ssl.engine.location",
     "sasl.kerberos.kinit.cmd", "Bootstrap.Servers", "group.id"],
)  # fmt: skip
def test_properties_that_would_undo_promises_are_refused(name: str) -> None:
    """A property that a store depends on, or that loads code, is one clear error, for a source and a sink."""
    address = f"kafka://localhost:9092/events?{name}=x.so&socket.timeout.ms=100"
    for opened in (kafka.KafkaAddress.parse, kafka.KafkaSink):
        with pytest.raises(EventFileError, match=f"{name.lower()} cannot be set in an address"):
            opened(address)


@pytest.mark.parametrize(
    "address",
    ["kafka://ho st/x", "kafka://h;x/x", "kafka://h/ü", "kafka://h/a\0b", "kafka://h\n/x", "kafka://h/x?partitions=²",
     "kafka://h/x?partitions=" + "9" * 5000, "kafka://h/x?partitions=-1", "kafka://", "kafka:///",
     "kafka://h/" + "x" * 300],
)  # fmt: skip
def test_odd_addresses_are_one_clear_error(tmp_path: Path, address: str) -> None:
    """Whatever stands in an address, the message is one line that says what an address is."""
    with pytest.raises(EventFileError, match="must be kafka://HOST:PORT/TOPIC") as raised:
        ingest([address], tmp_path / "store")
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("more", ["group=a%00b", "no.such.property=1", "socket.timeout.ms=x", "client.id=%00"])
def test_odd_properties_are_one_clear_error(tmp_path: Path, more: str) -> None:
    """A property that no text can be, or that librdkafka does not take, is one error that names the topic."""
    wrong = r"kafka://127\.0\.0\.1:1/topic(: cannot be (read|used)|.*: has a character in '(group|client.id)')"
    with pytest.raises(EventFileError, match=wrong):
        ingest([f"kafka://127.0.0.1:1/topic?{more}"], tmp_path / "store")


@pytest.mark.slow
def test_missing_offsets_are_an_error(broker: mock_kafka.MockKafka, tmp_path: Path) -> None:
    """If the topic no longer has the next offset, that is an error, and not a silent loss."""
    send(broker, EVENTS)
    ingest([broker.address], tmp_path, SETTINGS)
    other = mock_kafka.MockKafka()
    send(other, EVENTS[:5])
    with pytest.raises(EventFileError, match="the offset to resume from is no longer there"):
        ingest([other.address], tmp_path, SETTINGS)
    # As the message says, a new store begins with what is still there.
    assert ingest([other.address], tmp_path / "new", SETTINGS).counts.received == 5
    other.close()


def test_a_broker_that_does_not_answer_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address without a broker, and one that is no address, are each one clear error, and no store is made."""
    monkeypatch.setattr(kafka, "_ANSWER_S", 0.3)
    with pytest.raises(EventFileError, match=r"kafka://127\.0\.0\.1:1/topic: cannot be read"):
        ingest(["kafka://127.0.0.1:1/topic"], tmp_path / "store")
    for address in ("kafka://host:9092", "kafka://host/topic?partitions=x", "kafka:///topic", "kafka://host/a/b"):
        with pytest.raises(EventFileError, match="must be kafka://HOST:PORT/TOPIC"):
            ingest([address], tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_the_order_within_a_partition_stays(broker: mock_kafka.MockKafka, tmp_path: Path) -> None:
    """A store has the same state after a topic of one partition as after a table of the same events."""
    one = mock_kafka.MockKafka(n_partitions=1)
    send(one, EVENTS)
    ingest([one.address], tmp_path, SETTINGS)
    one.close()
    expected = EventStore(window_hours=24 * 7)
    expected.append(EVENTS)
    assert state_of(read_store(tmp_path)) == state_of(expected)
