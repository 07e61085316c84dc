"""Opening a source of events by its name: a path, ``-`` for standard input, or the address of a Kafka topic."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from analytics.errors import EventFileError
from analytics.io.reading import EventFormat, is_plain, unreadable
from analytics.sources.ndjson import NdjsonFile
from analytics.sources.parquet import ParquetFile
from analytics.sources.records import RecordsFile
from analytics.sources.source import Now, Source
from analytics.sources.stream import NdjsonStream

_KAFKA: Final = "kafka://"
_PARQUET_MAGIC: Final = b"PAR1"
_STDIN: Final = "-"


def open_source(
    name: str,
    n_events: int,
    is_stopped: Callable[[], bool],
    now: Now | None = None,
    form: EventFormat | None = None,
    *,
    is_found: bool = False,
) -> Source:
    """Open a source of events.

    Args:
        name: Path of a file of any shape that :func:`analytics.io.reading.read_events` reads; ``-`` for standard input;
            path of a pipe, which is a stream likewise; or ``kafka://HOST:PORT/TOPIC?group=NAME``. Of a folder
            :func:`analytics.io.reading.event_files` has the files.
        n_events: Events in a batch, at most.
        is_stopped: Called regularly by a source that waits; returns whether to end.
        now: Returns the current time, if the source is live: its events arrive when they are read, or, from Kafka, at
            the timestamps of their messages.
        form: What is known of a file or stream beforehand, such as its format.
        is_found: Whether a file was found by a pattern or in a folder; it may then be a rotated file of a known log.

    Returns:
        The source, to be closed after use.

    Raises:
        EventFileError: It cannot be read, or it is a Parquet file and ``now`` is given.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "events.ndjson"
    ...     _ = path.write_text('{"type": "page", "anonymousId": "a", "timestamp": "2026-03-03T10:00:00Z"}')
    ...     (batch,) = open_source(str(path), 100, lambda: False).batches({}, follow=False)
    >>> batch.events.n_received, batch.position.offset["lines"]
    (1, 1)
    """
    form = form or EventFormat()
    if name == _STDIN:
        if sys.stdin is None:
            raise EventFileError("standard input is closed")
        return NdjsonStream(sys.stdin.fileno(), n_events, is_stopped, now, form=form)
    if name.startswith(_KAFKA):
        return _topic(name, n_events, is_stopped, is_live=now is not None)
    path = Path(name)
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            # A pipe, such as the shell makes of ``<(zcat events.gz)``: it can be read only once. It is opened without
            # waiting for its writer, as no signal ends that wait.
            return NdjsonStream(
                os.open(path, os.O_RDONLY | os.O_NONBLOCK), n_events, is_stopped, now, pipe=name, form=form
            )
        with path.open("rb") as file:
            is_parquet = file.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC
    except (OSError, ValueError) as error:  # a NUL in a path is a ValueError
        raise unreadable(path, error) from error
    if is_parquet and now is not None:
        raise EventFileError(f"{path}: is a Parquet file, so its events do not arrive now; ingest it by itself")
    if not is_plain(path, form, is_live=now is not None):
        if now is not None:
            raise EventFileError(f"{path}: is no NDJSON, so its events do not arrive now; ingest it without --live")
        return RecordsFile(path, form)
    return ParquetFile(path, n_events) if is_parquet else NdjsonFile(path, n_events, now, is_found=is_found)


def _topic(name: str, n_events: int, is_stopped: Callable[[], bool], *, is_live: bool) -> Source:
    try:
        from analytics.sources.kafka import KafkaTopic  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise EventFileError(f"{name}: Kafka needs an extra: pip install 'funnelsim[kafka]'") from error
    return KafkaTopic(name, n_events, is_stopped, is_live=is_live)
