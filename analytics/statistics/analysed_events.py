"""What is known of the events of an analysis before anything is counted by hour or segment."""

from __future__ import annotations

from functools import cached_property

import polars as pl

from analytics.sessions.bots import n_suspected_bots
from analytics.sessions.persons import Persons
from analytics.settings import AnalyticsSettings
from analytics.statistics.coverage import Coverage
from analytics.statistics.page_coverage import PageCoverage
from analytics.statistics.prepared_events import PreparedEvents, PreparedParts


class AnalysedEvents:
    """Events as they are counted, and what is known of them.

    Args:
        prepared: The events.
        settings: Choices of the analyst.
    """

    def __init__(self, prepared: PreparedEvents | PreparedParts, settings: AnalyticsSettings) -> None:
        self._prepared, self.settings = prepared, settings

    @property
    def events(self) -> pl.DataFrame:
        """The events with derived columns, such as the region, and with bots tagged; none with an impossible time.

        ``anonymous_id`` is the name of the person, as of :func:`analytics.sessions.identity.stitched`, unless the
        settings keep browsers as they are.

        Visitors in several arms of an experiment are in none here; see :attr:`experiments`.
        """
        return self._prepared.events

    @property
    def persons(self) -> Persons:
        """Which browsers and user ids are one person's, also where the settings keep browsers as they are."""
        return self._prepared.persons

    @property
    def coverage(self) -> Coverage:
        """What of the events is in no figure, and identifiers that join implausibly many."""
        return self._prepared.facts.coverage

    @cached_property
    def n_suspected_bots(self) -> int:
        """Visitors at the pace of bots who do not say that they are."""
        return sum(map(n_suspected_bots, self._prepared))

    @property
    def name_warnings(self) -> tuple[str, ...]:
        """Sentences on names of events that are nearly ones of the tracking plan, and on demo requests under others."""
        return tuple(self._prepared.facts.names.warnings())

    @property
    def n_events(self) -> int:
        """Number of events with a possible time."""
        return self._prepared.facts.n_events

    @property
    def n_impossible_times(self) -> int:
        """Events that are in no figure because a wrong clock must have set their times."""
        return self._prepared.n_impossible_times

    @cached_property
    def pages(self) -> PageCoverage:
        """How many page views have a category and a funnel stage, and which pages have neither."""
        return self._prepared.facts.pages.coverage(self.settings.page_rules, self.settings.funnel_steps)

    @property
    def notes(self) -> tuple[str, ...]:
        """How many events are of bots, and which built-in signals and channels the settings define anew."""
        own, facts = self.settings.own_definitions, self._prepared.facts
        of_bots = f"{facts.n_bots:,} of {facts.n_events:,} events are of bots, and in no figure"
        return (
            *([of_bots] if facts.n_bots else []),
            *(f"own definitions replace built-in {kind}: {', '.join(names)}" for kind, names in own.items() if names),
        )
