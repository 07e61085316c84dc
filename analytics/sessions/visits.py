"""Visits: assignment of events to visits, and the visit table with the signals at the end of each visit.

A visit (session) is a run of client-side events with no gap longer than the idle time-out. :func:`assign_visits`
numbers the visits of every event; :func:`visit_table` has one row per visit, with the signals so far and the outcome:
the person-period table on which the logit of the intent model is fitted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, get_args

import polars as pl

from analytics.events.clocks import without_impossible
from analytics.events.times import in_utc
from analytics.events.tracking_plan import UTC_MS, refuse_uncountable
from analytics.sessions.forms import FORM_CALLS, after_form
from analytics.sessions.identity import stitched
from analytics.sessions.timeline import VISITOR, changes, countable, enriched, first_known, idle_time, timeline
from analytics.signals.definitions import IDLE_MINUTES, SIGNALS, ConversionUnit, Signal, visit_schema
from analytics.signals.expressions import gathered, known, known_columns, shown, so_far, values

IS_HUMAN: Final = ~pl.col("is_bot")
"""Whether an event is of a person."""


def assign_visits(events: pl.DataFrame, *, idle_minutes: float = IDLE_MINUTES, stitch: bool = True) -> pl.DataFrame:
    """Assign each event to a visit.

    A gap of more than the idle time-out between two client-side events opens a new visit; a gap of exactly the time-out
    does not. An event more than :data:`analytics.sessions.timeline.MAX_VISIT` after its visit's first opens one too;
    midnight does not. Visits depend on the events given: a late event may join two visits into one.

    A server-side event (``Demo Requested``, ``Demo Held``) neither opens nor prolongs a visit: it belongs to the
    visitor's latest visit if that visit's last client-side event is at most the time-out before it, else to none.

    Args:
        events: Flat or enriched events, in any order.
        idle_minutes: Idle time-out, in minutes, greater than 0.
        stitch: Whether visitors are persons, as of :func:`analytics.sessions.identity.stitch`, or browsers.

    Returns:
        The enriched events, sorted by visitor, time and given order, with ``visit`` (UInt32, from 1 for each visitor;
        null if the event is in no visit, or has no time or visitor). ``anonymous_id`` is the visitor's.

    Raises:
        EventFrameError: The table is not a table of events.
        ValueError: The idle time-out is not greater than 0.
    """
    table = _of_visitors(events, stitch=stitch)
    line = timeline(table, idle_minutes=idle_minutes)
    visits = line.select("order", visit=pl.when("in_visit").then("visit_so_far"))
    visitors = table.select(VISITOR).to_series()
    # Sorting three narrow columns and then gathering is cheaper than sorting the wide table by strings. An Enum of
    # sorted names sorts like the names.
    placed = (
        pl.DataFrame({"visitor": visitors.cast(pl.Enum(visitors.drop_nulls().unique().sort()))})
        .with_columns(table["event_time"])
        .with_row_index("order")
        .join(visits, on="order", how="left", maintain_order="left")
        .sort("visitor", "event_time", "order", nulls_last=True)
    )
    return table[placed["order"]].with_columns(placed["visitor"].cast(pl.String).alias("anonymous_id"), placed["visit"])


def visit_table(
    events: pl.DataFrame,
    *,
    observed_until: datetime | None = None,
    signals: tuple[Signal, ...] = SIGNALS,
    idle_minutes: float = IDLE_MINUTES,
    include_bots: bool = False,
    conversion_unit: ConversionUnit = "account",
    stitch: bool = True,
) -> pl.DataFrame:
    """Return the person-period table: one row per visit, with the visitor's signals so far and the outcome.

    A signal counts every event of the visitor up to the last browser event of the visit. In the visit that ends in the
    visitor's first demo request only what happened strictly before the request counts, page views included: what is
    seen afterwards cannot be its cause. Events of that visit after the request count for later visits.

    An ``identify`` call, and the address it gives, belongs to the form whose track call follows it: if the visitor's
    next track call comes within 30 seconds and is the demo request, it counts as a part of the request, not as a signal
    before it, and ``group`` and ``alias`` calls likewise; unless it follows another track call as closely. Many sites
    identify the visitor when the demo form is sent, a moment before they track the request: the address would be known
    of those who requested only.

    So does a server-side event after the last browser event, though :func:`assign_visits` counts it in the visit: the
    visitor may have decided before it. Events do not show when somebody decided not to request a demo, so the limit is
    the same in visits with a request, even if the event precedes the request.

    With ``conversion_unit="account"``, an account requests one demo: visits whose last page view is at or after its
    first request are not at risk. If they were included, signals that are common in large accounts would seem to
    prevent requests. The dwell time on the last page leaves no event. So a visit whose decision came after a
    colleague's request, but whose last page view came before, counts as at risk; this error is negligible.

    Args:
        events: Flat or enriched events, in any order. Events without a time or a visitor are ignored, and so are
            impossible clocks; see :mod:`analytics.events.clocks`.
        observed_until: When observation stopped; the time of the latest event unless given. A naive time is UTC.
        signals: Signals, in the order of their columns.
        idle_minutes: Idle time-out, in minutes, greater than 0.
        include_bots: Keep the events of bots.
        conversion_unit: Who requests one demo at most: ``account``, all visitors of an account together (a visitor's
            account is the first that is known), or ``visitor``.
        stitch: Whether visitors are persons, as of :func:`analytics.sessions.identity.stitch`, or browsers.

    Returns:
        Table with the columns of :func:`analytics.signals.definitions.visit_schema`, ordered by start, visitor and
        visit. A visit without a page view (before the request, where there is one) has no row.

    Raises:
        EventFrameError: The table is not a table of events.
        ValueError: The idle time-out is not greater than 0, or ``conversion_unit`` is neither.
    """
    return visit_table_of_parts(
        [without_impossible(countable(events))[0]],
        observed_until=observed_until,
        signals=signals,
        idle_minutes=idle_minutes,
        include_bots=include_bots,
        conversion_unit=conversion_unit,
        stitch=stitch,
    )


def begins_in(window: tuple[datetime, datetime]) -> pl.Expr:
    """Whether a visit begins in a window, its end excluded."""
    begin, end = (pl.lit(moment, dtype=UTC_MS) for moment in window)
    return pl.col("started_at").is_between(begin, end, closed="left")


def visit_table_of_parts(
    parts: Iterable[pl.DataFrame],
    *,
    observed_until: datetime | None = None,
    signals: tuple[Signal, ...] = SIGNALS,
    idle_minutes: float = IDLE_MINUTES,
    include_bots: bool = False,
    conversion_unit: ConversionUnit = "account",
    stitch: bool = True,
) -> pl.DataFrame:
    """Return the person-period table of events in parts, with all events of a person in one part.

    An account's first request and the end of observation are computed over all parts, so the table equals that of all
    events at once, row for row.

    Args:
        parts: Flat or enriched events, as of :func:`analytics.sessions.partitions.partitions_by_visitor`; one part at
            a time is held in memory. At least one, which may be empty. Of impossible clocks only those in impossible
            years are known in parts; ``partitions_by_visitor`` leaves out the others before.
        observed_until: As in :func:`visit_table`, and so are the other arguments.
        signals: Signals, in the order of their columns.
        idle_minutes: Idle time-out, in minutes, greater than 0.
        include_bots: Keep the events of bots.
        conversion_unit: Who requests one demo at most.
        stitch: Whether visitors are persons, as of :func:`analytics.sessions.identity.stitch`, or browsers.

    Raises:
        EventFrameError: A part is not a table of events.
        ValueError: The idle time-out is not greater than 0, or ``conversion_unit`` is neither.
    """
    idle_time(idle_minutes)
    if conversion_unit not in get_args(ConversionUnit):
        raise ValueError(
            f"conversion_unit: must be one of {', '.join(get_args(ConversionUnit))} (got {conversion_unit!r})"
        )
    where = None if include_bots else IS_HUMAN
    tables = (without_impossible(_of_visitors(part, stitch=stitch), by_year=True)[0] for part in parts)
    read = [read_visits(table, signals, idle_minutes=idle_minutes, where=where) for table in tables]
    rows = pl.concat([part.rows for part in read]).lazy()
    settled = Settled.of(read)
    finished = settled.finish(rows, signals, observed_until, idle_minutes=idle_minutes, conversion_unit=conversion_unit)
    return finished.collect()


@dataclass(frozen=True, eq=False)
class Settled:
    """What of all people decides about the visits of each.

    Args:
        accounts: One row per ``account`` with a request, and the time of its first, ``settled_at``.
        last_time: Time of the latest event.
    """

    accounts: pl.DataFrame
    last_time: datetime | None

    @classmethod
    def of(cls, parts: Sequence[PartVisits]) -> Settled:
        """Add up what is known of the parts."""
        # The first request of an account may be in another part than the visits that it settles.
        accounts = pl.concat([part.settled for part in parts]).group_by("account").agg(pl.col("settled_at").min())
        return cls(accounts, max((part.last_time for part in parts if part.last_time), default=None))

    def finish(
        self,
        rows: pl.LazyFrame,
        signals: tuple[Signal, ...],
        observed_until: datetime | None = None,
        *,
        idle_minutes: float = IDLE_MINUTES,
        conversion_unit: ConversionUnit = "account",
    ) -> pl.LazyFrame:
        """Return the visit table of the rows of some or all parts.

        Args:
            rows: Of :class:`PartVisits`.
            signals: Those for which the rows were made.
            observed_until: As in :func:`visit_table`, and so are the other arguments.
            idle_minutes: Idle time-out of a visit, in minutes, greater than 0.
            conversion_unit: Who requests one demo at most.
        """
        until = in_utc(observed_until) or self.last_time
        # No request of a colleague settles anything for visitors.
        settled = self.accounts.clear() if conversion_unit == "visitor" else self.accounts
        unsettled = (pl.col("ended_at") < pl.col("settled_at")).fill_null(value=True)
        ends = pl.col("ended_at") + idle_time(idle_minutes)
        return (
            rows.join(settled.lazy(), on="account", how="left")
            .with_columns(at_risk=pl.col("at_risk") & unsettled, censored=ends > pl.lit(until, dtype=UTC_MS))
            .sort("started_at", "anonymous_id", "visit")
            # The last digit of a logarithm depends on its position in the column (SIMD), so it is computed at the end.
            .with_columns(values(signals))
            .select(pl.col(name).cast(dtype) for name, dtype in visit_schema(signals).items())
        )


@dataclass(frozen=True, eq=False)
class PartVisits:
    """The visit table of a part of the visitors, as far as it does not depend on others.

    Args:
        rows: The visit table without ``censored``, with raw signals instead of their values; ``at_risk`` does not yet
            consider colleagues.
        settled: One row per ``account`` with a request for all its visitors, and the time of the first, ``settled_at``.
        last_time: Time of the latest event.
    """

    rows: pl.DataFrame
    settled: pl.DataFrame
    last_time: datetime | None


def _of_visitors(events: pl.DataFrame, *, stitch: bool) -> pl.DataFrame:
    refuse_uncountable(events)
    return stitched(events) if stitch else enriched(events)


def read_visits(
    table: pl.DataFrame,
    signals: tuple[Signal, ...],
    *,
    idle_minutes: float = IDLE_MINUTES,
    where: pl.Expr | None = IS_HUMAN,
) -> PartVisits:
    """Return the visits of some people, as far as they do not depend on others.

    Args:
        table: Enriched events, all of a person or none.
        signals: Signals, in the order of their columns.
        idle_minutes: Idle time-out of a visit, in minutes, greater than 0.
        where: Events to keep; those of people unless given.
    """
    # Bots are left out here, not above: the end of observation is that of all events.
    line = after_form(timeline(table, *shown(signals), *FORM_CALLS, idle_minutes=idle_minutes, where=where))
    requests = _first_requests(line)
    accounts = first_known(line, table["context_group_id"].gather(line["order"]).alias("account"))
    experiments = first_known(line, table["context_experiments"].gather(line["order"]).alias("experiments"))
    return PartVisits(
        rows=_rows(line, signals, requests, accounts, experiments),
        settled=requests.join(accounts, on="visitor").select("account", settled_at="requested_at"),
        last_time=table.select(pl.col("event_time").max()).item(),
    )


def _first_requests(line: pl.DataFrame) -> pl.DataFrame:
    """One row per visitor with a request: time and visit of the first (null if in none)."""
    return (
        line.filter("request")
        .unique("visitor", keep="first", maintain_order=True)
        .select("visitor", requested_at="event_time", request_visit=pl.when("in_visit").then("visit_so_far"))
    )


def _rows(
    line: pl.DataFrame, signals: tuple[Signal, ...], requests: pl.DataFrame, *facts: pl.DataFrame
) -> pl.DataFrame:
    """Aggregate the timeline into the rows of the visit table, with facts of the visitor that have one value each."""
    later = {"censored", *(signal.name for signal in signals)}
    plain = [pl.col(name).cast(dtype) for name, dtype in visit_schema(signals).items() if name not in later]
    rows = _stretches(line, requests, signals).filter(~pl.col("tail") & (pl.col("n_page_views") > 0))
    for known_of_visitor in (requests, *facts):
        rows = rows.join(known_of_visitor.lazy(), on="visitor", how="left")
    return (
        rows.with_columns(
            pl.col("visitor").cast(pl.String).alias("anonymous_id"),
            at_risk=(pl.col("requested_at") >= pl.col("opened_at")).fill_null(value=True),
            requested_demo=(pl.col("request_visit") == pl.col("visit")).fill_null(value=False),
        )
        .select(*plain, *known_columns(signals))
        .collect()
    )


def _stretches(line: pl.DataFrame, requests: pl.DataFrame, signals: tuple[Signal, ...]) -> pl.LazyFrame:
    """Aggregate events into stretches: each visit, and what follows it as a separate stretch (``tail``).

    The tail has the events of a visit after the first request, and server-side events after the last browser event of
    a visit (before the request, where there is one). It is not a row of the visit table, but its events count for
    later visits: signals accumulate over stretches in their order.
    """
    placed = _placed(line, requests)
    # A stretch is a run of rows, so its first and last row define it. A group-by would take longer than the rest of
    # the visit table.
    first = placed.with_columns(pl.col("page_time").backward_fill()).filter("first")
    last = placed.with_columns(pl.col("page_time").forward_fill(), *so_far(signals)).filter(
        pl.col("first").shift(-1, fill_value=True)
    )
    begins = first.select(
        "visitor",
        "tail",
        pl.col("visit_so_far").alias("visit"),
        pl.col("event_time").alias("opened_at"),
        pl.col("page_time").alias("started_at"),
    )
    ends = last.select(
        pl.col("page_time").alias("ended_at"),
        pl.col("n_pages").diff().fill_null(pl.col("n_pages").first()).alias("n_page_views"),
        *gathered(signals),
    )
    arrives = changes(pl.col("visitor").to_physical())
    return (
        pl.concat([begins, ends], how="horizontal")
        .with_row_index("row")
        .with_columns(first_row=pl.when(arrives).then("row").forward_fill())
        .with_columns(known(signals))
    )


def _placed(line: pl.DataFrame, requests: pl.DataFrame) -> pl.LazyFrame:
    """Add to each event whether it is in the ``tail``, and whether it is the ``first`` of its stretch."""
    after_request = (pl.col("visit_so_far") == pl.col("request_visit")) & (
        pl.col("event_time") >= pl.col("requested_at")
    )
    browsing = ~pl.col("server") & ~after_request.fill_null(value=False)
    arrives = changes(pl.col("visitor").to_physical())
    return (
        line.lazy()
        .join(requests.lazy(), on="visitor", how="left", maintain_order="left")
        .with_columns(arrives=arrives, number=(arrives | changes(pl.col("visit_so_far"))).cum_sum())
        # Outside the tail, a browser event of the same visit follows, or the event is one.
        .with_columns(tail=(pl.when(browsing).then("number").backward_fill() != pl.col("number")).fill_null(value=True))
        .with_columns(first=changes(pl.col("number")) | changes(pl.col("tail")))
        .with_row_index("row")
        .with_columns(
            since=pl.when("arrives").then("row").forward_fill(),
            page_time=pl.when("page").then("event_time"),
            n_pages=pl.col("page").cum_sum(),
        )
    )
