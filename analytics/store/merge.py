"""Merging stores that took parts of one stream, in any order, and a digest that is equal for equal states.

Of deliveries with one identifier the earliest arrival is the first, whichever store it came to; of two that arrived in
the same millisecond, the order of their contents decides. The others are counted again, as duplicates of the first or
as conflicts with it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from analytics.io.ndjson import encode
from analytics.store.counts import StoreCounters
from analytics.store.deliveries import REDELIVERIES_SCHEMA, content_hashes, contents

_HOUR: Final = pl.col("event_time").dt.truncate("1h").dt.epoch("ms").alias("hour")

# The columns after the arrival settle ties in the same way whichever store comes first.
_BY_ARRIVAL: Final = ("message_id", "received_at", "event_time", "body", "sent_at", "timestamp")


@dataclass(frozen=True, eq=False)
class StoreContents:
    """The events, redeliveries and counts of a store, from some hour on.

    Args:
        events: Accepted events, flat, with their ``event_time``; no identifier twice.
        redeliveries: See :meth:`analytics.store.deliveries.Redeliveries.table`.
        counters: Counts of the whole stream, also of hours that have left.
    """

    events: pl.DataFrame
    redeliveries: pl.DataFrame
    counters: StoreCounters


def merge_contents(one: StoreContents, other: StoreContents) -> StoreContents:
    """Merge the contents of two stores from the same hour on; commutative and associative."""
    events = pl.concat([one.events, other.events])
    is_contested = events["message_id"].is_duplicated()
    counters = one.counters + other.counters
    # The usual case, a stream divided by visitor: nothing need be judged again.
    if not is_contested.any():
        return StoreContents(events, pl.concat([one.redeliveries, other.redeliveries]), counters)
    contested = events["message_id"].filter(is_contested).implode()
    mine, theirs = (_candidates(contents.events, contested) for contents in (one, other))
    candidates = pl.concat([mine, theirs]).sort(_BY_ARRIVAL, nulls_last=True)
    is_first = candidates["message_id"].is_first_distinct()
    firsts, others = candidates.filter(is_first), candidates.filter(~is_first)
    before = _redelivered(one.redeliveries, mine), _redelivered(other.redeliveries, theirs)
    redeliveries = _joined([one.redeliveries, other.redeliveries], firsts, others)
    after = _redelivered(redeliveries, firsts)
    kept = pl.concat([events.filter(~is_contested), firsts.select(events.columns)])
    moved = [now - sum(then) for now, *then in zip(after, *before, strict=True)]
    return StoreContents(kept, redeliveries, _corrected(counters, others, *moved))


def _candidates(events: pl.DataFrame, contested: pl.Series) -> pl.DataFrame:
    """The events with these identifiers, with hashes of identifier and content, and their hour."""
    found = events.filter(pl.col("message_id").is_in(contested)).with_columns(id=pl.col("message_id").hash())
    return found.with_columns(_HOUR, content_hashes(contents(found)))


def _redelivered(redeliveries: pl.DataFrame, firsts: pl.DataFrame) -> tuple[int, int]:
    """How many redeliveries are duplicates of these events, and how many conflict with them."""
    known = redeliveries.join(firsts.select("id", first="body"), on="id")
    n_same = int(known.filter(pl.col("body") == pl.col("first"))["n"].sum())
    return n_same, int(known["n"].sum()) - n_same


def _joined(redeliveries: list[pl.DataFrame], firsts: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """All redeliveries, with the accepted events that were not the first, each in the hour of the first."""
    again = others.select("id", "body", "hour", n=pl.lit(1, pl.UInt32()))
    hours = firsts.select("id", first_hour="hour")
    joined = pl.concat([*redeliveries, again]).join(hours, on="id", how="left")
    return joined.with_columns(hour=pl.coalesce("first_hour", "hour")).select(REDELIVERIES_SCHEMA.names())


def _corrected(counters: StoreCounters, others: pl.DataFrame, n_duplicate: int, n_conflict: int) -> StoreCounters:
    """Move accepted events that were not the first to the duplicates and conflicts."""
    counts = counters.counts
    counts = replace(
        counts,
        accepted=counts.accepted - others.height,
        duplicate=counts.duplicate + n_duplicate,
        conflict=counts.conflict + n_conflict,
    )
    not_first = Counter(dict(others["type"].cast(pl.String).value_counts().iter_rows()))
    return replace(counters, counts=counts, accepted_by_type=counters.accepted_by_type - not_first)


# Rows of small hours written at once: one line takes as long to write as a thousand.
_ENOUGH: Final = 25_000


def state_digest(
    facts: Mapping[str, int | None], counters: StoreCounters, redeliveries: pl.DataFrame, hours: Iterable[pl.DataFrame]
) -> str:
    """Sha256 of a store's state, 64 hexadecimal digits; the same in every process that has the same Polars.

    Args:
        facts: Settings and times of the store.
        counters: Its counts.
        redeliveries: See :meth:`analytics.store.deliveries.Redeliveries.since`.
        hours: The events of each hour, in their order.
    """
    about, times, lines = (hashlib.sha256() for _ in range(3))
    about.update(json.dumps([facts, counters.to_dict()], sort_keys=True).encode())
    about.update(redeliveries.write_csv().encode())
    for events in _joined_hours(hours):
        # Event times apart: the lines hold the times as claimed. Little-endian, on whatever machine.
        times.update(events["event_time"].dt.epoch("ms").to_numpy().astype("<i8").tobytes())
        lines.update(encode(events))
    return hashlib.sha256(b"".join(each.digest() for each in (about, times, lines))).hexdigest()


def _joined_hours(hours: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Join small hours."""
    waiting: list[pl.DataFrame] = []
    for events in hours:
        waiting.append(events)
        if sum(each.height for each in waiting) >= _ENOUGH:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)
