"""Events as they are counted: stitched, with bots, pages and channels of the settings; whole, or in parts on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import polars as pl

from analytics.errors import AnalyticsError, EventFrameError
from analytics.events.channels import with_own_channels
from analytics.events.clocks import without_impossible
from analytics.events.enrichment import enrich
from analytics.events.pages import with_pages
from analytics.events.tracking_plan import UTC_MS
from analytics.io.tables import whole_batches
from analytics.sessions.bots import tag_bots
from analytics.sessions.partitions import ANALYSED_COLUMNS, NOT_ANALYSED, PART, PartsByPerson
from analytics.sessions.persons import Persons
from analytics.sessions.timeline import enriched
from analytics.sessions.visits import IS_HUMAN
from analytics.settings import AnalyticsSettings
from analytics.statistics.coverage import Coverage, NameCounts
from analytics.statistics.experiments import ExperimentArms
from analytics.statistics.mergeable_counts import add_up
from analytics.statistics.page_coverage import PageCounts
from analytics.statistics.segment_content import categories
from analytics.store.spill import temporary_folder, write_part

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
    """Events that may not fit into memory, to be analysed in parts: all events of a person are in one part.

    Args:
        events: Returns the flat events, each once, as tables to be read one after the other, or as one; if they have an
            ``event_time``, that counts. A column that some lack is null there. Events of one time count in the order
            given. A table may be what Polars scans, such as ``polars.scan_parquet("monday.parquet")``.
        n_parts: Number of parts, at least 1. One is in memory at a time: some 0.85 GB for a million events.
        folder: Where temporary files are, which take about as much as a Parquet file of the events; the system's folder
            for such (``TMPDIR``) unless given.
        order: Columns by which the events are sorted, if not as they are given.

    Raises:
        AnalyticsError: ``events`` is no function, ``n_parts`` is no whole number from 1 on, or there is no such folder.

    >>> from analytics.analysis import Analysis
    >>> times = ["2026-03-03T10:00:00Z", "2026-03-04T11:00:00Z"]
    >>> day = pl.DataFrame({"type": ["page"] * 2, "anonymous_id": ["a", "b"], "timestamp": times})
    >>> Analysis(EventsInParts(lambda: [day], 4), AnalyticsSettings()).statistics.totals()["visitors"].item()
    2
    """

    def __init__(
        self,
        events: Callable[[], Sequence[pl.LazyFrame | pl.DataFrame] | pl.LazyFrame | pl.DataFrame],
        n_parts: int,
        *,
        folder: str | Path | None = None,
        order: Sequence[str] = (),
    ) -> None:
        if not callable(events):
            raise AnalyticsError("events: must be a function that returns tables, such as lambda: [table]")
        if not isinstance(n_parts, int) or n_parts < 1:
            raise AnalyticsError(f"n_parts: must be a whole number of at least 1 (got {n_parts!r})")
        if folder is not None and not Path(folder).is_dir():
            raise AnalyticsError(f"{folder}: is no folder for temporary files")
        self.n_parts, self.folder, self.order = n_parts, folder, order
        self._events = events

    def __repr__(self) -> str:
        return f"<EventsInParts: {self.n_parts}>"

    def read(self) -> pl.LazyFrame:
        """One table after the other, as one to be collected; they may have other columns, or the same of other types.

        Raises:
            EventFrameError: There is none, or they cannot be read as one.
        """
        given = self._events()
        tables = [given] if isinstance(given, pl.LazyFrame | pl.DataFrame) else given
        if not tables:
            raise EventFrameError("there is no table of events")
        try:
            together = pl.concat([table.lazy() for table in tables], how="diagonal_relaxed")
            # What cannot be read as events is refused before, as it would be whole.
            enriched(together.head(1).collect())
        except (pl.exceptions.PolarsError, OSError) as error:
            raise EventFrameError(f"the tables cannot be read as one: {error}") from error
        return together


class PreparedParts:
    """Events as they are counted, in temporary files, which last as long as this object.

    Args:
        given: The events.
        settings: Choices of the analyst.
        arm_shares: Planned share of each arm by experiment.

    Raises:
        AnalyticsError: A file has fewer events than it says, or the temporary files cannot be written; when the events
            are first read.
    """

    def __init__(
        self,
        given: EventsInParts,
        settings: AnalyticsSettings,
        arm_shares: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        self._given, self._n_parts, self._order = given, given.n_parts, given.order
        self._settings, self._arm_shares = settings, arm_shares
        self._folder = temporary_folder(self, given.folder)
        self._n_kept = 0

    def __iter__(self) -> Iterator[pl.DataFrame]:
        _ = self._prepared
        return (pl.read_parquet(self._part(number)) for number in range(self._n_parts))

    @property
    def events(self) -> pl.DataFrame:
        """All events, in order of time, if they fit into memory; without the columns that no analysis reads."""
        unread = [name for name in NOT_ANALYSED if name not in self._order]
        return pl.concat(self).drop(unread).sort(self._order or "event_time", maintain_order=True)

    @property
    def persons(self) -> Persons:
        """The persons of all events; reads them all, and more than fits into memory fails."""
        return Persons(self._given.read().collect())

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
        write_part(table, path)
        return pl.scan_parquet(path)

    @cached_property
    def _prepared(self) -> tuple[EventFacts, ExperimentArms, int]:
        """Write the parts; return the facts, the arms and the number of impossible times."""
        events, columns = self._given.read(), (*ANALYSED_COLUMNS, "event_time", *self._order)
        parts = PartsByPerson.of(events, self._n_parts, columns=columns, stitch=self._settings.stitch)
        with TemporaryDirectory(dir=self._folder) as cut:
            # In batches: to filter each part would read all events as often as there are parts.
            for place, batch in enumerate(whole_batches(events, _ROWS_AT_ONCE)):
                of_batch = parts.numbered(batch.lazy()).collect().partition_by(PART, as_dict=True, include_key=False)
                for (number,), some in of_batch.items():
                    write_part(some, Path(cut) / f"{number:04}-{place:06}.parquet")
            nothing = parts.numbered(events).drop(PART).head(0).collect()
            facts, arms = zip(
                *(self._judged(number, Path(cut), nothing) for number in range(self._n_parts)), strict=True
            )
        return add_up(facts), ExperimentArms.joined(arms), parts.n_impossible

    def _judged(self, number: int, cut: Path, nothing: pl.DataFrame) -> tuple[EventFacts, ExperimentArms]:
        """Prepare a part, write it, and return what is known of it.

        Args:
            number: Its number.
            cut: Folder of the files into which its events were cut, which are deleted.
            nothing: A table without events.
        """
        files = sorted(cut.glob(f"{number:04}-*.parquet"))
        flat = enriched(pl.concat([nothing, *map(pl.read_parquet, files)]))
        in_order = flat.sort(self._order) if self._order else flat
        part = PreparedEvents(in_order.clone, self._settings, self._arm_shares, possible_only=True)
        write_part(part.events, self._part(number))
        for file in files:
            file.unlink()
        return EventFacts.of(part), part.experiments.without_events()

    def _part(self, number: int) -> Path:
        return self._folder / f"part-{number:04}.parquet"


def prepared(
    events: Callable[[], pl.DataFrame] | EventsInParts,
    settings: AnalyticsSettings,
    arm_shares: Mapping[str, Mapping[str, float]] | None = None,
) -> PreparedEvents | PreparedParts:
    """Events in memory or in parts as they are counted, which is done when they are first read.

    Args:
        events: Returns the flat or enriched events, each once; or events in parts.
        settings: Choices of the analyst.
        arm_shares: Planned share of each arm by experiment.
    """
    if isinstance(events, EventsInParts):
        return PreparedParts(events, settings, arm_shares)
    return PreparedEvents(events, settings, arm_shares)
