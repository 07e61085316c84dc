"""Planned journeys: visits, the gaps between them, pages, reading times and forms.

They depend on the visitor only, so a whole cohort is drawn in advance by vectorised operations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analytics.events.times import HOUR_MS
from analytics.signals.definitions import IDLE_MINUTES
from simulator.engine.arrays import Floats, Integers, first_rows, part_of_each
from simulator.engine.sampling import Choices
from simulator.engine.streams import AddressedUniforms, VisitorDraws
from simulator.settings.visits import STEP_BITS, VISIT_BITS, VisitSettings
from simulator.world.navigation import Navigation

IDLE_MS = round(60_000 * IDLE_MINUTES)
"""Inactivity after which analysts consider a visit over."""

MAX_DWELL_MS = IDLE_MS - 60_000
"""Maximum reading time: below the inactivity that ends a visit."""

MIN_GAP_MS = IDLE_MS + 60_000
"""Minimum time between two visits: above that inactivity, so that simulated and observed visits agree."""

# Keeps sums of gaps within the range of timestamps.
_MAX_GAP_MS = 10 * 365 * 24 * HOUR_MS


@dataclass(frozen=True)
class Journeys:
    """The visits and page views of a cohort as ragged arrays: visitors have visits, visits have page views.

    Times are whole milliseconds since the visitor's arrival.

    Attributes:
        n_visits: Visits of each visitor; shape (visitors,).
        visitor: Visitor of each visit; shape (visits,). Visits of one visitor are adjacent.
        number: Number of each visit, from 1; shape (visits,).
        n_pages: Page views of each visit; shape (visits,). Page views of one visit are adjacent.
        page: Page of each view, as an index; shape (views,).
        view_ms: Time of each page view; shape (views,).
        submit_ms: Time at which its form was submitted, −1 if it was not; shape (views,).
        end_ms: End of each visit, including the last reading time; shape (visits,).
    """

    n_visits: Integers
    visitor: Integers
    number: Integers
    n_pages: Integers
    page: Integers
    view_ms: Integers
    submit_ms: Integers
    end_ms: Integers

    @cached_property
    def first_visit(self) -> Integers:
        """Row of each visitor's first visit; shape (visitors,)."""
        return first_rows(self.n_visits)

    @cached_property
    def first_view(self) -> Integers:
        """Row of each visit's first page view; shape (visits,)."""
        return first_rows(self.n_pages)

    @cached_property
    def visit_of_view(self) -> Integers:
        """Visit of each page view; shape (views,)."""
        return part_of_each(self.first_view, len(self.page))

    def visit_address(self, rows: Integers) -> Integers:
        """Address of each visit in the random streams.

        Args:
            rows: Row of each visitor in the cohort; shape (visitors,).

        Returns:
            Addresses; shape (visits,).
        """
        return (rows[self.visitor] << VISIT_BITS) | self.number

    def take(self, visitors: Integers) -> Journeys:
        """Journeys of some visitors.

        Args:
            visitors: Their rows, in order; shape (n,).
        """
        inside = np.zeros(len(self.n_visits), dtype=bool)
        inside[visitors] = True
        visits = inside[self.visitor]
        views = visits[self.visit_of_view]
        return Journeys(
            n_visits=self.n_visits[visitors],
            visitor=np.searchsorted(visitors, self.visitor[visits]),
            number=self.number[visits],
            n_pages=self.n_pages[visits],
            page=self.page[views],
            view_ms=self.view_ms[views],
            submit_ms=self.submit_ms[views],
            end_ms=self.end_ms[visits],
        )


@dataclass(frozen=True)
class JourneyParameters:
    """Parameters of the journeys of some visitors; shapes (visitors,).

    Attributes:
        landing: Row of the landing tables for the first visit.
        returning: Row of the landing tables for later visits.
        profile: Index of the navigation profile.
        return_rate: Probability of another visit after a visit.
    """

    landing: Integers
    returning: Integers
    profile: Integers
    return_rate: Floats


class JourneySampler:
    """Draws the journeys of visitors.

    Args:
        settings: How often visitors return and how long they read.
        navigation: Markov chain over the pages.
        landing: Landing tables: probability of each page as the first of a visit; shape (tables, pages).
    """

    def __init__(self, settings: VisitSettings, navigation: Navigation, landing: Floats) -> None:
        self._settings = settings
        self._navigation = navigation
        self._landing = Choices(landing)
        self._dwell_ms = np.array([page.dwell_seconds * 1000 for page in navigation.pages])
        # Probability of a reading time below the maximum: scaling the draws by it conditions on that.
        self._p_below_max = -np.expm1(-((MAX_DWELL_MS / self._dwell_ms) ** settings.dwell_shape))
        self._submit_rate = np.array([page.form.submit_rate if page.form else 0.0 for page in navigation.pages])
        self._has_form = self._submit_rate > 0

    def draw(self, parameters: JourneyParameters, draws: VisitorDraws) -> Journeys:
        """Draw the journeys of the visitors of a cohort.

        Args:
            parameters: Parameters of the visitors.
            draws: Draws of the visitors.
        """
        n_visits = self._visit_counts(draws.uniforms("visits"), parameters.return_rate)
        first_visit = first_rows(n_visits)
        visitor = part_of_each(first_visit, int(n_visits.sum()))
        number = np.arange(1, len(visitor) + 1) - first_visit.take(visitor)
        address = (draws.rows.take(visitor) << VISIT_BITS) | number

        is_first = number == 1
        table = np.where(is_first, parameters.landing.take(visitor), parameters.returning.take(visitor))
        first_page = self._landing.pick(table, draws.addressed("landing").at(address))
        page, n_pages = self._walk(first_page, parameters.profile.take(visitor), address, draws.addressed("navigation"))
        first_view = first_rows(n_pages)
        visit = part_of_each(first_view, len(page))
        # The step within the visit is the row less that of the visit's first view.
        view_address = ((address << STEP_BITS) - first_view).take(visit) + np.arange(len(page))

        dwell = self._dwell(page, draws.addressed("dwell").at(view_address))
        read = np.cumsum(dwell)
        opened = read - dwell
        opened_first = opened[first_view]
        length = read[first_view + n_pages - 1] - opened_first
        gap = np.where(is_first, 0, self._gaps(draws.addressed("gaps").at(address)))
        # A visit starts after its own gap and after the lengths and gaps of the visits before it.
        # One running sum over all visitors, then made relative to each one's first visit.
        start = np.cumsum(length + gap) - length
        start -= start[first_visit].take(visitor)
        view_ms = opened + (start - opened_first).take(visit)
        sends = self._forms_sent(page, view_address, draws.addressed("forms"))
        submit_ms = np.full(len(page), -1)
        # The form is sent half-way through the reading time, which lasts at least a second.
        submit_ms[sends] = view_ms[sends] + dwell[sends] // 2
        return Journeys(
            n_visits=n_visits,
            visitor=visitor,
            number=number,
            n_pages=n_pages,
            page=page,
            view_ms=view_ms,
            submit_ms=submit_ms,
            end_ms=start + length,
        )

    def draw_visit(
        self, landing: int, profile: int, address: int, addressed: Callable[[str], AddressedUniforms]
    ) -> tuple[list[int], list[int], list[int], int]:
        """Draw one visit on its own.

        Args:
            landing: Page on which it starts, as an index.
            profile: Index of the visitor's navigation profile.
            address: Address of the visit in the random streams.
            addressed: Random numbers of the visitor's cohort, by source.

        Returns:
            Page of each view, time at which it is opened, time at which its form is submitted (−1 if it is not), and
            length of the visit; times in ms since its start.
        """
        where = np.array([landing]), np.array([profile]), np.array([address])
        page, _ = self._walk(*where, addressed("navigation"))
        view_address = (address << STEP_BITS) + np.arange(len(page))
        dwell = self._dwell(page, addressed("dwell").at(view_address))
        read = np.cumsum(dwell)
        sends = self._forms_sent(page, view_address, addressed("forms"))
        submit_ms = np.full(len(page), -1)
        submit_ms[sends] = (read - dwell + dwell // 2)[sends]
        return page.tolist(), (read - dwell).tolist(), submit_ms.tolist(), int(read[-1])

    def _forms_sent(self, page: Integers, address: Integers, uniforms: AddressedUniforms) -> Integers:
        """Rows of the page views whose form is submitted; pages without a form need no draw."""
        asks = np.flatnonzero(self._has_form.take(page))
        sent: Integers = asks[uniforms.at(address[asks]) < self._submit_rate[page[asks]]]
        return sent

    def _visit_counts(self, uniforms: Floats, return_rate: Floats) -> Integers:
        """Geometric number of visits, by inversion, limited to the maximum."""
        # The smallest positive float stands for a rate of 0, whose logarithm is not finite.
        more = np.floor(np.log(uniforms) / np.log(np.maximum(return_rate, np.finfo(float).tiny)))
        visits: Integers = np.minimum(more, self._settings.max_visits - 1).astype(np.int64) + 1
        return visits

    def _walk(
        self, landing: Integers, profile: Integers, address: Integers, uniforms: AddressedUniforms
    ) -> tuple[Integers, Integers]:
        """Walk all visits through the site at once, one step at a time; visits that have ended are dropped.

        Returns:
            Page of each view in the order of the visits, and the number of views of each visit.
        """
        left = len(self._navigation.names)
        n_pages = np.ones(len(landing), dtype=np.int64)
        address = address << STEP_BITS
        reading, page = np.arange(len(landing)), landing
        trail = [(reading, page)]
        while len(reading):
            step = uniforms.at(address.take(reading) | len(trail))
            page = self._navigation.next_pages(page, step, profile.take(reading))
            stays = np.flatnonzero(page < left)
            # The arrays shrink with every step, so the cost is that of the page views.
            reading, page = reading.take(stays), page.take(stays)
            trail.append((reading, page))
            n_pages[reading] = len(trail)
        # The trail is ordered by step; scatter it into the order of the visits.
        views = np.empty(int(n_pages.sum()), dtype=np.int64)
        first = first_rows(n_pages)
        for step_number, (visits, pages) in enumerate(trail):
            views[first.take(visits) + step_number] = pages
        return views, n_pages

    def _dwell(self, page: Integers, uniforms: Floats) -> Integers:
        """Reading times in ms: Weibull, conditional on at most 29 minutes, and at least a second."""
        # In place of the uniform numbers: −log(1 − u) to the power of 1 / shape, times the scale.
        dwell = uniforms
        dwell *= self._p_below_max.take(page)
        np.negative(dwell, out=dwell)
        np.log1p(dwell, out=dwell)
        np.negative(dwell, out=dwell)
        dwell **= 1 / self._settings.dwell_shape
        dwell *= self._dwell_ms.take(page)
        return np.clip(dwell, 1000, MAX_DWELL_MS, out=dwell).astype(np.int64)

    def _gaps(self, uniforms: Floats) -> Integers:
        """Times between visits in ms: log-logistic plus the minimum, at most ten years."""
        # The quantile function of the log-logistic distribution.
        odds = uniforms / (1 - uniforms)
        beyond = self._settings.gap_hours * HOUR_MS * odds ** (1 / self._settings.gap_shape)
        gaps: Integers = np.minimum(beyond, _MAX_GAP_MS).astype(np.int64) + MIN_GAP_MS
        return gaps
