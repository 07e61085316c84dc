"""Events out to files and in again, against Polars with the same events as a flat file, in events a second."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Final

import polars as pl

from analytics.io.ndjson import decode, encode
from benchmarks.measuring import Comparison, Subject
from benchmarks.world import busy_day

_SEGMENT: Final = "funnelsim, nested Segment events"
_FOREIGN: Final = "funnelsim, Segment events with properties of their own"
_POLARS: Final = "Polars, flat"


def _written(events: pl.DataFrame, form: str) -> bytes:
    """Events as Polars writes them."""
    file = io.BytesIO()
    if form == "parquet":
        events.write_parquet(file)
    else:
        events.write_ndjson(file)
    return file.getvalue()


def _ndjson_out() -> Mapping[str, Subject]:
    events, _ = busy_day()

    def polars() -> int:
        _written(events, "ndjson")
        return events.height

    def ours() -> int:
        encode(events)
        return events.height

    return {_POLARS: polars, _SEGMENT: ours}


def _with_own_properties(nested: bytes) -> bytes:
    """Events as real sites send them: with what the library adds, and with properties that only the site knows."""
    lines = []
    for number, line in enumerate(nested.splitlines()):
        event = json.loads(line)
        event["integrations"] = {"All": True}
        event["context"] |= {"library": {"name": "analytics.js", "version": "next-1.81.0"}, "screen": {"width": 1440}}
        event.setdefault("properties", {}).update(plan="team", experiment_bucket=number % 7, tags=["docs", "b2b"])
        lines.append(json.dumps(event, separators=(",", ":")))
    return "\n".join(lines).encode()


def _ndjson_in() -> Mapping[str, Subject]:
    events, _ = busy_day()
    flat, nested = _written(events, "ndjson"), encode(events)
    foreign = _with_own_properties(nested)
    return {
        _POLARS: lambda: pl.read_ndjson(io.BytesIO(flat)).height,
        _SEGMENT: lambda: decode(nested).frame.height,
        _FOREIGN: lambda: decode(foreign).frame.height,
    }


def _parquet_out() -> Mapping[str, Subject]:
    events, _ = busy_day()

    def texts() -> int:
        _written(events.cast({pl.Categorical: pl.String}), "parquet")
        return events.height

    def ours() -> int:
        _written(events, "parquet")
        return events.height

    return {"Polars, all strings": texts, "funnelsim's table": ours}


def _parquet_in() -> Mapping[str, Subject]:
    events, _ = busy_day()
    texts, ours = _written(events.cast({pl.Categorical: pl.String}), "parquet"), _written(events, "parquet")
    return {
        "Polars, all strings": lambda: pl.read_parquet(io.BytesIO(texts)).height,
        "funnelsim's table": lambda: pl.read_parquet(io.BytesIO(ours)).height,
    }


NDJSON_OUT: Final = Comparison("ndjson-out", "Events written as NDJSON", "events", _ndjson_out, {_SEGMENT: 0.5})
NDJSON_IN: Final = Comparison(
    "ndjson-in", "Events read from NDJSON", "events", _ndjson_in, {_SEGMENT: 0.35, _FOREIGN: 0.2}
)
PARQUET_OUT: Final = Comparison("parquet-out", "Events written as Parquet", "events", _parquet_out)
PARQUET_IN: Final = Comparison("parquet-in", "Events read from Parquet", "events", _parquet_in)
