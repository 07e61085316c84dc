"""A Kafka topic as a source and as a sink of events. Needs the extra ``kafka``.

A message is one Segment-Spec event; its key is the ``anonymousId``, so that the events of a browser are in one
partition and stay in order. The store keeps the offset of each partition with the events, and resumes from it. So one
store reads all partitions, or those in its address, and does not take part in the group's assignment of partitions.
Offsets are committed to the broker only after the events are safe. A message that is delivered again is a duplicate by
its ``messageId``.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final
from urllib.parse import parse_qsl

import polars as pl
from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from analytics.errors import AnalyticsError, EventFileError
from analytics.events.times import moment
from analytics.io.lines import flatten_cut_lines, shortened_line
from analytics.io.ndjson import encode
from analytics.io.position import Offset, SourceBatch, SourcePosition
from analytics.sources.source import Source

_DEFAULT_GROUP: Final = "funnelsim"
# Seconds within which a broker must answer at the start.
_ANSWER_S: Final = 15.0
# Seconds to wait for messages before looking whether to stop.
_PATIENCE_S: Final = 0.2
# KiB that librdkafka may fetch ahead of the store for each partition.
_AHEAD_KIB: Final = 16_384
# Seconds between two looks for new partitions, and for the answer to one.
_REFRESH_S: Final = 30.0
_METADATA_S: Final = 2.0
# Seconds that the end may take, in which offsets are committed.
_GOODBYE_S: Final = 3.0

_SERVERS: Final = re.compile(r"[\w.\-:,\[\]]{1,1000}", re.ASCII)
_TOPIC: Final = re.compile(r"[\w.\-]{1,249}", re.ASCII)
_NUMBERS: Final = re.compile(r"(?:\d{1,9}(?:,|$))*", re.ASCII)
# What a store depends on, or what would load or run code that the address names.
_REFUSED: Final = frozenset(
    {
        "auto.commit.enable", "auto.offset.reset", "bootstrap.servers", "enable.auto.commit",
        "enable.auto.offset.store", "enable.idempotence", "enable.partition.eof", "group.id", "group.protocol",
        "metadata.broker.list", "offset.store.method", "offset.store.path", "plugin.library.paths",
        "sasl.kerberos.kinit.cmd", "ssl.engine.location", "ssl.providers", "transactional.id",
    }
)  # fmt: skip
_GONE: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})  # noqa: SLF001 - public


def offset_name(topic: str, partition: int) -> str:
    """Name of a partition among the offsets of a store.

    Args:
        topic: Name of the topic.
        partition: Its number, from 0.

    >>> offset_name("events", 2)
    'kafka:events/2'
    """
    return f"kafka:{topic}/{partition}"


@dataclass(frozen=True)
class KafkaAddress:
    """Address of a topic: ``kafka://HOST:PORT[,HOST:PORT]/TOPIC?group=NAME&partitions=0,2``.

    Args:
        servers: Bootstrap brokers.
        topic: Name of the topic.
        group: Consumer group under which offsets are committed.
        partitions: Numbers of the partitions to read; all if there are none.
        properties: Other properties of librdkafka, as given after the ``?``.
    """

    servers: str
    topic: str
    group: str
    partitions: frozenset[int]
    properties: Mapping[str, str]

    @classmethod
    def parse(cls, address: str) -> KafkaAddress:
        """Parse an address.

        Raises:
            EventFileError: It names no broker or topic, or partitions that are no numbers, or has a property that
                would undo what the store promises, or that loads code.

        >>> KafkaAddress.parse("kafka://localhost:9092/events?partitions=0,2").partitions
        frozenset({0, 2})
        """
        shown = address.encode("unicode_escape").decode()
        rest, _, query = address.removeprefix("kafka://").partition("?")
        servers, _, topic = rest.partition("/")
        properties = dict(parse_qsl(query))
        numbers = properties.pop("partitions", "")
        topic = topic.rstrip("/")
        if not (_SERVERS.fullmatch(servers) and _TOPIC.fullmatch(topic) and _NUMBERS.fullmatch(numbers)):
            raise EventFileError(f"{shown}: must be kafka://HOST:PORT/TOPIC, perhaps with ?group=NAME&partitions=0,2")
        if odd := [name for name, value in properties.items() if not (name.isprintable() and value.isprintable())]:
            raise EventFileError(f"{shown}: has a character in {', '.join(map(repr, odd))} that no property can have")
        if refused := sorted(_REFUSED & {name.strip().lower() for name in properties}):
            what = "cannot be set in an address: what a store promises depends on it, or it loads code"
            raise EventFileError(f"{shown}: {', '.join(refused)} {what}; the group is ?group=NAME")
        group = properties.pop("group", _DEFAULT_GROUP)
        partitions = frozenset(int(number) for number in numbers.split(",") if number)
        return cls(servers, topic, group, partitions, properties)


class KafkaTopic(Source):
    """A topic as a source of events; each partition has its own offset, the next ``offset`` to read.

    Messages are fetched as the store takes them, so that a slow disk slows the fetching and does not fill memory.

    Args:
        address: See :class:`KafkaAddress`.
        n_events: Events in a batch, at most.
        is_stopped: Called regularly; returns whether to end.
        is_live: Whether events without ``receivedAt`` arrived at their messages' timestamps; else that is not known.

    Raises:
        EventFileError: The address is wrong, the broker does not answer, or there is no such topic or partition.
    """

    def __init__(self, address: str, n_events: int, is_stopped: Callable[[], bool], *, is_live: bool = False) -> None:
        self._address = KafkaAddress.parse(address)
        self._n_events = n_events
        self._is_stopped = is_stopped
        self._is_live = is_live
        self._at_end: set[int] = set()
        self._committed: dict[int, int] = {}
        settings = {
            "bootstrap.servers": self._address.servers,
            "group.id": self._address.group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            # Where the next offset is gone, a person must decide: skipping messages would lose them silently.
            "auto.offset.reset": "error",
            "queued.max.messages.kbytes": _AHEAD_KIB,
            "log_level": 2,
        }
        try:
            self._consumer = Consumer(settings | dict(self._address.properties))
        except (KafkaException, TypeError, ValueError) as error:  # a property may have a NUL
            raise self._unreadable(error) from error
        try:
            self._partitions = self._first_partitions()
        except BaseException:
            self.close()
            raise
        self._last_refresh = time.monotonic()

    def batches(self, offsets: Mapping[str, Offset], *, follow: bool) -> Iterator[SourceBatch]:
        """Yield batches up to the end of all partitions; if they are followed, wait for more until stopped.

        Args:
            offsets: How far sources have been read, by their names.
            follow: Whether to wait for more at the end.

        Raises:
            EventFileError: The broker fails for good, or no longer has the message to resume from.
        """
        try:
            self._consumer.assign(self._beginnings(offsets, self._partitions))
            while not self._is_stopped():
                if follow:
                    self._assign_new(offsets)
                yield from self._batches_of(self._consumer.consume(self._n_events, timeout=_PATIENCE_S))
                if not follow and self._at_end >= self._partitions:
                    return
        except KafkaException as error:
            raise self._unreadable(error) from error

    @property
    def can_be_refused(self) -> bool:
        """No: a message that is not acknowledged comes again and again, before all that follow."""
        return False

    def acknowledge(self, offsets: Mapping[str, Offset]) -> None:
        """Commit offsets to the broker, those that have changed since the last commit.

        They only show others how far the group is: the store resumes from its own.

        Args:
            offsets: How far each partition is safe, by :func:`offset_name`.
        """
        names = {partition: offset_name(self._address.topic, partition) for partition in self._partitions}
        reached = {partition: offsets[name]["offset"] for partition, name in names.items() if name in offsets}
        changed = {partition: n for partition, n in reached.items() if self._committed.get(partition) != n}
        if changed:
            self._consumer.commit(offsets=self._at(changed), asynchronous=True)
            self._committed |= changed

    def close(self) -> None:
        """Commit the offsets once more and close the consumer, within seconds also if the broker does not answer."""
        # In a thread that may be left alone: librdkafka's own calls wait for a broker as long as its timeouts.
        farewell = threading.Thread(target=self._leave, daemon=True)
        farewell.start()
        farewell.join(_GOODBYE_S)

    def _leave(self) -> None:
        with suppress(KafkaException, RuntimeError):  # the store's own offsets have precedence over the broker's
            if self._committed:
                self._consumer.commit(offsets=self._at(self._committed), asynchronous=False)
        self._consumer.close()

    def _first_partitions(self) -> frozenset[int]:
        """The partitions to read.

        Raises:
            EventFileError: The broker does not answer, or there is no such topic or partition.
        """
        try:
            found = self._listed(_ANSWER_S)
        except KafkaException as error:
            raise self._unreadable(error) from error
        if missing := self._address.partitions - found:
            raise EventFileError(
                f"{self._address.topic}: cannot be read from Kafka: there is no partition {min(missing)}"
            )
        return self._address.partitions or found

    def _listed(self, seconds: float) -> frozenset[int]:
        """The partitions that the topic has now.

        Raises:
            EventFileError: There is no such topic.
            KafkaException: The broker does not answer in time.
        """
        topic = self._consumer.list_topics(self._address.topic, timeout=seconds).topics[self._address.topic]
        if topic.error is not None:
            raise EventFileError(f"{self._address.topic}: cannot be read from Kafka: {topic.error.str()}")
        return frozenset(topic.partitions)

    def _assign_new(self, offsets: Mapping[str, Offset]) -> None:
        """Read partitions that were added to the topic too, unless the address names those to read."""
        if self._address.partitions or time.monotonic() < self._last_refresh + _REFRESH_S:
            return
        self._last_refresh = time.monotonic()
        with suppress(KafkaException, EventFileError):  # the broker is away, and may be back at the next look
            if new := self._listed(_METADATA_S) - self._partitions:
                self._consumer.incremental_assign(self._beginnings(offsets, new))
                self._partitions |= new

    def _beginnings(self, offsets: Mapping[str, Offset], partitions: Iterable[int]) -> list[TopicPartition]:
        """Where to resume: at the store's offset, else at the beginning.

        Not at the offset of the group: what another store has taken is not in this one.
        """
        stored = {each: offsets.get(offset_name(self._address.topic, each)) for each in partitions}
        return self._at({each: offset["offset"] if offset else OFFSET_BEGINNING for each, offset in stored.items()})

    def _at(self, offsets: Mapping[int, int]) -> list[TopicPartition]:
        return [TopicPartition(self._address.topic, partition, offset) for partition, offset in offsets.items()]

    def _batches_of(self, messages: list[Message]) -> Iterator[SourceBatch]:
        """Flatten messages, those of each partition together."""
        of_partition: dict[int, list[Message]] = {}
        for message in messages:
            if message.error() is not None:
                self._note(message)
            else:
                partition = _required(message.partition())
                of_partition.setdefault(partition, []).append(message)
                self._at_end.discard(partition)
        for partition, theirs in of_partition.items():
            for arrived_at, together in _by_arrival(theirs) if self._is_live else [(None, theirs)]:
                lines = [(_required(message.offset()), message.value()) for message in together]
                flat = [(number, shortened_line(_as_bytes(line))) for number, line in lines if line]
                position = SourcePosition(offset_name(self._address.topic, partition), {"offset": lines[-1][0] + 1})
                yield SourceBatch(flatten_cut_lines(flat, arrived_at), position, arrived_at)

    def _note(self, message: Message) -> None:
        """Note the end of a partition; raise other errors, unless Kafka retries by itself."""
        error = message.error()
        if error is None or error.retriable():
            return
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - public, for all its name
            self._at_end.add(_required(message.partition()))
        elif error.code() in _GONE:
            raise EventFileError(
                f"{self._address.topic}/{message.partition()}: the offset to resume from is no longer there: the topic "
                "was created again, or has dropped messages not yet read. Ingest it into a new store, which begins "
                "with the first message that is still there"
            )
        elif error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001
            raise KafkaException(error)

    def _unreadable(self, error: Exception) -> EventFileError:
        return _unusable(self._address, error, "cannot be read")


class KafkaSink:
    """A topic as a sink of events, keyed by ``anonymousId``, or ``userId`` where there is none.

    Args:
        address: ``kafka://HOST:PORT/TOPIC``.

    Raises:
        EventFileError: The address is wrong.
    """

    def __init__(self, address: str) -> None:
        self._address = KafkaAddress.parse(address)
        # Idempotence: a message that the producer retries after a lost answer is not delivered twice.
        settings = {"bootstrap.servers": self._address.servers, "enable.idempotence": True, "log_level": 2}
        try:
            self._producer = Producer(settings | dict(self._address.properties))
        except (KafkaException, TypeError, ValueError) as error:  # a property may have a NUL
            raise _unusable(self._address, error) from error
        self._fault: KafkaError | None = None

    def send(self, events: pl.DataFrame) -> None:
        """Send events, one message each; blocks while the broker cannot keep up.

        Args:
            events: Table of events; see :func:`analytics.io.ndjson.encode`.
        """
        keys = events.select(pl.coalesce("anonymous_id", "user_id")).to_series()
        self.send_lines(zip(keys, encode(events).splitlines(), strict=True))

    def send_lines(self, lines: Iterable[tuple[str | None, bytes]]) -> None:
        """Send lines, one message each; blocks while the broker cannot keep up.

        Args:
            lines: Key, if there is one, and value of each message.
        """
        for key, line in lines:
            self._produce(key, line)

    def flush(self) -> None:
        """Wait until all that has been sent so far is delivered.

        Raises:
            AnalyticsError: Some messages could not be delivered.
        """
        self._producer.flush()
        if self._fault is not None:
            raise AnalyticsError(f"{self._address.topic}: not all could be sent to Kafka: {self._fault.str()}")

    def _produce(self, key: str | None, line: bytes) -> None:
        while True:
            try:
                self._producer.produce(self._address.topic, line, key, on_delivery=self._note)
            except BufferError:
                self._producer.poll(_PATIENCE_S)
            else:
                self._producer.poll(0)
                return

    def _note(self, error: KafkaError | None, message: Message) -> None:  # noqa: ARG002
        self._fault = self._fault or error


def _unusable(address: KafkaAddress, error: Exception, what: str = "cannot be used") -> EventFileError:
    reason = error.args[0].str() if error.args and isinstance(error.args[0], KafkaError) else str(error)
    return EventFileError(f"kafka://{address.servers}/{address.topic}: {what}: {reason}")


def _by_arrival(messages: list[Message]) -> Iterator[tuple[datetime | None, list[Message]]]:
    """Group consecutive messages of one second, with the last arrival among them."""
    stamped = [(message.timestamp(), message) for message in messages]
    for _, group in groupby(stamped, key=lambda each: (each[0][0], each[0][1] // 1000)):
        together = list(group)
        kind, _ = together[0][0]
        ms = max(ms for (_, ms), _ in together)
        arrived_at = None if kind == TIMESTAMP_NOT_AVAILABLE else moment(ms)
        yield arrived_at, [message for _, message in together]


def _required(number: int | None) -> int:
    """A number that every message without an error has; the types of the library allow None."""
    if number is None:
        raise AnalyticsError("Kafka gave a message without partition or offset")
    return number


def _as_bytes(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
