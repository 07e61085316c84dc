"""The benchmarks measure what they say: each subject alone, and the same work on both sides."""

from __future__ import annotations

import gc
import weakref

import polars as pl

from analytics.events.enrichment import enrich
from analytics.statistics.funnel import FunnelStatistics
from analytics.statistics.traffic import COUNTS
from benchmarks.counting import four_counts_by_hand
from benchmarks.measuring import Comparison, measure
from benchmarks.world import day_of
from tests.helpers.small_worlds import simulated


class _Rubbish:
    """An object in a circle, which only the collector can free."""

    def __init__(self) -> None:
        self.itself = self


def test_what_a_subject_leaves_behind_is_gone_before_the_next_begins() -> None:
    """A subject that switches the collector off leaves circles of objects; they are freed before the next turn."""
    left: list[weakref.ref[_Rubbish]] = []
    alive_at_start: list[int] = []

    def litters() -> int:
        alive_at_start.append(sum(ref() is not None for ref in left))
        gc.disable()
        left.extend(weakref.ref(_Rubbish()) for _ in range(3))
        return 1

    def neighbour() -> int:
        gc.enable()
        alive_at_start.append(sum(ref() is not None for ref in left))
        return 1

    prepared = Comparison("rubbish", "", "runs", lambda: {"neighbour": neighbour, "litters": litters}, rounds=3)
    try:
        measure(prepared, 3)
    finally:
        gc.enable()
    assert len(alive_at_start) == 8  # a warm-up and three rounds of both
    assert alive_at_start[2:] == [0] * 6


def test_counts_by_hand_are_those_of_the_statistics() -> None:
    """The yardstick of the statistics does the same work: its table is the same, row for row."""
    events = enrich(simulated(day_of(2000.0))[0])
    keys = ["hour", "country", "page_group"]
    as_shown = [pl.col("country", "page_group").cast(pl.String).fill_null("(not set)"), pl.col(COUNTS).cast(pl.Int64)]
    ours = FunnelStatistics(events).hourly(keys[1:]).filter(pl.sum_horizontal(COUNTS) > 0)
    theirs = four_counts_by_hand(events)
    tables = [table.with_columns(as_shown).select(*keys, *COUNTS).sort(keys) for table in (ours, theirs)]
    assert tables[0].equals(tables[1])
    assert ours["demo_requests"].sum() > 0
