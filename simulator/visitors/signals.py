"""Signals: the observable causes of demo requests.

At the end of each visit a visitor who has not yet requested a demo does so with probability logistic(intercept + Σ
coefficient × signal). This is a discrete-time hazard model, so a logit of the outcome on the rows of the visit table is
the true model, and its coefficients can be recovered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from urllib.parse import urlsplit

import numpy as np

from analytics.events.geography import REGIONS
from analytics.signals.definitions import SIGNALS, EverSeen, SessionLength, Signal, interaction_parts
from simulator.engine.arrays import Bools, Floats, Integers, Words
from simulator.settings.site import SiteSettings
from simulator.visitors.journey import Journeys
from simulator.world.arrival_sources import Link
from simulator.world.population import People, Population


@dataclass(frozen=True)
class SignalValues:
    """Signals at the end of each visit, as a perfect tracker would observe them.

    Attributes:
        signals: The signals.
        seen: One bit for each binary signal, in the order of ``signals``; shape (visits,).
        minutes: Minutes from the first to the last page view of the visit; shape (visits,).

    >>> values = SignalValues(SIGNALS, np.array([1, 0], dtype=np.uint64), np.array([0.0, 3.0]))
    >>> values.column(SIGNALS[0].name)
    array([ True, False])
    >>> values.log_odds({SIGNALS[0].name: 0.8})
    array([0.8, 0. ])
    """

    signals: tuple[Signal, ...]
    seen: Words
    minutes: Floats

    def take(self, visits: Integers) -> SignalValues:
        """Signals of some visits.

        Args:
            visits: Their rows; shape (n,).
        """
        return SignalValues(self.signals, self.seen[visits], self.minutes[visits])

    def column(self, name: str) -> Floats | Bools:
        """Values of one signal; shape (visits,)."""
        index = next(i for i, signal in enumerate(self.signals) if signal.name == name)
        signal = self.signals[index]
        if isinstance(signal, SessionLength):
            return np.log1p(self.minutes) if signal.scale == "log1p" else self.minutes
        bits: Bools = (self.seen >> np.uint64(index)) & np.uint64(1) == 1
        return bits

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
        return {signal.name: i for i, signal in enumerate(self.signals) if not isinstance(signal, SessionLength)}


class SignalReader:
    """Computes signals from the arrays of a cohort.

    A binary signal is true once an event of the visitor has had one of certain values in a certain column. The column
    belongs to the visitor (country, company, the channel's campaign and referrer), the visit (device), the page
    (category) or a submitted form (event, e-mail address). For each of these a table of bits is built once.

    Args:
        site: Pages and forms.
        channels: Origins by name, in the order of the visitors' indices; then those of components.
        population: Companies and devices, in the order of the visitors' indices.
        signals: Signals to compute.
    """

    def __init__(
        self,
        site: SiteSettings,
        channels: Mapping[str, Link],
        population: Population,
        signals: tuple[Signal, ...] = SIGNALS,
    ) -> None:
        self.signals = signals
        pages = list(site.pages.values())
        # One table for each source of facts; a signal of a visit is an OR of a few look-ups.
        self.of_page = self._bits([{"category": page.category} for page in pages])
        self.of_form = self._bits([{"event": page.form.event if page.form else None} for page in pages])
        self.of_channel = self._bits([_seen_of_channel(channel, site.host) for channel in channels.values()])
        self.of_region = self._bits([{"region": region} for region in REGIONS])
        self.of_device = self._bits([{"context_device_type": device} for device in population.devices])
        self.of_company_email = self._bits([{"company_email": False}, {"company_email": True}])
        accounts = population.accounts
        of_size = self._bits([{"context_company_size": size} for size in accounts.sizes])
        of_industry = self._bits([{"context_company_industry": industry} for industry in accounts.industries])
        # Index −1 (no company) selects the last row, which has no bits.
        self.of_account = np.append(of_size[accounts.size] | of_industry[accounts.industry], np.uint64(0))

    def _bits(self, rows: Sequence[Mapping[str, object]]) -> Words:
        """Bits of the signals that each row of column values switches on; shape (rows,)."""
        return np.array(
            [
                sum(
                    1 << i
                    for i, signal in enumerate(self.signals)
                    if isinstance(signal, EverSeen) and row.get(signal.column) in signal.values
                )
                for row in rows
            ],
            dtype=np.uint64,
        )

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
        bits = self.of_page.take(journeys.page)
        unseen, sent = np.empty(0, dtype=np.int64), np.flatnonzero(journeys.submit_ms >= 0)
        sender = journeys.visitor[journeys.visit_of_view[sent]]
        if until_ms is not None:
            unseen = np.flatnonzero(journeys.view_ms >= until_ms.take(journeys.visitor).take(journeys.visit_of_view))
            bits[unseen] = 0
            in_time = journeys.submit_ms[sent] < until_ms[sender]
            sent, sender = sent[in_time], sender[in_time]
        address = self.of_company_email[people.company_email[sender].astype(np.int64)]
        bits[sent] |= self.of_form[journeys.page[sent]] | address
        # ``reduceat`` fails on empty arrays.
        seen = np.bitwise_or.reduceat(bits, journeys.first_view) if len(bits) else bits
        # Visitors without a company have the index −1, and so the last row, of no bits.
        of_visitor = self.of_region.take(people.region) | self.of_account[people.account]
        if origins is None:
            of_visitor |= self.of_channel.take(people.channel)
        else:
            seen |= np.append(self.of_channel, np.uint64(0))[origins]
        seen |= of_visitor.take(journeys.visitor)
        seen |= self.of_device.take(devices)
        _carry_over(seen, journeys.number)
        return SignalValues(self.signals, seen, _minutes(journeys, unseen))


def _seen_of_channel(channel: Link, own_host: str) -> dict[str, object]:
    """Column values of the first page view of a visitor of this channel."""
    campaign, referrer = channel.campaign, _domain(channel.referrer or "")
    return {
        # A link within the site is no referral.
        "referrer_domain": referrer if referrer != _domain(f"https://{own_host}") else None,
        "context_campaign_source": campaign.source if campaign else None,
        "context_campaign_medium": campaign.medium if campaign else None,
        "context_campaign_name": campaign.name if campaign else None,
    }


def _domain(address: str) -> str | None:
    """Host of a URL as analysts see it, without user, port and ``www.``; None without a host."""
    host = urlsplit(address).hostname
    return host.removeprefix("www.") if host else None


def _carry_over(seen: Words, number: Integers) -> None:
    """Add to each visit what was seen in the visitor's earlier visits, in place."""
    later = np.flatnonzero(number > 1)
    while len(later):
        # All second visits, then all third ones, and so on.
        earliest = number[later] == number[later].min()
        rows = later[earliest]
        seen[rows] |= seen[rows - 1]
        later = later[~earliest]


def _minutes(journeys: Journeys, unseen: Integers) -> Floats:
    """Minutes from the first to the last observed page view of each visit; 0 if none was observed."""
    n_unseen = np.bincount(journeys.visit_of_view[unseen], minlength=len(journeys.n_pages))
    # Unobserved views are at the end of a visit. If all are, the first one also counts as the last.
    last = journeys.first_view + np.maximum(journeys.n_pages - n_unseen, 1) - 1
    minutes: Floats = (journeys.view_ms[last] - journeys.view_ms[journeys.first_view]) / 60_000
    return minutes
