"""Page views counted by hour and segment, against Polars and DuckDB by hand, in events a second."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import duckdb
import polars as pl

from analytics.events.enrichment import enrich
from analytics.statistics.funnel import FunnelStatistics
from analytics.store.event_store import EventStore
from benchmarks.measuring import Comparison, Subject
from benchmarks.world import busy_day

N_EVENTS: Final = 10_000_000
"""Page views that are counted; as narrow events, so that they fit into memory."""

_BY: Final = ("country", "page_group")
_FIRST, _AGAIN = "funnelsim's store, first query", "funnelsim's store, repeated queries"


def _narrow_views() -> pl.DataFrame:
    """Page views in order of arrival, with the group columns and little else."""
    events, _ = busy_day()
    views = events.filter(pl.col("type") == "page")
    columns = ["type", "anonymous_id", "received_at", "context_location_country", "category"]
    many = pl.concat([views.select(columns)] * (N_EVENTS // views.height + 1)).head(N_EVENTS)
    ids = pl.int_range(pl.len(), dtype=pl.Int64).cast(pl.String).alias("message_id")
    return many.with_columns(ids).sort("received_at", maintain_order=True)


def _by_hand(table: pl.DataFrame) -> int:
    """What an analyst would write in Polars."""
    hour = pl.col("received_at").dt.truncate("1h").alias("hour")
    keys = [hour, "context_location_country", "category"]
    table.lazy().filter(pl.col("type") == "page").group_by(keys).len().collect()
    return table.height


def _duckdb(table: pl.DataFrame) -> Subject:
    """The same in SQL, on a table in DuckDB's memory."""
    connection = duckdb.connect()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "views.parquet"
        table.write_parquet(path)
        connection.execute("CREATE TABLE views AS SELECT * FROM read_parquet(?)", [str(path)])
    query = """
        SELECT date_trunc('hour', received_at) AS hour, context_location_country, category, count(*)
        FROM views WHERE type = 'page' GROUP BY ALL
    """

    def count() -> int:
        connection.execute(query).fetchall()
        return table.height

    return count


def _prepare() -> Mapping[str, Subject]:
    table = _narrow_views()
    store = EventStore()
    for _, hour in table.group_by(pl.col("received_at").dt.truncate("1h"), maintain_order=True):
        store.append(hour)
    newest = table.tail(1)
    n_queries = 0

    def first() -> int:
        store._hours._counts = type(store._hours._counts)()  # noqa: SLF001 - forget what has been counted
        store.views(_BY)
        return table.height

    def again() -> int:
        nonlocal n_queries
        n_queries += 1
        store.append(newest.with_columns(message_id=pl.lit(f"new {n_queries}")))
        store.views(_BY)
        return table.height

    narrow = table.select("type", "received_at", "context_location_country", "category")
    return {"Polars by hand": lambda: _by_hand(narrow), "DuckDB by hand": _duckdb(narrow), _FIRST: first, _AGAIN: again}


def _prepare_statistics() -> Mapping[str, Subject]:
    events = enrich(busy_day()[0])
    flat = events.select("type", "received_at", "context_location_country", "category")

    def hourly() -> int:
        FunnelStatistics(events).hourly(_BY)
        return events.height

    return {"Polars by hand, views only": lambda: _by_hand(flat), "FunnelStatistics.hourly, all four counts": hourly}


COMPARISON: Final = Comparison(
    "counting",
    f"{N_EVENTS:,} page views by hour, country and page group",
    "events",
    _prepare,
    {_FIRST: 1.0, _AGAIN: 1.0},
)
STATISTICS: Final = Comparison(
    "statistics", "A day's events by hour, country and page group", "events", _prepare_statistics
)
