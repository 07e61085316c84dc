"""Segment × content: conversion with and without a content in each segment, and a test of interaction.

In each segment (a region, a channel) visits are divided by whether the visitor saw a content (such as pages on
security) before the decision at their end. Both parts have a conversion rate. Content and segment *interact* if the
odds ratio of the content differs between segments; the product ``segment:content`` in a logit models the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from statistics import NormalDist
from typing import Final, Literal, get_args

import polars as pl

from analytics.errors import AnalyticsError
from analytics.events.dimensions import NOT_SET, Dimension, DimensionError, dimensions_of
from analytics.events.tracking_plan import CallType
from analytics.sessions.identity import stitched
from analytics.sessions.partitions import ChangedParts
from analytics.sessions.timeline import enriched
from analytics.sessions.visits import IS_HUMAN, Settled, begins_in, read_visits
from analytics.signals.definitions import IDLE_MINUTES, ConversionUnit, EverSeen
from analytics.statistics.intervals import rate_with_interval
from analytics.statistics.multiplicity import holm
from analytics.statistics.odds_ratios import homogeneity_of_odds_ratios

Per = Literal["visit", "visitor"]

TEST_SCHEMA: Final = pl.Schema(
    {
        "content": pl.String(),
        "statistic": pl.Float64(),
        "degrees_of_freedom": pl.Int64(),
        "p_value": pl.Float64(),
        "p_adjusted": pl.Float64(),
        "common_odds_ratio": pl.Float64(),
        "smallest_expected": pl.Float64(),
        "note": pl.String(),
    }
)
"""Columns of the table of tests; see :class:`analytics.statistics.odds_ratios.Homogeneity`."""

# With a colon, because contents and dimensions have names that users choose.
_SEGMENT: Final = "segment: "
_COUNTS: Final = ("n_seen", "converted_seen", "n_unseen", "converted_unseen")


@dataclass(frozen=True, eq=False)
class SegmentContent:
    """Conversion by segment and page group, and a test of interaction for each page group.

    Args:
        conversion: One row per segment and content, sorted by both: the segment; ``content``; for those who saw it and
            those who did not, their number (``n_seen``, ``n_unseen``), the requests among them (``converted_seen``, …)
            and the rate with its Wilson interval (``conversion_seen``, ``conversion_seen_low``, …); and the odds ratio
            of the content with its interval, null where a count is 0.
        tests: One row per content, by ascending p-value: ``content``, the fields of
            :class:`analytics.statistics.odds_ratios.Homogeneity` for its odds ratios in the segments, and
            ``p_adjusted`` by Holm's method over contents.
        per: Unit of the counts, visits or visitors.
        level: Confidence level of the intervals.
    """

    conversion: pl.DataFrame
    tests: pl.DataFrame
    per: Per
    level: float


def crossed_with_content(dimensions: Sequence[Dimension]) -> list[Dimension]:
    """The dimension that page groups are crossed with, if each visitor is in one of its segments.

    Args:
        dimensions: A dimension, or a pair of them.

    >>> [dimension.name for dimension in crossed_with_content(dimensions_of(["region", "page_group"]))]
    ['region']
    """
    if "page_group" not in {dimension.name for dimension in dimensions}:
        return []
    return [dimension for dimension in dimensions if dimension.touch == "first"]


def segment_content(
    events: pl.DataFrame | Iterable[pl.DataFrame],
    segment: str | Dimension,
    contents: Sequence[str | EverSeen] | None = None,
    *,
    per: Per = "visit",
    observed_until: datetime | None = None,
    begun_in: tuple[datetime, datetime] | None = None,
    conversion_unit: ConversionUnit = "account",
    idle_minutes: float = IDLE_MINUTES,
    level: float = 0.95,
    stitch: bool = True,
    settled: Settled | None = None,
) -> SegmentContent:
    """Count conversion by segment and page group, and test whether the effect of a page group differs by segment.

    The visits are those of the intent model: at risk and completed. Content counts as seen if it was viewed strictly
    before the decision at the end of the visit, in any visit of the visitor so far.

    The test assumes independent rows. Visits are independent given the signals, unless companies share an unobserved
    willingness: then put the product into the intent model, which clusters by account. Counting per visitor is common,
    but visitors who come more often both see more and convert sooner, so content seems to matter that does not.

    Args:
        events: Flat or enriched events, in any order; or parts of them, with all events of a person in one part, which
            can be read twice.
        segment: A dimension of which each visitor has one value, the first that is known.
        contents: Page categories, or your own binary signals; by default all categories in the events.
        per: Unit of the counts: ``visit``, or ``visitor`` with what was seen until the last of these visits.
        observed_until: When observation stopped; the time of the latest event unless given.
        begun_in: Begin and end of the window in which a visit must begin to count; any time unless given. What was
            seen earlier counts as seen.
        conversion_unit: Who requests one demo at most, ``account`` or ``visitor``.
        idle_minutes: Idle time-out of a visit, in minutes, greater than 0.
        level: Confidence level of the intervals, between 0 and 1.
        stitch: Whether visitors are persons, as of :func:`analytics.sessions.identity.stitch`, or browsers.
        settled: What the visits depend on beside the events of their visitors, if it is known.

    Raises:
        EventFrameError: The table is not a table of events.
        DimensionError: The segment is unknown, or visitors are in several at once.
        AnalyticsError: ``per`` is neither, or a content is given twice.
        ValueError: The level or the idle time-out is out of range.
    """
    dimension = _one_for_each_visitor(segment)
    if per not in get_args(Per):
        raise AnalyticsError(f"per: must be one of {', '.join(get_args(Per))} (got {per!r})")

    def of_people(table: pl.DataFrame) -> pl.DataFrame:
        return (stitched(table) if stitch else enriched(table)).filter(IS_HUMAN)

    # A table is prepared once; parts are as often as they are read, as they may not fit into memory.
    people = [of_people(events)] if isinstance(events, pl.DataFrame) else ChangedParts(events, of_people)
    contents = sorted({*chain.from_iterable(map(categories, people))}) if contents is None else contents
    signals = _signals(contents)
    names, shown = {signal.name: content for content, signal in signals.items()}, tuple(signals.values())
    if settled is None:
        settled = Settled.of([read_visits(part, (), idle_minutes=idle_minutes) for part in people])
    counted = []
    for part in people:
        rows = read_visits(part, shown, idle_minutes=idle_minutes).rows.lazy()
        finished = settled.finish(
            rows, shown, observed_until, idle_minutes=idle_minutes, conversion_unit=conversion_unit
        )
        visits = finished.collect() if begun_in is None else finished.filter(begins_in(begun_in)).collect()
        counted.append(_counted(_rows(visits, _first_known(part, dimension), names, per), names))
    counts = pl.concat(counted).group_by(_SEGMENT, "content").agg(pl.col(_COUNTS).sum())
    conversion = _with_rates(counts, level).sort(_SEGMENT, "content").rename({_SEGMENT: dimension.name})
    return SegmentContent(conversion, _tests(conversion), per, level)


def _one_for_each_visitor(segment: str | Dimension) -> Dimension:
    (dimension,) = dimensions_of(segment, at_most=1)
    if dimension.touch != "first":
        raise DimensionError(f"{dimension.name}: a visitor is in several of these segments; use it as content")
    return dimension


def categories(table: pl.DataFrame) -> list[str]:
    """The page categories in events, in no order."""
    pages = table.filter(pl.col("type") == CallType.PAGE)
    return pages["category"].cast(pl.String).drop_nulls().unique().to_list()


def _signals(contents: Sequence[str | EverSeen]) -> dict[str, EverSeen]:
    """Signals by name of the content, with a prefix, because a category may have the name of a column."""
    read = [
        EverSeen(content, f"has seen a page on {content}", "context", "category", (content,))
        if isinstance(content, str)
        else content
        for content in contents
    ]
    signals = {signal.name: replace(signal, name=f"content: {signal.name}") for signal in read}
    if len(signals) < len(read):
        raise AnalyticsError(f"a content is given twice: {', '.join(signal.name for signal in read)}")
    return signals


def _first_known(table: pl.DataFrame, dimension: Dimension) -> pl.DataFrame:
    """One row per visitor with a known segment."""
    return (
        table.lazy()
        .select(
            "event_time",
            pl.coalesce("anonymous_id", "user_id").alias("anonymous_id"),
            dimension.expression.cast(pl.String).alias(_SEGMENT),
        )
        .drop_nulls()
        # Stable: of events in one millisecond, the first given counts.
        .sort("event_time", maintain_order=True)
        .unique("anonymous_id", keep="first", maintain_order=True)
        .select("anonymous_id", _SEGMENT)
        .collect()
    )


def _rows(visits: pl.DataFrame, segments: pl.DataFrame, contents: Mapping[str, str], per: Per) -> pl.DataFrame:
    """One row per visit or visitor, with the segment, the contents seen, and the outcome."""
    rows = (
        visits.filter(pl.col("at_risk") & ~pl.col("censored"))
        .join(segments, on="anonymous_id", how="left")
        .select("anonymous_id", pl.col(_SEGMENT).fill_null(NOT_SET), "requested_demo", *contents)
    )
    return rows if per == "visit" else rows.group_by("anonymous_id", _SEGMENT).agg(pl.all().any())


def _counted(rows: pl.DataFrame, contents: Mapping[str, str]) -> pl.DataFrame:
    """Counts by segment and content."""
    # Aggregated before unpivoting: one row per visit and content would take far more memory.
    totals = rows.group_by(_SEGMENT, "requested_demo").agg(pl.len().alias("total: "), pl.col(list(contents)).sum())
    requested, seen, total = pl.col("requested_demo"), pl.col("seen"), pl.col("total: ")
    return (
        totals.unpivot(index=[_SEGMENT, "requested_demo", "total: "], variable_name="content", value_name="seen")
        .with_columns(pl.col("content").replace(dict(contents)), seen.cast(pl.Int64), total.cast(pl.Int64))
        .group_by(_SEGMENT, "content")
        .agg(
            seen.sum().alias("n_seen"),
            seen.filter(requested).sum().alias("converted_seen"),
            (total - seen).sum().alias("n_unseen"),
            (total - seen).filter(requested).sum().alias("converted_unseen"),
        )
    )


def _with_rates(counts: pl.DataFrame, level: float) -> pl.DataFrame:
    for which in ("seen", "unseen"):
        rate = rate_with_interval(f"converted_{which}", f"n_{which}", f"conversion_{which}", level)
        counts = counts.with_columns(rate).unnest("rates")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    a, c = pl.col("converted_seen"), pl.col("converted_unseen")
    b, d = pl.col("n_seen") - a, pl.col("n_unseen") - c
    log_ratio, error = (a * d / (b * c)).log(), (1 / a + 1 / b + 1 / c + 1 / d).sqrt()
    bounds = {"odds_ratio": 0.0, "odds_ratio_low": -z, "odds_ratio_high": z}
    # With a count of 0, the ratio or its standard error is infinite.
    usable = pl.min_horizontal(a, b, c, d) > 0
    return counts.with_columns(pl.when(usable).then((log_ratio + k * error).exp()).alias(n) for n, k in bounds.items())


def _tests(conversion: pl.DataFrame) -> pl.DataFrame:
    results = [
        {
            "content": content,
            **vars(homogeneity_of_odds_ratios(*(counts[n].cast(pl.Float64).to_numpy() for n in _COUNTS))),
        }
        for (content,), counts in conversion.group_by("content", maintain_order=True)
    ]
    table = pl.DataFrame(results, schema={name: dtype for name, dtype in TEST_SCHEMA.items() if name != "p_adjusted"})
    adjusted = holm(table["p_value"].fill_null(float("nan")).to_numpy())
    table = table.with_columns(p_adjusted=pl.Series(adjusted, dtype=pl.Float64).fill_nan(None))
    return table.select(TEST_SCHEMA.names()).sort("p_value", "content", nulls_last=True)
