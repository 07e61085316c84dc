"""Opening sources of events by their names: paths, ``-`` for standard input, or addresses of Kafka topics."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Final, Self

from analytics.errors import AnalyticsError, EventFileError
from analytics.io.position import Offset, SourceBatch
from analytics.io.reading import EventFormat, is_plain, unreadable
from analytics.sources.names import SourceNames
from analytics.sources.ndjson import NdjsonFile
from analytics.sources.parquet import ParquetFile
from analytics.sources.records import RecordsFile
from analytics.sources.source import Now, Source
from analytics.sources.stream import NdjsonStream

# Events; more at once would only take memory, and Kafka takes no larger number.
_MOST_EVENTS: Final = 1_000_000
# Seconds between two looks at sources that grow.
_PAUSE_S: Final = 0.2
# Files that stay open while they are followed; more are opened at each look.
_MOST_OPEN: Final = 200

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


class OpenSources(AbstractContextManager["OpenSources"]):
    """The sources of some names, open, and those that appear while they are followed.

    Args:
        names: Names; see :class:`analytics.sources.names.SourceNames`.
        n_events: Events in a batch, at most.
        stop: Set to end.
        now: Returns the current time, if the sources are live.
        form: What is known of the files beforehand.
        follow: Whether to wait for more.

    Raises:
        AnalyticsError: A batch is to be of no possible size.
        EventFileError: A source cannot be opened.
    """

    def __init__(
        self,
        names: Sequence[str],
        n_events: int,
        stop: threading.Event,
        now: Now | None = None,
        form: EventFormat | None = None,
        *,
        follow: bool = False,
    ) -> None:
        if not 1 <= n_events <= _MOST_EVENTS:
            raise AnalyticsError(f"a batch can have 1 to {_MOST_EVENTS:,} events (got {n_events:,})")
        self._names = SourceNames(names)
        self._stop = stop
        self._follow = follow
        self._open = partial(open_source, n_events=n_events, is_stopped=stop.is_set, now=now, form=form)
        self.opened: list[Source] = []

    def __enter__(self) -> Self:
        try:
            self._add(self._names.first(follow=self._follow))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all."""
        with ExitStack() as stack:
            for source in self.opened:
                stack.callback(source.close)

    @property
    def is_one(self) -> bool:
        """Whether there is one source, and will be no other."""
        return len(self.opened) == 1 and not (self._follow and self._names.may_appear)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the sources have to say."""
        return tuple(note for source in self.opened for note in source.notes)

    def batches(self, offsets: Mapping[str, Offset]) -> Iterator[SourceBatch]:
        """Read the sources in turn, and those that grow again and again if they are followed.

        Args:
            offsets: How far sources have been read; what is yielded is expected there when the next is asked for.
        """
        left = list(self.opened)
        while left or (self._follow and self._names.may_appear):
            for source in left:
                yield from source.batches(offsets, follow=self._follow)
                if self._stop.is_set():
                    return
                if source.grows and len(left) > _MOST_OPEN:
                    source.close()
            if not self._follow or self._stop.wait(_PAUSE_S):
                return
            left = [*(source for source in left if source.grows), *self._add(self._names.new())]

    def _add(self, names: Sequence[str]) -> Sequence[Source]:
        n_before = len(self.opened)
        for name in names:
            self.opened.append(self._open(name, is_found=self._names.is_found(name)))
        return self.opened[n_before:]


def _topic(name: str, n_events: int, is_stopped: Callable[[], bool], *, is_live: bool) -> Source:
    try:
        from analytics.sources.kafka import KafkaTopic  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise EventFileError(f"{name}: Kafka needs an extra: pip install 'funnelsim[kafka]'") from error
    return KafkaTopic(name, n_events, is_stopped, is_live=is_live)
