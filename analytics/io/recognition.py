"""Recognition: what shape a file has and whose events it holds, by its first bytes."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from analytics.io.adapters.adapter import Adapter, Record
from analytics.io.adapters.registry import adapter_names, find_adapter, recognised
from analytics.io.adapters.snowplow import TSV_COLUMNS
from analytics.io.json_values import batch_of, events_of, is_event

PARQUET_MAGIC: Final = b"PAR1"
"""The first bytes of a Parquet file."""

SEGMENT: Final = "segment"
"""The name of the format that needs no adapter."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
# Records and lines that are looked at: the first may be broken.
_LOOKED_AT: Final = 10
_SHOWN_KEYS: Final = 8
_DELIMITERS: Final = ",;\t|"
_COLUMN: Final = re.compile(r"[\w$@/. \[\]():-]{1,100}")
_KEYS_OF_EVENTS: Final = frozenset({"anonymousId", "userId", "messageId"})
_COLUMNS_OF_ROWS: Final = frozenset({"anonymous_id", "user_id", "message_id", "received_at"})
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d ")


class Shape(Enum):
    """How the records of a file are written."""

    LINES = "lines"
    JSON = "JSON"
    CSV = "CSV"
    SNOWPLOW_TSV = "tab-separated values of Snowplow"
    PARQUET = "Parquet"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Recognised:
    """What a file is.

    Args:
        shape: How its records are written. ``LINES`` are events of the Segment Spec, one on each line, which are read
            fastest; what is nothing else is read as such, too.
        adapter: Converts its records, if they are another tool's.
        delimiter: What separates the columns of a CSV.
        is_table: Whether records in JSON are rows of a flat or warehouse table, by the names of its columns.
        is_on_lines: Whether JSON stands on lines, be they events or bodies of batches.
        columns: Keys of the first records in JSON.
    """

    shape: Shape
    adapter: Adapter | None = None
    delimiter: str = ","
    is_table: bool = False
    is_on_lines: bool = False
    columns: tuple[str, ...] = ()


def recognise(head: bytes, format_: str | None = None) -> Recognised:
    """Recognise a file by its first bytes.

    Args:
        head: The first bytes, a whole record at least where one is not longer than that.
        format_: Name of an adapter, or ``segment``; by default whichever recognises one of the first records.

    Returns:
        Its shape and adapter. Of a Parquet file only the shape: its columns are not in the first bytes.

    Raises:
        EventFileError: There is no such adapter.

    >>> recognise(b'[{"type": "page"}]').shape, recognise(b'{"type": "page"}').shape
    (<Shape.JSON: 'JSON'>, <Shape.LINES: 'lines'>)
    """
    given = None if format_ in {None, SEGMENT} else find_adapter(str(format_))
    if head.startswith(PARQUET_MAGIC):
        return Recognised(Shape.PARQUET, given)
    text = head.removeprefix(_BYTE_ORDER_MARK).decode(errors="replace")
    body = text.lstrip(" \t\r\n\x1e")
    if body[:1] in {"{", "["}:
        values = list(_first_values(body))
        adapter = given or (None if format_ else recognised(_records(values)))
        plain = adapter is None and not any(batch_of(value) and not is_event(value) for value in values)
        is_on_lines = _is_lines(text.lstrip(" \t\r\n"))
        columns = tuple(dict.fromkeys(key for record in _records(values) for key in record))
        is_table = adapter is None and _are_rows(columns)
        shape = Shape.LINES if plain and is_on_lines else Shape.JSON
        return Recognised(shape, adapter, is_table=is_table, is_on_lines=is_on_lines, columns=columns)
    first = text.split("\n", 1)[0].rstrip("\r")
    cells = first.split("\t")
    if len(cells) >= len(TSV_COLUMNS) - _LOOKED_AT and _DATE.match(cells[3]):
        return Recognised(Shape.SNOWPLOW_TSV, given or find_adapter("snowplow"))
    delimiter = max(_DELIMITERS, key=first.count)
    if _is_header(first, delimiter):
        return Recognised(Shape.CSV, given, delimiter)
    is_text = b"\0" not in head and "{" in text
    return Recognised(Shape.LINES if is_text else Shape.UNKNOWN)


def description(head: bytes) -> str:
    """What a file looks like, with advice, for the message that it cannot be used; empty of a known tool's events.

    >>> description(b'{"who": 1, "what": 2}')[:62]
    'looks like JSON with the keys who, what, of no known format; t'
    """
    text = head.removeprefix(_BYTE_ORDER_MARK).decode(errors="replace").lstrip(" \t\r\n\x1e")
    values = list(_first_values(text)) if text[:1] in {"{", "["} else []
    records = list(_records(values))
    known = f"the formats are segment, {adapter_names()}: name one with --format, or write an adapter"
    if any(map(is_event, records)) or recognised(records):
        return ""
    if values and not records:
        return "looks like JSON without any event, such as an empty batch"
    if records:
        return f"looks like JSON with the keys {shown(records[0])}, of no known format; {known}"
    if b"\0" in head or "\ufffd" in text[: len(text) // 2]:
        return f"looks like binary data; {known}"
    return f"looks like a text that is neither JSON nor a table; {known}"


def shown(names: Iterable[object]) -> str:
    """The first few of some names, for a message."""
    few = [str(name) for name in names]
    return ", ".join(few[:_SHOWN_KEYS]) + (", …" if len(few) > _SHOWN_KEYS else "")


def _are_rows(keys: Iterable[str]) -> bool:
    """Whether records have the columns of a table of events, which a warehouse may write in capitals."""
    return _KEYS_OF_EVENTS.isdisjoint(keys) and not _COLUMNS_OF_ROWS.isdisjoint(key.lower() for key in keys)


def _records(values: list[Any]) -> Iterator[Record]:
    return (event for value in values for event in events_of(value) if isinstance(event, dict))


def _first_values(text: str) -> Iterator[Any]:
    """The first values of a text of JSON; after a broken one, those that begin on a later line."""
    decoder, at, n = json.JSONDecoder(), 0, 0
    while n < _LOOKED_AT and (match := re.compile(r"[\s,\[\x1e]*(?=\{)").match(text, at)):
        n += 1
        try:
            value, at = decoder.raw_decode(text, match.end())
        except (ValueError, RecursionError):
            at = text.find("\n{", match.end())
            if at < 0:
                return
        else:
            yield value


def _is_lines(body: str) -> bool:
    """Whether JSON stands on lines: the first value ends its line, or is broken, as one of the next shows."""
    if not body.startswith("{"):
        return False
    try:
        _, end = json.JSONDecoder().raw_decode(body)
    except (ValueError, RecursionError) as error:
        # An object over several lines breaks off where the head does, a broken line before.
        first, _, rest = body.partition("\n")
        return bool(rest) and getattr(error, "pos", 0) <= len(first)
    line_end = body.find("\n")
    if line_end < 0:
        return not body[end:].strip()
    return end <= line_end and not body[end:line_end].strip()


def _is_header(line: str, delimiter: str) -> bool:
    """Whether a line can name the columns of a table: at least two names, but for a nameless index."""
    if delimiter not in line:
        return False
    try:
        names = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return False
    named = names[1:] if names[:1] == [""] else names
    return len(names) > 1 and all(map(_COLUMN.fullmatch, named))
