"""The tracker: turns what visitors do into the events that a tracking library would send. It loses nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from weakref import WeakKeyDictionary

import numpy as np
import polars as pl

from analytics.events import EVENT_SCHEMA, CallType, EventName
from simulator.arrays import Integers
from simulator.clock import Clock
from simulator.cohort import Cohort, Happenings
from simulator.inflows import origins_of
from simulator.population import USER_AGENTS, Population
from simulator.sales import SALES_EVENTS
from simulator.traffic import CampaignSettings
from simulator.world import WorldSettings

__all__ = ["TRACKED_SCHEMA", "Tracker"]

TRACKED_SCHEMA = pl.Schema(
    {**EVENT_SCHEMA, "_browser": pl.UInt64(), "_message": pl.Int64(), "_persona": pl.Categorical()}
)
"""The flat event table, and the address of each event: the browser's own random word, and a number of the event among
those of the visitor; and the visitor's persona, which no event tells."""

# Kinds of occurrence, in the order in which one visitor's occurrences of the same millisecond are sent. From the last
# on, each event of the sales desk is a kind.
_VIEW, _IDENTIFY, _SUBMIT, _ASK, _SALES = range(5)
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
    }
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
_ORDER = ("received_at", "_inflow", "_cohort", "_row", "_kind")
_FREE_MAIL = "freemail.example.net"
# Address blocks set aside for documentation (RFC 5737).
_NETWORKS = ("192.0.2", "198.51.100", "203.0.113")


@dataclass(frozen=True)
class _Occurrences:
    """What happened, one row each: in which visit, when, what, and on which page view (−1 for none)."""

    visit: Integers
    time_ms: Integers
    kind: Integers
    view: Integers


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
        self._profiles: WeakKeyDictionary[Cohort, pl.DataFrame] = WeakKeyDictionary()
        self._personas = pl.Series(population.personas, dtype=pl.Categorical())
        self._pages = list(world.site.pages.values())
        channels = list(origins_of(world.traffic).values())
        root = f"https://{world.site.host}"
        # Every table ends in a row of nulls, for what has no page, no channel or no referrer.
        self._of_page = _table(
            {
                "context_page_path": [page.path for page in self._pages],
                "context_page_title": [page.title for page in self._pages],
            }
        )
        self._of_view = _table(
            {
                "name": [page.title for page in self._pages],
                "category": [page.category for page in self._pages],
                "funnel_stage": [page.stage for page in self._pages],
            }
        )
        forms = [page.form for page in self._pages]
        self._of_track = _table(
            {
                "event": [form.event if form else None for form in forms] + [EventName.DEMO_REQUESTED, *SALES_EVENTS],
                "asset": [form.asset if form else None for form in forms] + ["demo"] * (1 + len(SALES_EVENTS)),
            }
        )
        self._of_campaign = _table(
            {
                f"context_campaign_{key}": [getattr(channel.campaign, key, None) for channel in channels]
                for key in CampaignSettings.model_fields
            }
        )
        page_urls = [root + page.path for page in self._pages]
        links = ["?" + _query(channel.campaign) if channel.campaign else "" for channel in channels]
        # Plain addresses first, then those by which each channel leads to each page.
        self._urls = _series(page_urls + [url + link for link in links for url in page_urls])
        self._referrers = _series(page_urls + [channel.referrer for channel in channels])

    def track(self, cohorts: Iterable[Cohort]) -> pl.DataFrame:
        """Events of all that has happened in these cohorts since the last call, in the order of their times.

        Returns:
            Rows of the flat event table with their addresses: :data:`TRACKED_SCHEMA`.
        """
        batches = [self._events(cohort, cohort.happenings.drain()) for cohort in cohorts if cohort.happenings]
        if not batches:
            return TRACKED_SCHEMA.to_frame()
        return pl.concat(batches).sort(_ORDER).select(TRACKED_SCHEMA.names())

    def _events(self, cohort: Cohort, happened: Happenings) -> pl.DataFrame:
        """Events of one cohort, with the keys by which they are to be sorted."""
        what = _occurrences(cohort, happened)
        visitor, browser = cohort.journeys.visitor[what.visit], cohort.browser[what.visit]
        frame = pl.concat(
            [self._who(cohort, what), self._where(cohort, what), self._what(cohort, what)], how="horizontal"
        ).with_columns(self._clock.timestamps(what.time_ms).alias(name) for name in _TIMES)
        missing = [pl.lit(None, dtype).alias(n) for n, dtype in EVENT_SCHEMA.items() if n not in frame.columns]
        return frame.with_columns(missing).select(
            *(pl.col(name).cast(dtype) for name, dtype in EVENT_SCHEMA.items()),
            _inflow=pl.lit(cohort.inflow),
            _cohort=pl.lit(cohort.index),
            _row=pl.Series(cohort.rows[visitor]),
            _kind=pl.Series(what.kind),
            _browser=pl.Series((cohort.identities[:, 0] + cohort.identities[:, 1])[browser]),
            _persona=self._personas.gather(cohort.people.persona[visitor]),
            _message=pl.Series((what.kind << _KIND_SHIFT) | _numbers(cohort, what)),
        )

    def _who(self, cohort: Cohort, what: _Occurrences) -> pl.DataFrame:
        """Columns that depend on the visitor; the person is known from the first form on."""
        if cohort not in self._profiles:
            self._profiles[cohort] = self._browsers(cohort)
        profiles, browser, nobody = self._profiles[cohort], cohort.browser[what.visit], 2 * len(cohort)
        by_mail = what.kind == _IDENTIFY
        known = (what.time_ms >= cohort.identified_ms[browser]) | (what.kind >= _ASK)
        return (
            profiles.drop("user_id", "email")[browser]
            .with_columns(
                profiles["user_id"].gather(np.where(known, browser, nobody)),
                profiles["email"].gather(np.where(by_mail, browser, nobody)),
                _message_suffix(cohort, what),
            )
            .with_columns(message_id=pl.concat_str("anonymous_id", "message_id"))
        )

    def _browsers(self, cohort: Cohort) -> pl.DataFrame:
        """What events say of each browser of a cohort and of its visitor, with a last row of nulls."""
        people, population, accounts = cohort.people, self._population, self._population.accounts
        network = (cohort.identities[:, 1] % np.uint64(256 * len(_NETWORKS))).astype(np.int64)
        addresses = pl.Series([f"{net}.{host}" for net in _NETWORKS for host in range(256)])
        domain = cohort.accounts.zip_with(
            pl.Series(people.company_email), pl.Series([_FREE_MAIL]).new_from_index(0, len(cohort))
        )
        visitors = pl.DataFrame(
            {
                "user_id": cohort.user_ids,
                "email": cohort.user_ids.str.replace("user", "visitor", literal=True) + "@" + domain,
                "context_location_country": _series(population.countries).gather(people.country),
                "context_timezone": _series(population.zones).gather(people.zone),
                "context_group_id": cohort.accounts,
                "context_company_industry": accounts.industries_of(people.account),
                "context_company_size": accounts.sizes_of(people.account),
                "context_experiments": cohort.experiments,
            }
        )
        # Without a second device its browser has a row all the same, which no visit asks for.
        device = np.concatenate((people.device, people.second_device))
        browsers = pl.concat([visitors, visitors]).with_columns(
            anonymous_id=cohort.browser_ids,
            context_device_type=_series(population.devices).gather(device),
            context_user_agent=_series([USER_AGENTS[d] for d in population.devices]).gather(device),
            context_ip=addresses.gather(network),
        )
        return pl.concat([browsers, browsers.clear(1)])

    def _where(self, cohort: Cohort, what: _Occurrences) -> pl.DataFrame:
        """Columns that depend on the page, on how the visitor came to it, and on the campaign that led there."""
        journeys, pages = cohort.journeys, len(self._pages)
        view = np.maximum(what.view, 0)
        visit = journeys.visit_of_view[view]
        on_page, opens_visit = what.view >= 0, view == journeys.first_view[visit]
        lands = on_page & opens_visit & (journeys.number[visit] == 1)
        page, channel = journeys.page[view], cohort.people.channel[journeys.visitor[what.visit]]
        url = np.where(on_page, page + np.where(lands, (channel + 1) * pages, 0), len(self._urls) - 1)
        came_from = np.where(lands, pages + channel, journeys.page[np.maximum(view - 1, 0)])
        referrer = np.where(on_page & (lands | ~opens_visit), came_from, len(self._referrers) - 1)
        return pl.concat(
            [
                self._of_page[np.where(on_page, page, pages)],
                self._of_campaign[np.where(lands, channel, self._of_campaign.height - 1)],
                pl.DataFrame(
                    {
                        "context_page_url": self._urls.gather(url),
                        "context_page_referrer": self._referrers.gather(referrer),
                    }
                ),
            ],
            how="horizontal",
        )

    def _what(self, cohort: Cohort, what: _Occurrences) -> pl.DataFrame:
        """Columns that depend on the kind of call."""
        pages, page = len(self._pages), cohort.journeys.page[np.maximum(what.view, 0)]
        nothing = pages + 1 + len(SALES_EVENTS)
        track = np.select([what.kind == _SUBMIT, what.kind >= _ASK], [page, pages + what.kind - _ASK], nothing)
        return pl.concat(
            [
                _CALLS[what.kind],
                self._of_view[np.where(what.kind == _VIEW, page, pages)],
                self._of_track[track],
            ],
            how="horizontal",
        )


def _occurrences(cohort: Cohort, happened: Happenings) -> _Occurrences:
    """All that happened, page views first, then forms (each as two calls), requests, and what the sales desk did."""
    viewed, sent = np.array(happened.viewed, dtype=np.int64), np.array(happened.sent, dtype=np.int64)
    asked = np.array(happened.asked, dtype=np.int64)
    steps = [
        (cohort.asked_in[visitor], time_ms, _SALES + SALES_EVENTS.index(event))
        for visitor, time_ms, event in happened.sales
    ]
    visits, steps_ms, step = np.array(steps, dtype=np.int64).reshape(-1, 3).T
    view = np.concatenate((viewed, sent, sent))
    return _Occurrences(
        visit=np.concatenate((cohort.journeys.visit_of_view[view], asked, visits)),
        time_ms=np.concatenate(
            (cohort.view_ms[viewed], cohort.submit_ms[sent], cohort.submit_ms[sent], cohort.end_ms[asked], steps_ms)
        ),
        kind=np.concatenate((np.repeat(np.arange(_SALES), [len(viewed), len(sent), len(sent), len(asked)]), step)),
        view=np.concatenate((view, np.full(len(asked) + len(visits), -1))),
    )


def _message_suffix(cohort: Cohort, what: _Occurrences) -> pl.Series:
    """What makes an event's identifier its own, after the visitor's: kind and number of the page view."""
    marks = pl.Series(_MARKS).gather(what.kind)
    return (marks + pl.Series(_numbers(cohort, what)).cast(pl.String)).alias("message_id")


def _numbers(cohort: Cohort, what: _Occurrences) -> Integers:
    """Number of each occurrence's page view among those of its visitor, from 0; 0 where there is no page view."""
    journeys = cohort.journeys
    first_view = journeys.first_view[journeys.first_visit[journeys.visitor[what.visit]]]
    return np.where(what.view >= 0, what.view - first_view, 0)


def _series(values: Sequence[str | None]) -> pl.Series:
    """A lookup table with a last row of null."""
    return pl.Series([*values, None], dtype=pl.String)


def _table(columns: Mapping[str, Sequence[str | None]]) -> pl.DataFrame:
    """Lookup tables of the columns of the flat event table, with a last row of nulls."""
    return pl.DataFrame({name: _series(values).cast(EVENT_SCHEMA[name]) for name, values in columns.items()})


def _query(campaign: CampaignSettings) -> str:
    """The UTM parameters of a link."""
    names = {"name": "utm_campaign"}
    given = campaign.model_dump(exclude_none=True)
    return urlencode({names.get(key, f"utm_{key}"): value for key, value in given.items()})
