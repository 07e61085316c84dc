"""Encoding: rows of the event table become lines of JSON, whole columns at a time, each distinct value only once.

A line is concatenated from parts: for each column ``,"key":"value"``, or nothing where the row has no value. An object
is the parts of its members in braces, without the first comma, or nothing where it would be empty. So no code runs for
a single row, and a line has neither nulls nor empty objects.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import polars as pl

from analytics.events.tracking_plan import COLUMNS, UTC_MS, Column, path_tree

TIME_HEAD: Final = "%Y-%m-%dT%H:%M:"
"""The part of a written time that is the same for a whole minute; :func:`time_tails` has the rest."""

_MINUTE_MS: Final = 60_000
# Polars panics at years that it cannot print; it prints the years 0 and 10000, which no reader accepts as a time.
_PRINTABLE: Final = tuple(pl.lit(ms, pl.Int64()).cast(UTC_MS) for ms in (-62_135_596_800_001, 253_402_300_800_000))
# A text column is encoded by distinct value if these first rows have each value twice or more on average.
_FIRST_ROWS: Final = 1000

# Rows concatenated at a time: few enough to stay in the cache.
_SLICE: Final = 25_000
_TAIL: Final = " (seconds)"

_Tree = dict[str, Any]
"""Paths of the columns: keys lead to further trees or, at the end, to the column's name."""


def json_lines(events: pl.DataFrame) -> pl.Series:
    """Lines of JSON, one Segment-Spec object for each row, without newlines.

    Args:
        events: Flat events; exactly the columns of the tracking plan.

    Returns:
        The lines; shape (events,).

    >>> from analytics.events.enrichment import conform
    >>> json_lines(conform(pl.DataFrame({"type": ["page"], "anonymous_id": ["a"]}))).to_list()
    ['{"type":"page","anonymousId":"a"}']
    """
    filled = [column for column in COLUMNS if events[column.name].null_count() < events.height]
    if not filled:
        return pl.Series(["{}"], dtype=pl.String).new_from_index(0, events.height)
    if events.height < _FIRST_ROWS:
        parts = events.select(_part(column).alias(column.name) for column in filled)
    else:
        parts = pl.DataFrame([part for column in filled for part in _parts(column, events[column.name])])
    line = pl.concat_str(pl.lit("{"), _inside(_members(_TREE, parts.columns)), pl.lit("}"))
    # One expression keeps one core busy; several slices of the rows keep all.
    slices = (parts.lazy().slice(start, _SLICE) for start in range(0, events.height, _SLICE))
    return pl.concat(pl.collect_all([rows.select(line) for rows in slices])).to_series()


@cache
def time_tails() -> pl.Series:
    """The 60,000 possible ends of a written time, by the milliseconds of the minute; made once in a process.

    >>> time_tails()[1_500]
    '01.500Z'
    """
    ms = pl.Series(range(_MINUTE_MS), dtype=pl.Int32)
    seconds, rest = ((part.cast(pl.String).str.zfill(n)) for part, n in ((ms // 1000, 2), (ms % 1000, 3)))
    return seconds + "." + rest + "Z"


_TREE: Final[_Tree] = path_tree((column.path, column.name) for column in COLUMNS)


def _members(tree: _Tree, parts: Sequence[str]) -> Iterator[pl.Expr]:
    """The parts of an object's members; a column without values has none."""
    for key, node in tree.items():
        if isinstance(node, dict):
            inside = list(_members(node, parts))
            if inside:
                text = _inside(inside)
                yield pl.when(text != "").then(pl.concat_str(pl.lit(f',"{key}":{{'), text, pl.lit("}")))
        else:
            yield from (pl.col(name) for name in (node, node + _TAIL) if name in parts)


def _inside(parts: Iterable[pl.Expr]) -> pl.Expr:
    """The text between the braces of an object."""
    return pl.concat_str(list(parts), ignore_nulls=True).str.strip_prefix(",")


def _part(column: Column) -> pl.Expr:
    """A column's part of the line, null where the row has no value, computed row by row: fastest for few rows."""
    key, value = f',"{column.path[-1]}":', pl.col(column.name)
    if column.dtype == UTC_MS:
        return pl.lit(key + '"') + value.clip(*_PRINTABLE).dt.strftime(TIME_HEAD + "%S%.3fZ") + '"'
    if column.name == "extra":
        return pl.lit(key) + value.map_batches(_json_of, return_dtype=pl.String)
    return pl.lit(key) + _encoded(value.cast(pl.String))


def _parts(column: Column, values: pl.Series) -> list[pl.Series]:
    """A column's part of the line, null where the row has no value; a time has two parts."""
    key = f',"{column.path[-1]}":'
    if column.dtype == UTC_MS:
        return _time_parts(key, values)
    if column.name == "extra":
        # Already JSON, and seldom the same in two rows.
        return [(key + _json_of(values)).alias(column.name)]
    if column.dtype == pl.Categorical or values.head(_FIRST_ROWS).n_unique() < _FIRST_ROWS // 2:
        # Each distinct value is encoded once, and then looked up for all rows.
        distinct = values.unique().drop_nulls()
        return [_looked_up(values, distinct, _quoted(distinct.cast(pl.String), key))]
    return [_quoted(values, key)]


def _time_parts(key: str, times: pl.Series) -> list[pl.Series]:
    """A time's minute, formatted once for all times in it, and its seconds, from a table."""
    ms = times.to_frame("time").select(pl.col("time").clip(*_PRINTABLE)).to_series().to_physical()
    minutes = (ms // _MINUTE_MS).alias(times.name)
    distinct = minutes.unique().drop_nulls()
    heads = f'{key}"' + (distinct * _MINUTE_MS).cast(UTC_MS).dt.strftime(TIME_HEAD)
    tails = time_tails().gather(ms % _MINUTE_MS) + '"'
    return [_looked_up(minutes, distinct, heads), tails.alias(times.name + _TAIL)]


def _looked_up(values: pl.Series, distinct: pl.Series, written: pl.Series) -> pl.Series:
    table = pl.DataFrame({"value": distinct, values.name: written})
    return values.to_frame("value").join(table, on="value", how="left", maintain_order="left")[values.name]


def _quoted(texts: pl.Series, key: str) -> pl.Series:
    """Key and JSON text. Most texts need no escapes, and are put between quotes as they are."""
    text = pl.col(texts.name)
    quoted = pl.concat_str(pl.lit('"'), text, pl.lit('"')) if _is_plain(texts) else _encoded(text)
    part = pl.concat_str(pl.lit(key), quoted)
    return texts.to_frame().select(part.alias(texts.name)).to_series()


def _encoded(text: pl.Expr) -> pl.Expr:
    """A text as JSON, null for none."""
    prefix, suffix = '{"text":', "}"
    encoded = pl.struct(text.alias("text")).struct.json_encode()
    return pl.when(text.is_not_null()).then(encoded.str.slice(len(prefix)).str.head(-len(suffix)))


def _is_plain(texts: pl.Series) -> bool:
    """Whether no text has a character that JSON escapes: a quote, a backslash or a control character."""
    joined = texts.str.join("").item().encode()
    octets = np.frombuffer(joined, np.uint8)
    return not (b'"' in joined or b"\\" in joined or bool((octets < ord(" ")).any()))


def _json_of(texts: pl.Series) -> pl.Series:
    """JSON for each text: the text itself if it is a JSON object on one line, else a JSON string."""
    return texts.map_elements(_checked, return_dtype=pl.String)


def _checked(text: str) -> str:
    try:
        is_object = isinstance(json.loads(text), dict) and "\n" not in text
    except (ValueError, RecursionError):
        is_object = False
    return text if is_object else json.dumps(text)
