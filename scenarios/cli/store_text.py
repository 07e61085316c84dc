"""What a store on disk holds, as plain data and in plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import polars as pl

from analytics.durable.recovery import read_store
from analytics.ingestion import Ingested
from analytics.store.counts import Counts
from scenarios.cli.output import Page, aligned

__all__ = ["ingest_text", "stats_data", "stats_text"]

_MOST_ROWS: Final = 25


def ingest_text(done: Ingested, folder: Path) -> Page:
    """Summarise what came of taking events in."""
    lines = [
        f"{folder}: {done.recovery}" if done.recovery.n_records or done.recovery.n_bytes_cut else str(folder),
        "",
        *aligned([("", "now", "in all"), *_beside(done.counts, done.store_counts)], header=True),
        "",
        *(["stopped as asked; the same command goes on from here"] if done.was_stopped else []),
        *(f"read {name}: {_reached(offset)}" for name, offset in done.offsets.items()),
    ]
    return Page.of(lines)


def stats_data(folder: Path, by: Sequence[str]) -> dict[str, Any]:
    """Read a store, and say what it holds as plain data.

    Args:
        folder: Folder of the store.
        by: Dimensions to cut page views by, if any.

    Raises:
        StoreError: There is no store, or it cannot be read.
        DimensionError: A dimension is unknown or named twice.
    """
    store = read_store(folder)
    window = store.window
    return {
        **asdict(store.counts),
        "stream_time": store.stream_time,
        "window": None if window is None else {"begin": window[0], "end": window[1]},
        "lateness": asdict(store.lateness),
        "by_type": dict(store.counts_by_type),
        "invalid_by_reason": {str(reason): n for reason, n in store.dead_letter_counts.items()},
        "hours": store.hourly().to_dicts(),
        **({"by": list(by), "views": store.views(by).to_dicts()} if by else {}),
    }


def stats_text(data: dict[str, Any]) -> Page:
    """Say in plain text what a store holds."""
    counts = [(name, f"{data[name]:,}") for name in asdict(Counts())]
    lines = [
        *aligned(counts),
        *(f"  of these {n:,} {reason}" for reason, n in data["invalid_by_reason"].items()),
        *_late(data["lateness"]),
        "",
        *_window_lines(data),
    ]
    return Page.of(lines)


def _beside(now: Counts, in_all: Counts) -> list[tuple[str, str, str]]:
    both = zip(asdict(now).items(), asdict(in_all).values(), strict=True)
    return [(name, f"{n:,}", f"{total:,}") for (name, n), total in both]


def _reached(offset: Any) -> str:  # noqa: ANN401 - a mapping of numbers
    return ", ".join(f"{n:,} {name}" for name, n in offset.items() if name in {"lines", "rows", "offset"})


def _late(lateness: dict[str, float | None]) -> Iterator[str]:
    if lateness["max_s"] is not None and lateness["mean_s"] is not None:
        mean_h, max_h = lateness["mean_s"] / 3600, lateness["max_s"] / 3600
        yield f"  late by {mean_h:,.1f} hours in the mean, {max_h:,.1f} at most"


def _window_lines(data: dict[str, Any]) -> Iterator[str]:
    """The hours of the window, or its segments."""
    if data["window"] is None:
        yield "no events yet"
        return
    yield f"stream time {_time(data['stream_time'])}"
    yield ""
    yield from aligned(_segment_rows(data) if "views" in data else _hour_rows(data["hours"]), header=True)


def _hour_rows(hours: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    names = ("n_events", "n_page_views", "n_demo_requests")
    rows = [(_time(hour["hour"]), *(f"{hour[name]:,}" for name in names)) for hour in hours]
    return [("hour", "events", "page views", "demo requests"), *rows]


def _segment_rows(data: dict[str, Any]) -> list[tuple[str, ...]]:
    """Page views of the whole window, the largest segments first."""
    by = data["by"]
    if not data["views"]:
        return [(", ".join(by), "page views")]
    views = pl.DataFrame(data["views"]).group_by(by).agg(pl.col("page_views").sum())
    ranked = views.sort("page_views", *by, descending=[True, *(False for _ in by)])
    rows = [(", ".join(map(str, segment)), f"{n:,}") for *segment, n in ranked.head(_MOST_ROWS).iter_rows()]
    left = ranked.height - _MOST_ROWS
    more = [(f"{left:,} more", f"{ranked['page_views'].tail(left).sum():,}")] if left > 0 else []
    return [(", ".join(by), "page views"), *rows, *more]


def _time(time: Any) -> str:  # noqa: ANN401 - a datetime
    return f"{time:%Y-%m-%d %H:%M}"
