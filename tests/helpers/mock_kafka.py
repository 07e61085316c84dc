"""A broker that speaks Kafka's protocol over real sockets: the mock cluster of librdkafka.

Python's confluent_kafka can only start one, not stop its brokers; so the C library is called directly.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import confluent_kafka

TOPIC = "events"


def library() -> ctypes.CDLL | None:
    """The librdkafka bundled with confluent_kafka; None where it is built in another way."""
    found = list(Path(confluent_kafka.__file__).parents[1].glob("confluent_kafka.libs/librdkafka*"))
    return ctypes.CDLL(str(found[0])) if found else None


class MockKafka:
    """A cluster of one broker with one topic."""

    def __init__(self, n_partitions: int = 3) -> None:
        lib = library()
        assert lib is not None
        self._lib = lib
        lib.rd_kafka_new.restype = lib.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
        lib.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        self._client = ctypes.c_void_p(lib.rd_kafka_new(0, None, None, 0))
        self._cluster = ctypes.c_void_p(lib.rd_kafka_mock_cluster_new(self._client, 1))
        self.servers = lib.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        lib.rd_kafka_mock_topic_create(self._cluster, TOPIC.encode(), n_partitions, 1)

    @property
    def address(self) -> str:
        """Address of the topic, with a short delay before reconnecting."""
        return f"kafka://{self.servers}/{TOPIC}?group=tests&reconnect.backoff.max.ms=100"

    def down(self) -> None:
        """Stop the broker: connections break and none are accepted."""
        self._lib.rd_kafka_mock_broker_set_down(self._cluster, 1)

    def up(self) -> None:
        """Start the broker again."""
        self._lib.rd_kafka_mock_broker_set_up(self._cluster, 1)

    def close(self) -> None:
        """Destroy the cluster."""
        self._lib.rd_kafka_mock_cluster_destroy(self._cluster)
        self._lib.rd_kafka_destroy(self._client)
