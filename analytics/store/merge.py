"""Merging stores that took parts of one stream, in any order, and a digest that is equal for equal states.

Of deliveries with one identifier the earliest arrival is the first, whichever store it came to; where two arrived in
the same millisecond, an order by their contents settles it. The others are counted anew, as duplicates of the first or
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
from analytics.store.deliveries import content_hashes, contents

__all__ = ["StoreContents", "merge_contents", "state_digest"]

_HOUR: Final = pl.col("event_time").dt.truncate("1h").dt.epoch("ms").alias("hour")

_BY_ARRIVAL: Final = ("message_id", "received_at", "event_time", "body", "sent_at", "timestamp")

_REPEATED: Final = ("id", "body", "hour", "n")


@dataclass(frozen=True, eq=False)
class StoreContents:
    """What a store holds of the hours of a window.

    Args:
        events: Accepted events, flat, with their ``event_time``; no identifier twice.
        redeliveries: Deliveries that came again; see :class:`analytics.store.deliveries.Redeliveries`.
        counters: What the store has counted, also of hours that have left.
    """

    events: pl.DataFrame
    redeliveries: pl.DataFrame
    counters: StoreCounters


def merge_contents(one: StoreContents, other: StoreContents) -> StoreContents:
    """Merge what two stores hold of the same window. It is commutative, and associative."""
    events = pl.concat([one.events, other.events])
    is_contested = events["message_id"].is_duplicated()
    counters = one.counters + other.counters
    if not is_contested.any():
        return StoreContents(events, pl.concat([one.redeliveries, other.redeliveries]), counters)
    contested = events["message_id"].filter(is_contested).implode()
    mine, theirs = (_claims(held.events, contested) for held in (one, other))
    claims = pl.concat([mine, theirs]).sort(_BY_ARRIVAL, nulls_last=True)
    is_first = claims["message_id"].is_first_distinct()
    firsts, others = claims.filter(is_first), claims.filter(~is_first)
    before = _judged(one.redeliveries, mine), _judged(other.redeliveries, theirs)
    redeliveries = _joined([one.redeliveries, other.redeliveries], firsts, others)
    after = _judged(redeliveries, firsts)
    kept = pl.concat([events.filter(~is_contested), firsts.select(events.columns)])
    moved = [now - sum(then) for now, *then in zip(after, *before, strict=True)]
    return StoreContents(kept, redeliveries, _recounted(counters, others, *moved))


def _claims(events: pl.DataFrame, contested: pl.Series) -> pl.DataFrame:
    """The events with these identifiers, with hashes of identifier and body, and their hour."""
    claims = events.filter(pl.col("message_id").is_in(contested)).with_columns(id=pl.col("message_id").hash())
    return claims.with_columns(_HOUR, content_hashes(contents(claims)))


def _judged(redeliveries: pl.DataFrame, firsts: pl.DataFrame) -> tuple[int, int]:
    """How many duplicates and conflicts of these events came again."""
    known = redeliveries.join(firsts.select("id", first="body"), on="id")
    n_same = int(known.filter(pl.col("body") == pl.col("first"))["n"].sum())
    return n_same, int(known["n"].sum()) - n_same


def _joined(redeliveries: list[pl.DataFrame], firsts: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """All that redeliveries something, the accepted events that were no firsts too, in the hour of the first."""
    again = others.select("id", "body", "hour", n=pl.lit(1, pl.UInt32()))
    hours = firsts.select("id", first_hour="hour")
    joined = pl.concat([*redeliveries, again]).join(hours, on="id", how="left")
    return joined.with_columns(hour=pl.coalesce("first_hour", "hour")).select(_REPEATED)


def _recounted(counters: StoreCounters, others: pl.DataFrame, n_duplicate: int, n_conflict: int) -> StoreCounters:
    """Take what is not accepted after all off the counts, and move it to duplicates and conflicts."""
    counts = counters.counts
    counts = replace(
        counts,
        accepted=counts.accepted - others.height,
        duplicate=counts.duplicate + n_duplicate,
        conflict=counts.conflict + n_conflict,
    )
    lost = Counter(dict(others["type"].cast(pl.String).value_counts().iter_rows()))
    return replace(counters, counts=counts, accepted_by_type=counters.accepted_by_type - lost)


_ENOUGH: Final = 25_000


def state_digest(
    facts: Mapping[str, int | None], counters: StoreCounters, redeliveries: pl.DataFrame, hours: Iterable[pl.DataFrame]
) -> str:
    """Sha256 of a store's state, 64 hexadecimal digits; the same in every process that has the same Polars.

    Args:
        facts: Settings and times of the store.
        counters: What it has counted.
        redeliveries: What came again; see :meth:`analytics.store.deliveries.Redeliveries.since`.
        hours: The events of each hour, in their order.
    """
    about, times, lines = (hashlib.sha256() for _ in range(3))
    about.update(json.dumps([facts, counters.to_dict()], sort_keys=True).encode())
    about.update(redeliveries.write_csv().encode())
    for events in _at_once(hours):
        times.update(events["event_time"].dt.epoch("ms").to_numpy().astype("<i8").tobytes())
        lines.update(encode(events))
    return hashlib.sha256(b"".join(each.digest() for each in (about, times, lines))).hexdigest()


def _at_once(hours: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Put small hours together: to write a line or a thousand takes as long."""
    waiting: list[pl.DataFrame] = []
    for events in hours:
        waiting.append(events)
        if sum(each.height for each in waiting) >= _ENOUGH:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)
