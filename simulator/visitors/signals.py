"""Signals: the observable causes of demo requests.

At the end of each visit a visitor who has not yet requested a demo does so with probability logistic(intercept + Σ
coefficient × signal). This is a discrete-time hazard model, so a logit of the outcome on the rows of the visit table is
the true model, and its coefficients can be recovered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile

import numpy as np

from analytics.signals.definitions import SIGNALS, EverSeen, Signal, interaction_parts
from simulator.engine.arrays import Bools, Floats, Integers, Words
from simulator.settings.site import SiteSettings
from simulator.visitors.histories import Happenings, Histories, HistoryReader, facts_of, scaled
from simulator.visitors.journey import Journeys
from simulator.visitors.shown import ShownTables
from simulator.world.arrival_sources import Link
from simulator.world.population import People, Population


@dataclass(frozen=True)
class SignalValues:
    """Signals at the end of each visit, as a perfect tracker would observe them.

    Attributes:
        signals: The signals.
        seen: One bit for each binary signal, in the order of ``signals``; shape (visits,).
        minutes: Minutes from the first to the last page view of the visit; shape (visits,).
        histories: Whole numbers behind the user's signals of other kinds than "has ever seen".

    >>> values = SignalValues(SIGNALS, np.array([1, 0], dtype=np.uint64), np.array([0.0, 3.0]))
    >>> values.column(SIGNALS[0].name)
    array([ True, False])
    >>> values.log_odds({SIGNALS[0].name: 0.8})
    array([0.8, 0. ])
    """

    signals: tuple[Signal, ...]
    seen: Words
    minutes: Floats
    histories: Histories = field(default_factory=dict)

    def take(self, visits: Integers) -> SignalValues:
        """Signals of some visits.

        Args:
            visits: Their rows; shape (n,).
        """
        histories = {name: history[visits] for name, history in self.histories.items()}
        return SignalValues(self.signals, self.seen[visits], self.minutes[visits], histories)

    def column(self, name: str) -> Floats | Bools | Integers:
        """Values of one signal; shape (visits,)."""
        if name in self._bits:
            bits: Bools = (self.seen >> np.uint64(self._bits[name])) & np.uint64(1) == 1
            return bits
        signal = next(signal for signal in self.signals if signal.name == name)
        if name in self.histories:
            return scaled(signal, self.histories[name])
        return np.log1p(self.minutes)

    def log_odds(self, effects: Mapping[str, float]) -> Floats:
        """Sum of effect × signal over all terms.

        Args:
            effects: Effect of each signal or interaction (``a:b``, the product of two signals) in log-odds.

        Returns:
            Log-odds; shape (visits,).
        """
        terms = [(interaction_parts(term), effect) for term, effect in effects.items() if effect]
        # Only the leading terms: floating-point sums depend on the order, and the order is that of the settings.
        plain = list(takewhile(lambda term: self._bits.keys() >= set(term[0]), terms))
        if 2 ** len(self.signals) > len(self.seen):
            total = self._added(np.zeros(len(self.seen)), self.seen, plain)
        else:
            # Fewer bit patterns than visits: compute the sum once for each pattern.
            patterns = np.arange(2 ** len(self.signals), dtype=np.uint64)
            total = self._added(np.zeros(len(patterns)), patterns, plain).take(self.seen.astype(np.int64))
        return self._added(total, self.seen, terms[len(plain) :])

    def _added(self, total: Floats, seen: Words, terms: Sequence[tuple[Sequence[str], float]]) -> Floats:
        """Add effect × signal of some terms to a sum, term by term, in place."""
        for names, effect in terms:
            pattern = np.uint64(sum({1 << self._bits[name] for name in names if name in self._bits}))
            lasting = [self.column(name) for name in names if name not in self._bits]
            total += effect * np.prod([(seen & pattern) == pattern, *lasting], axis=0)
        return total

    @cached_property
    def _bits(self) -> dict[str, int]:
        """Bit position of each binary signal, by name."""
        return bits_of(self.signals)


def bits_of(signals: Sequence[Signal]) -> dict[str, int]:
    """Bit position of each binary signal, by name: in the order of the signals, those of other kinds left out."""
    binary = [signal.name for signal in signals if isinstance(signal, EverSeen)]
    return {name: place for place, name in enumerate(binary)}


class SignalReader:
    """Computes signals from the arrays of a cohort.

    A binary signal is true once an event of the visitor has had one of certain values in a certain column: a bit that
    is carried over to all later visits. Signals of other kinds have a history; see
    :mod:`simulator.visitors.histories`.

    Args:
        site: Pages and forms.
        channels: Origins by name, in the order of the visitors' indices; then those of components.
        population: Companies and devices, in the order of the visitors' indices.
        signals: Signals to compute; the built-in ones first.

    Attributes:
        signals: The signals.
        shown: Bits of the binary signals, by what they depend on.
        histories: Computes the signals of the user that need more than a bit.
    """

    def __init__(
        self,
        site: SiteSettings,
        channels: Mapping[str, Link],
        population: Population,
        signals: tuple[Signal, ...] = SIGNALS,
    ) -> None:
        self.signals = signals
        binary = [signal for signal in signals if isinstance(signal, EverSeen)]
        self.shown = ShownTables(site, channels, population, [fact for each in binary for fact in facts_of(each)])
        # The length of the session is in every world, and has an array of its own.
        self.histories = HistoryReader([signal for signal in signals if signal not in SIGNALS])
        self._facts = ShownTables(site, channels, population, self.histories.facts)

    def read(
        self,
        people: People,
        journeys: Journeys,
        devices: Integers,
        until_ms: Integers | None = None,
        origins: Integers | None = None,
    ) -> SignalValues:
        """Signals at the end of each visit of a cohort.

        Args:
            people: The visitors.
            journeys: Their visits and page views.
            devices: Device of each visit; shape (visits,).
            until_ms: End of observation of each visitor in ms since the arrival; later page views and forms do not
                count. None for no end.
            origins: Channel or campaign that leads to each visit, −1 for none; shape (visits,). The visitor's own
                channel leads to the first visit unless given.
        """
        shown = self.shown
        bits = shown.of_page.take(journeys.page)
        unseen, sent = np.empty(0, dtype=np.int64), np.flatnonzero(journeys.submit_ms >= 0)
        sender = journeys.visitor[journeys.visit_of_view[sent]]
        if until_ms is not None:
            unseen = np.flatnonzero(journeys.view_ms >= until_ms.take(journeys.visitor).take(journeys.visit_of_view))
            bits[unseen] = 0
            in_time = journeys.submit_ms[sent] < until_ms[sender]
            sent, sender = sent[in_time], sender[in_time]
        bits[sent] |= _of_forms(shown, people, journeys, sent, sender)
        # ``reduceat`` fails on empty arrays.
        seen = np.bitwise_or.reduceat(bits, journeys.first_view) if len(bits) else bits
        # Visitors without a company have the index −1, and so the last row, of no bits.
        of_visitor = shown.of_country.take(people.country) | shown.of_account[people.account]
        if origins is None:
            of_visitor |= shown.of_origin.take(people.channel)
            if shown.of_origin[-1]:
                seen[journeys.number > 1] |= shown.of_origin[-1]
        else:
            seen |= shown.of_origin[origins]
        seen |= of_visitor.take(journeys.visitor)
        seen |= shown.of_device.take(devices)
        _carry_over(seen, journeys.number)
        begin_ms, end_ms = _observed(journeys, unseen)
        histories: Histories = {}
        if self.histories.signals:
            if origins is None:
                origins = np.where(journeys.number > 1, -1, people.channel[journeys.visitor])
            shows = self._places(people, journeys, devices, origins)
            is_seen = ~np.isin(np.arange(len(journeys.page)), unseen)
            shows[2 * unseen] = 0
            shows[2 * sent + 1] = _of_forms(self._facts, people, journeys, sent, sender)
            histories = self.histories.read(Happenings(journeys, shows, is_seen, begin_ms, end_ms))
        return SignalValues(self.signals, seen, (end_ms - begin_ms) / 60_000, histories)

    def _places(self, people: People, journeys: Journeys, devices: Integers, origins: Integers) -> Words:
        """Facts of each page view, at even places; those of forms are left empty; shape (2 × views,)."""
        tables = self._facts
        of_visitor = tables.of_country.take(people.country) | tables.of_account[people.account]
        of_visit = of_visitor.take(journeys.visitor) | tables.of_device.take(devices)
        views = tables.of_page.take(journeys.page) | of_visit.take(journeys.visit_of_view)
        # Only the landing shows what led to it: the pages after it were opened from the site itself.
        views[journeys.first_view] |= tables.of_origin[origins]
        places = np.zeros(2 * len(views), dtype=np.uint64)
        places[0::2] = views
        return places


def _of_forms(tables: ShownTables, people: People, journeys: Journeys, sent: Integers, sender: Integers) -> Words:
    """What some forms show: event and e-mail address; shape (n,)."""
    return tables.of_form[journeys.page[sent]] | tables.of_company_email[people.company_email[sender].astype(np.int64)]


def _carry_over(seen: Words, number: Integers) -> None:
    """Add to each visit what was seen in the visitor's earlier visits, in place."""
    later = np.flatnonzero(number > 1)
    while len(later):
        # All second visits, then all third ones, and so on.
        earliest = number[later] == number[later].min()
        rows = later[earliest]
        seen[rows] |= seen[rows - 1]
        later = later[~earliest]


def _observed(journeys: Journeys, unseen: Integers) -> tuple[Integers, Integers]:
    """First and last observed page view of each visit; the same one if none was observed; shapes (visits,)."""
    n_unseen = np.bincount(journeys.visit_of_view[unseen], minlength=len(journeys.n_pages))
    # Unobserved views are at the end of a visit. If all are, the first one also counts as the last.
    last = journeys.first_view + np.maximum(journeys.n_pages - n_unseen, 1) - 1
    return journeys.view_ms[journeys.first_view], journeys.view_ms[last]
