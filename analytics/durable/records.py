"""What the records of a journal say: a batch as it was received, that time has moved on, or that hours were reported.

A batch is written as a length (4 bytes), so many bytes of JSON, the bytes of its dead letters as they came, and its
usable events as an Arrow stream. The JSON names the source and where it then stands, and describes the dead letters.
"""

from __future__ import annotations

import io
import json
from datetime import datetime
from enum import IntEnum
from struct import Struct
from typing import Any, Final

import polars as pl

from analytics.events.dead_letters import DeadLetter, DeadLetterReason
from analytics.events.times import moment
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.flatten import Flattened
from analytics.io.position import SourcePosition

__all__ = ["RecordKind", "batch_payload", "moment_payload", "read_batch", "read_moment", "read_table", "table_bytes"]


class RecordKind(IntEnum):
    """What sort of thing a store has been told."""

    BATCH = 1
    MOMENT = 2
    REPORT = 3


_LENGTH: Final = Struct("<I")
_MOMENT: Final = Struct("<q")


def batch_payload(batch: Flattened, position: SourcePosition | None, arrived_ms: int | None) -> bytes:
    """Write a batch, where its source then stands, if it has one, and when it arrived, if that is known."""
    letters = [(letter.reason, letter.detail, letter.position, len(letter.raw)) for letter in batch.dead_letters]
    at = None if position is None else [position.source, dict(position.offset)]
    about = json.dumps({"position": at, "arrived_ms": arrived_ms, "dead_letters": letters}).encode()
    raws = (letter.raw for letter in batch.dead_letters)
    return b"".join((_LENGTH.pack(len(about)), about, *raws, table_bytes(batch.frame)))


def read_batch(payload: bytes) -> tuple[Flattened, SourcePosition | None, datetime | None]:
    """Read a batch as it was written."""
    begin = _LENGTH.size + _LENGTH.unpack_from(payload)[0]
    about = json.loads(payload[_LENGTH.size : begin])
    letters = []
    for reason, detail, position, n_bytes in about["dead_letters"]:
        raw = payload[begin : begin + n_bytes]
        letters.append(DeadLetter(raw, DeadLetterReason(reason), detail, position))
        begin += n_bytes
    events = read_table(payload[begin:]).select(EVENT_SCHEMA.names())
    arrived_ms = about["arrived_ms"]
    arrived_at = None if arrived_ms is None else moment(arrived_ms)
    return Flattened(events, tuple(letters)), _position(about["position"]), arrived_at


def moment_payload(ms: int) -> bytes:
    """Write a moment, given in epoch milliseconds."""
    return _MOMENT.pack(ms)


def read_moment(payload: bytes) -> int:
    """Read a moment, in epoch milliseconds."""
    (ms,) = _MOMENT.unpack(payload)
    return int(ms)


def table_bytes(table: pl.DataFrame) -> bytes:
    """Write a table as an Arrow stream; of the tracking plan's columns, those without values are left out."""
    # A column costs some hundred bytes even if it is empty, and small batches are mostly such columns.
    filled = [column for column in table if column.name not in EVENT_SCHEMA or column.null_count() < table.height]
    file = io.BytesIO()
    # A table without columns would forget that it has none of its rows either.
    pl.DataFrame(filled or [table.to_series()]).write_ipc_stream(file, compression="zstd")
    return file.getvalue()


def read_table(data: bytes) -> pl.DataFrame:
    """Read a table; columns of the tracking plan that were left out are empty."""
    table = pl.read_ipc_stream(io.BytesIO(data))
    missing = {name: dtype for name, dtype in EVENT_SCHEMA.items() if name not in table.columns}
    return table.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in missing.items())


def _position(written: list[Any] | None) -> SourcePosition | None:
    return None if written is None else SourcePosition(written[0], written[1])
