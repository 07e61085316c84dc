"""Page views counted by hour and segment, against Polars and DuckDB by hand, in events a second."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import duckdb
import polars as pl

from analytics.events.enrichment import enrich
from analytics.statistics.funnel import FunnelStatistics
from analytics.statistics.traffic import COUNTS
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


def four_counts_by_hand(events: pl.DataFrame) -> pl.DataFrame:
    """Views, visitors, visits and requests by hour, country and page group, as an analyst would write it in Polars.

    Args:
        events: Enriched events.

    Returns:
        The rows of ``FunnelStatistics(events).hourly(["country", "page_group"])`` in which something happened.
    """
    keys = ["hour", "country", "page_group"]
    known = (
        events.lazy()
        .filter(~pl.col("is_bot"))
        .select(
            "event_time",
            "type",
            "event",
            "country_code",
            hour=pl.col("event_time").dt.truncate("1h"),
            page_group="category",
            # Numbers sort many times faster than texts.
            visitor=pl.col("anonymous_id").hash(),
        )
        .sort("visitor", "event_time", maintain_order=True)
    )
    countries = known.group_by("visitor").agg(country=pl.col("country_code").drop_nulls().first())
    known = known.join(countries, on="visitor", maintain_order="left")
    is_new = (pl.col("event_time").diff() > timedelta(minutes=30)) | (pl.col("visitor") != pl.col("visitor").shift())
    by_server = pl.col("event").is_in(["Demo Requested", "Demo Held"]).fill_null(value=False)
    views = (
        known.filter(~by_server)
        .with_columns(visit=is_new.fill_null(value=True).cum_sum())
        .filter(pl.col("type") == "page")
    )
    seen = views.group_by(keys).agg(page_views=pl.len(), visitors=pl.col("visitor").n_unique())
    visits = views.group_by("visit", *keys[1:]).agg(pl.col("hour").first()).group_by(keys).agg(visits=pl.len())
    requests = known.filter(pl.col("event") == "Demo Requested").select("visitor", "event_time", "hour")
    requested = (
        requests.with_row_index("request")
        .join(views.select("visitor", *keys[1:], seen_at="event_time"), on="visitor")
        .filter(pl.col("seen_at") < pl.col("event_time"))
        .unique(["request", *keys[1:]])
        .group_by(keys)
        .agg(demo_requests=pl.len())
    )
    counts = seen.join(visits, on=keys, how="left", nulls_equal=True)
    counts = counts.join(requested, on=keys, how="full", coalesce=True, nulls_equal=True)
    return counts.with_columns(pl.col(COUNTS).fill_null(0)).collect()


def _prepare_statistics() -> Mapping[str, Subject]:
    events = enrich(busy_day()[0])

    def by_hand() -> int:
        four_counts_by_hand(events)
        return events.height

    def hourly() -> int:
        FunnelStatistics(events).hourly(_BY)
        return events.height

    return {"Polars by hand": by_hand, "FunnelStatistics.hourly": hourly}


COMPARISON: Final = Comparison(
    "counting",
    f"{N_EVENTS:,} page views by hour, country and page group",
    "events",
    _prepare,
    {_FIRST: 1.0, _AGAIN: 1.0},
)
STATISTICS: Final = Comparison(
    "statistics", "Four counts of a day's events by hour, country and page group", "events", _prepare_statistics
)
