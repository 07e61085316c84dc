"""The visitors of a cohort who are on the clock: their plans and attributes, for quick access one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from analytics.signals.definitions import Signal, interaction_parts
from simulator.agents.visit import Itinerary, Visit, journeys_of
from simulator.engine.clock import Clock
from simulator.engine.streams import AddressedUniforms, Streams
from simulator.errors import ComponentError
from simulator.settings.base import unknown
from simulator.settings.visits import VISIT_BITS
from simulator.settings.world import WorldSettings
from simulator.tracking.activity import Records, visits_of
from simulator.visitors.cohort import Cohort
from simulator.visitors.cohort_tables import WorldTables
from simulator.visitors.histories import scaled
from simulator.visitors.outages import in_outage
from simulator.visitors.signals import bits_of
from simulator.world.accounts import Company
from simulator.world.population import Population


class SignalState(NamedTuple):
    """All that the signals at the end of a visit depend on; equal ones lead to equal decisions.

    Attributes:
        seen: Binary signals, one bit each.
        minutes: Minutes from the first to the last page view of the visit.
        history: Whole numbers behind the signals of other kinds, as of :mod:`simulator.visitors.histories`.
    """

    seen: int
    minutes: float
    history: tuple[int, ...]

    @classmethod
    def of(cls, visit: Visit) -> SignalState:
        """State of a visit as it was made."""
        return cls(visit.seen, visit.minutes, visit.history)


@dataclass(frozen=True)
class WorldOfAwake:
    """What all awake cohorts of a run share.

    Attributes:
        world: Settings of the world.
        tables: Tables of the world.
        streams: Random streams of the replication.
        intercept: Log-odds of a request at the end of a visit when all signals are 0.
        origins: Names of the channels and campaigns, those of components last.
    """

    world: WorldSettings
    tables: WorldTables
    streams: Streams
    intercept: float
    origins: Sequence[str]

    @cached_property
    def clock(self) -> Clock:
        """Start and end of the simulation."""
        return Clock(self.world.clock)

    @cached_property
    def bits(self) -> dict[str, int]:
        """Bit of each binary signal, by name."""
        return {name: 1 << bit for name, bit in bits_of(self.tables.reader.signals).items()}

    @cached_property
    def _with_history(self) -> tuple[Signal, ...]:
        return self.tables.reader.histories.signals

    @cached_property
    def terms(self) -> list[tuple[int, list[int], float]]:
        """Bits, places among :meth:`values` of the other factors, and effect of each term of the decision."""
        places = ["log_session_minutes", *(signal.name for signal in self._with_history)]
        return [
            (
                sum(self.bits.get(name, 0) for name in names),
                [places.index(name) for name in names if name not in self.bits],
                effect,
            )
            for term, effect in self.world.intent.effects.items()
            if effect and (names := interaction_parts(term))
        ]

    def values(self, state: SignalState) -> dict[str, float]:
        """Values of the signals that are more than a bit, by name; the length of the session first."""
        own = {
            signal.name: scaled(signal, np.array(history)).item()
            for signal, history in zip(self._with_history, state.history, strict=True)
        }
        return {"log_session_minutes": math.log1p(state.minutes), **own}

    def log_odds(self, state: SignalState) -> float:
        """Effect of the signals on the log-odds of a request.

        The arithmetic is not that of the arrays: its last digit differs, so a visit made as planned keeps its own sum.
        """
        values = list(self.values(state).values())
        return math.fsum(
            effect * math.prod([values[place] for place in places])
            for bits, places, effect in self.terms
            if state.seen & bits == bits
        )


class PeopleLists(NamedTuple):
    """Attributes of visitors as lists: those of :class:`simulator.world.population.People` that are read one by one."""

    country: list[int]
    region: list[int]
    device: list[int]
    second_device: list[int]
    channel: list[int]
    persona: list[int]
    account: list[int]
    company_email: list[bool]


class AwakeCohort:
    """The awake visitors of a cohort; all their attributes are lists, by row.

    Args:
        cohort: The awake visitors, with all their planned visits.
        shared: What all awake cohorts share.

    Attributes:
        cohort: The same visitors.
        people: Their attributes.
        rows: Row of each as an address of random numbers.
        numbers: Row of each in the cohort as drawn.
        seen_from_start: Signals that depend on the visitor only, as bits.
        seen_on_page: Signals that the view of each page switches on, as bits.
    """

    def __init__(self, cohort: Cohort, shared: WorldOfAwake) -> None:
        self.cohort = cohort
        self._shared = shared
        people, shown = cohort.people, shared.tables.reader.shown
        # Lists, because visitors read single items, which cost far more from an array.
        self.people = PeopleLists(*(getattr(people, name).tolist() for name in PeopleLists._fields))
        self.rows: list[int] = cohort.rows.tolist()
        self.numbers: list[int] = cohort.numbers.tolist()
        of_visitor = shown.of_country.take(people.country) | shown.of_account[people.account]
        self.seen_from_start: list[int] = of_visitor.tolist()
        self.seen_on_page: list[int] = shown.of_page.tolist()
        self._seen_on_form: list[int] = shown.of_form.tolist()
        self._seen_on_email: list[int] = shown.of_company_email.tolist()
        self._seen_by_device: list[int] = shown.of_device.tolist()
        self._seen_by_origin: list[int] = shown.of_origin.tolist()
        self._uniforms: dict[str, AddressedUniforms] = {}
        self._timetable = cohort.timetable
        self._pages: list[int] = cohort.journeys.page.tolist()
        self._end_ms: list[int] = cohort.end_ms.tolist()
        self._second: list[bool] = cohort.second_browser.tolist()
        self._margin: list[float] = cohort.decision_margin.tolist()
        self._planned = _states_of(cohort)

    def __len__(self) -> int:
        return len(self.cohort)

    @property
    def population(self) -> Population:
        """Attributes that the indices of ``people`` stand for."""
        return self._shared.tables.population

    @property
    def origins(self) -> Sequence[str]:
        """Names of the channels and campaigns."""
        return self._shared.origins

    @cached_property
    def ids(self) -> list[str]:
        """Identifier of each person."""
        found: list[str] = self.cohort.person_ids.to_list()
        return found

    @cached_property
    def visit_records(self) -> Records:
        """Record of each planned visit."""
        return visits_of(self.cohort, np.arange(len(self.cohort.journeys.visitor)))

    def record_row(self, row: int, visit: Visit) -> int:
        """Row of the record of a visit; a visit that was not planned shares that of the visitor's first one."""
        return visit.itinerary.row if visit.itinerary.row >= 0 else self._timetable.first_visit[row]

    def company_of(self, row: int) -> Company | None:
        """Company of a visitor; None if it is not recognised."""
        account = self.people.account[row]
        return self.population.accounts.company(account) if account >= 0 else None

    def stops_after_request(self, row: int) -> bool:
        """Whether a visitor makes no further visit after a request."""
        return self.cohort.ends_with_request(row)

    def origin_of(self, campaign: str | None) -> int:
        """Index of a component's campaign among the origins; −1 for none.

        Raises:
            ComponentError: There is no such campaign.
        """
        if campaign is None:
            return -1
        if campaign not in self.origins:
            raise ComponentError(unknown("campaign", campaign, self.origins))
        # The last of its name: those of components come after channels, one of which may have the same name.
        return len(self.origins) - 1 - self.origins[::-1].index(campaign)

    def uniforms(self, name: str) -> AddressedUniforms:
        """Random numbers of a purpose for this cohort."""
        # Starting a stream costs more than a draw, and all visitors of the cohort share it.
        if name not in self._uniforms:
            streams = self._shared.streams.within(self.cohort.arrival_source)
            self._uniforms[name] = streams.uniforms(name, self.cohort.index)
        return self._uniforms[name]

    # Visits

    def itineraries(self, row: int) -> Iterator[Itinerary]:
        """The planned visits of a visitor, in order."""
        timetable = self._timetable
        for visit in timetable.visits(row):
            views = timetable.views(visit)
            first, last = views.start, views.stop
            yield Itinerary(
                visit,
                self._pages[first:last],
                timetable.view_ms[first:last],
                timetable.submit_ms[first:last],
                self._end_ms[visit],
                self._second[visit],
                self.people.channel[row] if visit == timetable.first_visit[row] else -1,
                self._margin[visit] == -math.inf,
            )

    def extra_visit(self, row: int, number: int, landing: int, origin: int, start_ms: int) -> Itinerary:
        """Draw a visit that was not planned, by the same habits as the others.

        Args:
            row: The visitor.
            number: Number of the visit among those that were not planned, from 1.
            landing: Page on which it starts.
            origin: Campaign that leads to it; −1 for none.
            start_ms: Its start.
        """
        pages, opened, sent, length = self._shared.tables.journeys.draw_visit(
            landing, self._profiles[row], self._extra_address(row, number), self.uniforms
        )
        is_cut = bool(
            in_outage(np.array([start_ms]), self._shared.world.traffic.events.values(), self._shared.clock)[0]
        )
        if is_cut:
            pages, opened, sent, length = pages[:1], opened[:1], [-1], opened[1] if len(opened) > 1 else length
        return Itinerary(
            -number,
            pages,
            [start_ms + time for time in opened],
            [start_ms + time if time >= 0 else -1 for time in sent],
            start_ms + length,
            origin=origin,
            is_cut=is_cut,
        )

    @cached_property
    def _profiles(self) -> list[int]:
        tables = self._shared.tables
        found: list[int] = tables.journey_parameters(self.cohort.people, self.cohort.arms).profile.tolist()
        return found

    def _extra_address(self, row: int, number: int) -> int:
        """Address of a visit that was not planned: counted down from the largest number, where no planned visit is."""
        if number > (1 << VISIT_BITS) - 1 - self._shared.world.visits.max_visits:
            raise ComponentError(f"a visitor comes back more than {number - 1} times; no visitor can")
        return (self.rows[row] << VISIT_BITS) | ((1 << VISIT_BITS) - number)

    # Signals and the decision

    def seen_on_form(self, page: int, row: int) -> int:
        """Signals that the form of a page switches on, as bits."""
        return self._seen_on_form[page] | self._seen_on_email[self.people.company_email[row]]

    def seen_of_visit(self, row: int, itinerary: Itinerary) -> int:
        """Signals that depend on the device and the origin of a visit, as bits."""
        device: int = (self.people.second_device if itinerary.second_browser else self.people.device)[row]
        # The last row, which −1 selects, is that of no origin.
        return self._seen_by_device[device] | self._seen_by_origin[itinerary.origin]

    def history(self, row: int, visits: Sequence[Visit]) -> tuple[int, ...]:
        """Whole numbers behind the signals that are more than a bit, after some visits.

        Args:
            row: The visitor.
            visits: The visits so far, the current one last.
        """
        reader = self._shared.tables.reader
        made = [visit for visit in visits if visit.pages]
        if not reader.histories.signals or not made:
            return (0,) * len(reader.histories.signals)
        people, visitor = self.cohort.people.take(np.array([row])), np.zeros(len(made), dtype=np.int64)
        second = np.array([visit.itinerary.second_browser for visit in made])
        origins = np.array([visit.itinerary.origin for visit in made])
        journeys = journeys_of(made, visitor, np.zeros(1, dtype=np.int64))
        # Whole numbers: the same ones as in the arrays of a cohort, whatever their length.
        values = reader.read(people, journeys, people.device_used(visitor, second), origins=origins)
        return tuple(int(history[-1]) for history in values.histories.values())

    def signals(self, state: SignalState) -> dict[str, bool | float]:
        """Value of each signal, by name."""
        binary = {name: bool(state.seen & bit) for name, bit in self._shared.bits.items()}
        return {**binary, **self._shared.values(state)}

    def margin(self, row: int, visit: Visit) -> float:
        """Log-odds of a request at the end of a visit, minus the logit of the decision's uniform number.

        Args:
            row: The visitor.
            visit: The visit, as it was made.
        """
        planned, shared = visit.itinerary.row, self._shared
        if planned >= 0:
            state, as_planned = SignalState.of(visit), self._planned[planned]
            # As planned: the number of the arrays to the last bit, so that sleepers and the awake decide alike.
            if state == as_planned:
                return self._margin[planned]
            return self._margin[planned] + shared.log_odds(state) - shared.log_odds(as_planned)
        threshold = shared.tables.rule.thresholds(np.array([self.chance(row, visit)]))
        return self.log_odds(row, visit) - float(threshold[0])

    def log_odds(self, row: int, visit: Visit) -> float:
        """Log-odds of a request at the end of a visit, without the effects of components."""
        shared = self._shared
        return shared.intercept + self._unobserved[row] + shared.log_odds(SignalState.of(visit))

    def chance(self, row: int, visit: Visit) -> float:
        """Uniform number of the decision at the end of a visit."""
        planned = visit.itinerary.row
        if planned < 0:
            return self._decision.one(self._extra_address(row, -planned))
        number = planned - self._timetable.first_visit[row] + 1
        return self._decision.one((self.rows[row] << VISIT_BITS) | number)

    @cached_property
    def _decision(self) -> AddressedUniforms:
        return self.uniforms("decision")

    @cached_property
    def _unobserved(self) -> list[float]:
        """Effects of company, persona and experiment arms on the decision of each visitor."""
        people, tables = self.cohort.people, self._shared.tables
        effects = self._shared.world.intent.account_sd * people.effect + tables.log_odds[people.persona]
        found: list[float] = (effects + tables.experiments.log_odds[self.cohort.arms]).tolist()
        return found


def _states_of(cohort: Cohort) -> list[SignalState]:
    """Signals at the end of each planned visit."""
    signals = cohort.signals
    seen, minutes = signals.seen.tolist(), signals.minutes.tolist()
    histories = zip(*(history.tolist() for history in signals.histories.values()), strict=True)
    each = list(histories) if signals.histories else [()] * len(seen)
    return list(map(SignalState, seen, minutes, each))
