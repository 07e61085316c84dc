"""Bots: artificial visitors that view the pages of the site in order, at a constant pace."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from analytics.events.times import HOUR_MS
from analytics.events.tracking_plan import EVENT_SCHEMA, CallType
from simulator.engine.arrays import Integers
from simulator.engine.clock import DAY_MS, Clock
from simulator.engine.streams import Streams
from simulator.settings.population import USER_AGENTS
from simulator.settings.world import WorldSettings
from simulator.tracking.labels import Label
from simulator.visitors.cohort import hexadecimal

_CRAWLER_AGENT: Final = "Mozilla/5.0 (compatible; ExampleBot/1.0; +https://bot.example.com/about)"
_DEVICE: Final = "desktop"
_TIMES: Final = ("original_timestamp", "sent_at", "received_at", "timestamp")


class Bots:
    """Generates the bots of one kind; they arrive as a Poisson process of constant rate.

    Args:
        label: ``CRAWLER``, or ``DISGUISED_BOT``, whose user agent is that of an ordinary browser.
        world: Settings of the world. Bots are located in the country with the most visitors.
        streams: Random streams of the replication.
        clock: Simulated time.
    """

    def __init__(self, label: Label, world: WorldSettings, streams: Streams, clock: Clock) -> None:
        self.label = label
        self._settings = world.tracking
        self._streams = streams
        self._clock = clock
        crawls = label is Label.CRAWLER
        self._per_day = world.tracking.bots_per_day if crawls else world.tracking.undeclared_bots_per_day
        self._pages = _page_columns(world)
        countries = world.population.countries
        # A single location makes a bot storm visible in the statistics by country.
        country = max(countries, key=lambda code: countries[code].share)
        self._constants = {
            "type": CallType.PAGE.value,
            "context_device_type": _DEVICE,
            "context_location_country": country,
            "context_timezone": next(iter(countries[country].time_zones)),
            "context_user_agent": _CRAWLER_AGENT if crawls else USER_AGENTS[_DEVICE],
            "context_library_name": "analytics.js",
        }

    @property
    def exist(self) -> bool:
        """Whether there are any."""
        return self._per_day > 0

    def arriving(self, hour: int) -> pl.DataFrame:
        """Page views of the bots that arrive in an hour, as rows of the flat event table.

        Args:
            hour: Number of the hour, from 0. Page views may fall into later hours, but not after the end.
        """
        # A generator for each hour: workers emit the hours in any order.
        rng = self._streams.generator(f"tracking.{self.label}", hour)
        n_bots = rng.poisson(self._per_day * HOUR_MS / DAY_MS)
        first_ms = hour * HOUR_MS + np.floor(np.sort(rng.random(n_bots)) * HOUR_MS).astype(np.int64)
        pace_ms = 1000 * self._settings.bot_seconds
        # No more than fit into the simulation; the arrays would otherwise be as long as the settings allow.
        n_pages = min(self._settings.bot_pages, int(self._clock.length_ms / pace_ms) + 1)
        bot, page = np.repeat(np.arange(n_bots), n_pages), np.tile(np.arange(n_pages), n_bots)
        time_ms = first_ms[bot] + np.rint(page * pace_ms).astype(np.int64)
        seen = time_ms < self._clock.length_ms
        return self._views(hour, bot[seen], page[seen], time_ms[seen])

    def _views(self, hour: int, bot: Integers, page: Integers, time_ms: Integers) -> pl.DataFrame:
        """Event rows of page views."""
        identity = self._streams.uniforms(f"tracking.{self.label}_identity", hour)
        words = np.stack([identity.words(2 * bot + i) for i in (0, 1)], axis=1)
        time = self._clock.timestamps(time_ms)
        frame = self._pages[page % self._pages.height].with_columns(
            anonymous_id=hexadecimal(words),
            context_page_referrer=pl.when(pl.Series(page > 0)).then("context_page_referrer"),
            context_ip="203.0.113." + pl.Series(words[:, 1] % np.uint64(256)).cast(pl.String),
            _number=pl.Series(page).cast(pl.String),
            **{name: pl.lit(value) for name, value in self._constants.items()},
            **{name: time.alias(name) for name in _TIMES},
        )
        frame = frame.with_columns(message_id=pl.concat_str("anonymous_id", pl.lit("-view-"), "_number"))
        missing = [pl.lit(None, dtype).alias(n) for n, dtype in EVENT_SCHEMA.items() if n not in frame.columns]
        return frame.with_columns(missing).select(pl.col(n).cast(dtype) for n, dtype in EVENT_SCHEMA.items())


def _page_columns(world: WorldSettings) -> pl.DataFrame:
    """Page properties of a view of each page; the referrer is the previous page of the site."""
    pages = list(world.site.pages.values())
    urls = [f"https://{world.site.host}{page.path}" for page in pages]
    return pl.DataFrame(
        {
            "context_page_path": [page.path for page in pages],
            "context_page_title": [page.title for page in pages],
            "context_page_url": urls,
            "context_page_referrer": [urls[-1], *urls[:-1]],
            "name": [page.title for page in pages],
            "category": [page.category for page in pages],
            "funnel_stage": [str(page.stage) for page in pages],
        }
    )
