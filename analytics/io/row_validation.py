"""Row validation: which rows of a table are usable events, by the same rules as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import repeat
from typing import Final

import numpy as np
import polars as pl

from analytics.events.enrichment import conform
from analytics.events.identifiers import WHO, in_doubt
from analytics.events.times import EARLIEST, LATEST
from analytics.events.tracking_plan import COLUMNS, EVENT_SCHEMA, UTC_MS, CallType
from analytics.io.flatten import MAX_ID_LENGTH, Flattened, flatten_numbered
from analytics.io.ndjson import encode

_TIMES: Final = [name for name, dtype in EVENT_SCHEMA.items() if dtype == UTC_MS]
_KEYS: Final = {column.name: column.path[-1] for column in COLUMNS}


def usable_events(events: pl.DataFrame, *, arrived_at: datetime | None = None) -> Flattened:
    """Convert any table to the columns of the tracking plan, and separate the rows that are unusable.

    A row that is not a complete event is judged as a line of JSON: it becomes a dead letter, or its gaps are filled. A
    time that cannot be parsed costs at most its row.

    Args:
        events: Table of events; see :func:`analytics.events.enrichment.conform`.
        arrived_at: When they arrived, with a time zone: the ``received_at`` of rows that have none.

    Returns:
        The usable rows in their order, and dead letters with the others' numbers, from 1.

    Raises:
        EventFrameError: A column has a type that cannot hold what the tracking plan says.

    >>> times = ["2026-03-03T10:00:00Z", "yesterday"]
    >>> table = pl.DataFrame({"type": "page", "message_id": ["1", "2"], "anonymous_id": "a", "timestamp": times})
    >>> batch = usable_events(table)
    >>> batch.frame["message_id"].to_list(), [(each.position, each.reason.value) for each in batch.dead_letters]
    (['1'], [(2, 'bad_time')])
    """
    frame = conform(events, strict=False)
    # A table that was converted already has no unparsed times, and to look for them costs as much as a small batch.
    unread = [] if frame is events else _unread_times(events, frame)
    if arrived_at is not None:
        frame = frame.with_columns(pl.col("received_at").fill_null(pl.lit(arrived_at, UTC_MS)))
    if not unread and (frame.is_empty() or _all_complete(frame)):
        return Flattened(frame)
    rows = frame.with_columns(_COMPLETE, *unread).with_row_index("_row")
    incomplete = rows.filter(~pl.col("_complete") | pl.any_horizontal(pl.lit(value=False), *_given(unread)))
    if incomplete.is_empty():
        return Flattened(frame)
    return _merged(frame, incomplete, flatten_numbered(_lines(incomplete, unread), arrived_at=arrived_at))


def _unread_times(events: pl.DataFrame, frame: pl.DataFrame) -> list[pl.Series]:
    """The original text of cells that could not be parsed as times, null elsewhere; only of columns with such cells."""
    columns = []
    for name in _TIMES:
        if name in events.columns and not events.schema[name].is_temporal():
            given = events[name].fill_nan(None) if events.schema[name].is_float() else events[name]
            lost = given.is_not_null() & frame[name].is_null()
            if lost.any():
                cells = pl.DataFrame({"given": given.cast(pl.String), "lost": lost})
                columns.append(cells.select(pl.when("lost").then("given").alias(f"_unread_{name}")).to_series())
    return columns


def _given(unread: list[pl.Series]) -> list[pl.Expr]:
    return [pl.col(column.name).is_not_null() for column in unread]


def _lines(incomplete: pl.DataFrame, unread: list[pl.Series]) -> Iterator[tuple[int, bytes]]:
    """Incomplete rows as lines, with their numbers; times that could not be parsed are as they were given."""
    lines = encode(incomplete).splitlines()
    keys = {column.name: _KEYS[column.name.removeprefix("_unread_")] for column in unread}
    texts = incomplete.select(*keys).iter_rows(named=True) if keys else repeat({})
    for row, line, cells in zip(incomplete["_row"], lines, texts):  # noqa: B905 - one may be infinite
        given = {keys[name]: text for name, text in cells.items() if text is not None}
        yield row + 1, json.dumps(json.loads(line) | given, ensure_ascii=False).encode() if given else line


def _merged(frame: pl.DataFrame, incomplete: pl.DataFrame, read: Flattened) -> Flattened:
    """Put the usable ones of the incomplete rows back in their place."""
    # Dead letters are numbered from 1, rows from 0.
    numbers = incomplete["_row"].to_numpy() + 1
    kept = np.setdiff1d(numbers, [letter.position for letter in read.dead_letters])
    completed = read.frame.with_columns(_row=pl.Series(kept - 1, dtype=pl.UInt32))
    others = frame.with_row_index("_row").filter(~pl.col("_row").is_in(incomplete["_row"].implode()))
    together = pl.concat([others, completed.select(others.columns)]).sort("_row").drop("_row")
    return replace(read, frame=together)


def _all_complete(frame: pl.DataFrame) -> bool:
    """Whether the extremes of the columns show that every row is complete; False where that is not certain."""
    complete = not any(frame[name].null_count() for name in ("type", "message_id", "anonymous_id", "received_at"))
    return complete and set(frame["type"].unique()) <= set(CallType) and bool(frame.select(_IN_RANGE).item())


def _in_range() -> pl.Expr:
    """Whether the extremes of identifiers and times are in range; lengths are bytes, which are never too few."""
    lengths = [pl.col(name).str.len_bytes() for name in ("message_id", "anonymous_id", "user_id", "previous_id")]
    longest = pl.max_horizontal(length.max() for length in lengths)
    shortest = pl.min_horizontal(length.min() for length in lengths[:2])
    early = pl.min_horizontal(pl.col(name).min() for name in _TIMES)
    late = pl.max_horizontal(pl.col(name).max() for name in _TIMES)
    in_range = (longest <= MAX_ID_LENGTH) & (shortest >= 1) & (early >= EARLIEST) & (late <= LATEST)
    return in_range & ~pl.any_horizontal(in_doubt(name).any() for name in WHO)


def _is_complete() -> pl.Expr:
    """Whether a row has all that a usable event needs, with times and identifiers in range."""
    given = [pl.col(name).str.len_chars().fill_null(0) for name in ("anonymous_id", "user_id")]
    return pl.all_horizontal(
        pl.col("type").cast(pl.String).is_in(list(CallType)).fill_null(value=False),
        pl.col("message_id").str.len_chars().is_between(1, MAX_ID_LENGTH).fill_null(value=False),
        pl.max_horizontal(given).is_between(1, MAX_ID_LENGTH),
        pl.col("previous_id").str.len_chars().fill_null(0) <= MAX_ID_LENGTH,
        ~pl.any_horizontal(map(in_doubt, WHO)).fill_null(value=False),
        pl.col("received_at").is_not_null(),
        *(pl.col(name).is_between(EARLIEST, LATEST).fill_null(value=True) for name in _TIMES),
    ).alias("_complete")


# Built once: for a small batch building them takes longer than evaluating them.
_COMPLETE: Final = _is_complete()
_IN_RANGE: Final = _in_range()
