"""Why visitors ask for a demo: known coefficients on observable signals, and an intercept to match.

At the end of each visit a visitor who has not yet asked requests a demo with probability
logistic(intercept + Σ coefficient × signal). That is a discrete-time hazard, so the logit of the outcome on the rows of
the visit table is the true model, and its coefficients can be recovered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from urllib.parse import urlsplit

import numpy as np

from analytics.events.tracking_plan import REGIONS
from analytics.signals.definitions import SIGNALS, EverSeen, SessionLength, Signal, interaction_parts
from simulator.engine.arrays import Bools, Floats, Integers, Words
from simulator.settings.site import SiteSettings
from simulator.settings.traffic import ChannelSettings
from simulator.visitors.journey import Journeys
from simulator.world.population import People, Population

__all__ = ["SignalReader", "SignalValues"]


@dataclass(frozen=True)
class SignalValues:
    """The signals of each visit at its end, as a perfect tracker would have seen them.

    Attributes:
        seen: One bit for each yes-or-no signal, in the order of the reader's signals; shape (visits,).
        minutes: Minutes from the first to the last page view of the visit; shape (visits,).
    """

    signals: tuple[Signal, ...]
    seen: Words
    minutes: Floats

    def column(self, name: str) -> Floats | Bools:
        """Values of one signal; shape (visits,)."""
        index = next(i for i, signal in enumerate(self.signals) if signal.name == name)
        signal = self.signals[index]
        if isinstance(signal, SessionLength):
            return np.log1p(self.minutes) if signal.scale == "log1p" else self.minutes
        bits: Bools = (self.seen >> np.uint64(index)) & np.uint64(1) == 1
        return bits

    def log_odds(self, effects: Mapping[str, float]) -> Floats:
        """Sum of effect × signal over the terms, interactions as products; shape (visits,)."""
        terms = [(interaction_parts(term), effect) for term, effect in effects.items() if effect]
        plain = list(takewhile(lambda term: self._bits.keys() >= set(term[0]), terms))
        if 2 ** len(self.signals) > len(self.seen):
            total = self._added(np.zeros(len(self.seen)), self.seen, plain)
        else:
            # There are fewer patterns of bits than visits: what they come to is worked out once for each.
            patterns = np.arange(2 ** len(self.signals), dtype=np.uint64)
            total = self._added(np.zeros(len(patterns)), patterns, plain).take(self.seen.astype(np.int64))
        return self._added(total, self.seen, terms[len(plain) :])

    def _added(self, total: Floats, seen: Words, terms: Sequence[tuple[Sequence[str], float]]) -> Floats:
        """Add effect × signal over some terms to a sum, one after the other, in place."""
        for names, effect in terms:
            pattern = np.uint64(sum({1 << self._bits[name] for name in names if name in self._bits}))
            lasting = [self.column(name) for name in names if name not in self._bits]
            total += effect * np.prod([(seen & pattern) == pattern, *lasting], axis=0)
        return total

    @cached_property
    def _bits(self) -> dict[str, int]:
        """Place of the bit of each yes-or-no signal, by name."""
        return {signal.name: i for i, signal in enumerate(self.signals) if not isinstance(signal, SessionLength)}


class SignalReader:
    """Reads the signals off the arrays of a cohort.

    Every yes-or-no signal asks whether some event of the visitor so far has one of certain values in a certain column.
    A column is known of the visitor (country, company, the channel's campaign and referrer), of the visit (the device),
    of the page (its category), or of a form that was sent (the event, the address given); for each of these a table of
    bits is made once.

    Args:
        site: Pages and forms.
        channels: Channels by name, in the order in which visitors index them.
        population: Companies and devices, in the order in which visitors index them.
        signals: Signals to read.
    """

    def __init__(
        self,
        site: SiteSettings,
        channels: Mapping[str, ChannelSettings],
        population: Population,
        signals: tuple[Signal, ...] = SIGNALS,
    ) -> None:
        self.signals = signals
        pages = list(site.pages.values())
        self._of_page = self._bits([{"category": page.category} for page in pages])
        self._of_form = self._bits([{"event": page.form.event if page.form else None} for page in pages])
        self._of_channel = self._bits([_seen_of_channel(channel, site.host) for channel in channels.values()])
        self._of_region = self._bits([{"region": region} for region in REGIONS])
        self._of_device = self._bits([{"context_device_type": device} for device in population.devices])
        self._of_company_email = self._bits([{"company_email": False}, {"company_email": True}])
        accounts = population.accounts
        of_size = self._bits([{"context_company_size": size} for size in accounts.sizes])
        of_industry = self._bits([{"context_company_industry": industry} for industry in accounts.industries])
        # Visitors without a company have the index −1, and so the last row, of no bits.
        self._of_account = np.append(of_size[accounts.size] | of_industry[accounts.industry], np.uint64(0))

    def _bits(self, rows: Sequence[Mapping[str, object]]) -> Words:
        """For each row of column values, the bits of the signals that these values switch on."""
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
        self, people: People, journeys: Journeys, devices: Integers, until_ms: Integers | None = None
    ) -> SignalValues:
        """Signals of each visit of a cohort at its end.

        Args:
            people: The visitors.
            journeys: Their visits and page views.
            devices: Device of each visit; shape (visits,).
            until_ms: When observation stops for each visitor, in ms since the arrival; later views and forms are not
                seen. None for never.
        """
        bits = self._of_page.take(journeys.page)
        unseen, sent = np.empty(0, dtype=np.int64), np.flatnonzero(journeys.submit_ms >= 0)
        sender = journeys.visitor[journeys.visit_of_view[sent]]
        if until_ms is not None:
            unseen = np.flatnonzero(journeys.view_ms >= until_ms.take(journeys.visitor).take(journeys.visit_of_view))
            bits[unseen] = 0
            in_time = journeys.submit_ms[sent] < until_ms[sender]
            sent, sender = sent[in_time], sender[in_time]
        address = self._of_company_email[people.company_email[sender].astype(np.int64)]
        bits[sent] |= self._of_form[journeys.page[sent]] | address
        seen = np.bitwise_or.reduceat(bits, journeys.first_view) if len(bits) else bits
        of_visitor = (
            self._of_channel.take(people.channel)
            | self._of_region.take(people.region)
            # Visitors without a company have the index −1, and so the last row, of no bits.
            | self._of_account[people.account]
        )
        seen |= of_visitor.take(journeys.visitor)
        seen |= self._of_device.take(devices)
        _carry_over(seen, journeys.number)
        return SignalValues(self.signals, seen, _minutes(journeys, unseen))


def _seen_of_channel(channel: ChannelSettings, own_host: str) -> dict[str, object]:
    """Values that the first page view of a visitor of this channel carries."""
    campaign, referrer = channel.campaign, _domain(channel.referrer or "")
    return {
        # A link from the site itself refers nobody to it.
        "referrer_domain": referrer if referrer != _domain(f"https://{own_host}") else None,
        "context_campaign_source": campaign.source if campaign else None,
        "context_campaign_medium": campaign.medium if campaign else None,
        "context_campaign_name": campaign.name if campaign else None,
    }


def _domain(address: str) -> str | None:
    """Host of an address as analysts read it, without user, port and ``www.``; None without a host."""
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
    """Minutes from the first to the last page view of each visit that was seen (0 when none was)."""
    n_unseen = np.bincount(journeys.visit_of_view[unseen], minlength=len(journeys.n_pages))
    # What is not seen of a visit is its end. Where nothing is, the first page view stands for the last.
    last = journeys.first_view + np.maximum(journeys.n_pages - n_unseen, 1) - 1
    minutes: Floats = (journeys.view_ms[last] - journeys.view_ms[journeys.first_view]) / 60_000
    return minutes
