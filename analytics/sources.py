"""Sources of events by their names: a path, ``-`` for standard input, or the address of a topic of Kafka's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from analytics.errors import EventFileError
from analytics.ndjson_sources import NdjsonFile, NdjsonStream
from analytics.parquet_source import ParquetFile
from analytics.source import Source, unreadable

__all__ = ["open_source"]

_KAFKA: Final = "kafka://"
_PARQUET_MAGIC: Final = b"PAR1"
_STDIN: Final = "-"


def open_source(name: str, n_events: int, is_stopped: Callable[[], bool]) -> Source:
    """Open a source of events.

    Args:
        name: Path of an NDJSON file, gzipped or not, or of a Parquet file; what it is shows in its first bytes. ``-``
            is NDJSON on standard input, and ``kafka://HOST:PORT/TOPIC?group=NAME`` a topic.
        n_events: Events in a batch, at most.
        is_stopped: Asked now and then by a source that waits whether to end.

    Raises:
        EventFileError: It cannot be read.
    """
    if name == _STDIN:
        if sys.stdin is None:
            raise EventFileError("standard input is closed")
        return NdjsonStream(sys.stdin.fileno(), n_events, is_stopped)
    if name.startswith(_KAFKA):
        return _topic(name, n_events, is_stopped)
    path = Path(name)
    try:
        with path.open("rb") as file:
            is_parquet = file.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC
        return ParquetFile(path, n_events) if is_parquet else NdjsonFile(path, n_events)
    except OSError as error:
        raise unreadable(path, error) from error


def _topic(name: str, n_events: int, is_stopped: Callable[[], bool]) -> Source:
    try:
        from analytics.kafka import KafkaTopic  # noqa: PLC0415 - needs what few have installed
    except ImportError as error:
        raise EventFileError(f"{name}: Kafka needs an extra: pip install 'funnelsim[kafka]'") from error
    return KafkaTopic(name, n_events, is_stopped)
