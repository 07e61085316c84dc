"""Reading the times that senders write: one judge for single values and for whole columns."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

import polars as pl

from analytics.events.times import EARLIEST, EPOCH, LATEST, epoch_ms
from analytics.events.tracking_plan import UTC_MS

_FIRST_MS: Final = epoch_ms(EARLIEST)
_LAST_MS: Final = epoch_ms(LATEST)

# As milliseconds, smaller numbers are times before March 1973: much more likely they count seconds.
_SMALLEST_EPOCH_MS: Final = 10**11
_SMALLEST_EPOCH_S: Final = 10**8
# As milliseconds, larger numbers are times after the year 5138: they count microseconds or nanoseconds.
_LARGEST_EPOCH_MS: Final = 10**14
_LARGEST_EPOCH_US: Final = 10**17
# All that CSV can say of a number.
_DIGITS: Final = re.compile(r"\d{12,14}", re.ASCII)

# What RFC 3339 allows (small letters, leap seconds), BigQuery writes (" UTC") and Snowflake (" +0000"), but
# `datetime.fromisoformat` does not read.
_SPELLING: Final = re.compile(
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d):(\d\d)([.,]\d+)? ?(?:Z|UTC|GMT|([+-]\d\d(?::?\d\d)?))", re.ASCII | re.IGNORECASE
)
# Texts that Polars can read, which is many times faster.
_IN_UTC: Final = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-5][0-9](?:\.[0-9]{1,9})?)(?: ?(?:[Zz]|UTC|\+00(?::?00)?))?$"
)

_USUAL_LENGTH: Final = len("2026-03-03T09:00:00.000Z")


def read_ms(value: object) -> int | None:
    """Read a time as whole epoch milliseconds.

    Args:
        value: ISO 8601 text (without a zone it is UTC), in any spelling of RFC 3339, BigQuery or Snowflake, or epoch
            milliseconds, also as text. A number below 10¹¹, a time before March 1973, is not read: it much more likely
            counts seconds; and from 10¹⁴ on, the year 5138, microseconds.

    Returns:
        Milliseconds since 1970; None for what is no time, or in no year from 2 to 9998.

    >>> read_ms("2026-03-03 09:00:00 UTC"), read_ms(1_772_528_400_000), read_ms(1_772_528_400)
    (1772528400000, 1772528400000, None)
    """
    try:
        if isinstance(value, str):
            ms = _ms_of_text(value)
        elif isinstance(value, int | float) and not isinstance(value, bool) and _is_ms(value):
            ms = int(value)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return ms if _FIRST_MS <= ms <= _LAST_MS else None


def other_unit(value: object) -> str | None:
    """The unit in which a number, or the text of one, is a time since 1970, where that is not milliseconds.

    >>> other_unit(1_772_528_400), other_unit("1772528400000000"), other_unit("yesterday")
    ('seconds', 'microseconds', None)
    """
    try:
        number = 0.0 if isinstance(value, bool) else float(str(value))
    except ValueError:
        return None
    if _SMALLEST_EPOCH_S <= number < _SMALLEST_EPOCH_MS:
        return "seconds"
    if _LARGEST_EPOCH_MS <= number < _LARGEST_EPOCH_US:
        return "microseconds"
    return "nanoseconds" if _LARGEST_EPOCH_US <= number < _LARGEST_EPOCH_US * 1000 else None


def _is_ms(number: float) -> bool:
    return _SMALLEST_EPOCH_MS <= abs(number) < _LARGEST_EPOCH_MS


def read_times(series: pl.Series) -> pl.Series | None:
    """Read a column of times by the rules of :func:`read_ms`; naive times are UTC.

    Args:
        series: Texts, numbers or times; NaN is null.

    Returns:
        The times, null where a value is none; None if the type of the column cannot hold times.

    >>> read_times(pl.Series(["2026-03-03T09:00:00z", "yesterday"])).dt.epoch("ms").to_list()
    [1772528400000, None]
    """
    if series.dtype in {pl.String, pl.Categorical}:
        return _of_texts(series.cast(pl.String))
    if series.dtype.is_numeric():
        # Other tools have no null among numbers, and use NaN.
        ms = series.fill_nan(None).cast(pl.Int64, strict=False)
        size = ms.abs()
        return ms.set((size < _SMALLEST_EPOCH_MS) | (size >= _LARGEST_EPOCH_MS), None).cast(UTC_MS)
    if series.dtype == pl.Null or (series.dtype.is_temporal() and series.dtype not in {pl.Duration, pl.Time}):
        return series.cast(UTC_MS)
    return None


def _ms_of_text(text: str) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return _ms_of_other_spelling(text.strip())
    # Integer arithmetic: a float timestamp could round to another millisecond.
    delta = (time if time.tzinfo is not None else time.replace(tzinfo=UTC)) - EPOCH
    return delta.days * 86_400_000 + delta.seconds * 1_000 + delta.microseconds // 1_000


def _ms_of_other_spelling(text: str) -> int:
    if _DIGITS.fullmatch(text):
        return int(text)
    if (found := _SPELLING.fullmatch(text)) is None:
        raise ValueError(text)
    minute, second, fraction, offset = found.groups()
    is_leap = second == "60"
    time = datetime.fromisoformat(f"{minute}:{'59' if is_leap else second}{fraction or ''}{offset or '+00:00'}")
    return epoch_ms(time) + 1000 * is_leap


def _of_texts(texts: pl.Series) -> pl.Series:
    # Nearly always all are written as JavaScript does, so that is tried before anything is checked in every row.
    times, are_usual = texts.to_frame("text").select(_USUAL_TIMES, _ARE_USUAL)
    if not are_usual.all():
        clocks = texts.str.extract(_IN_UTC).str.replace(" ", "T", literal=True)
        times = clocks.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="ms", strict=False)
    times = times.cast(UTC_MS)
    if times.null_count() > texts.null_count():
        left = times.is_null() & texts.is_not_null()
        distinct = texts.filter(left).unique()
        ms = pl.Series([read_ms(text) for text in distinct], dtype=pl.Int64)
        read = texts.replace_strict(distinct, ms, default=None, return_dtype=pl.Int64).cast(UTC_MS)
        times = times.zip_with(~left, read)
    return times.alias(texts.name)


# Polars reads this format four times faster than with "%.3f" for the same digits.
_USUAL_TIMES: Final = pl.col("text").str.to_datetime("%Y-%m-%dT%H:%M:%S.%3fZ", time_unit="ms", strict=False)
# Blanks and signs, which Polars would read as digits, have no place in these.
_ARE_USUAL: Final = (
    ((pl.col("text").str.len_bytes() == _USUAL_LENGTH) & ~pl.col("text").str.contains(r"[ +]|^-")).all().alias("usual")
)
