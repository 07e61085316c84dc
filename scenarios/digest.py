"""A fingerprint of a stream of events: equal for equal events, however the stream is cut into batches."""

from __future__ import annotations

import hashlib
from typing import Final

import polars as pl

from analytics.events import EVENT_SCHEMA
from simulator.sinks import Delivery

__all__ = ["EventsDigest", "digest_of"]

_NULL_TIME: Final = -(2**63)
_NULL_TEXT: Final = -1


class EventsDigest:
    """Sha256 of a stream of flat events, computed as it passes by; a sink of the simulation.

    Each column is hashed by itself, so that whole columns are fed at once and no row is ever touched: times as int64
    milliseconds, text as UTF-8 in one hash and the lengths that separate it (-1 for null) in another, all
    little-endian. The digest is the hash over the columns' names and hashes.
    """

    def __init__(self) -> None:
        self._hashes = {name: (hashlib.sha256(), hashlib.sha256()) for name in EVENT_SCHEMA}

    def write(self, delivery: Delivery) -> None:
        """Add the events of a batch; broken lines are none."""
        self.update(delivery.events)

    def update(self, events: pl.DataFrame) -> None:
        """Add flat events, in the order of the stream."""
        for name, (values, lengths) in self._hashes.items():
            column = events[name]
            if isinstance(column.dtype, pl.Datetime):
                values.update(_times(column))
            elif column.null_count() == len(column):
                lengths.update(_NULL_TEXT.to_bytes(4, "little", signed=True) * len(column))
            else:
                text = column.cast(pl.String)
                values.update(_joined(text))
                lengths.update(_lengths(text))

    def close(self) -> None:
        """Do nothing: the digest can be read at any time."""

    def hexdigest(self) -> str:
        """Return the digest of all events so far, 64 hexadecimal digits."""
        whole = hashlib.sha256()
        for name, (values, lengths) in self._hashes.items():
            whole.update(name.encode() + b"\0" + values.digest() + lengths.digest())
        return whole.hexdigest()


def digest_of(events: pl.DataFrame) -> str:
    """Sha256 of a frame of flat events, in their order; 64 hexadecimal digits."""
    digest = EventsDigest()
    digest.update(events)
    return digest.hexdigest()


def _times(column: pl.Series) -> bytes:
    return column.cast(pl.Int64).fill_null(_NULL_TIME).to_numpy().astype("<i8").tobytes()


def _lengths(text: pl.Series) -> bytes:
    return text.str.len_bytes().cast(pl.Int32).fill_null(_NULL_TEXT).to_numpy().astype("<i4").tobytes()


def _joined(text: pl.Series) -> bytes:
    return str(text.str.join("", ignore_nulls=True).item()).encode()
