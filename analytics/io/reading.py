"""Reading events from files of any shape and any known tool: the one way in for files, streams and folders."""

from __future__ import annotations

import gzip
import io
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import polars as pl

from analytics.errors import EventFileError, EventFileWarning, EventFrameError
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.adapters.adapter import Adapter, Json, Record
from analytics.io.adapters.registry import recognised
from analytics.io.adapters.snowplow import TSV_COLUMNS
from analytics.io.batch_decoding import flatten_lines
from analytics.io.containers import HEAD, UNPACK_ERRORS, buffered, is_container, is_data_file, opened, unpacked
from analytics.io.flatten import Flattened
from analytics.io.json_rows import JsonRows
from analytics.io.json_values import events_of, is_event, json_values
from analytics.io.lines import MAX_LINE_BYTES, Line, LongLine, begins_json, is_complete, lines_of
from analytics.io.ndjson import GZIP_MAGIC, read_ndjson
from analytics.io.recognition import PARQUET_MAGIC, SEGMENT, Recognised, Shape, description, recognise, shown
from analytics.io.row_validation import usable_events
from analytics.io.strict_json import mended
from analytics.io.tables import TableReading, csv_tables, holds_traits, parquet_tables, table_name

Note = Callable[[str], None]
"""Called with what a reader should know: a column that is not read, a file of a folder that is left out."""

_AT_ONCE: Final = 50_000
# Of an export, our own among them: it names the files of events, in JSON as they may be.
_MANIFEST: Final = "manifest.json"
# Another tool's records are larger than their events.
_RECORDS_AT_ONCE: Final = 10_000


@dataclass(frozen=True)
class EventFormat:
    """What is known of a file beforehand.

    Args:
        name: Name of an adapter, or ``segment``; recognised if not given.
        call: Type of all rows of a table without a column ``type``, such as ``page``; by default from its name.
    """

    name: str | None = None
    call: str | None = None


def warn(text: str) -> None:
    """Warn of what is not read."""
    warnings.warn(text, EventFileWarning, stacklevel=2)


def read_events(
    source: BinaryIO | str | Path, form: EventFormat | None = None, *, n_events: int = _AT_ONCE, note: Note = warn
) -> Iterator[Flattened]:
    """Read events in batches, with only a few of them in memory at a time.

    Args:
        source: Path of a file or folder, or an open binary file: JSON in lines, arrays, batches, pretty-printed or
            concatenated, CSV or Parquet, packed with gzip, bzip2, Zstandard, zip or tar or not, in UTF-8, UTF-16 or
            UTF-32; of the Segment Spec, a Segment warehouse or a tool with an adapter.
        form: What is known of it; all is recognised by the first bytes unless given.
        n_events: Events in a batch, at most (records, of another tool's).
        note: Called with what is not read; by default a warning of Python.

    Yields:
        The events of each batch, and its dead letters. Positions are lines, records or rows, from 1; in a folder, zip
        or tar the detail of a dead letter begins with the file.

    Raises:
        EventFileError: It cannot be read, or nothing is known that looks like it.

    >>> body = b'[{"type": "page", "anonymousId": "a", "timestamp": "2026-03-03T10:00:00Z"}]'
    >>> [batch.frame.height for batch in read_events(io.BytesIO(body))]
    [1]
    """
    form = form or EventFormat()
    if not isinstance(source, str | Path):
        name = str(getattr(source, "name", "the stream"))
        yield from _read_file(source, name, form, n_events, note)
        return
    for file in event_files(source, note):
        yield from _read_file(file, str(file), form, n_events, note, is_one=file == Path(source))


def event_files(source: str | Path, note: Note = warn) -> list[Path]:
    """The files of events at a path: itself, or all in a folder, sorted, with those of its folders.

    Args:
        source: Path of a file or a folder.
        note: Called with the names of files in the folder that do not look like events.

    Raises:
        EventFileError: There is no such file, or nothing in the folder can be read.

    >>> event_files("setup.cfg")
    Traceback (most recent call last):
    analytics.errors.EventFileError: setup.cfg: cannot be read: No such file or directory
    """
    path = Path(source)
    try:
        if not path.is_dir():
            path.stat()
            return [path]
        files = sorted(each for each in path.rglob("*") if each.is_file())
        data = [each for each in files if is_data_file(each.relative_to(path).as_posix()) and each.stat().st_size]
    except (OSError, ValueError) as error:  # a NUL in a path is a ValueError
        raise unreadable(path, error) from error
    readable = [each for each in data if _looks_readable(each)]
    if not readable:
        among = f" among its {len(files):,} files" if files else "; it is empty"
        raise EventFileError(f"{path}: holds no file of events{among}")
    left_out = [each.relative_to(path).as_posix() for each in data if each not in readable]
    if left_out:
        note(f"{path}: left out, as they do not look like events: {shown(left_out)}")
    return readable


def _looks_readable(path: Path) -> bool:
    if path.name == _MANIFEST:
        return False
    try:
        with opened(path) as file:
            return any(recognise(part.peek(HEAD)).shape != Shape.UNKNOWN for _, part in unpacked(file, str(path)))
    except (*UNPACK_ERRORS, EventFileError):
        # What is damaged is to be reported when it is read, not left out.
        return True


def located(batch: Flattened, name: str) -> Flattened:
    """A batch whose dead letters say the file that they are in.

    Args:
        batch: Events and dead letters.
        name: Name of the file.
    """
    if not batch.dead_letters:
        return batch
    where = ((f"{name}, record {each.position}", each) for each in batch.dead_letters)
    return replace(batch, dead_letters=tuple(replace(each, detail=f"{at}: {each.detail}") for at, each in where))


def is_plain(path: Path, form: EventFormat, *, is_live: bool = False) -> bool:
    """Whether a file is NDJSON of the Segment Spec, gzipped at most, or Parquet of the flat table.

    Such files are read fastest, and can be resumed at an offset of bytes or rows.

    Args:
        path: The file.
        form: What is known of it.
        is_live: Whether its events arrive as they are read; bodies of batches on lines are read as lines then.
    """
    if form.name not in {None, SEGMENT} or form.call is not None:
        return False
    try:
        with opened(path) as file:
            head = file.peek(HEAD)
            if head.startswith(PARQUET_MAGIC):
                columns = pl.read_parquet_schema(path).keys()
                return "type" in columns and columns <= EVENT_SCHEMA.keys()
            if head.startswith(GZIP_MAGIC):
                with gzip.open(file) as inner:
                    head = buffered(cast("BinaryIO", inner)).peek(HEAD)
            return is_plain_head(head, form, is_live=is_live)
    except (*UNPACK_ERRORS, pl.exceptions.PolarsError):
        # Whoever reads it reports what is wrong with it.
        return True


def is_plain_head(head: bytes, form: EventFormat, *, is_live: bool = False) -> bool:
    """Whether what begins with these bytes is NDJSON of the Segment Spec, as it stands."""
    if is_container(head) or form.call is not None:
        return False
    seen = recognise(head, form.name)
    is_one_line = b"\n" not in head and len(head) < HEAD
    if is_one_line and begins_json(head) and b"[" not in head.lstrip()[:1] and not is_complete(head):
        # The first line is still being written.
        return True
    is_lines = seen.shape in {Shape.LINES, Shape.UNKNOWN} or (is_live and seen.is_on_lines)
    return is_lines and seen.adapter is None and not seen.is_table


def _read_file(
    source: BinaryIO | Path, name: str, form: EventFormat, n_events: int, note: Note, *, is_one: bool = True
) -> Iterator[Flattened]:
    try:
        with ExitStack() as stack:
            file = stack.enter_context(opened(source)) if isinstance(source, Path) else buffered(source)
            if not isinstance(source, Path):
                stack.callback(file.detach)
            for label, part in unpacked(file, name):
                path = source if part is file and isinstance(source, Path) else None
                batches = _Part(part, label, path, form=form, n_events=n_events, note=note).batches()
                yield from batches if is_one and label == name else (located(batch, label) for batch in batches)
    except (*UNPACK_ERRORS, pl.exceptions.PolarsError) as error:
        raise unreadable(name, error) from error


def unreadable(what: object, error: BaseException) -> EventFileError:
    """The error for what cannot be read.

    Args:
        what: Its name or path.
        error: What went wrong, of the system or a library; of a long message the first line is kept.

    >>> unreadable("events.ndjson", OSError(13, "Permission denied"))
    EventFileError('events.ndjson: cannot be read: Permission denied')
    """
    reason = getattr(error, "strerror", None) or str(error).split("\n", maxsplit=1)[0]
    return EventFileError(f"{str(what).replace(chr(0), '�')}: cannot be read: {reason}")


class _Part:
    """A text or a table to be read, after all unpacking."""

    def __init__(
        self, file: io.BufferedReader, name: str, path: Path | None, *, form: EventFormat, n_events: int, note: Note
    ) -> None:
        self._file = file
        self._name = name
        self._path = path
        self._form = form
        self._n_events = n_events
        self._note = note
        self._seen: Recognised = recognise(file.peek(HEAD), form.name)

    def batches(self) -> Iterator[Flattened]:
        """Read it, as what it is."""
        shape, adapter = self._seen.shape, self._seen.adapter
        n_records = min(self._n_events, _RECORDS_AT_ONCE)
        if shape == Shape.PARQUET:
            if self._path is None:
                raise EventFileError(f"{self._name}: is Parquet within a container or a stream; unpack it to a file")
            yield from self._of_tables(parquet_tables(self._path, self._n_events))
        elif shape == Shape.CSV:
            yield from self._of_tables(csv_tables(self._file, self._name, self._seen.delimiter, self._n_events))
        elif shape == Shape.SNOWPLOW_TSV:
            yield from self._of_records(_tsv_records(self._file, self._name), adapter, n_records)
        elif shape == Shape.JSON:
            records = chain.from_iterable(map(events_of, json_values(self._file, self._name)))
            if self._seen.is_table:
                yield from self._of_rows(enumerate(map(_line, records), 1))
            else:
                yield from self._of_records(records, adapter, n_records)
        elif self._seen.is_table:
            yield from self._of_rows(enumerate(lines_of(self._file, self._name), 1))
        else:
            yield from self._of_lines()

    def _of_lines(self) -> Iterator[Flattened]:
        head = self._file.peek(HEAD)
        is_used = False
        letters = 0
        for batch in read_ndjson(self._file, self._n_events):
            is_used = is_used or batch.frame.height > 0
            letters += len(batch.dead_letters)
            yield batch
        what = "" if is_used or not letters else description(head)
        if what:
            self._note(f"{self._name}: {what}")

    def _of_records(self, records: Iterable[Any], adapter: Adapter | None, n_records: int) -> Iterator[Flattened]:
        """Convert and flatten records; a dead letter is the record as the tool exported it."""
        numbered = enumerate(_converted(records, adapter), 1)
        while chunk := list(islice(numbered, n_records)):
            batch = flatten_lines([(number, _line(event)) for number, (event, _) in chunk])
            if adapter is not None and batch.dead_letters:
                of = {number: record for number, (_, record) in chunk}
                letters = (replace(each, raw=_line(of[each.position or 0])) for each in batch.dead_letters)
                batch = replace(batch, dead_letters=tuple(letters))
            yield batch

    def _of_tables(self, tables: Iterator[pl.DataFrame]) -> Iterator[Flattened]:
        first = next(tables, None)
        if first is None:
            return
        tables, adapter = chain([first], tables), self._seen.adapter
        if adapter is None and self._form.name is None and self._form.call is None:
            adapter = recognised(first.head(1).to_dicts())
        if adapter is not None:
            rows = (row for table in tables for row in table.iter_rows(named=True))
            yield from self._of_records(rows, adapter, min(self._n_events, _RECORDS_AT_ONCE))
            return
        if self._is_left_out(first.columns):
            return
        reading = TableReading(first.columns, self._name, self._form.call)
        self._note_unread(reading.unread)
        n_before = 0
        for table in tables:
            batch = _of_table(reading, table, self._name)
            letters = (replace(each, position=n_before + (each.position or 0)) for each in batch.dead_letters)
            yield replace(batch, dead_letters=tuple(letters))
            n_before += table.height

    def _of_rows(self, lines: Iterator[tuple[int, Line]]) -> Iterator[Flattened]:
        if self._is_left_out(self._seen.columns):
            return
        rows = JsonRows(self._name, self._form.call)
        while chunk := list(islice(lines, self._n_events)):
            yield rows.batch(chunk)
        self._note_unread(rows.unread)

    def _is_left_out(self, columns: Sequence[str]) -> bool:
        is_left_out = self._form.call is None and holds_traits(columns, self._name)
        if is_left_out:
            self._note(f"{self._name}: left out, as it is a table of {table_name(self._name)}, not of events")
        return is_left_out

    def _note_unread(self, columns: list[str]) -> None:
        if columns:
            self._note(f"{self._name}: columns that are not read: {', '.join(columns)}")


def _of_table(reading: TableReading, table: pl.DataFrame, name: str) -> Flattened:
    try:
        return usable_events(reading.rows(table))
    except EventFrameError as error:
        raise unconverted(name, error) from None


def unconverted(name: str | Path, error: EventFrameError) -> EventFileError:
    """The error for a file with a column of a type that cannot be read.

    Args:
        name: The file.
        error: The column and its type.
    """
    return EventFileError(f"{name}: {error}; write the column as text, or a time as a timestamp, or leave it out")


def _converted(records: Iterable[Any], adapter: Adapter | None) -> Iterator[tuple[Any, Any]]:
    """Yield each event with the record it comes from; what an adapter cannot convert is judged as it is."""
    for record in records:
        is_ours = adapter is None or not isinstance(record, dict)
        if adapter is None or is_ours or (is_event(record) and not adapter.recognises(record)):
            yield record, record
            continue
        try:
            events: list[Record] = list(adapter.events(record))
        except (AttributeError, KeyError, TypeError, ValueError):
            events = [record]
        yield from ((event, record) for event in events)


def _tsv_records(file: BinaryIO, name: str) -> Iterator[Record]:
    for number, line in enumerate(lines_of(file, name), 1):
        if isinstance(line, LongLine):
            raise EventFileError(f"{name}: line {number} has {len(line):,} bytes; at most {MAX_LINE_BYTES:,} are read")
        cells = line.decode(errors="replace").rstrip("\r").split("\t")
        yield {name: cell for name, cell in zip(TSV_COLUMNS, cells, strict=False) if cell}


def _line(record: Json) -> bytes:
    """A record as a line of JSON; what JSON does not know, such as a time, becomes its text."""
    return mended(json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=_text)).encode()


def _text(value: object) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
