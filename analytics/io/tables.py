"""Tables: CSV and Parquet, of the flat event table or of a Segment warehouse, as rows of the event table.

A warehouse has a table for each call and one for each tracked event, none with a column ``type``: that is in the
table's name, and so in the file's. Names may be in capitals, as Snowflake has them.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePath
from typing import BinaryIO, Final

import polars as pl

from analytics.errors import EventFileError
from analytics.events.tracking_plan import EVENT_SCHEMA, CallType, EventName
from analytics.html.frames import unquoted
from analytics.io.recognition import shown
from analytics.io.strict_json import shortened
from analytics.io.warehouse import warehouse_name

_CALL_OF_TABLE: Final = {
    **{f"{call}s": call for call in CallType if call not in {CallType.IDENTIFY, CallType.ALIAS}},
    "identifies": CallType.IDENTIFY,
    "aliases": CallType.ALIAS,
    "pageviews": CallType.PAGE,
    "page_views": CallType.PAGE,
}

_PAGE_COLUMNS: Final = ("url", "path", "title", "referrer", "search")
_ADDRESS: Final = ("context_page_url", "context_page_path")
# What is no column of the event table, but goes into one: into the page's address, and into `extra`.
_SEARCH: Final = "context_page_search"
_CHANNEL: Final = "channel"
_IDENTIFIERS: Final = ("anonymous_id", "user_id")

# Tables that a warehouse keeps beside those of events: a row is somebody's latest traits.
_NO_EVENTS: Final = frozenset({"users", "accounts"})

# Beginnings of files' names that say nothing, as systems that write several files give them.
_PART: Final = re.compile(r"(part|data|export|run|chunk|\d)", re.IGNORECASE)
_NUMBERS: Final = re.compile(r"([-_. ](part|\d)[-_.\dt:z]*)+$", re.IGNORECASE)

_LONGEST_CELL: Final = 1 << 22

_TEXTS: Final = (pl.String, pl.Categorical, pl.Enum)


def csv_tables(file: BinaryIO, name: str, delimiter: str, n_rows: int) -> Iterator[pl.DataFrame]:
    r"""Read a CSV with a header, a batch of rows at a time; all cells are texts, empty ones null.

    The apostrophe by which spreadsheets mark what is no formula (``'=``) is no part of a text.

    Args:
        file: Open file, in UTF-8.
        name: Its name, for errors.
        delimiter: What separates the columns.
        n_rows: Rows in a batch.

    Raises:
        EventFileError: A row has more cells than the header, two columns have one name, or the text is not UTF-8.

    >>> [table.rows() for table in csv_tables(io.BytesIO(b"a,b\n1,\n2,x"), "a.csv", ",", 1)]
    [[('1', None)], [('2', 'x')]]
    """
    csv.field_size_limit(_LONGEST_CELL)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        rows = csv.reader(_bounded(text), delimiter=delimiter)
        header = _unique([name or "index" for name in next(rows)], name)
        batch: list[list[str | None]] = []
        for number, row in enumerate(rows, 1):
            if len(row) > len(header):
                raise EventFileError(f"{name}: row {number} has {len(row)} cells, the header has {len(header)}")
            # An empty row is a blank line, not an event.
            if row:
                batch.append([*(cell or None for cell in row), *[None] * (len(header) - len(row))])
            if len(batch) == n_rows:
                yield _text_table(header, batch)
                batch = []
        if batch:
            yield _text_table(header, batch)
    except (csv.Error, UnicodeDecodeError) as error:
        raise EventFileError(f"{name}: cannot be read as CSV: {error}") from error
    finally:
        # A reader that stops early may have closed the file before.
        with suppress(ValueError):
            text.detach()


def _bounded(text: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a text, as long as no one of them is longer than a cell may be."""
    for line in iter(partial(text.readline, _LONGEST_CELL), ""):
        if len(line) == _LONGEST_CELL:
            raise csv.Error(f"a line is longer than {_LONGEST_CELL:,} characters")
        yield line


def _unique(header: list[str], name: str) -> list[str]:
    twice = [column for column, n in Counter(header).items() if n > 1]
    if twice:
        raise EventFileError(f"{name}: there is more than one column {', '.join(map(repr, twice))}; rename one of them")
    return header


def _text_table(header: list[str], rows: list[list[str | None]]) -> pl.DataFrame:
    return unquoted(pl.DataFrame(rows, schema=dict.fromkeys(header, pl.String), orient="row"))


def parquet_tables(path: Path, n_rows: int) -> Iterator[pl.DataFrame]:
    """Read a Parquet file, a batch of rows at a time.

    Args:
        path: The file.
        n_rows: Rows in a batch.

    Raises:
        EventFileError: It is damaged.
    """
    yield from whole_batches(pl.scan_parquet(path, glob=False), n_rows, path)


def whole_batches(table: pl.LazyFrame, n_rows: int, name: object = "the tables") -> Iterator[pl.DataFrame]:
    """Read a table in batches, to its end or with an error.

    Polars loses the failure of a thread that reads a damaged file, and just ends; so the rows are compared with those
    that the footers of the files state.

    Args:
        table: A scan of Parquet files.
        n_rows: Rows in a batch.
        name: What they are, for messages.

    Raises:
        EventFileError: A file is damaged: fewer rows could be read than it has.
    """
    n_read = 0
    try:
        for batch in table.collect_batches(chunk_size=n_rows, maintain_order=True):
            n_read += batch.height
            yield batch
        n_stated = int(table.select(pl.len()).collect().item())
    except pl.exceptions.PanicException as error:
        raise EventFileError(f"{name}: cannot be read after {n_read:,} rows: the file is damaged") from error
    if n_read != n_stated:
        raise EventFileError(f"{name}: only {n_read:,} of {n_stated:,} rows can be read: the file is damaged")


class TableReading:
    """How a table's columns are read as those of the event table.

    Args:
        columns: Names of the table's columns.
        name: Path of its file, for the name of the table.
        call: The call that all its rows are; by default as the column ``type`` or the table's name says.

    Raises:
        EventFileError: It has none of the columns of events, or nothing says which call its rows are.

    >>> reading = TableReading(["ID", "ANONYMOUS_ID", "URL", "RECEIVED_AT", "COLOUR"], "PAGES.csv")
    >>> reading.unread, reading.call
    (['COLOUR'], <CallType.PAGE: 'page'>)
    """

    def __init__(self, columns: list[str], name: str, call: str | None = None) -> None:
        ours = {_plain_name(column): column for column in reversed(columns)}
        if not ours.keys() & {*_IDENTIFIERS, "received_at", "message_id"}:
            raise EventFileError(
                f"{name}: has none of the columns of the event table, such as anonymous_id or received_at, and is "
                f"of no tool with an adapter; its columns are {shown(columns)}"
            )
        self.call = None if call is None and "type" in ours else _call(call, ours, name)
        self._event = None if self.call != CallType.TRACK or {"event", "event_text"} & ours.keys() else _title(name)
        self._sources = self._sources_of(ours)
        # Of other calls a column such as url is the event's own: the address of a link that was clicked.
        self._of_pages = {ours[name] for name in _PAGE_COLUMNS if name in ours} if self.call is None else set()
        read = {column for sources in self._sources.values() for column in sources}
        self.unread = [column for column in columns if column not in read]

    def _sources_of(self, ours: Mapping[str, str]) -> dict[str, list[str]]:
        """Columns of the event table, and those of this one that they are read from, the best first."""
        wanted = {name: [name] for name in EVENT_SCHEMA}
        wanted["message_id"].append("id")
        wanted["event"].insert(0, "event_text")
        wanted["context_group_id"].append("group_id")
        wanted |= {_SEARCH: [_SEARCH], _CHANNEL: [_CHANNEL]}
        if self.call in {None, CallType.PAGE, CallType.SCREEN}:
            for name in _PAGE_COLUMNS:
                wanted[f"context_page_{name}"].append(name)
            wanted["url"] = ["url"]
        if self.call == CallType.IDENTIFY:
            wanted["email"].append("context_traits_email")
        if self.call is not None:
            wanted["type"] = []
        sources = {name: [ours[each] for each in names if each in ours] for name, names in wanted.items()}
        return {name: found for name, found in sources.items() if found}

    def rows(self, table: pl.DataFrame) -> pl.DataFrame:
        """The rows of a batch with the columns of the event table; see :func:`analytics.events.enrichment.conform`."""
        read = table.select(self._first(name).alias(name) for name in self._sources)
        if self.call is not None:
            read = read.with_columns(type=pl.lit(str(self.call)))
        if self._event is not None:
            read = read.with_columns(event=pl.lit(self._event))
        elif "event" in self._sources and self.call == CallType.TRACK:
            read = read.with_columns(pl.col("event").cast(pl.String).replace(_OURS))
        return _with_server(_with_query(read))

    def _first(self, name: str) -> pl.Expr:
        """The first value that a row has in the columns that this one is read from."""
        columns = self._sources[name]
        values = [self._of_page(column) if column in self._of_pages else pl.col(column) for column in columns]
        return values[0] if len(values) == 1 else pl.coalesce(values)

    def _of_page(self, column: str) -> pl.Expr:
        call = pl.col(self._sources["type"]).cast(pl.String)
        return pl.when(call.is_in([CallType.PAGE, CallType.SCREEN])).then(column)


def _with_query(rows: pl.DataFrame) -> pl.DataFrame:
    """Complete addresses without a query as :func:`analytics.io.flatten.flat_row` does: by the search, or the url."""
    texts = {name: pl.col(name).cast(pl.String) for name, dtype in rows.schema.items() if dtype in _TEXTS}
    queries = [texts[_SEARCH].str.strip_prefix("?")] if _SEARCH in texts else []
    queries += [texts["url"].str.extract(r"^[^?#]*\?([^#]*)")] if "url" in texts else []
    if not queries:
        return rows
    query = pl.coalesce(pl.when(each.str.strip_chars("?") != "").then(each) for each in queries)
    address = pl.coalesce(*(texts[name] for name in _ADDRESS if name in texts), pl.lit(""))
    whole = pl.concat_str(address.str.extract("^([^#]*)"), pl.lit("?"), query, address.str.extract("(?s)^[^#]*(.*)"))
    is_bare = query.is_not_null() & ~address.str.contains("?", literal=True)
    given = "context_page_url" if "context_page_url" in rows else None
    return rows.with_columns(context_page_url=pl.when(is_bare).then(whole).otherwise(given))


def _with_server(rows: pl.DataFrame) -> pl.DataFrame:
    """Note in ``extra`` the channel of servers, which :mod:`analytics.events.server_side` looks for there."""
    if rows.schema.get(_CHANNEL) not in _TEXTS:
        return rows
    is_server = pl.col(_CHANNEL).cast(pl.String).str.to_lowercase() == "server"
    noted = pl.when(is_server).then(pl.lit('{"channel":"server"}'))
    return rows.with_columns(extra=pl.coalesce("extra", noted) if "extra" in rows else noted)


_OURS: Final = {warehouse_name(str(event)): str(event) for event in EventName}
"""Names of our events by the names of their tables, which a warehouse's column ``event`` has."""

_SPELLED: Final = {name.replace("_", ""): name for name in (*EVENT_SCHEMA, "group_id", "event_text")}


def _plain_name(column: str) -> str:
    """Name of a column as the event table spells it: ``ANONYMOUS_ID``, ``anonymousId`` and ``context.page.url``."""
    name = warehouse_name(column.lower() if column.isupper() else column)
    spelled: str = _SPELLED.get(name.replace("_", ""), name)
    return spelled


def _call(given: str | None, columns: Mapping[str, str], name: str) -> CallType:
    if given is not None:
        if given not in set(CallType):
            raise EventFileError(f"{name}: there is no type {shortened(given)}; there are {', '.join(CallType)}")
        return CallType(given)
    table = table_name(name)
    call = _CALL_OF_TABLE.get(table)
    # Every table of a tracked event has the event's name in each row.
    if call is None and ({"event", "event_text"} & columns.keys() or table in _OURS):
        call = CallType.TRACK
    if call is None:
        known = ", ".join(sorted(_CALL_OF_TABLE))
        raise EventFileError(
            f"{name}: has no column type, and {shortened(table)} is no table of a Segment warehouse ({known}, or one "
            "with a column event): say with --type which call its rows are, such as --type page"
        )
    return call


def table_name(path: str) -> str:
    """Name of the table in a file, from the file's name, or its folder's where that is only a number.

    >>> table_name("export/PAGES_2026-03.csv.gz"), table_name("demo_requested/part-0001.parquet")
    ('pages', 'demo_requested')
    """
    file = PurePath(path)
    stem = file.name.partition(".")[0]
    if _PART.match(stem) and file.parent.name:
        return table_name(str(file.parent))
    # With its schema before it: prod.pages.csv.
    words = [word for word in file.name.lower().split(".") if _NUMBERS.sub("", word) in _CALL_OF_TABLE]
    name = words[0] if words else stem
    return _NUMBERS.sub("", warehouse_name(name.lower()) if not words else name)


def holds_traits(columns: Sequence[str], name: str) -> bool:
    """Whether a table holds what is known of users or accounts, not events, by its name.

    >>> holds_traits(["id", "email"], "wh/users.csv"), holds_traits(["type", "user_id"], "users.csv")
    (True, False)
    """
    is_of_events = {"type", "event", "event_text", "message_id"} & set(map(_plain_name, columns))
    return table_name(name) in _NO_EVENTS and not is_of_events


def _title(name: str) -> str:
    table = table_name(name)
    return _OURS.get(table, table.replace("_", " ").title())
