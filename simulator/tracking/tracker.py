"""The tracker: turns what visitors do into the events that a tracking library would send. It loses nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from analytics.events.tracking_plan import EVENT_SCHEMA, CallType
from simulator.engine.arrays import Integers, looked_up, row_numbers
from simulator.engine.clock import Clock
from simulator.sales.desk import SALES_EVENTS
from simulator.settings.world import WorldSettings
from simulator.tracking.activity import ASK, IDENTIFY, SUBMIT, VIEW, Hour, Records
from simulator.tracking.lookups import EventLookups
from simulator.visitors.cohort import hexadecimal
from simulator.world.population import Population

__all__ = ["TRACKED_SCHEMA", "Tracker"]

TRACKED_SCHEMA = pl.Schema(
    {**EVENT_SCHEMA, "_browser": pl.UInt64(), "_message": pl.Int64(), "_persona": pl.Categorical()}
)
"""The flat event table, and the address of each event: the browser's own random word, and a number of the event among
those of the visitor; and the visitor's persona, which no event tells."""

_CALLS = pl.DataFrame(
    {
        "type": [
            CallType.PAGE,
            CallType.IDENTIFY,
            CallType.TRACK,
            CallType.TRACK,
            *[CallType.TRACK] * len(SALES_EVENTS),
        ],
        "context_library_name": [*["analytics.js"] * 3, *["analytics-python"] * (1 + len(SALES_EVENTS))],
    },
    schema={name: EVENT_SCHEMA[name] for name in ("type", "context_library_name")},
)
_MARKS = [
    "-view-",
    "-identify-",
    "-form-",
    "-request-",
    *(f"-{event.lower().replace(' ', '-')}-" for event in SALES_EVENTS),
]
_TIMES = ("original_timestamp", "sent_at", "received_at", "timestamp")
_KIND_SHIFT = 28
_KIND_BITS = 4
_FREE_MAIL = "freemail.example.net"
# Address blocks set aside for documentation (RFC 5737).
_NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
_ADDRESSES = pl.Series([f"{network}.{host}" for network in _NETWORKS for host in range(256)])


class Tracker:
    """Sends events for what happens.

    Args:
        world: The scenario's world.
        population: Who the visitors are.
        clock: Simulated time.
    """

    def __init__(self, world: WorldSettings, population: Population, clock: Clock) -> None:
        self._population = population
        self._clock = clock
        self._words = EventLookups(world, population)

    def track(self, hour: Hour) -> pl.DataFrame:
        """Events of all that happens in an hour, in the order of their times.

        Those of the same millisecond follow the order of the cohorts, of their visitors, and of the kinds.

        Returns:
            Rows of the flat event table with their addresses: :data:`TRACKED_SCHEMA`.
        """
        if not hour:
            return TRACKED_SCHEMA.to_frame()
        what = _in_order(hour)
        time = self._clock.timestamps(what.time_ms)
        columns = {
            **dict.fromkeys(_TIMES, time),
            **self._browser(what),
            **self._person(what),
            **self._page(what),
        }
        nothing = pl.Series([None]).new_from_index(0, len(time))
        return pl.DataFrame(
            [columns.get(name, nothing).cast(dtype).alias(name) for name, dtype in TRACKED_SCHEMA.items()]
        )

    def _browser(self, what: _Ordered) -> dict[str, pl.Series]:
        """Columns that depend on the browser and its visitor: looked up once a visit, then for each event."""
        visits, accounts = what.visits, self._population.accounts
        account, known = visits["account"], visits["account"] >= 0
        tables = zip(
            self._words.of_browser.items(),
            (
                visits["device"],
                visits["country"],
                visits["zone"],
                np.where(known, account, len(accounts.domains)),
                np.where(known, accounts.industry[account], len(accounts.industries)),
                np.where(known, accounts.size[account], len(accounts.sizes)),
                visits["arms"],
                visits["persona"],
            ),
            strict=True,
        )
        words = visits["words"]
        of_visit = pl.DataFrame(
            {
                **{name: looked_up(table, rows) for (name, table), rows in tables},
                "anonymous_id": hexadecimal(words),
                "context_user_agent": looked_up(self._words.user_agents, visits["device"]),
                "context_ip": looked_up(_ADDRESSES, (words[:, 1] % np.uint64(len(_ADDRESSES))).astype(np.int64)),
                "_browser": words[:, 0] + words[:, 1],
            }
        )
        found = of_visit[row_numbers(what.visit)].to_dict()
        return {
            **found,
            "message_id": found["anonymous_id"] + _suffixes(what),
            "_message": pl.Series((what.kind << _KIND_SHIFT) | what.number),
        }

    def _person(self, what: _Ordered) -> dict[str, pl.Series]:
        """Columns that say who the visitor is: known to a browser from its first form on, and to the servers always."""
        n, visits = len(what.time_ms), what.visits
        is_known = (what.time_ms >= visits["identified_ms"][what.visit]) | (what.kind >= ASK)
        known, mails = np.flatnonzero(is_known), np.flatnonzero(what.kind == IDENTIFY)
        users = hexadecimal(np.take(visits["person"], what.visit[known])[:, None])
        mailing = what.visit[mails]
        named = "visitor-" + looked_up(users, np.searchsorted(known, mails))
        private = pl.Series([_FREE_MAIL]).new_from_index(0, len(mails))
        domain = self._population.accounts.domains_of(visits["account"][mailing])
        domain = domain.zip_with(pl.Series(visits["company_email"][mailing]), private)
        return {
            "user_id": _scattered(n, known, "user-" + users),
            "email": _scattered(n, mails, named + "@" + domain),
        }

    def _page(self, what: _Ordered) -> dict[str, pl.Series]:
        """Columns that depend on the kind of call, the page, how the visitor came to it, and the campaign."""
        words = self._words
        pages, origins = words.n_pages, words.n_origins
        on_page = np.where(what.page >= 0, what.page, pages)
        viewed = np.where(what.kind == VIEW, on_page, pages)
        nothing = pages + 1 + len(SALES_EVENTS)
        track = np.select([what.kind == SUBMIT, what.kind >= ASK], [what.page, pages + what.kind - ASK], nothing)
        lands = what.channel >= 0
        url = np.where(what.page >= 0, what.page + (what.channel + 1) * pages, len(words.urls) - 1)
        last = len(words.referrers) - 1
        referrer = np.where(lands, pages + what.channel, np.where(what.came_from >= 0, what.came_from, last))
        parts = [
            _CALLS[row_numbers(what.kind)],
            words.of_page[row_numbers(on_page)],
            words.of_view[row_numbers(viewed)],
            words.of_track[row_numbers(track)],
            words.of_campaign[row_numbers(np.where(lands, what.channel, origins))],
        ]
        return {
            **{column.name: column for part in parts for column in part},
            "context_page_url": looked_up(words.urls, url),
            "context_page_referrer": looked_up(words.referrers, referrer),
        }


@dataclass(frozen=True)
class _Ordered:
    """What happens in an hour, in the order in which it is told; shapes (n,).

    Attributes:
        visits: The hour's visits, as records; shape (visits,).
        visit: In which visit, as a row of these.
        time_ms, kind, page, came_from, number: As in :data:`simulator.tracking.activity.OCCURRENCE`.
        channel: How the visitor came, where this is the first page of all; −1 elsewhere.
    """

    visits: Records
    visit: Integers
    time_ms: Integers
    kind: Integers
    page: Integers
    came_from: Integers
    number: Integers
    channel: Integers


def _in_order(hour: Hour) -> _Ordered:
    """Bring what happens in an hour into the order of time."""
    visits, occurrences = hour.visits, hour.occurrences
    visit = np.repeat(np.arange(len(visits)), visits["n"])
    time, kind = occurrences["time_ms"], occurrences["kind"].astype(np.int64)
    # One whole number a row, so that a single sort does: time, cohort, visitor, kind.
    bits = int(visits["visitor"].max()).bit_length()
    first = int(visits["cohort"].min())
    who = ((visits["cohort"].astype(np.int64) - first) << bits) | visits["visitor"]
    bits += (int(visits["cohort"].max()) - first).bit_length()
    key = ((((time - time.min()) << bits) | who[visit]) << _KIND_BITS) | kind
    order = pl.Series(key).arg_sort().to_numpy()
    visit, told = visit[order], np.take(occurrences, order)
    lands = (told["number"] == 0) & (told["kind"] < ASK)
    return _Ordered(
        visits,
        visit,
        channel=np.where(lands, visits["channel"][visit], -1),
        **{name: told[name].astype(np.int64) for name in ("time_ms", "kind", "page", "came_from", "number")},
    )


def _suffixes(what: _Ordered) -> pl.Series:
    """What makes an event's identifier its own, after the browser's: kind and number of the page view."""
    most = int(what.number.max(initial=0)) + 1
    table = pl.Series([f"{mark}{number}" for mark in _MARKS for number in range(most)])
    return looked_up(table, what.kind * most + what.number)


def _scattered(n: int, rows: Integers, values: pl.Series) -> pl.Series:
    """A column of nulls but for these rows."""
    place = np.full(n, len(values))
    place[rows] = np.arange(len(rows))
    return looked_up(pl.concat([values, pl.Series([None], dtype=values.dtype)], rechunk=True), place)
