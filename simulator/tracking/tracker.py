"""The tracker: turns activity records into the events of a tracking library, without loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analytics.events.event_rows import KEYS, OTHERS, DimensionTable, EventRows, Star
from analytics.events.tracking_plan import EVENT_SCHEMA
from simulator.engine.arrays import Integers, Rows, lookup, order_of, sparse_rows
from simulator.engine.clock import Clock
from simulator.settings.world import WorldSettings
from simulator.tracking.activity import IDENTIFY, REQUEST, SUBMIT, VIEW, HourActivity, Records
from simulator.tracking.lookups import ComponentEvent, EventLookups
from simulator.visitors.cohort import hexadecimal
from simulator.world.arrival_sources import Link
from simulator.world.population import Population

TRACKED_SCHEMA = pl.Schema(
    {**EVENT_SCHEMA, "_browser": pl.UInt64(), "_message": pl.Int64(), "_persona": pl.Categorical()}
)
"""Columns of the flat event table, the address of each event (the browser's random word, and the event's number among
those of the visitor), and the visitor's persona, which is never delivered.
"""

_TIMES = ("original_timestamp", "sent_at", "received_at", "timestamp")
# Kind and number share an integer; the address of a fault must not change if this does.
_KIND_SHIFT = 28
_FREE_MAIL = "freemail.example.net"
# IP address blocks reserved for documentation (RFC 5737).
_NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
_ADDRESSES = pl.Series([f"{network}.{host}" for network in _NETWORKS for host in range(256)])


class Tracker:
    """Creates the events of activity.

    Args:
        world: Settings of the world.
        population: Attributes of the visitors.
        clock: Simulated time.
        events: Events of components, in the order of their kinds.
        campaigns: Links of the components' campaigns.
    """

    def __init__(
        self,
        world: WorldSettings,
        population: Population,
        clock: Clock,
        events: Sequence[ComponentEvent] = (),
        campaigns: Sequence[Link] = (),
    ) -> None:
        self._population = population
        self._clock = clock
        self._lookups = EventLookups(world, population, events, campaigns)

    def track(self, hour: HourActivity) -> EventRows:
        """Events of an hour, by time; all columns but the keys are made when somebody asks.

        Events of one millisecond are ordered by cohort, visitor and kind.

        Args:
            hour: Activity of the hour, or of a part of it.
        """
        if not hour:
            return EventRows(EVENT_SCHEMA.to_frame())
        activity = _in_order(hour)
        star = Star(partial(self._others, activity, hour.extras))
        return EventRows(self._keys(activity), [(star, np.arange(len(hour.records), dtype=np.uint32))])

    def with_addresses(self, hour: HourActivity) -> pl.DataFrame:
        """The same events as a table, with their addresses: :data:`TRACKED_SCHEMA`."""
        if not hour:
            return TRACKED_SCHEMA.to_frame()
        activity = _in_order(hour)
        words, visit = activity.visits["words"], activity.visit
        addresses = {
            "_browser": (words[:, 0] + words[:, 1])[visit],
            "_message": (activity.kind.astype(np.int64) << _KIND_SHIFT) | activity.number,
            "_persona": lookup(self._lookups.personas, activity.visits["persona"][visit]),
        }
        star, rows = Star(partial(self._others, activity, hour.extras)), np.arange(len(visit), dtype=np.uint32)
        made = [self._keys(activity), star.columns(OTHERS, rows), pl.DataFrame(addresses)]
        return pl.concat(made, how="horizontal").select(TRACKED_SCHEMA.names())

    def _keys(self, activity: _OrderedActivity) -> pl.DataFrame:
        """The columns by which a store judges and counts events."""
        columns = {
            "type": lookup(self._lookups.of_call["type"], activity.kind),
            "event": lookup(self._lookups.of_track["event"], self._call(activity)),
            "message_id": lookup(activity.browsers, activity.visit) + self._suffixes(activity),
            **dict.fromkeys(_TIMES, self._clock.timestamps(activity.time_ms)),
        }
        return pl.DataFrame([columns[name].alias(name) for name in KEYS])

    def _others(self, activity: _OrderedActivity, extras: tuple[str, ...]) -> list[DimensionTable]:
        """All other columns, as tables of which each event has one row."""
        lookups, page, kind = self._lookups, activity.page, activity.kind
        pages, origins = lookups.n_pages, lookups.n_origins
        on_page = np.where(page >= 0, page, pages)
        lands = activity.origin >= 0
        # Links of campaigns have rows of their own, beyond those of the plain addresses.
        url = np.where(page >= 0, page + (activity.origin + np.int64(1)) * pages, len(lookups.urls) - 1)
        last = len(lookups.referrers) - 1
        previous = np.where(activity.previous_page >= 0, activity.previous_page, last)
        tables: list[tuple[pl.DataFrame | Star, Rows]] = [
            (Star(partial(self._of_visits, activity)), activity.visit),
            (lookups.of_call.drop("type"), kind),
            (lookups.of_page, on_page),
            (lookups.of_view, np.where(kind == VIEW, on_page, pages)),
            (lookups.of_track.drop("event"), self._call(activity)),
            (lookups.of_campaign, np.where(lands, activity.origin, origins)),
            (lookups.urls.to_frame("context_page_url"), url),
            (lookups.referrers.to_frame("context_page_referrer"), np.where(lands, pages + activity.origin, previous)),
            *self._of_people(activity),
        ]
        if extras:
            row = np.where(activity.extra >= 0, activity.extra, len(extras))
            tables.append((pl.DataFrame({"extra": [*extras, None]}), row))
        return _dimension_tables(tables)

    def _call(self, activity: _OrderedActivity) -> Integers:
        """Row of each event in the look-up table of `track` calls."""
        kind, pages = activity.kind, self._lookups.n_pages
        row = np.full(len(kind), self._lookups.of_track.height - 1)
        forms, others = np.flatnonzero(kind == SUBMIT), np.flatnonzero(kind >= REQUEST)
        row[forms] = activity.page[forms]
        row[others] = kind[others] + np.int64(pages - REQUEST)
        return row

    def _of_visits(self, activity: _OrderedActivity) -> list[DimensionTable]:
        """Columns that depend on the browser and its visitor, as tables of which each visit has one row."""
        accounts, visits = self._population.accounts, activity.visits
        account, known = visits["account"], visits["account"] >= 0
        rows = (
            visits["device"],
            visits["country"],
            visits["zone"],
            np.where(known, account, len(accounts.domains)),
            np.where(known, accounts.industry[account], len(accounts.industries)),
            np.where(known, accounts.size[account], len(accounts.sizes)),
            visits["arms"],
        )
        of_browser = zip(self._lookups.of_browser.items(), rows, strict=True)
        return _dimension_tables(
            [
                *((table.to_frame(name), row) for (name, table), row in of_browser),
                (activity.browsers.to_frame("anonymous_id"), np.arange(len(visits))),
                (self._lookups.user_agents.to_frame("context_user_agent"), visits["device"]),
                (_ADDRESSES.to_frame("context_ip"), visits["words"][:, 1] % np.uint64(len(_ADDRESSES))),
            ]
        )

    def _of_people(self, activity: _OrderedActivity) -> list[tuple[pl.DataFrame, Integers]]:
        """Columns that identify the visitor: known to a browser from its first form on, and to the servers always."""
        visits = activity.visits
        # A browser knows its user from the form on; the servers know every requester.
        on_server = self._lookups.on_server[activity.kind]
        is_known = (activity.time_ms >= visits["identified_ms"][activity.visit]) | on_server
        known, mails = np.flatnonzero(is_known), np.flatnonzero(activity.kind == IDENTIFY)
        users = hexadecimal(np.take(visits["person"], activity.visit[known])[:, None])
        mailing = activity.visit[mails]
        named = "visitor-" + lookup(users, np.searchsorted(known, mails))
        private = pl.Series([_FREE_MAIL]).new_from_index(0, len(mails))
        domain = self._population.accounts.domains_of(visits["account"][mailing])
        # Without a company the domain is null and the flag false, so the private address is used.
        domain = domain.zip_with(pl.Series(visits["company_email"][mailing]), private)
        n, nobody = len(is_known), pl.Series([None], dtype=pl.String)
        return [
            (pl.concat(["user-" + users, nobody]).to_frame("user_id"), sparse_rows(n, known)),
            (pl.concat([named + "@" + domain, nobody]).to_frame("email"), sparse_rows(n, mails)),
        ]

    def _suffixes(self, activity: _OrderedActivity) -> pl.Series:
        """Suffix that makes an event's identifier unique within its browser: kind and number of the page view."""
        # Few distinct suffixes: formatting each once is much faster than formatting every row.
        n_numbers = int(activity.number.max(initial=0)) + 1
        table = pl.Series([f"{part}{number}" for part in self._lookups.id_parts for number in range(n_numbers)])
        return lookup(table, activity.kind * np.int32(n_numbers) + activity.number)


@dataclass(frozen=True)
class _OrderedActivity:
    """Activity of an hour in the order of its events; shapes (n,).

    Attributes:
        visits: Visit records of the hour; shape (visits,).
        visit: Visit of each, as a row of ``visits``.
        time_ms, kind, page, previous_page, number, origin, extra: As in
            :data:`simulator.tracking.activity.ACTIVITY_RECORD`, in its small types: all are kept until the events are
            read or forgotten.
    """

    visits: Records
    visit: NDArray[np.uint32]
    time_ms: Integers
    kind: NDArray[np.int8]
    page: NDArray[np.int16]
    previous_page: NDArray[np.int16]
    number: NDArray[np.int32]
    origin: NDArray[np.int16]
    extra: NDArray[np.int32]

    @cached_property
    def browsers(self) -> pl.Series:
        """Identifier of the browser of each visit."""
        return hexadecimal(self.visits["words"])


def _dimension_tables(tables: Sequence[tuple[pl.DataFrame | Star, Rows]]) -> list[DimensionTable]:
    return [DimensionTable(table, row.astype(np.uint32, copy=False)) for table, row in tables]


def _in_order(hour: HourActivity) -> _OrderedActivity:
    """Sort the activity of an hour by time, and within a millisecond by cohort, visitor and kind."""
    visits, records = hour.visits, hour.records
    visit = np.repeat(np.arange(len(visits), dtype=np.uint32), visits["n"])
    order = order_of(records["time_ms"])
    time = records["time_ms"][order]
    is_tie = time[1:] == time[:-1]
    tied = np.flatnonzero(np.append(is_tie, False) | np.append(False, is_tie))
    if len(tied):
        rows = order[tied]
        visitor, cohort = (visits[name][visit[rows]] for name in ("visitor", "cohort"))
        order[tied] = rows[np.lexsort((records["kind"][rows], visitor, cohort, time[tied]))]
    # Column by column: NumPy takes records field by field, and more slowly.
    columns = (records[name][order] for name in ("kind", "page", "previous_page", "number", "origin", "extra"))
    return _OrderedActivity(visits, visit[order], time, *columns)
