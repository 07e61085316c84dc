"""Events partitioned by visitor, to analyse more of them than fit into memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from analytics.errors import AnalyticsError
from analytics.events.server_side import sent_by_channel
from analytics.events.tracking_plan import EVENT_SCHEMA
from analytics.sessions.timeline import VISITOR_COLUMNS

# Most bytes of an event, and no statistic, signal or dimension reads them.
_NOT_ANALYSED: Final = frozenset(
    {
        "message_id",
        "context_campaign_term",
        "context_campaign_content",
        "context_page_title",
        "context_ip",
        "name",
        "asset",
        "extra",
    }
)
ANALYSED_COLUMNS: Final = tuple(name for name in EVENT_SCHEMA if name not in _NOT_ANALYSED)
"""Columns of the flat event table that statistics, visits and signals need."""


def partitions_by_visitor(
    events: pl.LazyFrame | pl.DataFrame, n_parts: int, *, columns: tuple[str, ...] = ANALYSED_COLUMNS
) -> Iterator[pl.DataFrame]:
    """Partition events so that all events of a visitor are in one part.

    Parts are read one after another, so only one is in memory. Events on disk are scanned once per part.
    :class:`analytics.statistics.funnel.FunnelStatistics` and :func:`analytics.sessions.visits.visit_table_of_parts`
    give the same results for the parts as for the whole table.

    Args:
        events: Flat events, in any order, such as ``polars.scan_parquet("run/events/*.parquet")``.
        n_parts: Number of parts, at least 1; some may be empty.
        columns: Columns to read, if present.

    Raises:
        AnalyticsError: ``n_parts`` is below 1, or the events have no column of visitors.
    """
    if n_parts < 1:
        raise AnalyticsError(f"n_parts: must be at least 1 (got {n_parts})")
    frame = events.lazy()
    names = frame.collect_schema().names()
    identifiers = [name for name in VISITOR_COLUMNS if name in names]
    if not identifiers:
        raise AnalyticsError(
            f"the events have none of the columns {', '.join(VISITOR_COLUMNS)}, which identify visitors"
        )
    # No result depends on which part a visitor is in, so the hash may differ between versions of Polars.
    named = [pl.when(pl.col(name).str.strip_chars() != "").then(name) for name in identifiers]
    part = pl.coalesce(named).hash() % n_parts
    kept = [pl.col(name) for name in names if name in columns]
    if "extra" in names and "extra" not in columns:
        # Of all that, visits need to know only whether a server sent the event.
        kept.append(sent_by_channel().alias("extra"))
    wanted = frame.select(kept)
    for number in range(n_parts):
        yield wanted.filter(part == number).collect(engine="streaming")
