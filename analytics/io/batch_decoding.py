"""Batch decoding: lines of one shape are flattened many at a time.

Which piece of a line belongs to which column is found once for all lines of a shape (:mod:`analytics.io.line_shapes`).
All lines in doubt (rare shapes, escapes, numbers that are written in other ways, times in other formats, unusable
events) are flattened one by one, with the same result. So are lines that hold more than one event: objects one after
the other, an array, or the body of a batch.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Final

import numpy as np
import polars as pl

from analytics.events.identifiers import WHO, in_doubt
from analytics.events.times import EARLIEST, LATEST, epoch_ms
from analytics.events.tracking_plan import EVENT_SCHEMA, UTC_MS
from analytics.io.encoding import time_tails
from analytics.io.flatten import MAX_ID_LENGTH, Flattened, flatten_numbered
from analytics.io.json_values import events_on_line
from analytics.io.line_shapes import SEPARATOR, Shape, look_of, shape_of, values_of
from analytics.io.strict_json import MAX_EVENT_BYTES

# Fewer lines of a shape than this are quicker one by one.
_ENOUGH: Final = 200
# Lines examined to find the commonest shape among those left.
_SAMPLE: Final = 10

_MINUTE: Final = re.compile(r"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:", re.ASCII)
_MINUTE_LENGTH: Final = len("2026-03-03T00:00:")
_TEXTS: Final = pl.DataFrame(schema={"_row": pl.UInt32(), **dict.fromkeys(EVENT_SCHEMA, pl.String())})
_TIMES: Final = [name for name, dtype in EVENT_SCHEMA.items() if dtype == UTC_MS]
_READ: Final = [name for name in EVENT_SCHEMA if name != "extra"]
# Prefix of the columns of parsed times.
_PARSED: Final = "_parsed_"


def flatten_lines(
    numbered: Sequence[tuple[int, bytes]], *, enough: int = _ENOUGH, arrived_at: datetime | None = None
) -> Flattened:
    """Flatten lines as :func:`analytics.io.flatten.flatten_numbered` does, faster where many have one shape.

    Args:
        numbered: Lines, each with its position in the source; no two positions are equal.
        enough: Lines of one shape that are worth decoding together, at least 1.
        arrived_at: When the lines arrived, for those without ``receivedAt``.

    Returns:
        The usable events and the dead letters, both in the order of the lines; the same as line by line. A
            line may hold several events.

    >>> page = '{"type":"page","messageId":"%d","anonymousId":"a","receivedAt":"2026-03-03T10:00:00.000Z"}'
    >>> batch = flatten_lines([(number, (page % number).encode()) for number in (1, 2)] + [(3, b"broken")], enough=2)
    >>> batch.frame["message_id"].to_list(), [letter.position for letter in batch.dead_letters]
    (['1', '2'], [3])
    """
    # Fewer lines than one shape needs are flattened one by one at once.
    parts = _by_shape(_pieces([line for _, line in numbered]), enough) if len(numbered) >= enough else []
    if not parts:
        return _one_by_one(numbered, range(len(numbered)), arrived_at)[1]
    # Lines of different shapes have different columns.
    together = _decoded_rows(pl.concat([*parts, _TEXTS], how="diagonal"))
    is_left = np.ones(len(numbered), np.bool_)
    is_left[together["_row"].to_numpy()] = False
    left, others = _one_by_one(numbered, np.flatnonzero(is_left).tolist(), arrived_at)
    rows = pl.Series("_row", left, pl.UInt32)
    # Several events may be on one line.
    frame = pl.concat([together, others.frame.insert_column(0, rows)]).sort("_row", maintain_order=True).drop("_row")
    return replace(others, frame=frame)


def _one_by_one(
    numbered: Sequence[tuple[int, bytes]], rows: Sequence[int], arrived_at: datetime | None
) -> tuple[list[int], Flattened]:
    """Flatten some of the lines, and what stands on a line with others; with the row of each usable event."""
    flat = flatten_numbered((numbered[row] for row in rows), arrived_at=arrived_at)
    unusable = {letter.position for letter in flat.dead_letters}
    several = {each.position: parts for each in flat.dead_letters if (parts := events_on_line(each.raw))}
    if not several:
        return [row for row in rows if numbered[row][0] not in unusable], flat
    single = [(row, part) for row in rows for part in several.get(numbered[row][0], [numbered[row][1]])]
    flat = flatten_numbered(enumerate(part for _, part in single), arrived_at=arrived_at)
    letters = [(each.position or 0, each) for each in flat.dead_letters]
    unusable = {at for at, _ in letters}
    placed = tuple(replace(each, position=numbered[single[at][0]][0]) for at, each in letters)
    return [row for at, (row, _) in enumerate(single) if at not in unusable], replace(flat, dead_letters=placed)


def _pieces(lines: Sequence[bytes]) -> pl.DataFrame:
    """Split lines into ``pieces``; lines with escapes, control characters or other bytes than UTF-8 are omitted."""
    texts = _texts(lines)
    n_bytes = texts.str.len_bytes()
    usual = (n_bytes <= MAX_EVENT_BYTES) & ~texts.str.contains("\\", literal=True)
    if _have_control_characters(lines):
        usual &= ~texts.str.contains(r"[\x00-\x1f]")
    cut = pl.DataFrame({"bytes": n_bytes, "pieces": texts.str.split(SEPARATOR)}).with_row_index("_row")
    return cut.filter(usual.fill_null(value=False)).with_columns(n=pl.col("pieces").list.len())


def _texts(lines: Sequence[bytes]) -> pl.Series:
    """The lines as texts, null where one is not UTF-8."""
    octets = pl.Series(lines, dtype=pl.Binary)
    try:
        return octets.cast(pl.String)
    except pl.exceptions.ComputeError:
        # One line that is not UTF-8 fails the whole cast.
        return pl.Series([_decoded(line) for line in lines], dtype=pl.String)


def _decoded(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None


def _have_control_characters(lines: Sequence[bytes]) -> bool:
    """Whether any line has one."""
    # Many lines at once, because hardly any line has one; not all lines, so that the bytes stay in the cache.
    chunks = (b"".join(lines[start : start + 1000]) for start in range(0, len(lines), 1000))
    return any(np.frombuffer(chunk, np.uint8).min(initial=ord(" ")) < ord(" ") for chunk in chunks)


def _by_shape(lines: pl.DataFrame, enough: int) -> list[pl.DataFrame]:
    """Tables of lines, one for each shape that enough lines have: ``_row``, and the columns' values as texts."""
    parts = []
    for group in lines.partition_by("n", maintain_order=True):
        left = group
        while left.height >= enough and (shape := _usual_shape(left)) is not None:
            values = values_of(left, shape)
            alike = values.filter("_is_alike").drop("_is_alike")
            if alike.height < enough:
                break
            parts.append(alike)
            left = left.filter(~values["_is_alike"])
    return parts


def _usual_shape(lines: pl.DataFrame) -> Shape | None:
    """The commonest shape in a sample of the lines; None if no line of the sample can be decoded by its shape."""
    sample = lines["pieces"].gather_every(lines.height // _SAMPLE + 1).to_list()
    # Lines that look alike nearly always have one shape, and to find it takes ten times longer than a look.
    looks = [look_of(pieces) for pieces in sample]
    like = dict(zip(looks, sample, strict=True))
    shapes = (shape_of(like[look]) for look, _ in Counter(looks).most_common())
    return next((shape for shape in shapes if shape is not None), None)


def _decoded_rows(texts: pl.DataFrame) -> pl.DataFrame:
    """Rows of the event table, with their ``_row``; lines that are in doubt are omitted."""
    given = [pl.col(name).str.len_chars().fill_null(0) for name in ("anonymous_id", "user_id")]
    unparsed = [pl.col(name).is_not_null() & pl.col(_PARSED + name).is_null() for name in _TIMES]
    columns = [
        pl.col(_PARSED + name).alias(name) if dtype == UTC_MS else pl.col(name).cast(dtype)
        for name, dtype in EVENT_SCHEMA.items()
    ]
    return (
        texts.lazy()
        .filter(
            ~pl.any_horizontal(pl.col(_READ).str.contains('"', literal=True)).fill_null(value=False),
            pl.col("message_id").str.len_chars().is_between(1, MAX_ID_LENGTH),
            pl.max_horizontal(given).is_between(1, MAX_ID_LENGTH),
            pl.col("previous_id").str.len_chars().fill_null(0) <= MAX_ID_LENGTH,
            ~pl.any_horizontal(map(in_doubt, WHO)).fill_null(value=False),
        )
        .with_columns(_times(_minutes(texts)).name.prefix(_PARSED))
        .filter(~pl.any_horizontal(unparsed))
        .select("_row", *columns)
        .collect()
    )


def _minutes(texts: pl.DataFrame) -> pl.DataFrame:
    """The minutes of the times: ``head``, as written, and ``minute``, in epoch milliseconds."""
    heads = texts.select(pl.col(_TIMES).str.head(_MINUTE_LENGTH))
    distinct = pl.concat([heads[name].unique().alias("head") for name in _TIMES]).unique().drop_nulls()
    return pl.DataFrame(
        {"head": distinct, "minute": pl.Series([_minute_ms(head) for head in distinct], dtype=pl.Int64)}
    )


def _times(minutes: pl.DataFrame) -> pl.Expr:
    """Times in the format that funnelsim writes, UTC to the millisecond; null for other formats."""
    # All columns in one expression: it takes Polars long to build the categories of the tails.
    head, tail = pl.col(_TIMES).str.head(_MINUTE_LENGTH), pl.col(_TIMES).str.slice(_MINUTE_LENGTH)
    start = head.replace_strict(minutes["head"], minutes["minute"], default=None, return_dtype=pl.Int64)
    return (start + tail.cast(_tails(), strict=False).to_physical()).cast(UTC_MS)


@cache
def _tails() -> pl.Enum:
    return pl.Enum(time_tails())


def _minute_ms(head: str) -> int | None:
    """Epoch milliseconds of a minute written as ``2026-03-03T00:00:``; None if it is another text."""
    try:
        minute = datetime.fromisoformat(head + "00").replace(tzinfo=UTC) if _MINUTE.fullmatch(head) else None
    except ValueError:
        return None
    return epoch_ms(minute) if minute and EARLIEST <= minute <= LATEST else None
