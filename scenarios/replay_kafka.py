"""A topic of Kafka's as the receiver of a replay. Needs the extra ``kafka``.

A message is one line; its key is the ``anonymousId``, so that the events of a browser are in one partition and stay in
order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from scenarios.errors import DeliveryError, InputError
from scenarios.replay_lines import RecordedLine

__all__ = ["KafkaTarget"]

_MOST_LINES: Final = 10_000
_PATIENCE_S: Final = 0.2
_GIVE_UP_MS: Final = 120_000


class KafkaTarget:
    """A topic. librdkafka tries again by itself; a batch is acknowledged when every message of it has been.

    Args:
        address: ``kafka:HOST:PORT[,HOST:PORT]/TOPIC``; ``kafka://`` is understood too.

    Raises:
        InputError: The address is wrong, or the extra is not installed.
    """

    def __init__(self, address: str) -> None:
        servers, slash, topic = address.removeprefix("kafka:").removeprefix("//").partition("/")
        if not (servers and slash and topic) or "/" in topic:
            raise InputError(f"--to: must be kafka:HOST:PORT/TOPIC (got {address!r})")
        try:
            from confluent_kafka import Producer  # noqa: PLC0415 - an extra
        except ImportError:
            raise InputError("--to kafka: needs confluent-kafka: pip install 'funnelsim[kafka]'") from None
        self._topic = topic
        self._faults: list[str] = []
        # Idempotence: what the producer itself repeats after a lost answer is not delivered twice.
        settings = {"bootstrap.servers": servers, "enable.idempotence": True, "log_level": 2, "linger.ms": 5}
        self._producer = Producer(settings | {"message.timeout.ms": _GIVE_UP_MS})

    @property
    def n_bytes(self) -> None:
        """None: it is no file."""

    def refuses(self, line: RecordedLine) -> str:  # noqa: ARG002 - a broken line too is a message
        """Nothing."""
        return ""

    def fits(self, n_lines: int, n_bytes: int) -> bool:  # noqa: ARG002
        """Whether a batch is small enough to wait for its acknowledgement."""
        return n_lines <= _MOST_LINES

    def send(self, batch: Sequence[RecordedLine]) -> None:
        """Send lines, a message each, and wait until all are acknowledged.

        Raises:
            DeliveryError: Some are not.
        """
        for line in batch:
            self._produce(line)
        self._producer.flush()
        if self._faults:
            raise DeliveryError(
                f"kafka topic {self._topic}: {len(self._faults):,} of {len(batch):,} messages could not be delivered: "
                f"{self._faults[0]}"
            )

    def close(self) -> None:
        """Do nothing: nothing is under way between two batches."""

    def _produce(self, line: RecordedLine) -> None:
        while True:
            try:
                self._producer.produce(self._topic, line.line, line.browser, on_delivery=self._note)
            except BufferError:
                self._producer.poll(_PATIENCE_S)
            else:
                self._producer.poll(0)
                return

    def _note(self, error: Any, message: Any) -> None:  # noqa: ANN401, ARG002 - confluent-kafka's own types
        if error is not None:
            self._faults.append(str(error.str()))
