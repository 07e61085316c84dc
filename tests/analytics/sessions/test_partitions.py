"""Claims about events in parts: what is made of the parts is what is made of the whole."""

from pathlib import Path
from typing import get_args

import polars as pl
import pytest
from flat_events import CRAWLER, DEMO, UNCOUNTED, Row, are_countable, event, events_of, make_events
from hypothesis import assume, given, settings, strategies as st
from polars.testing import assert_frame_equal

from analytics.errors import AnalyticsError
from analytics.events.dimensions import DIMENSIONS, Dimension, DimensionError
from analytics.events.enrichment import DERIVED_SCHEMA, enrich
from analytics.events.tracking_plan import EventName
from analytics.sessions.partitions import ANALYSED_COLUMNS, partitions_by_visitor
from analytics.sessions.visits import visit_table, visit_table_of_parts
from analytics.signals.definitions import SIGNALS, ConversionUnit, EverSeen
from analytics.statistics.funnel import FunnelStatistics
from analytics.statistics.mergeable_counts import MergeableCounts
from analytics.statistics.traffic import Traffic

EVENTS = st.lists(
    st.builds(
        event,
        minute=st.integers(0, 30).map(lambda step: 10 * step),
        name=st.sampled_from(["page", "page", "page", DEMO, str(EventName.WHITE_PAPER_DOWNLOADED)]),
        who=st.sampled_from(["ann", "bob", "cy", "di", None]),
        user_id=st.sampled_from(["ed", None]),
        category=st.sampled_from(["pricing", "blog", None]),
        funnel_stage=st.sampled_from(["top", "bottom", None]),
        context_location_country=st.sampled_from(["DE", "US", None]),
        context_group_id=st.sampled_from(["g1", "g2", None]),
        context_user_agent=st.sampled_from([None, None, None, CRAWLER]),
        context_library_name=st.sampled_from([None, None, "analytics-node"]),
    ),
    max_size=25,
)


def tables_of(statistics: FunnelStatistics):
    """What can be asked of statistics, in several cuts."""
    cuts = ["country", "page_group", "account", ["country", "page_group"], ["page_group", "stage"]]
    return [
        statistics.totals(),
        statistics.funnel(),
        statistics.hourly(),
        statistics.moving_average(2, "page_group"),
        *(statistics.segments(cut) for cut in cuts),
        *(statistics.hourly(cut) for cut in cuts),
    ]


@UNCOUNTED
@settings(max_examples=12, deadline=None)
@given(rows=EVENTS, n_parts=st.integers(1, 5))
def test_the_statistics_of_parts_are_those_of_the_whole(rows: list[Row], n_parts: int):
    """All four counts, conversion and its bounds, the funnel and the hours are the same, digit for digit."""
    assume(are_countable(rows))
    frame = events_of(*rows)
    whole, merged = FunnelStatistics(frame), FunnelStatistics(partitions_by_visitor(frame, n_parts))
    for one, other in zip(tables_of(whole), tables_of(merged), strict=True):
        assert_frame_equal(one, other, check_exact=True)


@UNCOUNTED
@settings(max_examples=12, deadline=None)
@given(rows=EVENTS, n_parts=st.integers(1, 5), conversion_unit=st.sampled_from(get_args(ConversionUnit)))
def test_the_visit_table_of_parts_is_that_of_the_whole(rows: list[Row], n_parts: int, conversion_unit: ConversionUnit):
    """A colleague in another part ends the account's risk, and the latest event of any part ends observation."""
    assume(are_countable(rows))
    frame = events_of(*rows)
    merged = visit_table_of_parts(partitions_by_visitor(frame, n_parts), conversion_unit=conversion_unit)
    assert_frame_equal(merged, visit_table(frame, conversion_unit=conversion_unit), check_exact=True)


@settings(max_examples=12, deadline=None)
@given(rows=EVENTS)
def test_views_and_visitors_of_hours_add_up_from_hours_counted_apart(rows: list[Row]):
    """An hour's views and visitors by content need no other hour; visits and first touch do."""
    frame = enrich(events_of(*rows))
    hours = [part for _, part in frame.group_by(pl.col("event_time").dt.truncate("1h"))]
    apart, whole = (
        MergeableCounts.sum(content_by_hour(part) for part in parts) for parts in ([*hours, frame.clear()], [frame])
    )
    assert apart == whole


def content_by_hour(frame: pl.DataFrame):
    """Page views and visitors by hour and content."""
    traffic = Traffic(frame, where=~pl.col("is_bot"), idle_minutes=30)
    counts = traffic.count((DIMENSIONS["page_group"],), hourly=True)
    # A row of a request alone says nothing here.
    table = counts.table.select(*counts.keys, "page_views", "visitors").filter(pl.col("page_views") > 0)
    return MergeableCounts(table, counts.keys)


@settings(max_examples=50)
@given(rows=EVENTS, n_parts=st.integers(1, 5))
def test_each_visitor_is_in_one_part_and_each_event_too(rows: list[Row], n_parts: int):
    """No visitor is split, nothing is lost and nothing is there twice."""
    frame = events_of(*rows).with_columns(context_page_path=pl.int_range(pl.len()).cast(pl.String))
    parts = list(partitions_by_visitor(frame, n_parts))
    assert len(parts) == n_parts
    visitors = [set(part.select(pl.coalesce("anonymous_id", "user_id")).to_series()) for part in parts]
    assert sum(map(len, visitors)) == len(set.union(*visitors))
    assert_frame_equal(
        pl.concat(parts).sort("context_page_path"),
        frame.select(*ANALYSED_COLUMNS, "extra").sort("context_page_path"),
        check_column_order=False,
    )


def test_parts_are_read_from_files_one_at_a_time(tmp_path: Path):
    """A scan of hourly files is as good as the table."""
    frame = make_events(*({"anonymous_id": f"v{n % 7}", "at": n, "category": "blog"} for n in range(20)))
    for n in range(20):
        frame[n : n + 1].write_parquet(tmp_path / f"{n:02}.parquet")
    merged = FunnelStatistics(partitions_by_visitor(pl.scan_parquet(tmp_path / "*.parquet"), 3))
    assert_frame_equal(merged.hourly("page_group"), FunnelStatistics(frame).hourly("page_group"))


def test_no_other_column_is_looked_at():
    """Dimensions, signals and derived columns are read off the columns that parts have."""
    read = set(ANALYSED_COLUMNS) | set(DERIVED_SCHEMA)
    for dimension in DIMENSIONS.values():
        assert set(dimension.expression.meta.root_names()) <= read
    assert {signal.column for signal in SIGNALS if isinstance(signal, EverSeen)} <= read


def test_derived_columns_need_no_other_column():
    """Enriched from the columns that parts have, an event is what it is enriched from all."""
    row = {
        "user_id": "u",
        "email": "a@acme.example.com",
        "context_campaign_source": "google",
        "context_campaign_medium": "cpc",
        "context_campaign_name": "spring",
        "context_page_url": "https://www.example.com/",
        "context_page_referrer": "https://news.example.org/",
        "context_timezone": "Europe/Vienna",
        "context_device_type": "mobile",
        "context_user_agent": CRAWLER,
    }
    frame = make_events(row)
    (part,) = partitions_by_visitor(frame, 1)
    derived = enrich(part).select(DERIVED_SCHEMA.names())
    assert_frame_equal(derived, enrich(frame).select(DERIVED_SCHEMA.names()))
    assert derived.null_count().row(0) == (0,) * len(DERIVED_SCHEMA)


def test_a_dimension_of_ones_own_must_be_named_before_the_events_are_gone():
    """Of parts only the numbers are kept; a dimension named beforehand is among them."""
    frame = events_of(*(event(0, who=who, context_page_path=f"/docs/{who}") for who in ("ann", "bob")))
    section = Dimension("section", "first folder", pl.col("context_page_path").str.extract("^/([^/]*)"), "any")
    named = FunnelStatistics(partitions_by_visitor(frame, 2), own_dimensions=[section])
    assert named.segments(section).select("section", "visitors").rows() == [("docs", 2)]
    with pytest.raises(DimensionError, match="give your own dimensions beforehand"):
        FunnelStatistics(partitions_by_visitor(frame, 2)).segments(section)


def test_there_is_at_least_one_part_and_a_column_that_names_visitors():
    """No part, and events that say nothing of visitors, are refused."""
    with pytest.raises(AnalyticsError, match="n_parts: must be at least 1"):
        next(partitions_by_visitor(events_of(), 0))
    with pytest.raises(AnalyticsError, match="none of the columns anonymous_id, user_id"):
        next(partitions_by_visitor(pl.DataFrame({"type": ["page"]}), 1))


def test_blank_identifiers_do_not_part_a_visitor():
    """A user whose browser is null in one event and blank in another is one visitor, in one part."""
    users = [f"u{n}" for n in range(20)]
    events = make_events(*({"user_id": user, "anonymous_id": browser} for user in users for browser in (None, "", " ")))
    parts = list(partitions_by_visitor(events, 7))
    assert sum(part["user_id"].n_unique() for part in parts) == len(users)
    assert sum(part.height for part in parts) == 3 * len(users)
