"""A visitor: an agent on the clock that views pages, sends forms, waits, leaves, returns and may request a demo."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import datetime
from types import GeneratorType
from typing import Any, ClassVar

import simpy

from simulator.agents.awake import AwakeCohort
from simulator.agents.made import Act, extra_of
from simulator.agents.person import Person
from simulator.agents.visit import Itinerary, Page, Visit
from simulator.agents.world_view import Hook, Hooks, World
from simulator.errors import ComponentError
from simulator.tracking.activity import IDENTIFY, SUBMIT, VIEW
from simulator.visitors.journey import MAX_DWELL_MS, MIN_GAP_MS

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
        is_refused: Whether a component has refused the visitor, who never came.
    """

    events: ClassVar[Sequence[str]] = ()
    """Names of the `track` calls that a subclass sends by :meth:`track`."""

    __slots__ = (
        "__dict__",
        "_departure",
        "_free_ms",
        "_hooks",
        "_identified_ms",
        "_is_deciding",
        "_leaving",
        "_n_extra",
        "_n_steps",
        "_n_tracked",
        "_n_views",
        "_rank",
        "_slept_until_ms",
        "is_refused",
        "state",
    )

    def __init__(self, world: World, cohort: AwakeCohort, row: int, hooks: Hooks, slept_until_ms: int = -1) -> None:
        super().__init__(world, cohort, row)
        # A visitor woken late first relives the plan in silence: until then it was what happened.
        self._slept_until_ms, self._replay_ms = slept_until_ms, None if slept_until_ms < 0 else 0
        self._rank = (*cohort.cohort.rank, cohort.numbers[row])
        self._hooks = hooks
        self._n_views = self._n_steps = self._n_tracked = self._n_extra = 0
        # Two visits of one visitor keep the idle time apart that separates them for analysts.
        self._free_ms = 0
        self._leaving = self._is_deciding = self.is_refused = False
        self._departure: simpy.Event | None = None
        self._identified_ms: dict[bool, int] = {}
        self.state: dict[str, Any] = {}

    # What they do

    def view(self, page: Page | str) -> None:
        """View a page.

        Args:
            page: The page, or its name.

        Raises:
            ComponentError: The visitor is not on the site, or was kept for longer than the idle time of a visit.
        """
        page = self._world.page_named(page) if isinstance(page, str) else page
        visit, now_ms = self._visit_under_way("view a page"), self.now_ms
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
            ComponentError: The visitor is not on the site, or the page has no form.
        """
        visit, page, now_ms = self._visit_under_way("submit a form"), self.page, self.now_ms
        if page is None or page.settings.form is None:
            raise ComponentError(f"page {page.name if page else None!r} has no form that a visitor could submit")
        visit.forms.append((len(visit.pages) - 1, now_ms))
        visit.last_event_ms = now_ms
        self._seen |= self._cohort.seen_on_form(page.index, self._row)
        # A browser knows its user from the first form on.
        self._identified_ms.setdefault(visit.itinerary.second_browser, now_ms)
        self._record(visit, IDENTIFY, self._n_views - 1)
        self._record(visit, SUBMIT, self._n_views - 1)

    def track(self, event: str, **properties: object) -> None:
        """Send an event: a `track` call of the browser, or of the servers if the component says so.

        Args:
            event: Name of the event, one of ``events`` of a component or of the visitor's class.
            properties: Properties of the event.

        Raises:
            ComponentError: The event is not announced, its properties are no JSON, or it comes from the browser of a
                visitor who is not on the site.
        """
        kind, on_server = self._world.kind_of(event)
        if on_server:
            visit = self._current_visit(f"track {event!r}")
        else:
            visit = self._visit_under_way(f"track {event!r} from the browser")
            # Events of browsers prolong a visit for analysts; those of servers do not.
            visit.last_event_ms = self.now_ms
        self._record(visit, kind, self._n_tracked, extra_of(event, properties))
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

        Raises:
            ComponentError: The time lies in the past, or there is no such page or campaign.
        """
        at_ms = self._world.clock.to_ms(at) if isinstance(at, datetime) else at
        if at_ms < self.now_ms:
            raise ComponentError(f"a visitor cannot come back at {at_ms} ms: it is {self.now_ms} already")
        page = self._world.page_named(landing) if isinstance(landing, str) else landing
        origin = self._cohort.origin_of(campaign)
        # The number of the visit addresses its draws, so they do not depend on when it is made.
        self._n_extra += 1
        self.env.process(self._extra_visit(at_ms, page, origin, self._n_extra))

    def decide(self) -> bool:
        """Whether to request a demo, at the end of a visit."""
        visit = self._current_visit("decide")
        margin = total = self._cohort.margin(self._row, visit)
        # The state of the world can only discourage: where nothing can win, it does not matter.
        if self._hooks.asks_always or margin + self._hooks.highest > 0:
            total += self._world.penalty_of(self._cohort.cohort, self._row)
        total = self._hooks.margin(self, total)
        visit.shift = total - margin
        return total > 0

    def request_demo(self) -> None:
        """Request a demo, at the end of a visit; to change who does, override :meth:`decide`.

        Raises:
            ComponentError: The visit is not at its end, where visitors decide.
        """
        visit = self._current_visit("request a demo")
        if not self._is_deciding:
            raise ComponentError(
                "a demo can be requested at the end of a visit only, where visitors decide: move the decision by "
                "effect() of a component, or override decide() of the visitor"
            )
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
        # What kept the visitor moves all later steps by as much.
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
        if self._replay_ms is not None or self._hooks.allow(self, page):
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
            # Hooks may take time, and visitors decide after them.
            visit.end_ms = self.now_ms
            if may_decide:
                yield from self._decide_now(visit)
        self._depart(visit.last_event_ms + MIN_GAP_MS)

    def _decide_now(self, visit: Visit) -> Steps:
        """Request a demo or not; in a visit that is over already, as it was decided then."""
        if self._replay_ms is not None:
            visit.requested = self.has_requested = self._world.has_requested_asleep(self._cohort, visit.itinerary.row)
            return
        # Only between these lines may a demo be requested, whatever a subclass overrides.
        self._is_deciding = True
        if self.decide():
            self.request_demo()
        self._is_deciding = False
        if not visit.requested:
            yield from self._react(self._hooks.on_no_request)

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

    def _record(self, visit: Visit, kind: int, number: int, extra: str = "") -> None:
        """Record an activity of now on the page that was viewed last, unless the plan has it already."""
        if self._replay_ms is not None:
            return
        pages, origin = visit.pages, visit.itinerary.origin if len(visit.pages) == 1 else -1
        last, previous = pages[-1] if pages else -1, pages[-2] if len(pages) > 1 else -1
        record = (self._env.now, number, last, previous, origin, kind)
        self._world.record(Act(self._cohort, self._row, visit, self._identified_ms, record, extra))

    def _visit_under_way(self, act: str) -> Visit:
        visit = self._current_visit(act)
        if not self._on_site:
            raise ComponentError(f"a visitor who is not on the site cannot {act}; come_back() makes a visit")
        return visit
