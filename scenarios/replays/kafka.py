"""A topic of Kafka as the receiver of a replay. Needs the extra ``kafka``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from analytics import sources
from analytics.errors import AnalyticsError
from scenarios.errors import DeliveryError, InputError
from scenarios.replays.recorded_run import RecordedLine

_MOST_LINES: Final = 10_000


class KafkaTarget:
    """A topic of Kafka. librdkafka retries by itself; a batch is acknowledged when every message of it has been.

    Args:
        address: ``kafka:HOST:PORT[,HOST:PORT]/TOPIC``, perhaps with properties of librdkafka such as
            ``?message.timeout.ms=60000``; ``kafka://`` is accepted too.

    Raises:
        InputError: The address is wrong, or the extra is not installed.
    """

    n_retries: Final = 0  # librdkafka retries by itself and reports no number

    def __init__(self, address: str) -> None:
        try:
            sink = sources.KafkaSink  # confluent-kafka is an extra, imported when this is named
        except ImportError:
            raise InputError("--to kafka: needs confluent-kafka: pip install 'funnelsim[kafka]'") from None
        try:
            self._sink = sink(f"kafka://{address.removeprefix('kafka:').removeprefix('//')}")
        except AnalyticsError as error:
            raise InputError(f"--to: {error}") from None

    @property
    def n_bytes(self) -> None:
        """None, because a topic is no file."""

    def refuses(self, line: RecordedLine) -> str:  # noqa: ARG002 - a broken line too is a message
        """Return the empty string: every line can be a message."""
        return ""

    def fits(self, n_lines: int, n_bytes: int) -> bool:  # noqa: ARG002
        """Whether a batch is small enough to wait for its acknowledgement."""
        return n_lines <= _MOST_LINES

    def send(self, batch: Sequence[RecordedLine]) -> None:
        """Send lines, a message each, and wait until all are acknowledged.

        Raises:
            DeliveryError: Some are not.
        """
        try:
            self._sink.send_lines((line.browser, line.line) for line in batch)
            self._sink.flush()
        except AnalyticsError as error:
            raise DeliveryError(str(error)) from error

    def close(self) -> None:
        """Do nothing: nothing is under way between two batches."""
