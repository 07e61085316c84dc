"""Events as lines of JSON in the Segment Spec, written from and read into the flat event table.

Writing works on whole columns. The nested objects are built from the paths in :data:`analytics.events.COLUMNS`, at one
time for all rows that fill the same columns, so that a line holds no nulls. Reading goes line by line through
:func:`analytics.tracking.track_view`'s walk, in batches, so that a file of any length needs little memory.

For events that obey the tracking plan (``received_at`` and ``message_id`` given, columns filled only where the call
carries them, ``extra`` a compact object with sorted keys) reading gives back exactly what was written.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import polars as pl

from analytics.enrichment import conform
from analytics.errors import EventFileError
from analytics.events import COLUMNS, EVENT_SCHEMA, UTC_MS
from analytics.tracking import Flattened, flatten_numbered

__all__ = ["decode", "encode", "read_ndjson"]

_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S%.3fZ"
# Polars panics where it cannot print a year; the years 0 and 10000 it can, and no reader takes them for a time.
_PRINTABLE: Final = tuple(pl.lit(ms, pl.Int64()).cast(UTC_MS) for ms in (-62_135_596_800_001, 253_402_300_800_000))
_GZIP_MAGIC: Final = b"\x1f\x8b"
_PATHS: Final = {column.name: column.path for column in COLUMNS if column.name != "extra"}
_ROWS_AT_ONCE: Final = 100_000


def encode(events: pl.DataFrame) -> bytes:
    """Write events as NDJSON: one Segment-Spec object a line, in the order of the rows.

    Args:
        events: Table of events; only the columns of the tracking plan are written.

    Returns:
        The lines, each ended by a newline. Times are UTC to the millisecond; nulls are left out. What stands in
        ``extra`` becomes the object ``extra``.

    Raises:
        EventFrameError: A column has a type that cannot hold what the tracking plan says.
    """
    lines = io.BytesIO()
    for batch in conform(events).iter_slices(_ROWS_AT_ONCE):
        # A "CSV" of one bare column is the fastest way out of Polars for lines that are already written.
        _lines(batch).write_csv(lines, include_header=False, quote_style="never")
    return lines.getvalue()


def decode(lines: bytes | BinaryIO | str | Path) -> Flattened:
    """Read NDJSON whole: the bytes themselves, an open file or the path of one, gzipped or not.

    Raises:
        EventFileError: The file cannot be read.
    """
    source = io.BytesIO(lines) if isinstance(lines, bytes) else lines
    batches = list(read_ndjson(source))
    frames = [batch.frame for batch in batches] or [EVENT_SCHEMA.to_frame()]
    return Flattened(pl.concat(frames), tuple(letter for batch in batches for letter in batch.dead_letters))


def read_ndjson(source: BinaryIO | str | Path, batch_lines: int = 50_000) -> Iterator[Flattened]:
    """Read NDJSON in batches, with memory for one batch only.

    Args:
        source: An open binary file or the path of one, gzipped or not.
        batch_lines: Lines read at once.

    Yields:
        The events of each batch, and its dead letters; positions are line numbers, from 1. Blank lines are skipped.

    Raises:
        EventFileError: The file cannot be opened or read.
    """
    name = str(source) if isinstance(source, str | Path) else str(getattr(source, "name", "the stream"))
    try:
        with _opened(source) as file:
            numbered = ((number, line.rstrip(b"\r\n")) for number, line in enumerate(file, 1) if not line.isspace())
            yield from _batches(numbered, batch_lines)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise EventFileError(f"{name}: cannot be read as NDJSON: {reason}") from error


def _batches(numbered: Iterator[tuple[int, bytes]], batch_lines: int) -> Iterator[Flattened]:
    while batch := list(islice(numbered, batch_lines)):
        yield flatten_numbered(batch)


@contextmanager
def _opened(source: BinaryIO | str | Path) -> Iterator[Iterable[bytes]]:
    """Open what needs opening, and unpack what is gzipped, whatever the file is called."""
    if isinstance(source, str | Path):
        with Path(source).open("rb") as file, _opened(file) as unpacked:
            yield unpacked
        return
    # Only a buffered reader can look ahead; ours must be let go of, or it closes the caller's file with itself.
    reader = source if isinstance(source, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", source))
    try:
        if reader.peek(2).startswith(_GZIP_MAGIC):
            with gzip.open(reader) as unpacked:
                yield unpacked
        else:
            yield reader
    finally:
        if reader is not source:
            reader.detach()


def _lines(events: pl.DataFrame) -> pl.DataFrame:
    """One JSON object for each row, in order."""
    rows = events.with_columns(_as_text(name, dtype) for name, dtype in EVENT_SCHEMA.items()).with_columns(_filled())
    parts = [_encoded(part) for part in rows.with_row_index("_row").partition_by("_filled", maintain_order=True)]
    return pl.concat(parts).sort("_row").select("_line")


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    if dtype == UTC_MS:
        return pl.col(name).clip(*_PRINTABLE).dt.strftime(_TIME_FORMAT)
    return pl.col(name).cast(pl.String)


def _filled() -> pl.Expr:
    """Which columns a row fills, as the bits of one number."""
    bits = (pl.col(name).is_not_null().cast(pl.UInt64) * (1 << index) for index, name in enumerate(EVENT_SCHEMA))
    return pl.sum_horizontal(bits).alias("_filled")


def _encoded(rows: pl.DataFrame) -> pl.DataFrame:
    """Write rows that fill the same columns."""
    tree: dict[str, Any] = {}
    for name, path in _PATHS.items():
        if rows[name].null_count() < rows.height:
            node = tree
            for key in path[:-1]:
                node = node.setdefault(key, {})
            node[path[-1]] = pl.col(name)
    line = _object(tree).struct.json_encode() if tree else pl.lit("{}")
    if rows["extra"].null_count() == rows.height:
        return rows.select("_row", _line=line)
    # `extra` is JSON already: it is set in before the closing brace.
    separator = "," if tree else ""
    spliced = pl.concat_str(line.str.head(-1), pl.lit(f'{separator}"extra":'), "_extra", pl.lit("}"))
    return rows.with_columns(_extra=_json_of(rows["extra"])).select("_row", _line=spliced)


def _object(tree: dict[str, Any]) -> pl.Expr:
    return pl.struct((_object(node) if isinstance(node, dict) else node).alias(key) for key, node in tree.items())


def _json_of(texts: pl.Series) -> pl.Series:
    """Make sure that what goes into a line is JSON: a text that is no object is written as a text."""
    return texts.map_elements(_checked, return_dtype=pl.String)


def _checked(text: str) -> str:
    try:
        is_object = isinstance(json.loads(text), dict) and "\n" not in text
    except (ValueError, RecursionError):
        is_object = False
    return text if is_object else json.dumps(text)
