"""Merging what stores hold that took parts of one stream, so that the order of merging does not matter.

Of deliveries with one identifier the earliest arrival is the first, whichever store it came to; where two arrived in
the same millisecond, an order by what they say settles it. The others are counted anew, as duplicates of the first or
as conflicts with it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from analytics.deliveries import said
from analytics.repeats import bodies
from analytics.store_counts import Tallies

__all__ = ["Held", "united"]

_HOUR: Final = pl.col("event_time").dt.truncate("1h").dt.epoch("ms").alias("hour")
_BY_ARRIVAL: Final = ("message_id", "received_at", "event_time", "body", "sent_at", "timestamp")
_REPEATED: Final = ("id", "body", "hour", "n")


@dataclass(frozen=True, eq=False)
class Held:
    """What a store holds of the hours of a window.

    Args:
        events: Accepted events, flat, with their ``event_time``; no identifier twice.
        repeats: Deliveries that came again; see :class:`analytics.repeats.Repeats`.
        tallies: What the store has counted, also of hours that have left.
    """

    events: pl.DataFrame
    repeats: pl.DataFrame
    tallies: Tallies


def united(one: Held, other: Held) -> Held:
    """Merge what two stores hold of the same window. It is commutative, and associative."""
    events = pl.concat([one.events, other.events])
    is_contested = events["message_id"].is_duplicated()
    tallies = one.tallies + other.tallies
    if not is_contested.any():
        return Held(events, pl.concat([one.repeats, other.repeats]), tallies)
    contested = events["message_id"].filter(is_contested).implode()
    mine, theirs = (_claims(held.events, contested) for held in (one, other))
    claims = pl.concat([mine, theirs]).sort(_BY_ARRIVAL, nulls_last=True)
    is_first = claims["message_id"].is_first_distinct()
    firsts, others = claims.filter(is_first), claims.filter(~is_first)
    before = _judged(one.repeats, mine), _judged(other.repeats, theirs)
    repeats = _joined([one.repeats, other.repeats], firsts, others)
    after = _judged(repeats, firsts)
    kept = pl.concat([events.filter(~is_contested), firsts.select(events.columns)])
    moved = [now - sum(then) for now, *then in zip(after, *before, strict=True)]
    return Held(kept, repeats, _recounted(tallies, others, *moved))


def _claims(events: pl.DataFrame, contested: pl.Series) -> pl.DataFrame:
    """The events with these identifiers, with hashes of identifier and body, and their hour."""
    claims = events.filter(pl.col("message_id").is_in(contested)).with_columns(id=pl.col("message_id").hash())
    return claims.with_columns(_HOUR, bodies(said(claims)))


def _judged(repeats: pl.DataFrame, firsts: pl.DataFrame) -> tuple[int, int]:
    """How many duplicates and conflicts of these events came again."""
    known = repeats.join(firsts.select("id", first="body"), on="id")
    n_same = int(known.filter(pl.col("body") == pl.col("first"))["n"].sum())
    return n_same, int(known["n"].sum()) - n_same


def _joined(repeats: list[pl.DataFrame], firsts: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """All that repeats something, the accepted events that were no firsts too, in the hour of the first."""
    again = others.select("id", "body", "hour", n=pl.lit(1, pl.UInt32()))
    hours = firsts.select("id", first_hour="hour")
    joined = pl.concat([*repeats, again]).join(hours, on="id", how="left")
    return joined.with_columns(hour=pl.coalesce("first_hour", "hour")).select(_REPEATED)


def _recounted(tallies: Tallies, others: pl.DataFrame, n_duplicate: int, n_conflict: int) -> Tallies:
    """Take what is not accepted after all off the counts, and move it to duplicates and conflicts."""
    counts = tallies.counts
    counts = replace(
        counts,
        accepted=counts.accepted - others.height,
        duplicate=counts.duplicate + n_duplicate,
        conflict=counts.conflict + n_conflict,
    )
    lost = Counter(dict(others["type"].cast(pl.String).value_counts().iter_rows()))
    return replace(tallies, counts=counts, accepted_by_type=tallies.accepted_by_type - lost)
