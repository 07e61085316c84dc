"""The payloads of journal records: a batch as received, a moment that stream time reached, or a report of hours.

A batch is a length (4 bytes), so many bytes of JSON, the bytes of its dead letters as they came, and its usable events
as an Arrow stream. The JSON has the position of the source after the batch, describes the dead
letters and counts the ignored times.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from struct import Struct
from typing import Any, Final

import polars as pl

from analytics.events.dead_letters import DeadLetter, DeadLetterReason
from analytics.events.times import moment, moment_ms
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.flatten import Flattened
from analytics.io.position import SourcePosition


class RecordKind(IntEnum):
    """What a record of the journal holds."""

    BATCH = 1
    MOMENT = 2
    REPORT = 3


_LENGTH: Final = Struct("<I")
_MOMENT: Final = Struct("<q")


@dataclass(frozen=True, eq=False)
class BatchRecord:
    """A batch as it came in.

    Args:
        events: The events and dead letters.
        position: Position of its source after it, if the source can be resumed.
        arrived_at: When it arrived, if the stream is live.
        again: Whether its events came before, and could not be used then.
    """

    events: Flattened
    position: SourcePosition | None = None
    arrived_at: datetime | None = None
    again: bool = False


def batch_payload(record: BatchRecord) -> bytes:
    """Bytes of a batch."""
    batch, position = record.events, record.position
    letters = [
        (letter.reason, letter.detail, letter.position, len(letter.raw), *([letter.source] if letter.source else []))
        for letter in batch.dead_letters
    ]
    at = None if position is None else [position.source, dict(position.offset)]
    if at and position and position.others:
        at.append({name: dict(offset) for name, offset in position.others.items()})
    arrived_ms = None if record.arrived_at is None else moment_ms("arrived_at", record.arrived_at)
    facts = {"position": at, "arrived_ms": arrived_ms, "dead_letters": letters, "ignored_times": batch.ignored_times}
    if record.again:
        facts["again"] = True
    header = json.dumps(facts).encode()
    raws = (letter.raw for letter in batch.dead_letters)
    return b"".join((_LENGTH.pack(len(header)), header, *raws, table_bytes(batch.frame)))


def read_batch(payload: bytes) -> BatchRecord:
    """Read a batch; the inverse of :func:`batch_payload`."""
    begin = _LENGTH.size + _LENGTH.unpack_from(payload)[0]
    header = json.loads(payload[_LENGTH.size : begin])
    letters = []
    for reason, detail, position, n_bytes, *source in header["dead_letters"]:
        raw = payload[begin : begin + n_bytes]
        letters.append(DeadLetter(raw, DeadLetterReason(reason), detail, position, *source))
        begin += n_bytes
    events = read_table(payload[begin:]).select(EVENT_SCHEMA.names())
    arrived_ms = header["arrived_ms"]
    arrived_at = None if arrived_ms is None else moment(arrived_ms)
    # Journals of earlier versions have no ignored times.
    ignored = Counter(header.get("ignored_times", {}))
    flat = Flattened(events, tuple(letters), ignored)
    return BatchRecord(flat, _position(header["position"]), arrived_at, header.get("again", False))


def moment_payload(ms: int) -> bytes:
    """Bytes of a moment, given in epoch milliseconds."""
    return _MOMENT.pack(ms)


def read_moment(payload: bytes) -> int:
    """Epoch milliseconds of a moment; the inverse of :func:`moment_payload`."""
    (ms,) = _MOMENT.unpack(payload)
    return int(ms)


def table_bytes(table: pl.DataFrame) -> bytes:
    """Bytes of a table as an Arrow stream, without those columns of the tracking plan that have no values."""
    # An empty column still costs some hundred bytes, and most columns of a small batch are empty.
    filled = [column for column in table if column.name not in EVENT_SCHEMA or column.null_count() < table.height]
    file = io.BytesIO()
    # A table without columns would have no rows either.
    pl.DataFrame(filled or [table.to_series()]).write_ipc_stream(file, compression="zstd")
    return file.getvalue()


def read_table(data: bytes) -> pl.DataFrame:
    """Read a table; columns of the tracking plan that were omitted are empty."""
    table = pl.read_ipc_stream(io.BytesIO(data))
    missing = {name: dtype for name, dtype in EVENT_SCHEMA.items() if name not in table.columns}
    return table.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in missing.items())


def _position(written: list[Any] | None) -> SourcePosition | None:
    return None if written is None else SourcePosition(*written)
