"""The tracker: turns what visitors do into the events that a tracking library would send. It loses nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from weakref import WeakKeyDictionary

import numpy as np
import polars as pl

from analytics.events import EVENT_SCHEMA, CallType
from simulator.arrays import Integers
from simulator.clock import Clock
from simulator.cohort import Cohort, hexadecimal
from simulator.event_words import EventWords
from simulator.lookup import looked_up, row_numbers
from simulator.occurrences import ASK, IDENTIFY, SUBMIT, VIEW, Occurrences, occurrences
from simulator.population import Population
from simulator.sales import SALES_EVENTS
from simulator.world import WorldSettings

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
_FREE_MAIL = "freemail.example.net"
# Address blocks set aside for documentation (RFC 5737).
_NETWORKS = ("192.0.2", "198.51.100", "203.0.113")
_ADDRESSES = pl.Series([f"{network}.{host}" for network in _NETWORKS for host in range(256)])


class Tracker:
    """Sends events for what the agents of a cohort have done.

    Args:
        world: The scenario's world.
        population: Who the visitors are.
        clock: Simulated time.
    """

    def __init__(self, world: WorldSettings, population: Population, clock: Clock) -> None:
        self._population = population
        self._clock = clock
        self._words = EventWords(world, population)
        self._profiles: WeakKeyDictionary[Cohort, Integers] = WeakKeyDictionary()

    def track(self, cohorts: Iterable[Cohort]) -> pl.DataFrame:
        """Events of all that has happened in these cohorts since the last call, in the order of their times.

        Returns:
            Rows of the flat event table with their addresses: :data:`TRACKED_SCHEMA`.
        """
        happened = [(cohort, cohort.happenings.drain()) for cohort in cohorts if cohort.happenings]
        if not happened:
            return TRACKED_SCHEMA.to_frame()
        what, those = occurrences(happened, self._profile_of), [cohort for cohort, _ in happened]
        time = self._clock.timestamps(what.time_ms)
        columns = {
            **dict.fromkeys(_TIMES, time),
            **self._browser(those, what),
            **self._person(those, what),
            **self._page(what),
        }
        nothing = pl.Series([None]).new_from_index(0, len(what))
        return pl.DataFrame(
            [columns.get(name, nothing).cast(dtype).alias(name) for name, dtype in TRACKED_SCHEMA.items()]
        )

    def _browser(self, cohorts: Sequence[Cohort], what: Occurrences) -> dict[str, pl.Series]:
        """Columns that depend on the browser and its visitor."""
        anonymous_id = looked_up(pl.concat([cohort.browser_ids for cohort in cohorts], rechunk=True), what.browser)
        words = what.words
        tables = enumerate(self._words.of_browser.items())
        profile = what.profile.T.astype(np.uint32, order="C")
        found = {name: looked_up(table, profile[place]) for place, (name, table) in tables}
        return {
            **found,
            "anonymous_id": anonymous_id,
            "context_user_agent": looked_up(self._words.user_agents, profile[0]),
            "context_ip": looked_up(_ADDRESSES, (words[:, 1] % np.uint64(len(_ADDRESSES))).astype(np.int64)),
            "message_id": anonymous_id + _suffixes(what),
            "_browser": pl.Series(words[:, 0] + words[:, 1]),
            "_message": pl.Series((what.kind << _KIND_SHIFT) | what.number),
        }

    def _profile_of(self, cohort: Cohort) -> Integers:
        """What is known of each browser, as rows of ``EventWords.of_browser``; shape (browsers, tables)."""
        if cohort not in self._profiles:
            people, accounts = cohort.people, self._population.accounts
            n_accounts, known = len(accounts.domains), people.account >= 0
            of_visitor = [
                people.country,
                people.zone,
                np.where(known, people.account, n_accounts),
                np.where(known, accounts.industry[people.account], len(accounts.industries)),
                np.where(known, accounts.size[people.account], len(accounts.sizes)),
                cohort.arms,
                people.persona,
            ]
            # Without a second device its browser has a row all the same, which no visit asks for.
            device = np.concatenate((people.device, np.maximum(people.second_device, 0)))
            both = np.tile(np.stack(of_visitor, axis=1), (2, 1))
            self._profiles[cohort] = np.column_stack((device, both)).astype(np.int32)
        return self._profiles[cohort]

    def _person(self, cohorts: Sequence[Cohort], what: Occurrences) -> dict[str, pl.Series]:
        """Columns that say who the visitor is: known to a browser from its first form on, and to the servers always."""
        n, known, mails = len(what), np.flatnonzero(what.known), np.flatnonzero(what.kind == IDENTIFY)
        persons = np.concatenate([cohort.identities[: len(cohort), :1] for cohort in cohorts])
        users = hexadecimal(persons[what.visitor[known]])
        mailing = what.visitor[mails]
        account = np.concatenate([cohort.people.account for cohort in cohorts])[mailing]
        by_company = np.concatenate([cohort.people.company_email for cohort in cohorts])[mailing]
        private = pl.Series([_FREE_MAIL]).new_from_index(0, len(mails))
        domain = self._population.accounts.domains_of(account).zip_with(pl.Series(by_company), private)
        return {
            "user_id": _scattered(n, known, "user-" + users),
            "email": _scattered(n, mails, "visitor-" + looked_up(users, np.searchsorted(known, mails)) + "@" + domain),
        }

    def _page(self, what: Occurrences) -> dict[str, pl.Series]:
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


def _suffixes(what: Occurrences) -> pl.Series:
    """What makes an event's identifier its own, after the browser's: kind and number of the page view."""
    most = int(what.number.max(initial=0)) + 1
    table = pl.Series([f"{mark}{number}" for mark in _MARKS for number in range(most)])
    return looked_up(table, what.kind * most + what.number)


def _scattered(n: int, rows: Integers, values: pl.Series) -> pl.Series:
    """A column of nulls but for these rows."""
    place = np.full(n, len(values))
    place[rows] = np.arange(len(rows))
    return looked_up(pl.concat([values, pl.Series([None], dtype=values.dtype)], rechunk=True), place)
