"""A plan: what the visitors of a cohort would do if nothing touched them, as components see it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from analytics.events.geography import REGIONS
from simulator.agents.randomness import DRAW_BITS
from simulator.engine.arrays import Bools, Floats, Integers
from simulator.engine.streams import Streams
from simulator.errors import ComponentError
from simulator.settings.base import unknown
from simulator.visitors.cohort import Cohort
from simulator.visitors.decision_rule import DecisionRule
from simulator.world.population import Population

_MAX_LOG_ODDS = 700.0
"""Larger ones have odds beyond the range of floats."""

Texts = npt.NDArray[np.str_]


class Plan:
    """What the visitors of a cohort would do if nothing touched them: the names of :class:`Visitor`, over arrays.

    Every array has one entry for each visitor of the cohort, or can be computed to one.

    Args:
        cohort: The cohort.
        population: Attributes of the visitors.
        pages: Names of the pages.
        origins: Names of the channels and campaigns.
        streams: Random streams of the replication.
        component: Name of the component that asks.
        length_ms: Length of the simulation.
        highest: Sum of the largest effects of all components on a decision, in log-odds.
        rule: Rule by which visitors decide.
    """

    def __init__(
        self,
        cohort: Cohort,
        population: Population,
        *,
        pages: list[str],
        origins: list[str],
        streams: Streams,
        component: str,
        length_ms: int,
        highest: float,
        rule: DecisionRule,
    ) -> None:
        self._cohort = cohort
        self._population = population
        self._pages = pages
        self._origins = origins
        self._streams = streams.within(cohort.arrival_source)
        self._component = component
        self._length_ms = length_ms
        self._highest = highest
        self._rule = rule

    def __len__(self) -> int:
        return len(self._cohort)

    @property
    def nobody(self) -> Bools:
        """No visitor."""
        return np.zeros(len(self), dtype=bool)

    @property
    def everybody(self) -> Bools:
        """All visitors."""
        return np.ones(len(self), dtype=bool)

    @property
    def source(self) -> str:
        """Arrival source of all these visitors: empty, ``campaign:NAME``, ``event:NAME`` or ``source:NAME``.

        That of colleagues is that of the visitors who have invited them, with ``/invited``; or ``invited``.
        """
        return self._cohort.arrival_source

    @cached_property
    def country(self) -> Texts:
        """Country code of each visitor."""
        return np.array(self._population.countries)[self._cohort.people.country]

    @cached_property
    def region(self) -> Texts:
        """World region of each visitor."""
        return np.array(REGIONS)[self._cohort.people.region]

    @cached_property
    def persona(self) -> Texts:
        """Persona of each visitor, empty without any."""
        return np.array([name or "" for name in self._population.personas])[self._cohort.people.persona]

    @cached_property
    def device(self) -> Texts:
        """Device of each visitor's first browser."""
        return np.array(self._population.devices)[self._cohort.people.device]

    @cached_property
    def channel(self) -> Texts:
        """Channel or campaign that leads each visitor to the site."""
        return np.array(self._origins)[self._cohort.people.channel]

    @property
    def has_account(self) -> Bools:
        """Whether the company of each visitor is recognised."""
        return self._cohort.people.account >= 0

    @property
    def arrival_ms(self) -> Integers:
        """Arrival of each visitor, in ms since the start of the simulation."""
        return self._cohort.arrival_ms

    def views(self, page: str, since_ms: int = 0, until_ms: int | None = None) -> Bools:
        """Whether each visitor views a page before the end.

        Args:
            page: Name of the page.
            since_ms: Only views at this time or later.
            until_ms: Only views before this time.
        """
        cohort, end_ms = self._cohort, self._length_ms if until_ms is None else min(until_ms, self._length_ms)
        is_page = cohort.journeys.page == self._index(page)
        views = np.flatnonzero(is_page & (cohort.view_ms >= since_ms) & (cohort.view_ms < end_ms))
        return self._visitors_of(views)

    def submits(self, page: str) -> Bools:
        """Whether each visitor submits the form of a page before the end."""
        cohort = self._cohort
        sends = cohort.sends[cohort.sent_at(cohort.sends) < self._length_ms]
        return self._visitors_of(sends[cohort.journeys.page[sends] == self._index(page)])

    def might_request(self, high: float | None = None) -> Bools:
        """Whether each visitor requests a demo in some visit if the log-odds are raised.

        Args:
            high: By how much, in log-odds; by the largest effects of all components together unless given.
        """
        cohort, raised_by = self._cohort, self._highest if high is None else high
        visits = (cohort.decision_margin > -raised_by) & (cohort.end_ms < self._length_ms)
        return np.bincount(cohort.journeys.visitor[visits], minlength=len(self)) > 0

    def decides_below(self, probability: Callable[[Floats], Floats]) -> Bools:
        """Whether the uniform number of some decision of each visitor lies below a probability.

        Args:
            probability: Of the odds of a request at the end of each visit, raised by the largest effects of all
                components together.
        """
        cohort, journeys = self._cohort, self._cohort.journeys
        address = journeys.visit_address(cohort.rows)
        chance = self._streams.uniforms("decision", cohort.index).at(address)
        # A visit that the site cut short has a margin of −∞, which no effect raises, not even one without a bound.
        is_cut = cohort.decision_margin == -math.inf
        log_odds = np.where(is_cut, 0.0, cohort.decision_margin) + self._rule.thresholds(chance) + self._highest
        visits = (
            ~is_cut
            & (chance < probability(np.exp(np.minimum(log_odds, _MAX_LOG_ODDS))))
            & (cohort.end_ms < self._length_ms)
        )
        return np.bincount(journeys.visitor[visits], minlength=len(self)) > 0

    def uniforms(self, name: str) -> Floats:
        """A uniform number strictly between 0 and 1 for each visitor.

        Args:
            name: Purpose; numbers of different purposes are independent.
        """
        uniforms = self._streams.uniforms(f"component:{self._component}/{name}", self._cohort.index)
        return uniforms.at(self._cohort.rows << DRAW_BITS)

    def _index(self, page: str) -> int:
        # A misspelt page would be one that nobody views, without a word.
        if page not in self._pages:
            raise ComponentError(f"component {self._component!r}: {unknown('page', page, self._pages)}")
        return self._pages.index(page)

    def _visitors_of(self, views: Integers) -> Bools:
        found, journeys = self.nobody, self._cohort.journeys
        found[journeys.visitor[journeys.visit_of_view[views]]] = True
        return found
