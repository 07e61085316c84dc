"""NDJSON: events as lines of JSON in the Segment Spec, written from and read into the flat event table.

Encoding works on whole columns (:mod:`analytics.io.encoding`). Reading works in batches, so that a file of any length
needs little memory: many lines of one shape at a time (:mod:`analytics.io.batch_decoding`), the others one by one.

For events that obey the tracking plan (``received_at`` and ``message_id`` given, columns filled only where the call
carries them, ``extra`` a compact object with sorted keys) reading gives back exactly what was written.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, Final, TypeVar, cast

import polars as pl

from analytics.errors import EventFileError
from analytics.events.enrichment import conform
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.encoding import json_lines
from analytics.io.flatten import Flattened
from analytics.io.lines import Line, batches_of_lines, blocks_of_lines, flatten_cut_lines

T = TypeVar("T")
R = TypeVar("R")

GZIP_MAGIC: Final = b"\x1f\x8b"
"""The first bytes of a gzipped file."""

_ROWS_AT_ONCE: Final = 100_000
_AT_ONCE: Final = 2
READ_ERRORS: Final = (OSError, EOFError, zlib.error)
"""What reading a file, gzipped or not, can raise."""


def encode(events: pl.DataFrame) -> bytes:
    r"""Encode events as NDJSON: one Segment-Spec object per line, in row order.

    Args:
        events: Table of events; only the columns of the tracking plan are written.

    Returns:
        The lines, each with a newline. Times are UTC to the millisecond; nulls are omitted. The JSON in ``extra``
        becomes the object ``extra``.

    Raises:
        EventFrameError: A column has a type that cannot hold what the tracking plan says.

    >>> encode(pl.DataFrame({"type": ["page"], "message_id": ["1"], "category": ["docs"]}))
    b'{"type":"page","messageId":"1","properties":{"category":"docs"}}\n'
    """
    lines = io.BytesIO()
    for batch in conform(events).iter_slices(_ROWS_AT_ONCE):
        # A "CSV" of one unquoted column is the fastest way to get finished lines out of Polars.
        json_lines(batch).to_frame().write_csv(lines, include_header=False, quote_style="never")
    return lines.getvalue()


def decode(lines: bytes | BinaryIO | str | Path, *, arrived_at: datetime | None = None) -> Flattened:
    r"""Decode NDJSON in one go, from bytes, an open file or a path; it may be gzipped.

    Args:
        lines: The lines.
        arrived_at: When they arrived; see :func:`read_ndjson`.

    Returns:
        All usable events in one table, and the dead letters; positions are line numbers, from 1.

    Raises:
        EventFileError: The file cannot be read.

    >>> batch = decode(b'{"type": "page", "anonymousId": "a", "timestamp": "2026-03-03T10:00:00Z"}\nbroken')
    >>> batch.frame.height, [letter.position for letter in batch.dead_letters]
    (1, [2])
    """
    source = io.BytesIO(lines) if isinstance(lines, bytes) else lines
    batches = list(read_ndjson(source, arrived_at=arrived_at))
    frames = [batch.frame for batch in batches] or [EVENT_SCHEMA.to_frame()]
    letters = tuple(letter for batch in batches for letter in batch.dead_letters)
    ignored = sum((batch.ignored_times for batch in batches), start=Counter[str]())
    nobody = sum((batch.ids_of_nobody for batch in batches), start=Counter[str]())
    return Flattened(pl.concat(frames), letters, ignored, nobody)


def read_ndjson(
    source: BinaryIO | str | Path, batch_lines: int = 50_000, *, arrived_at: datetime | None = None
) -> Iterator[Flattened]:
    r"""Read NDJSON in batches, with only a few of them in memory at a time.

    Args:
        source: An open binary file or the path of one, gzipped or not.
        batch_lines: Lines read at once.
        arrived_at: When the lines arrived, with a time zone: the ``received_at`` of those without one.

    Yields:
        The events of each batch, and its dead letters; positions are line numbers, from 1. Blank lines are skipped, and
        of a line longer than :data:`analytics.io.lines.MAX_LINE_BYTES` only the beginning is kept.

    Raises:
        EventFileError: The file cannot be opened or read.

    >>> line = b'{"type": "page", "anonymousId": "a", "timestamp": "2026-03-03T10:00:00Z"}'
    >>> [batch.n_received for batch in read_ndjson(io.BytesIO(b"\n".join([line] * 5)), batch_lines=2)]
    [2, 2, 1]
    """
    name = str(source) if isinstance(source, str | Path) else str(getattr(source, "name", "the stream"))
    try:
        with _opened(source) as file:
            chunks, flatten = _numbered(file, name, batch_lines), partial(flatten_cut_lines, arrived_at=arrived_at)
            first = list(islice(chunks, 2))
            # One batch needs no threads, which would take longer than a small one.
            batches = map(flatten, first) if len(first) < 2 else flatten_ahead(chain(first, chunks), flatten)  # noqa: PLR2004
            yield from (batch for batch in batches if batch.n_received)
    except READ_ERRORS as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise EventFileError(f"{name}: cannot be read as NDJSON: {reason}") from error


def flatten_ahead(batches: Iterable[T], flatten: Callable[[T], R]) -> Iterator[R]:
    """Flatten batches in order, two at once, ahead of the caller: Polars keeps one core busy with each.

    Args:
        batches: The batches. If reading them raises an error, those read before are flattened and yielded first.
        flatten: Called with each batch, in a thread.

    Yields:
        What ``flatten`` returns, in the order of the batches.

    >>> list(flatten_ahead([[1, 2], [3]], sum))
    [3, 3]
    """
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        pending: deque[Future[R]] = deque()
        try:
            for batch in batches:
                pending.append(workers.submit(flatten, batch))
                if len(pending) > _AT_ONCE:
                    yield pending.popleft().result()
        except (*READ_ERRORS, EventFileError):
            yield from (each.result() for each in pending)
            raise
        yield from (each.result() for each in pending)


def _numbered(file: BinaryIO, name: str, n_lines: int) -> Iterator[list[tuple[int, Line]]]:
    """The lines of a file in batches, with their numbers."""
    number = 1
    for lines in batches_of_lines(blocks_of_lines(file, name), n_lines):
        yield list(enumerate(lines, number))
        number += len(lines)


@contextmanager
def _opened(source: BinaryIO | str | Path) -> Iterator[BinaryIO]:
    """Open a path, and unpack gzipped bytes, whatever the name of the file."""
    if isinstance(source, str | Path):
        with Path(source).open("rb") as file, _opened(file) as unpacked:
            yield unpacked
        return
    # Only a buffered reader can look ahead; ours must be detached, or it closes the caller's file with itself.
    reader = source if isinstance(source, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", source))
    try:
        if reader.peek(2).startswith(GZIP_MAGIC):
            with gzip.open(reader) as unpacked:
                yield cast("BinaryIO", unpacked)
        else:
            yield reader
    finally:
        if reader is not source:
            reader.detach()
