"""Events as they are counted: stitched, with bots, pages and channels of the settings; whole, or in parts on disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import Final
from weakref import finalize

import polars as pl

from analytics.events.channels import with_own_channels
from analytics.events.clocks import without_impossible
from analytics.events.enrichment import enrich
from analytics.events.pages import with_pages
from analytics.events.tracking_plan import UTC_MS
from analytics.sessions.bots import tag_bots
from analytics.sessions.partitions import ANALYSED_COLUMNS, PART, PartsByPerson
from analytics.sessions.persons import Persons
from analytics.sessions.timeline import enriched
from analytics.sessions.visits import IS_HUMAN
from analytics.settings import AnalyticsSettings
from analytics.statistics.coverage import Coverage, NameCounts
from analytics.statistics.experiments import ExperimentArms
from analytics.statistics.mergeable_counts import add_up
from analytics.statistics.page_coverage import PageCounts
from analytics.statistics.segment_content import categories

_IN_ORDER: Final = ("event_time", "message_id")

_ROWS_AT_ONCE: Final = 250_000
"""Events that are cut into parts at a time."""


@dataclass(frozen=True)
class EventFacts:
    """What is known of events before anything is counted by hour or segment; adds up over people.

    Args:
        n_events: Events with a possible time.
        n_bots: Of these, events of bots.
        names: Names of `track` events.
        coverage: What is in no figure.
        pages: What is known of pages.
        arms: Texts of ``context_experiments``.
        categories: Page categories that people have viewed.
    """

    n_events: int
    n_bots: int
    names: NameCounts
    coverage: Coverage
    pages: PageCounts
    arms: frozenset[str]
    categories: frozenset[str]

    @classmethod
    def of(cls, events: PreparedEvents) -> EventFacts:
        """Collect the facts of events in memory."""
        return cls(**{each.name: getattr(events, each.name) for each in fields(cls)})


class PreparedEvents:
    """Events as they are counted, in memory.

    Args:
        read: Returns the flat or enriched events, each once; all of a person or none.
        settings: Choices of the analyst.
        arm_shares: Planned share of each arm by experiment.
        possible_only: Whether events of impossible clocks have been left out before.
    """

    def __init__(
        self,
        read: Callable[[], pl.DataFrame],
        settings: AnalyticsSettings,
        arm_shares: Mapping[str, Mapping[str, float]] | None = None,
        *,
        possible_only: bool = False,
    ) -> None:
        self._read, self._settings, self._arm_shares = read, settings, arm_shares
        self._possible_only = possible_only

    def __iter__(self) -> Iterator[pl.DataFrame]:
        yield self.events

    @cached_property
    def events(self) -> pl.DataFrame:
        """The events with derived columns; visitors in several arms of an experiment are in none."""
        return self.experiments.events

    @cached_property
    def experiments(self) -> ExperimentArms:
        """The arms of the visitors."""
        settings, events = self._settings, self._possible[0]
        if settings.stitch:
            events = self.persons.stitched()
        own = settings.own_names
        if own.domains or own.bots:
            # The store has corrected impossible times by the arrival, which would be lost.
            times = events.select(pl.col("event_time").cast(UTC_MS))
            events = enrich(events, own).with_columns(times)
        events = with_pages(events, settings.page_rules)
        tagged = tag_bots(events) if settings.find_bots else events
        return ExperimentArms(with_own_channels(tagged, own.channels), self._arm_shares)

    @cached_property
    def persons(self) -> Persons:
        """Which browsers and user ids are one person's, also where the settings keep browsers as they are."""
        return Persons(self._possible[0])

    @property
    def n_impossible_times(self) -> int:
        """Events that are left out because a wrong clock must have set their times."""
        return self._possible[1]

    @property
    def facts(self) -> PreparedEvents:
        """What :class:`EventFacts` has, each made when it is asked for."""
        return self

    @property
    def n_events(self) -> int:
        """Number of events with a possible time."""
        return self.events.height

    @property
    def n_bots(self) -> int:
        """Of these, events of bots."""
        return int(self.events["is_bot"].sum())

    @cached_property
    def names(self) -> NameCounts:
        """Names of `track` events."""
        return NameCounts.of(self.events)

    @cached_property
    def coverage(self) -> Coverage:
        """What is in no figure."""
        return Coverage.of(self.events, self.persons)

    @cached_property
    def pages(self) -> PageCounts:
        """What is known of pages."""
        return PageCounts.of(self.events, self._settings.page_rules, self._settings.funnel_steps)

    @cached_property
    def arms(self) -> frozenset[str]:
        """Texts of ``context_experiments``."""
        return frozenset(self.events["context_experiments"].cast(pl.String).drop_nulls().unique())

    @cached_property
    def categories(self) -> frozenset[str]:
        """Page categories that people have viewed."""
        return frozenset(categories(self.events.filter(IS_HUMAN)))

    def keep(self, table: pl.DataFrame) -> pl.LazyFrame:
        """Keep a table that was made of the events."""
        return table.lazy()

    @cached_property
    def _possible(self) -> tuple[pl.DataFrame, int]:
        """Enriched events without those of impossible times, and how many these are."""
        events = enriched(self._read())
        return (events, 0) if self._possible_only else without_impossible(events)


class EventsInParts:
    """Events as they are counted, in temporary files: all events of a person are in one part, and one is in memory.

    The files last as long as this object.

    Args:
        events: Returns the flat events, each once and in any order, as tables to be read one after the other; if they
            have an ``event_time``, that counts.
        n_parts: Number of parts, at least 1.
        settings: Choices of the analyst.
        arm_shares: Planned share of each arm by experiment.
        folder: Where the files are; the system's folder for such unless given.

    >>> from analytics.analysis import Analysis
    >>> times, settings = ["2026-03-03T10:00:00Z", "2026-03-04T11:00:00Z"], AnalyticsSettings()
    >>> day = pl.DataFrame({"type": ["page"] * 2, "anonymous_id": ["a", "b"], "timestamp": times}).lazy()
    >>> parts = EventsInParts(lambda: [day], 4, settings)  # or files, as pl.scan_parquet("monday.parquet")
    >>> Analysis(parts, settings).statistics.totals()["visitors"].item()
    2
    """

    def __init__(
        self,
        events: Callable[[], Sequence[pl.LazyFrame]],
        n_parts: int,
        settings: AnalyticsSettings,
        arm_shares: Mapping[str, Mapping[str, float]] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._read, self._n_parts = events, n_parts
        self._settings, self._arm_shares = settings, arm_shares
        self._folder = Path(mkdtemp(prefix="funnelsim-", dir=folder))
        finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._n_kept = 0

    def __iter__(self) -> Iterator[pl.DataFrame]:
        _ = self._prepared
        return (pl.read_parquet(self._part(number)) for number in range(self._n_parts))

    @property
    def events(self) -> pl.DataFrame:
        """All events, in order of time, if they fit into memory."""
        return pl.concat(self).sort(_IN_ORDER)

    @property
    def persons(self) -> Persons:
        """The persons of all events; reads them all, and more than fits into memory fails."""
        return Persons(pl.concat(self._read()).collect())

    @property
    def experiments(self) -> ExperimentArms:
        """The arms of the visitors, without their events."""
        return self._prepared[1]

    @property
    def facts(self) -> EventFacts:
        """What is known of the events."""
        return self._prepared[0]

    @property
    def n_impossible_times(self) -> int:
        """Events that are left out because a wrong clock must have set their times."""
        return self._prepared[2]

    def keep(self, table: pl.DataFrame) -> pl.LazyFrame:
        """Write a table that was made of the events, and return it to be read from there."""
        self._n_kept += 1
        path = self._folder / f"kept-{self._n_kept:06}.parquet"
        _write_part(table, path)
        return pl.scan_parquet(path)

    @cached_property
    def _prepared(self) -> tuple[EventFacts, ExperimentArms, int]:
        """Write the parts; return the facts, the arms and the number of impossible times."""
        sources, columns = self._read(), (*ANALYSED_COLUMNS, *_IN_ORDER)
        parts = PartsByPerson.of(pl.concat(sources), self._n_parts, columns=columns, stitch=self._settings.stitch)
        cut = self._folder / "cut"
        cut.mkdir()
        # In batches: to filter each part would read all events as often as there are parts.
        batches = pl.concat(sources).collect_batches(chunk_size=_ROWS_AT_ONCE, lazy=True)
        for place, batch in enumerate(batches):
            of_batch = parts.numbered(batch.lazy()).collect().partition_by(PART, as_dict=True, include_key=False)
            for (number,), events in of_batch.items():
                _write_part(events, cut / f"{number:04}-{place:06}.parquet")
        facts, arms = [], []
        for number in range(self._n_parts):
            files = sorted(cut.glob(f"{number:04}-*.parquet"))
            flat = pl.read_parquet(files) if files else parts.numbered(sources[0]).drop(PART).head(0).collect()
            in_order = enriched(flat).sort(_IN_ORDER)
            part = PreparedEvents(in_order.clone, self._settings, self._arm_shares, possible_only=True)
            _write_part(part.events, self._part(number))
            facts.append(EventFacts.of(part))
            arms.append(part.experiments.without_events())
            for file in files:
                file.unlink()
        return add_up(facts), ExperimentArms.joined(arms), parts.n_impossible

    def _part(self, number: int) -> Path:
        return self._folder / f"part-{number:04}.parquet"


def _write_part(table: pl.DataFrame, path: Path) -> None:
    """Write a part to a temporary file."""
    table.write_parquet(path, compression="lz4", statistics=False)
