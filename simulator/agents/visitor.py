"""A visitor: an agent on the clock that views pages, sends forms, waits, leaves, returns and may request a demo."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from types import GeneratorType
from typing import Any, ClassVar

import simpy

from simulator.agents.awake import AwakeCohort, SignalState
from simulator.agents.hooks import Hook, Hooks
from simulator.agents.made import Act
from simulator.agents.person import Person
from simulator.agents.timeline import Timeline
from simulator.agents.visit import Itinerary, Page, Visit
from simulator.agents.world_view import World
from simulator.engine.clock import ExactEnvironment
from simulator.errors import ComponentError
from simulator.tracking.activity import IDENTIFY, SUBMIT, VIEW
from simulator.visitors.journey import IDLE_MS, MAX_DWELL_MS, MIN_GAP_MS

Steps = Generator[simpy.Event, Any, None]
"""What a step that takes time yields to SimPy."""

_MIN_STAY_MS = 1000
"""A visitor who leaves at once stays a second, so that a request never falls on the page view itself."""


class Visitor(Person):
    """A person on the site, on the clock.

    A visitor follows a plan, visit by visit and page by page, until something intervenes: a component that makes the
    visitor wait, leave or return, or a subclass that acts otherwise. What was done counts, for events and truth alike.

    Subclass it and pass the class to a model to change the behaviour of everybody: override :meth:`decide`,
    :meth:`view`, :meth:`submit`, or :meth:`journey`, which is an ordinary SimPy process. Components are the better way
    to add one thing to the world: several of them go together.

    Attributes:
        state: For components: whatever they need to remember about the visitor.
        visits: The visits so far, the current one last.
        visit: The current or last visit; None before the first.
        has_requested: Whether the visitor has requested a demo.
    """

    events: ClassVar[Sequence[str]] = ()
    """Names of the `track` calls that a subclass sends by :meth:`track`."""

    __slots__ = (
        "__dict__",
        "_departure",
        "_env",
        "_free_ms",
        "_hooks",
        "_identified_ms",
        "_leaving",
        "_n_extra",
        "_n_steps",
        "_n_tracked",
        "_n_views",
        "_on_site",
        "_rank",
        "_replay_ms",
        "_seen",
        "_slept_until_ms",
        "_world",
        "has_requested",
        "is_refused",
        "state",
        "visit",
        "visits",
    )

    def __init__(self, world: World, cohort: AwakeCohort, row: int, hooks: Hooks, slept_until_ms: int = -1) -> None:
        self._world = world
        # A visitor woken late first relives the plan in silence: until then it was what happened.
        self._slept_until_ms, self._replay_ms = slept_until_ms, None if slept_until_ms < 0 else 0
        super().__init__(cohort, row)
        self._env, self._rank = world.clock.env, (*cohort.cohort.rank, cohort.numbers[row])
        self._hooks = hooks
        self._seen = cohort.seen_from_start[row]
        self._n_views = self._n_steps = self._n_tracked = self._n_extra = 0
        # Two visits of one visitor keep the idle time apart that separates them for analysts.
        self._free_ms = 0
        self._on_site = self._leaving = False
        self._departure: simpy.Event | None = None
        self._identified_ms: dict[bool, int] = {}
        self.visits: list[Visit] = []
        self.visit: Visit | None = None
        self.has_requested = self.is_refused = False
        self.state: dict[str, Any] = {}

    def trace(self) -> Timeline:
        """Everything that the visitor has done, in order."""
        title = f"visitor {self.id}, {self.persona or 'somebody'} in {self.country}, visits: {len(self.visits)}"
        return Timeline.of(title, self.visits, self._world.pages, self._world.clock)

    def __repr__(self) -> str:
        where = f" on {self.page.name}" if self._on_site and self.page else ""
        return (
            f"<{type(self).__name__} {self.id[:8]} {self.persona} in {self.country}, visit {len(self.visits)}{where}>"
        )

    # What they see

    @property
    def device(self) -> str:
        """Device of the current visit, or of the first one."""
        row, people = self._row, self._cohort.people
        second = self.visit is not None and self.visit.itinerary.second_browser
        return self._cohort.population.devices[(people.second_device if second else people.device)[row]]

    @property
    def signals(self) -> dict[str, bool | float]:
        """Signals so far, as a perfect tracker would have seen them, by name."""
        history = self._cohort.history(self._row, self.visits)
        return self._cohort.signals(SignalState(self._seen, self.visit.minutes if self.visit else 0.0, history))

    @property
    def page(self) -> Page | None:
        """Page that was viewed last in the current visit."""
        return self._world.pages[self.visit.pages[-1]] if self.visit and self.visit.pages else None

    @property
    def env(self) -> ExactEnvironment:
        """The SimPy environment, in whole milliseconds."""
        return self._env

    @property
    def now_ms(self) -> int:
        """Now, in ms since the start of the simulation."""
        return self._env.now if self._replay_ms is None else self._replay_ms

    @property
    def now(self) -> datetime:
        """Now, in UTC."""
        return self._world.clock.now

    @property
    def idle_ms_left(self) -> int:
        """Time for which the visitor can still be kept without an event; after it, analysts take the visit for over."""
        visit = self._current_visit("wait")
        return visit.last_event_ms + IDLE_MS - 1 - self.now_ms if visit.pages else IDLE_MS - 1

    @property
    def log_odds(self) -> float:
        """Log-odds of a request in the current visit, without the effects of components."""
        return self._cohort.log_odds(self._row, self._current_visit("decide"))

    @property
    def chance(self) -> float:
        """Uniform number of the decision at the end of the current visit."""
        return self._cohort.chance(self._row, self._current_visit("decide"))

    # What they do

    def view(self, page: Page | str) -> None:
        """View a page.

        Args:
            page: The page, or its name.

        Raises:
            ComponentError: The visitor is not on the site, or was kept for longer than the idle time of a visit.
        """
        page = self._world.page_named(page) if isinstance(page, str) else page
        visit, now_ms = self._current_visit("view a page"), self.now_ms
        visit.refuse_pause(now_ms)
        if not visit.pages:
            self._seen |= self._cohort.seen_of_visit(self._row, visit.itinerary)
        visit.times_ms.append(now_ms)
        visit.pages.append(page.index)
        visit.last_event_ms = now_ms
        self._seen |= self._cohort.seen_on_page[page.index]
        self._record(visit, VIEW, self._n_views)
        self._n_views += 1

    def submit(self) -> None:
        """Submit the form of the page that was viewed last, which identifies the visitor to this browser.

        Raises:
            ComponentError: The page has no form.
        """
        visit, page, now_ms = self._current_visit("submit a form"), self.page, self.now_ms
        if page is None or page.settings.form is None:
            raise ComponentError(f"page {page.name if page else None!r} has no form that a visitor could submit")
        visit.forms.append((len(visit.pages) - 1, now_ms))
        visit.last_event_ms = now_ms
        self._seen |= self._cohort.seen_on_form(page.index, self._row)
        self._identified_ms.setdefault(visit.itinerary.second_browser, now_ms)
        self._record(visit, IDENTIFY, self._n_views - 1)
        self._record(visit, SUBMIT, self._n_views - 1)

    def track(self, event: str, **properties: object) -> None:
        """Send an event: a `track` call of the browser, or of the servers if the component says so.

        Args:
            event: Name of the event, one of ``events`` of a component or of the visitor's class.
            properties: Properties of the event.
        """
        visit = self._current_visit(f"track {event!r}")
        kind, on_server = self._world.kind_of(event)
        if not on_server:
            if not self._on_site:
                raise ComponentError(f"{event!r} comes from the browser of a visitor who is not on the site")
            visit.last_event_ms = self.now_ms
        self._record(visit, kind, self._n_tracked, properties)
        self._n_tracked += 1
        visit.tracked.append((self.now_ms, event))

    def leave(self) -> None:
        """End the current visit now, after what is under way."""
        self._leaving = True

    def come_back(self, at: int | datetime, landing: Page | str, campaign: str | None = None) -> None:
        """Make a visit that was not planned; it waits until a visit under way is over.

        Args:
            at: Time in ms since the start of the simulation, or in UTC.
            landing: Page on which the visit starts.
            campaign: Name of one of the component's ``campaigns`` whose link the visitor follows; None for none.
        """
        at_ms = self._world.clock.to_ms(at) if isinstance(at, datetime) else at
        page = self._world.page_named(landing) if isinstance(landing, str) else landing
        origin = self._cohort.origin_of(campaign)
        self._n_extra += 1
        self.env.process(self._extra_visit(max(at_ms, self.now_ms), page, origin, self._n_extra))

    def decide(self) -> bool:
        """Whether to request a demo, at the end of a visit."""
        visit = self._current_visit("decide")
        total = self._hooks.margin(self, self._cohort.margin(self._row, visit))
        # The state of the world can only discourage: without a positive margin it does not matter.
        return total > 0 and total + self._world.penalty_of(self._cohort.cohort, self._row) > 0

    def request_demo(self) -> None:
        """Request a demo."""
        visit = self._current_visit("request a demo")
        visit.requested = self.has_requested = True
        self._world.request_of(self._cohort, self._row, visit, self._identified_ms)

    # Their life

    def journey(self) -> Steps:
        """Make all planned visits; a SimPy process."""
        if self._replay_ms is not None:
            yield self._step_at(self._slept_until_ms + 1)
        for itinerary in self._cohort.itineraries(self._row):
            if itinerary.view_ms[0] >= self._world.clock.length_ms:
                return  # the clock stops first: the visitor is censored
            yield from self._until_free(itinerary.view_ms[0])
            if not self.visits and self._replay_ms is None:
                self._ask_to_come()
            if self.is_refused:
                return
            yield from self.make(itinerary)
            if self.has_requested and self._cohort.stops_after_request(self._row):
                return

    def _ask_to_come(self) -> None:
        """Let components refuse a visitor; the colleagues invited by a refused visitor do not come either."""
        if self._world.refuses(self.invited_by) or not self._hooks.admit(self):
            self.is_refused = True
            self._world.refuse(self.id)

    def make(self, itinerary: Itinerary) -> Steps:
        """Make a visit: view the pages at their times, or later if something kept the visitor, and decide at the end.

        Args:
            itinerary: The visit.
        """
        visit = self.visit = Visit(len(self.visits) + 1, itinerary)
        self.visits.append(visit)
        self._on_site, self._leaving = True, False
        late_ms = self.now_ms - itinerary.view_ms[0]
        if self._hooks.on_visit_start:
            yield from self._react(self._hooks.on_visit_start)
        for index, view_ms, submit_ms in zip(itinerary.pages, itinerary.view_ms, itinerary.submit_ms, strict=True):
            late_ms = yield from self._read(self._world.pages[index], view_ms, submit_ms, late_ms)
            if self._leaving:
                break
        yield from self._end(visit, itinerary.end_ms + late_ms)

    def _read(self, page: Page, view_ms: int, submit_ms: int, late_ms: int) -> Generator[simpy.Event, Any, int]:
        """View a page and submit its form; returns the delay of the visit from then on, in ms."""
        hooks = self._hooks
        if (pause := self._reading(view_ms + late_ms)) is not None:
            yield pause
        # Most visitors meet few hooks, and a generator for each that is missing would cost as much as the view.
        if hooks.before_view:
            yield from self._react(hooks.before_view, page)
        if not self._leaving:
            self.view(page)
            if hooks.on_view:
                yield from self._react(hooks.on_view, page)
        late_ms = self.now_ms - view_ms
        # A visitor who did not view the page, or went on to another, has no form of it to submit.
        if submit_ms < 0 or self._leaving or self.page is not page:
            return late_ms
        if (pause := self._reading(submit_ms + late_ms)) is not None:
            yield pause
        yield from self._send_form(page)
        return self.now_ms - submit_ms

    def _send_form(self, page: Page) -> Steps:
        """Submit a form, unless a component refuses it."""
        if self._replay_ms is not None or all(allow(self, page) for allow in self._hooks.before_submit):
            self.submit()
            yield from self._react(self._hooks.on_submit, page)

    def _end(self, visit: Visit, end_ms: int) -> Steps:
        """End a visit, and decide unless a demo has been requested."""
        if not visit.pages:
            # Left before the first page was there: nobody has seen this visit.
            self.visits.pop()
            self.visit = self.visits[-1] if self.visits else None
            self._depart(self.now_ms)
            return
        may_decide = not self.has_requested and not visit.itinerary.is_cut
        if may_decide or self._hooks.on_visit_end:
            if self._leaving:
                end_ms = max(self.now_ms, visit.last_event_ms + _MIN_STAY_MS)
            if (pause := self._reading(end_ms)) is not None:
                yield pause
            visit.end_ms = self.now_ms
            visit.seen, visit.history = self._seen, self._cohort.history(self._row, self.visits)
            yield from self._react(self._hooks.on_visit_end)
            if may_decide and self._replay_ms is not None:
                visit.requested = self.has_requested = self._world.has_requested_asleep(
                    self._cohort, visit.itinerary.row
                )
            elif may_decide and self.decide():
                self.request_demo()
        self._depart(visit.last_event_ms + MIN_GAP_MS)

    def _depart(self, free_ms: int) -> None:
        self._on_site, self._free_ms = False, free_ms
        if self._departure is not None:
            self._departure.succeed()
            self._departure = None

    def _extra_visit(self, at_ms: int, landing: Page, origin: int, number: int) -> Steps:
        """Make a visit that was not planned; a SimPy process."""
        yield from self._until_free(at_ms)
        if self.is_refused or (self.has_requested and self._cohort.stops_after_request(self._row)):
            return
        yield from self.make(self._cohort.extra_visit(self._row, number, landing.index, origin, self.now_ms))

    def _until_free(self, at_ms: int) -> Steps:
        """Wait until a time, and then for the end of a visit under way."""
        if (pause := self._pause(at_ms)) is not None:
            yield pause
        while self._on_site or self.now_ms < self._free_ms:
            if not self._on_site:
                if (pause := self._pause(self._free_ms)) is not None:
                    yield pause
                continue
            if self._departure is None:
                self._departure = self.env.event()
            yield self._departure

    def _reading(self, at_ms: int) -> simpy.Event | None:
        """Pause until a time, or for as long as anybody reads; after a wait, visitors read less."""
        visit = self._current_visit("read")
        return self._pause(min(at_ms, visit.last_event_ms + MAX_DWELL_MS) if visit.pages else at_ms)

    def _pause(self, at_ms: int) -> simpy.Event | None:
        """Event of the time until which to wait; None if it is past."""
        if at_ms <= self._slept_until_ms:
            self._replay_ms = at_ms
            return None
        # Awake from here on.
        self._replay_ms, now_ms = None, self._env.now
        return self._step_at(max(at_ms, now_ms)) if at_ms > now_ms or not self._on_site else None

    def _step_at(self, at_ms: int) -> simpy.Event:
        """Event of a time; ties are ordered by who one is, never by who began to wait first."""
        self._n_steps += 1
        return self._env.at(at_ms, (*self._rank, self._n_steps))

    def _react(self, hooks: Sequence[Hook], *context: Page) -> Steps:
        """Let components react in turn; a reaction that is a generator takes time."""
        for hook in hooks if self._replay_ms is None else ():
            reaction = hook(self, *context)
            if isinstance(reaction, GeneratorType):
                yield from reaction

    def _record(self, visit: Visit, kind: int, number: int, properties: Mapping[str, object] | None = None) -> None:
        """Record an activity of now on the page that was viewed last, unless the plan has it already."""
        if self._replay_ms is not None:
            return
        pages, origin = visit.pages, visit.itinerary.origin if len(visit.pages) == 1 else -1
        last, previous = pages[-1] if pages else -1, pages[-2] if len(pages) > 1 else -1
        record = (self._env.now, number, last, previous, origin, kind)
        self._world.record(Act(self._cohort, self._row, visit, self._identified_ms, record, properties))

    def _current_visit(self, act: str) -> Visit:
        if self.visit is None:
            raise ComponentError(f"a visitor who has not come yet cannot {act}")
        return self.visit
