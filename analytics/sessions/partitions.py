"""Events partitioned by person, to analyse more of them than fit into memory."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from analytics.errors import AnalyticsError
from analytics.events.clocks import FARTHEST, Bulk, bulk_of
from analytics.events.enrichment import conform
from analytics.events.event_time import KNOWN_ARRIVAL, event_times
from analytics.events.identifiers import identifiers, in_doubt
from analytics.events.server_side import sent_by_channel
from analytics.events.tracking_plan import EVENT_SCHEMA, UTC_MS
from analytics.sessions.persons import identifiers_seen_together, join_somebody, keys_of_members
from analytics.sessions.timeline import VISITOR_COLUMNS

# Most bytes of an event, and no statistic, signal or dimension reads them.
NOT_ANALYSED: Final = frozenset(
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
ANALYSED_COLUMNS: Final = tuple(name for name in EVENT_SCHEMA if name not in NOT_ANALYSED)
"""Columns of the flat event table that statistics, visits and signals need."""

# Beginning of the names of columns that are dropped again; no column of a table is called so.
_KEY: Final = "key of the person "
PART: Final = f"{_KEY}part"
"""Column with the number of the part."""
_TIME, _ARRIVAL = f"{_KEY}time", f"{_KEY}arrival"
_TIMES: Final = ("original_timestamp", "timestamp", "sent_at", "received_at")


def partitions_by_visitor(
    events: pl.LazyFrame | pl.DataFrame,
    n_parts: int,
    *,
    columns: tuple[str, ...] = ANALYSED_COLUMNS,
    stitch: bool = True,
) -> Iterator[pl.DataFrame]:
    """Partition events so that all events of a person are in one part.

    Parts are read one after another, so only one is in memory. Events on disk are scanned once per part, and once
    before, to see which identifiers are one person's.
    :class:`analytics.statistics.funnel.FunnelStatistics` and :func:`analytics.sessions.visits.visit_table_of_parts`
    give the same results for the parts as for the whole table: impossible clocks (see :mod:`analytics.events.clocks`)
    are in no part, and are warned of.

    Args:
        events: Flat events, in any order, such as ``polars.scan_parquet("run/events/*.parquet")``.
        n_parts: Number of parts, at least 1; some may be empty.
        columns: Columns to read, if present.
        stitch: Whether browsers and user ids of one person are kept together; see
            :func:`analytics.sessions.identity.stitch`.

    Raises:
        AnalyticsError: ``n_parts`` is below 1, or the events have no column of visitors.
    """
    frame = events.lazy()
    parts = PartsByPerson.of(frame, n_parts, columns=columns, stitch=stitch)
    if parts.n_impossible:
        warnings.warn(
            f"{parts.n_impossible:,} events are in no part: a wrong clock must have set their times", stacklevel=2
        )
    for number in range(n_parts):
        yield parts.numbered(frame).filter(pl.col(PART) == number).drop(PART).collect(engine="streaming")


@dataclass(frozen=True, eq=False)
class PartsByPerson:
    """In which part each event is, so that all events of a person are in one.

    Args:
        names: Columns of the events.
        columns: Columns to keep, if present.
        n_parts: Number of parts.
        n_impossible: Events of impossible clocks, which are in no part.
        bulk: Which these are; None where there are none.
        doubtful: Columns of identifiers with texts that stand for nobody.
        persons: By column of identifiers, the key of the person of those that are one person's with others.
    """

    names: Sequence[str]
    columns: Sequence[str]
    n_parts: int
    n_impossible: int
    bulk: Bulk | None
    doubtful: Sequence[str]
    persons: Mapping[str, pl.DataFrame]

    @classmethod
    def of(cls, frame: pl.LazyFrame, n_parts: int, *, columns: Sequence[str], stitch: bool) -> PartsByPerson:
        """Look through all events; the arguments are those of :func:`partitions_by_visitor`.

        Raises:
            AnalyticsError: ``n_parts`` is below 1, or the events have no column of visitors.
        """
        if n_parts < 1:
            raise AnalyticsError(f"n_parts: must be at least 1 (got {n_parts})")
        names = frame.collect_schema().names()
        found = [name for name in VISITOR_COLUMNS if name in names]
        if not found:
            raise AnalyticsError(
                f"the events have none of the columns {', '.join(VISITOR_COLUMNS)}, which identify visitors"
            )
        bulk, n_impossible = _impossible(frame, names)
        # Texts that stand for nobody are rare, and to look for them once costs less than to do so in every part.
        texts = frame.select(pl.col(name).cast(pl.String) for name in found)
        doubtful = texts.select(in_doubt(name).any() for name in found).collect(engine="streaming").row(0, named=True)
        seen = identifiers_seen_together(frame) if stitch else None
        persons = keys_of_members(seen) if seen is not None and join_somebody(seen) else {}
        return cls(names, columns, n_parts, n_impossible, bulk, [name for name in found if doubtful[name]], persons)

    def numbered(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """All or some of the events with the number of their part, from 0, in the column :data:`PART`."""
        found = [name for name in VISITOR_COLUMNS if name in self.names]
        if self.bulk is not None:
            frame = frame.with_columns(_times(self.names))
            frame = frame.filter(~self.bulk.impossible(pl.col(_TIME), pl.col(_ARRIVAL)))
        keyed = frame.with_columns(pl.col(name).cast(pl.String).alias(f"{_KEY}{name}") for name in found)
        keyed = keyed.with_columns(identifiers(f"{_KEY}{name}") for name in self.doubtful)
        for name, table in self.persons.items():
            if name in found:
                person = table.rename({name: f"{_KEY}{name}", "key": f"{_KEY}person of {name}"})
                keyed = keyed.join(person.lazy(), on=f"{_KEY}{name}", how="left", maintain_order="left")
        # The browser first: where it is known, its person is also that of the user.
        kinds = ("person of ", "") if self.persons else ("",)
        key = pl.coalesce(f"{_KEY}{kind}{name}" for name in found for kind in kinds)
        # No result depends on which part a person is in, so the hash may differ between versions of Polars.
        part = (key.hash() % self.n_parts).alias(PART)
        kept = [pl.col(name) for name in self.names if name in self.columns]
        if "extra" in self.names and "extra" not in self.columns:
            # Of all that, visits need to know only whether a server sent the event.
            kept.append(sent_by_channel().alias("extra"))
        return keyed.select(*kept, part)


def _impossible(frame: pl.LazyFrame, names: Sequence[str]) -> tuple[Bulk | None, int]:
    """What tells the events of impossible clocks, and how many there are."""
    timed = frame.with_columns(_times(names))
    time, arrival = pl.col(_TIME), pl.col(_ARRIVAL)
    in_no_year = Bulk().impossible(time, arrival)
    seen = timed.select(time.min(), span=time.max() - time.min(), n=in_no_year.sum())
    first, span, n = seen.collect(engine="streaming").row(0)
    # Nearly always, so that only the times are read, and none is kept.
    if first is None or not (n or span > FARTHEST):
        return None, 0
    who = [pl.col(name) if name in names else pl.lit(None, pl.String).alias(name) for name in VISITOR_COLUMNS]
    facts = timed.select(time.alias("event_time"), arrival, *who).collect(engine="streaming")
    bulk = bulk_of(facts, arrival)
    return bulk, int(facts.select(bulk.impossible(arrival=arrival).sum()).item())


def _times(names: Sequence[str]) -> list[pl.Expr]:
    """The time of each event and its arrival, whatever the types of the columns that show them."""
    given = pl.struct(name for name in ("event_time", *_TIMES) if name in names)

    def read(times: pl.Series) -> pl.Series:
        found = times.struct.unnest()
        flat = conform(found, strict=False)
        counted = found["event_time"].cast(UTC_MS) if "event_time" in found.columns else event_times(flat)
        return pl.DataFrame({_TIME: counted, _ARRIVAL: flat.select(KNOWN_ARRIVAL).to_series()}).to_struct()

    read_times = given.map_batches(read, pl.Struct({_TIME: UTC_MS, _ARRIVAL: UTC_MS}), is_elementwise=True)
    return [read_times.struct.field(name) for name in (_TIME, _ARRIVAL)]


class ChangedParts:
    """Parts of events, each changed as it is read; they can be read again and again.

    Args:
        parts: The parts.
        change: Changes one.
    """

    def __init__(self, parts: Iterable[pl.DataFrame], change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        self._parts, self._change = parts, change

    def __iter__(self) -> Iterator[pl.DataFrame]:
        return map(self._change, self._parts)
