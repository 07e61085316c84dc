"""The tracker: turns activity records into the events of a tracking library, without loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
import polars as pl

from analytics.events.event_rows import KEYS, OTHERS, EventRows
from analytics.events.tracking_plan import EVENT_SCHEMA
from simulator.engine.arrays import Integers, lookup, row_numbers, sparse_column
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
_KIND_BITS = 7
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
        keys = self._keys(activity)
        return EventRows(keys, [(partial(self._others, activity, hour.extras), np.arange(keys.height))])

    def with_addresses(self, hour: HourActivity) -> pl.DataFrame:
        """The same events as a table, with their addresses: :data:`TRACKED_SCHEMA`."""
        if not hour:
            return TRACKED_SCHEMA.to_frame()
        activity = _in_order(hour)
        words, visit = activity.visits["words"], activity.visit
        addresses = pl.DataFrame(
            {
                "_browser": (words[:, 0] + words[:, 1])[visit],
                "_message": (activity.kind << _KIND_SHIFT) | activity.number,
                "_persona": lookup(self._lookups.personas, activity.visits["persona"][visit]),
            }
        )
        made = [self._keys(activity), self._others(activity, hour.extras), addresses]
        return pl.concat(made, how="horizontal").select(TRACKED_SCHEMA.names())

    def _keys(self, activity: _OrderedActivity) -> pl.DataFrame:
        """The columns by which a store judges and counts events."""
        browsers = lookup(hexadecimal(activity.visits["words"]), activity.visit)
        columns = {
            **dict.fromkeys(_TIMES, self._clock.timestamps(activity.time_ms)),
            "type": lookup(self._lookups.of_call["type"], activity.kind),
            "event": lookup(self._lookups.of_track["event"], self._call(activity)),
            "message_id": browsers + self._suffixes(activity),
        }
        return _typed(columns, KEYS)

    def _others(
        self, activity: _OrderedActivity, extras: tuple[str, ...], rows: Integers | None = None
    ) -> pl.DataFrame:
        """All other columns, of some rows."""
        some = activity if rows is None or len(rows) == len(activity.visit) else activity.of(rows)
        return _typed(self._browser(some) | self._person(some) | self._page(some) | _extra(some, extras), OTHERS)

    def _call(self, activity: _OrderedActivity) -> Integers:
        """Row of each event in the look-up table of `track` calls."""
        pages, nothing = self._lookups.n_pages, self._lookups.of_track.height - 1
        is_form, is_other = activity.kind == SUBMIT, activity.kind >= REQUEST
        return np.select([is_form, is_other], [activity.page, pages + activity.kind - REQUEST], nothing)

    def _browser(self, activity: _OrderedActivity) -> dict[str, pl.Series]:
        """Columns that depend on the browser and its visitor: looked up once for each visit, then repeated."""
        visits, accounts = activity.visits, self._population.accounts
        account, known = visits["account"], visits["account"] >= 0
        tables = zip(
            self._lookups.of_browser.items(),
            (
                visits["device"],
                visits["country"],
                visits["zone"],
                np.where(known, account, len(accounts.domains)),
                np.where(known, accounts.industry[account], len(accounts.industries)),
                np.where(known, accounts.size[account], len(accounts.sizes)),
                visits["arms"],
            ),
            strict=True,
        )
        words = visits["words"]
        of_visit = pl.DataFrame(
            {
                **{name: lookup(table, rows) for (name, table), rows in tables},
                "anonymous_id": hexadecimal(words),
                "context_user_agent": lookup(self._lookups.user_agents, visits["device"]),
                "context_ip": lookup(_ADDRESSES, (words[:, 1] % np.uint64(len(_ADDRESSES))).astype(np.int64)),
            }
        )
        return of_visit[row_numbers(activity.visit)].to_dict()

    def _person(self, activity: _OrderedActivity) -> dict[str, pl.Series]:
        """Columns that identify the visitor: known to a browser from its first form on, and to the servers always."""
        n, visits = len(activity.time_ms), activity.visits
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
        return {
            "user_id": sparse_column(n, known, "user-" + users),
            "email": sparse_column(n, mails, named + "@" + domain),
        }

    def _page(self, activity: _OrderedActivity) -> dict[str, pl.Series]:
        """Columns that depend on the kind of call, the page, the previous page and the campaign."""
        lookups = self._lookups
        pages, origins = lookups.n_pages, lookups.n_origins
        on_page = np.where(activity.page >= 0, activity.page, pages)
        viewed = np.where(activity.kind == VIEW, on_page, pages)
        lands = activity.origin >= 0
        url = np.where(activity.page >= 0, activity.page + (activity.origin + 1) * pages, len(lookups.urls) - 1)
        last = len(lookups.referrers) - 1
        referrer = np.where(
            lands, pages + activity.origin, np.where(activity.previous_page >= 0, activity.previous_page, last)
        )
        parts = [
            lookups.of_call[row_numbers(activity.kind)],
            lookups.of_page[row_numbers(on_page)],
            lookups.of_view[row_numbers(viewed)],
            lookups.of_track[row_numbers(self._call(activity))],
            lookups.of_campaign[row_numbers(np.where(lands, activity.origin, origins))],
        ]
        return {
            **{column.name: column for part in parts for column in part},
            "context_page_url": lookup(lookups.urls, url),
            "context_page_referrer": lookup(lookups.referrers, referrer),
        }

    def _suffixes(self, activity: _OrderedActivity) -> pl.Series:
        """Suffix that makes an event's identifier unique within its browser: kind and number of the page view."""
        # Few distinct suffixes: formatting each once is much faster than formatting every row.
        n_numbers = int(activity.number.max(initial=0)) + 1
        table = pl.Series([f"{part}{number}" for part in self._lookups.id_parts for number in range(n_numbers)])
        return lookup(table, activity.kind * n_numbers + activity.number)


@dataclass(frozen=True)
class _OrderedActivity:
    """Activity of an hour in the order of its events; shapes (n,).

    Attributes:
        visits: Visit records of the hour; shape (visits,).
        visit: Visit of each, as a row of ``visits``.
        time_ms, kind, page, previous_page, number, origin, extra: As in
            :data:`simulator.tracking.activity.ACTIVITY_RECORD`.
    """

    visits: Records
    visit: Integers
    time_ms: Integers
    kind: Integers
    page: Integers
    previous_page: Integers
    number: Integers
    origin: Integers
    extra: Integers

    def of(self, rows: Integers) -> _OrderedActivity:
        """Some of it."""
        taken = {each.name: getattr(self, each.name)[rows] for each in fields(self) if each.name != "visits"}
        return _OrderedActivity(self.visits, **taken)


def _typed(columns: Mapping[str, pl.Series], names: Sequence[str]) -> pl.DataFrame:
    """Columns of the tracking plan in its types; of nulls where nothing is known."""
    nothing = pl.Series([None]).new_from_index(0, len(next(iter(columns.values()))))
    return pl.DataFrame([columns.get(name, nothing).cast(EVENT_SCHEMA[name]).alias(name) for name in names])


def _extra(activity: _OrderedActivity, extras: tuple[str, ...]) -> dict[str, pl.Series]:
    """Column of further properties, if any event of the hour has some."""
    if not extras:
        return {}
    rows = np.flatnonzero(activity.extra >= 0)
    return {"extra": sparse_column(len(activity.extra), rows, lookup(pl.Series(extras), activity.extra[rows]))}


def _in_order(hour: HourActivity) -> _OrderedActivity:
    """Sort the activity of an hour by time."""
    visits, records = hour.visits, hour.records
    visit = np.repeat(np.arange(len(visits)), visits["n"])
    time, kind = records["time_ms"], records["kind"].astype(np.int64)
    # One integer for each row, so that a single sort suffices: time, cohort, visitor, kind.
    # As few bits as the hour needs, so that the key fits into 64.
    bits = int(visits["visitor"].max()).bit_length()
    first = int(visits["cohort"].min())
    who = ((visits["cohort"].astype(np.int64) - first) << bits) | visits["visitor"]
    bits += (int(visits["cohort"].max()) - first).bit_length()
    key = ((((time - time.min()) << bits) | who[visit]) << _KIND_BITS) | kind
    order = pl.Series(key).arg_sort().to_numpy()
    visit, records = visit[order], np.take(records, order)
    names = ("time_ms", "kind", "page", "previous_page", "number", "origin", "extra")
    return _OrderedActivity(visits, visit, **{name: records[name].astype(np.int64) for name in names})
