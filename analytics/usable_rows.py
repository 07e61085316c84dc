"""Rows of a table of events that are of use, as lines of JSON would be."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl

from analytics.events import EVENT_SCHEMA, UTC_MS, CallType
from analytics.ndjson import decode, encode
from analytics.tracking import EARLIEST, LATEST, MAX_ID_LENGTH, Flattened

__all__ = ["usable_rows"]

_TIMES: Final = [name for name, dtype in EVENT_SCHEMA.items() if dtype == UTC_MS]


def usable_rows(frame: pl.DataFrame) -> Flattened:
    """Sort out the rows that a line of JSON would not have got through as they are, and treat them as lines.

    Args:
        frame: Exactly the columns of the tracking plan.

    Returns:
        The usable rows in their order, and dead letters with the others' numbers, from 1.
    """
    if frame.is_empty() or _are_all_fine(frame):
        return Flattened(frame)
    fine = frame.select(_fine=_FINE).to_series()
    if fine.all():
        return Flattened(frame)
    rows = frame.with_row_index("_row").with_columns(fine)
    doubtful = rows.filter(~pl.col("_fine"))
    read = decode(encode(doubtful))
    row_of = doubtful["_row"].to_numpy() + 1
    letters = tuple(replace(letter, position=int(row_of[(letter.position or 1) - 1])) for letter in read.dead_letters)
    kept = np.setdiff1d(row_of, [letter.position for letter in letters])
    mended = read.frame.with_columns(_row=pl.Series(kept - 1, dtype=pl.UInt32))
    others = rows.filter("_fine").drop("_fine")
    return Flattened(pl.concat([others, mended.select(others.columns)]).sort("_row").drop("_row"), letters)


def _are_all_fine(frame: pl.DataFrame) -> bool:
    """Whether the extremes of the columns already say that every row is fine; False where they do not tell."""
    complete = not any(frame[name].null_count() for name in ("type", "message_id", "anonymous_id", "received_at"))
    return complete and set(frame["type"].unique()) <= set(CallType) and bool(frame.select(_IN_RANGE).item())


def _in_range() -> pl.Expr:
    """Whether the extremes of identifiers and times are in range. No text has more characters than bytes."""
    lengths = [pl.col(name).str.len_bytes() for name in ("message_id", "anonymous_id", "user_id")]
    longest = pl.max_horizontal(length.max() for length in lengths)
    shortest = pl.min_horizontal(length.min() for length in lengths[:2])
    early = pl.min_horizontal(pl.col(name).min() for name in _TIMES)
    late = pl.max_horizontal(pl.col(name).max() for name in _TIMES)
    return (longest <= MAX_ID_LENGTH) & (shortest >= 1) & (early >= EARLIEST) & (late <= LATEST)


def _is_fine() -> pl.Expr:
    """Whether a row has all that a usable event must have, its times and identifiers in range."""
    given = [pl.col(name).str.len_chars().fill_null(0) for name in ("anonymous_id", "user_id")]
    return pl.all_horizontal(
        pl.col("type").cast(pl.String).is_in(list(CallType)).fill_null(value=False),
        pl.col("message_id").str.len_chars().is_between(1, MAX_ID_LENGTH).fill_null(value=False),
        pl.max_horizontal(given).is_between(1, MAX_ID_LENGTH),
        pl.col("received_at").is_not_null(),
        *(pl.col(name).is_between(EARLIEST, LATEST).fill_null(value=True) for name in _TIMES),
    )


# Built once: for a small batch that would take longer than to work it out.
_FINE: Final = _is_fine()
_IN_RANGE: Final = _in_range()
