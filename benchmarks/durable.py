"""Ingestion into a store on disk: what durability costs by policy, in speed and in memory."""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import polars as pl

from analytics.durable.opening import open_store
from analytics.durable.recovery import read_store
from analytics.durable.settings import Fsync, StoreSettings
from analytics.events.tracking_plan import EVENT_SCHEMA, UTC_MS
from analytics.ingestion import ingest
from analytics.io.ndjson import encode
from analytics.store.event_store import EventStore
from benchmarks.measuring import Comparison, Subject, Work
from benchmarks.whole_runs import watched
from benchmarks.world import busy_day

_POLARS: Final = "Polars, flat, in memory"
_INGEST: Final = "funnelsim ingest, fsync always"
_BATCH: Final = 1_000


def _acknowledged() -> Mapping[str, Subject]:
    """Batches of a thousand events, each acknowledged before the next is sent."""
    events, _ = busy_day()
    batches = list(events.head(100_000).iter_slices(_BATCH))

    def memory() -> int:
        store = EventStore()
        return sum(store.append(batch).received for batch in batches)

    def on_disk(fsync: Fsync) -> Subject:
        def once() -> int:
            with tempfile.TemporaryDirectory() as folder, open_store(folder, StoreSettings(fsync=fsync)) as store:
                return sum(store.append(batch).received for batch in batches)

        return once

    policies: dict[str, Fsync] = {"fsync never": "never", "fsync within a second": 1.0, "fsync always": "always"}
    return {"in memory": memory, **{name: on_disk(policy) for name, policy in policies.items()}}


def _ingest() -> Mapping[str, Subject]:
    events, _ = busy_day()
    flat, nested = io.BytesIO(), encode(events)
    events.write_ndjson(flat)

    def ours() -> int:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "events.ndjson"
            path.write_bytes(nested)
            return ingest([str(path)], Path(folder) / "store").counts.accepted

    return {_POLARS: lambda: pl.read_ndjson(io.BytesIO(flat.getvalue())).height, _INGEST: ours}


def _long() -> Mapping[str, Subject]:
    return {f"{days} days": _days(days) for days in (5, 10, 30)}


def _days(n: int) -> Subject:
    """So many days, ingested by a process of its own."""

    def once() -> Work:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "events.ndjson"
            _write_days(path, n)
            command = [sys.executable, "-m", "funnelsim", "ingest", str(path), "--store", f"{folder}/store", "--json"]
            _, peak_mib = watched(command, Path(folder))
            return Work(read_store(f"{folder}/store").counts.accepted, peak_mib)

    return once


def _write_days(path: Path, n: int) -> None:
    """Write a fifth of the busy day again and again, each time a day later and with identifiers of its own."""
    events = busy_day()[0].gather_every(5)
    times = [name for name, dtype in EVENT_SCHEMA.items() if dtype == UTC_MS]
    with path.open("wb") as file:
        for day in range(n):
            later = events.with_columns(pl.col(times) + timedelta(days=day), pl.col("message_id") + f"-{day}")
            file.write(encode(later))


ACKNOWLEDGED: Final = Comparison(
    "durable", "Batches of 1,000 events acknowledged one after the other", "events", _acknowledged
)
INGEST: Final = Comparison("ingest", "NDJSON ingested into a store on disk", "events", _ingest)
LONG: Final = Comparison(
    "ingest-days",
    "Peak memory of funnelsim ingest, 53,101 events a day",
    "events",
    _long,
    {"10 days": 1.3, "30 days": 1.3},
    of="memory",
    rounds=1,
)
