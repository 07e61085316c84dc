"""Visits: which events of a visitor belong together, and what was known of the visitor at the end of each visit.

A visit (session) is a run of client-side events with no gap longer than the idle time-out. :func:`assign_visits`
numbers the visits of every event; :func:`visit_table` has one row per visit, with the signals so far and the outcome:
the person-period table on which the logit of the intent model is fitted.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import polars as pl

from analytics.enrichment import DERIVED_SCHEMA, enrich
from analytics.events import EVENT_SCHEMA, SERVER_SIDE_EVENTS, CallType, EventName
from analytics.signal_values import gathered, known, shown, values
from analytics.signals import IDLE_MINUTES, SIGNALS, DemoPer, Signal, visit_schema

__all__ = ["assign_visits", "enriched", "timeline", "visit_table"]


def assign_visits(events: pl.DataFrame, *, idle_minutes: float = IDLE_MINUTES) -> pl.DataFrame:
    """Number the visit that each event belongs to.

    A gap of more than the idle time-out between two client-side events opens a new visit; a gap of exactly the time-out
    does not. A server-side event (``Demo Requested``, ``Demo Held``) neither opens nor prolongs a visit: it belongs to
    the visitor's latest visit if that visit's last client-side event is at most the time-out before it, else to none.

    Args:
        events: Flat or enriched events, in any order.
        idle_minutes: Idle time-out, in minutes, greater than 0.

    Returns:
        The enriched events, sorted by visitor, time and given order, with ``visit`` (UInt32, from 1 for each visitor;
        null when the event belongs to none, has no time or no visitor). ``anonymous_id`` falls back to ``user_id``.

    Raises:
        EventFrameError: The table is not a table of events.
        ValueError: The idle time-out is not greater than 0.
    """
    table = enriched(events)
    visits = timeline(table, idle_minutes=idle_minutes).select("order", "visit")
    # Sorting three narrow columns and then gathering is cheaper than sorting the wide table by its texts.
    placed = (
        pl.DataFrame({"visitor": _visitors(table), "event_time": table["event_time"]})
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
    demo_per: DemoPer = "account",
) -> pl.DataFrame:
    """Rebuild the person-period table: one row per visit, the visitor's signals so far, and the outcome.

    A signal counts every event of the visitor up to the end of the visit. In the visit that ends in the visitor's first
    demo request only what happened strictly before the request counts, page views included: what is seen afterwards
    cannot have led to it. Whatever happened in that visit after the request counts for the visits that follow.

    Where an account asks for one demo, its people ask no more once one of them has: visits whose last page view is at
    its first request or later cannot end in another, and are not at risk. Were they left in, what is common in large
    accounts would seem to keep people from asking. The dwell on the last page leaves no event, so a visit whose
    decision fell after a colleague's request but whose last page view lay before it counts as at risk: some minutes'
    worth of visits in each account, which is negligible.

    Args:
        events: Flat or enriched events, in any order. Events without a time or a visitor are left out.
        observed_until: When observation stopped; the time of the latest event unless given. A naive time is UTC.
        signals: Signals to read off the events, in the order of their columns.
        idle_minutes: Idle time-out, in minutes, greater than 0.
        include_bots: Keep the events of programs.
        demo_per: Who asks for one demo at most: ``account``, every visitor for their whole account, which is the first
            known of them, or ``visitor``, each for themselves.

    Returns:
        Table with the columns of :func:`analytics.signals.visit_schema`, ordered by start, visitor and visit. A visit
        without a page view (before the request, where there is one) has no row.

    Raises:
        EventFrameError: The table is not a table of events.
        ValueError: The idle time-out is not greater than 0, or ``demo_per`` is neither.
    """
    idle = _idle(idle_minutes)
    if demo_per not in get_args(DemoPer):
        raise ValueError(f"demo_per: must be one of {', '.join(get_args(DemoPer))} (got {demo_per!r})")
    table = enriched(events)
    until = _utc(observed_until) if observed_until is not None else table["event_time"].max()
    if not include_bots:
        table = table.filter(~pl.col("is_bot"))
    line = _with_visits(_facts(table, signals).lazy(), idle).collect()
    return _rows(line, signals, pl.lit(until, dtype=DERIVED_SCHEMA["event_time"]), idle, demo_per)


def timeline(table: pl.DataFrame, *, idle_minutes: float = IDLE_MINUTES) -> pl.DataFrame:
    """Put each visitor's events in order and say what each is: the narrow table that counting needs.

    Args:
        table: Enriched events, in any order.
        idle_minutes: Idle time-out, in minutes, greater than 0.

    Returns:
        One row per event that has a time and a visitor, sorted by ``visitor`` (Enum of the identifiers) and
        ``event_time``, with ``order`` (its row in the table), ``page`` and ``request`` (whether it is a page view or a
        demo request) and ``visit`` (as in :func:`assign_visits`).

    Raises:
        ValueError: The idle time-out is not greater than 0.
    """
    return (
        _with_visits(_facts(table, ()).lazy(), _idle(idle_minutes))
        .select("visitor", "event_time", "order", "page", "request", visit=pl.when("in_visit").then("visit_so_far"))
        .collect()
    )


def enriched(events: pl.DataFrame) -> pl.DataFrame:
    """Give the events their derived columns, unless they have them all already.

    Args:
        events: Flat or enriched events.

    Raises:
        EventFrameError: The table is not a table of events.
    """
    # Enriching twice changes nothing but costs as much as everything else here together.
    wanted = {**EVENT_SCHEMA, **DERIVED_SCHEMA}
    done = all(events.schema.get(name) == dtype for name, dtype in wanted.items())
    return events if done else enrich(events)


def _idle(minutes: float) -> timedelta:
    if not minutes > 0:
        raise ValueError(f"idle_minutes: must be greater than 0 (got {minutes})")
    return timedelta(minutes=minutes)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _visitors(table: pl.DataFrame) -> pl.Series:
    """The visitor of each event: the browser, else the person."""
    keys = table.select(pl.coalesce("anonymous_id", "user_id")).to_series()
    # As an Enum of sorted names a visitor is a small integer that sorts as the name does: six times faster.
    return keys.cast(pl.Enum(keys.drop_nulls().unique().sort()))


def _facts(table: pl.DataFrame, signals: tuple[Signal, ...]) -> pl.DataFrame:
    """What visits are made of, in each visitor's order of time; at equal times the server's events come last."""
    return (
        table.lazy()
        .select(
            "event_time",
            _visitors(table).alias("visitor"),
            pl.int_range(pl.len(), dtype=pl.UInt32).alias("order"),
            pl.col("event").is_in([str(name) for name in SERVER_SIDE_EVENTS]).fill_null(value=False).alias("server"),
            (pl.col("event") == EventName.DEMO_REQUESTED).fill_null(value=False).alias("request"),
            (pl.col("type") == CallType.PAGE).fill_null(value=False).alias("page"),
            pl.col("context_group_id").alias("account"),
            pl.col("context_experiments").cast(pl.String).alias("experiments"),
            *shown(signals),
        )
        .filter(pl.col("event_time").is_not_null() & pl.col("visitor").is_not_null())
        .sort("visitor", "event_time", "server", "order")
        .collect()
    )


def _with_visits(facts: pl.LazyFrame, idle: timedelta) -> pl.LazyFrame:
    """Add ``visit_so_far`` (the visitor's latest visit, 0 before the first) and ``in_visit`` (the event is part of it).

    The table is sorted by visitor and time, so runs and forward fills do what windows over each visitor would, faster.
    """
    client, time, visitor = ~pl.col("server"), pl.col("event_time"), pl.col("visitor").to_physical()
    return (
        facts.with_columns(
            client_time=pl.when(client).then(time).forward_fill(),
            client_visitor=pl.when(client).then(visitor).forward_fill(),
            arrives=_changes(visitor),
        )
        .with_columns(
            newcomer=(visitor != pl.col("client_visitor").shift()).fill_null(value=True),
            gap=time - pl.col("client_time").shift(),
        )
        .with_columns(opens=client & (pl.col("newcomer") | (pl.col("gap") > idle)))
        .with_columns(n_opened=pl.col("opens").cum_sum())
        .with_columns(
            visit_so_far=pl.col("n_opened")
            - pl.when("arrives").then(pl.col("n_opened") - pl.col("opens")).forward_fill()
        )
        .with_columns(
            pl.col("visit_so_far").cast(pl.UInt32),
            in_visit=client | ((pl.col("visit_so_far") > 0) & (time - pl.col("client_time") <= idle)),
        )
        .drop("client_time", "client_visitor", "arrives", "newcomer", "gap", "opens", "n_opened")
    )


def _changes(column: pl.Expr) -> pl.Expr:
    """Whether the value is another than in the row above; true in the first row."""
    return (column != column.shift()).fill_null(value=True)


def _first_requests(line: pl.DataFrame) -> pl.DataFrame:
    """One row per visitor who asked: when first, and in which visit (null when in none)."""
    return (
        line.filter("request")
        .unique("visitor", keep="first", maintain_order=True)
        .select("visitor", requested_at="event_time", request_visit=pl.when("in_visit").then("visit_so_far"))
    )


def _first_known(line: pl.DataFrame, column: str) -> pl.LazyFrame:
    """One row per visitor of whom the column says something: what it says first."""
    return (
        line.lazy()
        .filter(pl.col(column).is_not_null())
        .unique("visitor", keep="first", maintain_order=True)
        .select("visitor", column)
    )


def _settled(requests: pl.DataFrame, accounts: pl.LazyFrame, demo_per: DemoPer) -> pl.LazyFrame:
    """One row per account in which somebody asked for all: when first."""
    asked = requests.lazy() if demo_per == "account" else requests.clear().lazy()
    return asked.join(accounts, on="visitor").group_by("account").agg(settled_at=pl.col("requested_at").min())


def _rows(
    line: pl.DataFrame, signals: tuple[Signal, ...], until: pl.Expr, idle: timedelta, demo_per: DemoPer
) -> pl.DataFrame:
    """Gather the line into the rows of the visit table."""
    requests, accounts = _first_requests(line), _first_known(line, "account")
    may_ask = (pl.col("requested_at") >= pl.col("opened_at")).fill_null(value=True)
    unsettled = (pl.col("ended_at") < pl.col("settled_at")).fill_null(value=True)
    return (
        _stretches(line, requests, signals)
        .filter(~pl.col("tail") & (pl.col("n_page_views") > 0))
        .join(requests.lazy(), on="visitor", how="left")
        .join(accounts, on="visitor", how="left")
        .join(_settled(requests, accounts, demo_per), on="account", how="left")
        .join(_first_known(line, "experiments"), on="visitor", how="left")
        .sort("started_at", "visitor", "visit")
        .with_columns(
            pl.col("visitor").cast(pl.String).alias("anonymous_id"),
            *values(signals),
            at_risk=may_ask & unsettled,
            censored=pl.col("ended_at") + idle > until,
            requested_demo=(pl.col("request_visit") == pl.col("visit")).fill_null(value=False),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in visit_schema(signals).items())
        .collect()
    )


def _stretches(line: pl.DataFrame, requests: pl.DataFrame, signals: tuple[Signal, ...]) -> pl.LazyFrame:
    """Gather events into stretches: each visit, and as a stretch of its own (``tail``) whatever follows it.

    The tail holds what the first request cuts off its visit and server-side events outside any visit. It is no row of
    the visit table, but the visits after it have seen it: signals accumulate over stretches in their order.
    """
    after_request = (pl.col("visit_so_far") == pl.col("request_visit")) & (
        pl.col("event_time") >= pl.col("requested_at")
    )
    tail = ~pl.col("in_visit") | after_request.fill_null(value=False)
    page_time = pl.when("page").then("event_time")
    return (
        line.lazy()
        .join(requests.lazy(), on="visitor", how="left", maintain_order="left")
        .with_columns(tail=tail)
        .group_by("visitor", pl.col("visit_so_far").alias("visit"), "tail", maintain_order=True)
        .agg(
            pl.col("event_time").min().alias("opened_at"),
            page_time.min().alias("started_at"),
            page_time.max().alias("ended_at"),
            pl.col("page").sum().alias("n_page_views"),
            *gathered(signals),
        )
        .with_row_index("row")
        .with_columns(first_row=pl.when(_changes(pl.col("visitor").to_physical())).then("row").forward_fill())
        .with_columns(known(signals))
    )
