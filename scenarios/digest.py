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
        texts = [name for name, dtype in EVENT_SCHEMA.items() if not isinstance(dtype, pl.Datetime)]
        filled = [name for name in texts if events[name].null_count() < events.height]
        whole = events.with_columns(pl.col(filled).cast(pl.String))
        joined = whole.select(pl.col(filled).str.join("", ignore_nulls=True))
        lengths = whole.select(pl.col(filled).str.len_bytes().cast(pl.Int32).fill_null(_NULL_TEXT))
        nothing = _NULL_TEXT.to_bytes(4, "little", signed=True) * events.height
        for name in texts:
            text_hash, length_hash = self._hashes[name]
            if name in joined.columns:
                text_hash.update(str(joined[name].item()).encode())
                length_hash.update(_octets(lengths[name], "<i4"))
            else:
                length_hash.update(nothing)
        times = events.select(pl.col(pl.Datetime).cast(pl.Int64).fill_null(_NULL_TIME))
        for time in times:
            self._hashes[time.name][0].update(_octets(time, "<i8"))

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


def _octets(column: pl.Series, dtype: str) -> bytes:
    return column.to_numpy().astype(dtype, copy=False).tobytes()
