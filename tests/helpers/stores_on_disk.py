"""What the tests of stores on disk share: streams of events, and the observable state of a store and its folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from flat_events import START

from analytics.durable.durable_store import DurableStore
from analytics.events.dead_letters import DeadLetter, DeadLetterReason
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.io.flatten import Flattened
from analytics.io.position import SourceBatch, SourcePosition
from analytics.store.event_store import EventStore


def batches(seed: int, n_batches: int, n_rows: int = 20, hours_each: float = 1.0) -> list[SourceBatch]:
    """A stream with everything in it: duplicates, conflicts, late events, broken lines, hours that leave the window."""
    rng, sent = np.random.default_rng(seed), list[dict[str, Any]]()
    return [_batch(rng, sent, number, n_rows, hours_each) for number in range(n_batches)]


def _batch(
    rng: np.random.Generator, sent: list[dict[str, Any]], number: int, n_rows: int, hours_each: float
) -> SourceBatch:
    rows = []
    for place in range(n_rows):
        row = _row(rng, START + timedelta(hours=hours_each * (number + place / n_rows)), f"m{number}-{place}")
        if sent and rng.random() < 0.2:
            # One delivered before, or another event with the same identifier.
            earlier = sent[-int(rng.integers(1, min(len(sent), n_rows) + 1))]
            row = earlier if rng.random() < 0.5 else row | {"message_id": earlier["message_id"]}
        rows.append(row)
        sent.append(row)
    letters = tuple(
        DeadLetter(b"broken \xff \n\r" if rng.random() < 0.5 else '{"é": 1}'.encode(), reason, "no", number)
        for reason in (DeadLetterReason.NOT_JSON, DeadLetterReason.NO_TIME)
        if rng.random() < 0.3
    )
    events = Flattened(pl.DataFrame(rows, schema=EVENT_SCHEMA), letters)
    return SourceBatch(events, SourcePosition("stream", {"batches": number + 1}))


def _row(rng: np.random.Generator, now: datetime, name: str) -> dict[str, Any]:
    at = now - timedelta(hours=40 * rng.random() if rng.random() < 0.1 else 0.0)
    times = dict.fromkeys(("original_timestamp", "sent_at", "received_at", "timestamp"), at)
    kind = {"type": "track", "event": "Demo Requested"} if rng.random() < 0.1 else {"type": "page"}
    visitor = {"message_id": name, "anonymous_id": f"a{rng.integers(5)}", "context_location_country": "DE"}
    return visitor | kind | times


def state_of(store: EventStore | DurableStore) -> dict[str, Any]:
    """All that can be read from a store, as data that can be compared; but for revisions, which count the reading."""
    return {
        "counts": asdict(store.counts),
        "by_type": dict(store.counts_by_type),
        "by_reason": dict(store.dead_letter_counts),
        "lateness": store.lateness,
        "stream_time": store.stream_time,
        "n_future": store.n_future,
        "window": store.window,
        "hourly": store.hourly(evicted=True).drop("revision").to_dicts(),
        "views": store.views("country").drop("revision").to_dicts(),
        "digest": store.digest(),
        "events": store.events().cast({pl.Categorical: pl.String}).to_dicts(),
        "dead_letters": list(store.dead_letters)[-3:],
    }


def permanent_files(folder: Path) -> dict[str, bytes]:
    """The archive and the dead letters of a store's folder, by the names of their files."""
    archive = folder / "archive"
    files = [*sorted(archive.rglob("*.parquet")), *folder.glob("dead_letters.ndjson")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def archived(folder: Path) -> pl.DataFrame:
    """The events of the archive."""
    files = sorted((folder / "archive").rglob("*.parquet"))
    return pl.concat([pl.read_parquet(file) for file in files]) if files else pl.DataFrame()


def dead_letters_in(folder: Path) -> list[dict[str, Any]]:
    """The entries of the file of dead letters."""
    path = folder / "dead_letters.ndjson"
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
