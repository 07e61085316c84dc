"""Digest of a stream of events: equal for equal events, however the stream is cut into batches.

It is a sha256 over those of the hours of arrival, so that the hours of a large run can be fingerprinted apart.
"""

from __future__ import annotations

import functools
import hashlib
from datetime import datetime
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.events.event_rows import EventRows, Star
from analytics.events.times import EPOCH, HOUR_MS
from analytics.events.tracking_plan import EVENT_SCHEMA
from simulator.tracking.delivery import Delivery

_NULL_TIME: Final = -(2**63)
_NULL_TEXT: Final = -1
_TIMES: Final = [name for name, dtype in EVENT_SCHEMA.items() if isinstance(dtype, pl.Datetime)]
_TEXTS: Final = ["message_id", "anonymous_id", "user_id", "email", "extra"]
"""Columns whose values differ in almost every row; in all others a few values repeat."""
_FEW: Final = 10_000
"""Rows of a table that are hashed one by one; of more, each distinct value is."""
_WORDS: Final = {*EVENT_SCHEMA} - {*_TIMES, *_TEXTS}


class EventsDigest:
    """Sha256 of a stream of flat events, computed as it passes by; a sink of the simulation.

    An hour is a run of events that are received in one hour; an event without such a time belongs to the hour of the
    one before. Whole columns are hashed at once, all numbers little-endian: each time as int64 milliseconds; message,
    browser, person, address and ``extra`` as UTF-8 in one hash and the lengths that separate them (-1 for null) in
    another; for all other columns one number a row, the sum of 64-bit hashes of its values.

    Args:
        start: The moment from which hours are counted.
    """

    def __init__(self, start: datetime = EPOCH) -> None:
        self._start_ms = round(start.timestamp() * 1000)
        self._whole = hashlib.sha256()
        self._hour: int | None = None
        self._open = HourDigest()

    def write(self, delivery: Delivery) -> None:
        """Add the events of a batch; broken lines do not count."""
        self.update(delivery.rows)

    def update(self, events: EventRows) -> None:
        """Add events, in the order of the stream."""
        if not len(events):
            return
        columns = EventColumns(events)
        since = events.keys["received_at"].dt.epoch("ms") - self._start_ms
        hours = (since // HOUR_MS).fill_null(strategy="forward").fill_null(_NULL_TIME).to_numpy()
        begins = (1 + np.flatnonzero(np.diff(hours))).tolist()
        for begin, end in pairwise([0, *begins, len(hours)]):
            hour = int(hours[begin])
            if hour not in (_NULL_TIME, self._hour):
                self._finish()
                self._hour = hour
            self._open.add(columns, begin, end)

    def add_hour(self, digest: bytes) -> None:
        """Add a whole hour, of which nothing has been added before and nothing will be later.

        Args:
            digest: What a :class:`HourDigest` gives for it.
        """
        self._finish()
        self._whole.update(digest)

    def close(self) -> None:
        """Do nothing: the digest can be read at any time."""

    def hexdigest(self) -> str:
        """Return the digest of all events so far, 64 hexadecimal digits."""
        whole = self._whole.copy()
        whole.update(self._open.digest())
        return whole.hexdigest()

    def _finish(self) -> None:
        self._whole.update(self._open.digest())
        self._hour, self._open = None, HourDigest()


def digest_of(events: pl.DataFrame, start: datetime = EPOCH) -> str:
    """Sha256 of a frame of flat events, in their order; 64 hexadecimal digits.

    Args:
        events: The events.
        start: The moment from which hours are counted.
    """
    digest = EventsDigest(start)
    digest.update(EventRows(events))
    return digest.hexdigest()


class HourDigest:
    """Sha256 of events that are received in one hour."""

    def __init__(self) -> None:
        self._n = 0
        self._hashes = [hashlib.sha256() for _ in range(len(_TIMES) + 1 + 2 * len(_TEXTS))]

    def update(self, events: EventRows) -> None:
        """Add events, in the order of the stream."""
        if len(events):
            self.add(EventColumns(events), 0, len(events))

    def add(self, columns: EventColumns, begin: int, end: int) -> None:
        """Add some rows of the columns of events.

        Args:
            columns: The columns of a batch.
            begin: First row.
            end: The row after the last one.
        """
        self._n += end - begin
        parts = [column[begin:end].view(np.uint8).data for column in columns.fixed]
        for text, ends in zip(columns.texts, columns.ends, strict=True):
            # Views instead of copies: the text of a batch can be many megabytes.
            parts.append(memoryview(text)[int(ends[begin - 1]) if begin else 0 : int(ends[end - 1])])
        for hashed, part in zip(self._hashes, parts, strict=True):
            hashed.update(part)

    def digest(self) -> bytes:
        """The digest, 32 bytes; none for no events."""
        if not self._n:
            return b""
        # One hash per column, joined at the end, lets batches be cut anywhere: columns never mix.
        return hashlib.sha256(b"".join(hashed.digest() for hashed in self._hashes)).digest()


class EventColumns:
    """The columns of events as bytes that can be cut anywhere."""

    def __init__(self, events: EventRows) -> None:
        texts = events.columns(_TEXTS)
        numbers = events.keys.select(pl.col(_TIMES).cast(pl.Int64).fill_null(_NULL_TIME))
        lengths = texts.select(pl.all().str.len_bytes().cast(pl.Int32).fill_null(_NULL_TEXT))
        joined = texts.select(pl.all().str.join("", ignore_nulls=True).cast(pl.Binary))
        self.fixed = [numbers[name].to_numpy().astype("<i8", copy=False) for name in _TIMES]
        self.fixed += [_sums(events).astype("<u8", copy=False)]
        self.fixed += [lengths[name].to_numpy().astype("<i4", copy=False) for name in _TEXTS]
        self.texts: list[bytes] = [joined[name].item() for name in _TEXTS]
        self.ends = [np.cumsum(np.maximum(each, 0), dtype=np.int64) for each in self.fixed[-len(_TEXTS) :]]


def _sums(events: EventRows) -> npt.NDArray[np.uint64]:
    """Sum of the hashes of all values of an event, modulo 2⁶⁴; null adds 0; shape (events,)."""
    of_keys = _table_sums(events.keys)
    of_others = [_star_sums(star)[some] for star, some in events.parts]
    return of_keys + np.concatenate(of_others) if of_others else of_keys


def _star_sums(star: Star) -> npt.NDArray[np.uint64]:
    # A row of a smaller table, such as that of visits, is added up once for all its events.
    of_tables = (
        (_star_sums(table) if isinstance(table, Star) else _table_sums(table))[row] for table, row in star.tables
    )
    return functools.reduce(np.add, of_tables)


def _table_sums(table: pl.DataFrame) -> npt.NDArray[np.uint64]:
    """Sum of the hashes of all values of a row that are neither texts nor times; shape (rows,)."""
    total, rows = np.zeros(table.height, dtype=np.uint64), np.arange(table.height)
    filled = [name for name in table.columns if name in _WORDS and table[name].null_count() < table.height]
    if table.height <= _FEW:
        for name in filled:
            total += np.array([_hash_of_value(name, value) for value in table[name].to_list()], dtype=np.uint64)
        return total
    # The code of a category depends on what else the process has seen, so it only distinguishes values here.
    places = table.select((pl.col(filled).cast(pl.Categorical()).to_physical() + 1).fill_null(0))
    for name in filled:
        place = places[name].to_numpy()
        where = np.full(int(place.max()) + 1, -1)
        where[place] = rows  # any row with the value will do
        where[0] = -1
        used = np.flatnonzero(where >= 0)
        hashes = np.zeros(len(where), dtype=np.uint64)
        hashes[used] = [_hash_of_value(name, value) for value in table[name].gather(where[used]).cast(pl.String)]
        total += hashes[place]
    return total


@functools.lru_cache(maxsize=2**16)
def _hash_of_value(column: str, value: str | None) -> int:
    """The first 64 bits of BLAKE2b of a value, with the name of its column as the key; 0 for null."""
    if value is None:
        return 0
    return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8, key=column.encode()).digest(), "little")
