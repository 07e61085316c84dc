"""The live world: the clock, the visitors on it and the sales team; the part of a run that has a state."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable

import numpy as np

from analytics.events.geography import REGIONS
from analytics.events.times import HOUR_MS
from analytics.events.tracking_plan import EventName
from simulator.agents.awake import AwakeCohort
from simulator.agents.component_set import ComponentHooks
from simulator.agents.made import Act, activity_of, made_cohort
from simulator.agents.sleeping import SleepingVisitor
from simulator.agents.visit import Page, Visit
from simulator.agents.visitor import Visitor
from simulator.engine.clock import Clock
from simulator.errors import ComponentError
from simulator.replication.candidates import Candidates
from simulator.replication.generator import AwakeVisitors, EventGenerator
from simulator.replication.planned_agents import activate, decisions
from simulator.sales.desk import SALES_EVENTS, BuyerDraws, SalesDesk
from simulator.settings.base import unknown
from simulator.settings.world import WorldSettings
from simulator.tracking.activity import (
    REQUEST,
    SALES,
    HourActivity,
    desk_activity,
    logged_activity,
    sales_kind,
    visits_of,
)
from simulator.visitors.cohort import Cohort


class LiveWorld:
    """The world in which visitors act and request demos.

    Args:
        world: Settings of the world.
        generator: Draws the cohorts; its tables and components are those of the world.
        visitor: Class of the awake visitors.

    Attributes:
        clock: Simulated time.
        sales: The sales desk.
        pages: Pages of the site, by index.
        visitors: All awake visitors, in the order in which they were woken.
        request_visits: Visit in which each visitor who was not awake requested a demo, by place of the cohort and
            visitor.
        cancelled_visits: The same for candidates with later visits, which the request cancels.
        n_cancelled_visits: Number of those later visits before the end.
        woken: Last millisecond of the plan of visitors who were woken late, by place of the cohort and visitor.
    """

    def __init__(self, world: WorldSettings, generator: EventGenerator, visitor: type[Visitor] = Visitor) -> None:
        self.clock = Clock(world.clock)
        self.sales = SalesDesk(self.clock, world.sales)
        self.pages = [Page(i, name, page) for i, (name, page) in enumerate(world.site.pages.items())]
        self.visitors: list[Visitor] = []
        self.request_visits: defaultdict[int, dict[int, int]] = defaultdict(dict)
        self.cancelled_visits: dict[tuple[int, int], int] = {}
        self.n_cancelled_visits = 0
        self.woken: dict[tuple[int, int], int] = {}
        self._generator = generator
        self._accounts = generator.population.accounts
        self._visitor = visitor
        self._demo_per_account = world.intent.conversion_unit == "account"
        self._converted_accounts: set[int] = set()
        self._active_cohorts: list[Cohort] = []
        self._changed: set[Cohort] = set()
        self._awake: list[tuple[AwakeCohort, list[Visitor]]] = []
        self._acts: list[Act] = []
        first = SALES + len(SALES_EVENTS)
        self._kinds = {event.name: (first + i, event.on_server) for i, event in enumerate(generator.components.events)}
        self._refused: set[str] = set()
        self._hooks: dict[tuple[bool, ...], ComponentHooks] = {}
        self._names = {kind: name for name, (kind, _) in self._kinds.items()}
        self._subscribers: defaultdict[str, list[Callable[[], None]]] = defaultdict(list)

    def activate(self, cohort: Cohort) -> None:
        """Run visitors whom nothing touches page by page, from their arrival on."""
        self._active_cohorts.append(cohort)
        activate(self, cohort)

    def admit(self, candidates: Candidates) -> None:
        """Let candidates make their decisions."""
        for number in range(len(candidates)):
            self.clock.env.process(decisions(self, candidates, number))

    def wake(self, awake: AwakeVisitors, slept_until_ms: int = -1) -> None:
        """Let visitors live on the clock, from their arrival on, or from the end of their sleep.

        Args:
            awake: The visitors.
            slept_until_ms: Last millisecond in which they lived as planned; −1 if they never did.
        """
        cohort = AwakeCohort(awake.cohort, self._generator.shared)
        touched = list(map(tuple, awake.touched.T.tolist())) if len(awake.touched) else [()] * len(cohort)
        visitors = [
            self._visitor(self, cohort, row, self._hooks_of(touched[row]), slept_until_ms) for row in range(len(cohort))
        ]
        if slept_until_ms >= 0:
            self.woken.update({(awake.cohort.place, number): slept_until_ms for number in cohort.numbers})
        self._awake.append((cohort, visitors))
        # Stable, so that visitors of one millisecond start in the order of their rows.
        for row in np.argsort(awake.cohort.arrival_ms, kind="stable").tolist():
            self.clock.env.process(visitors[row].journey())
        self.visitors += visitors

    def sleeper(self, cohort: Cohort) -> Visitor:
        """A visitor who is not awake, as the plan was until now.

        Args:
            cohort: The visitor alone.
        """
        hooks = ComponentHooks(())
        awake = AwakeCohort(cohort, self._generator.shared)
        return SleepingVisitor(self, awake, 0, hooks, self.clock.now_ms).relive()

    def subscribe(self, event: str, call: Callable[[], None]) -> None:
        """Have a function called after each event of a name, when it happens.

        Page views and forms are not among them: visitors who are asleep make them off the clock.

        Args:
            event: A demo request, an event of the sales desk, or one of a component.
            call: The function.

        Raises:
            ComponentError: There is no such event.
        """
        known = [str(EventName.DEMO_REQUESTED), *map(str, SALES_EVENTS), *self._kinds]
        if event not in known:
            raise ComponentError(unknown("event", event, known))
        self._subscribers[event].append(call)

    def _announce(self, event: str) -> None:
        for call in self._subscribers.get(event, ()):
            call()

    def advance(self, hour: int) -> HourActivity:
        """Advance the clock by an hour and return the activity that was not planned.

        Args:
            hour: Number of the hour, from 0; each hour in turn.
        """
        self.clock.env.run(until=(hour + 1) * HOUR_MS)
        parts = [
            _site_activity(cohort)
            for cohort in self._active_cohorts
            if cohort.activity.viewed or cohort.activity.submitted
        ]
        # By place: the order of a set depends on memory addresses.
        changed, self._changed = sorted(self._changed, key=lambda cohort: cohort.place), set()
        acts, self._acts = self._acts, []
        return HourActivity.of([*parts, *(_desk_activity(cohort) for cohort in changed), activity_of(acts)])

    def made(self) -> list[Cohort]:
        """What the awake visitors did, as cohorts."""
        tables, length_ms = self._generator.shared.tables, self.clock.length_ms
        return [
            made_cohort(cohort, [visitor.visits for visitor in visitors], tables, length_ms)
            for cohort, visitors in self._awake
        ]

    # What visitors whom nothing touches need

    def request_demo(self, cohort: Cohort, visitor: int, visit: int) -> None:
        """Submit the request of a visitor who is not awake.

        Args:
            cohort: The visitor's cohort.
            visitor: The visitor's row in it.
            visit: Row of the visit that ends in the request.
        """

        def record_step(event: EventName) -> None:
            cohort.activity.sales.append((visitor, self.clock.now_ms, event))
            self._changed.add(cohort)

        cohort.request_visit[visitor] = visit
        cohort.activity.requested.append(visit)
        self._changed.add(cohort)
        if isinstance(cohort, Candidates):
            self._cancel_later_visits(cohort, visit)
        else:
            self.request_visits[cohort.place][visitor] = visit
        # The browser of the visit that ended in the request, not the person's first one.
        self._submit_request(cohort, visitor, cohort.browser_ids[int(cohort.browser[visit])], record_step)

    def penalty_of(self, cohort: Cohort, row: int) -> float:
        """Effect of the state of the world on a visitor's decision to request a demo in log-odds; 0 or below.

        −∞ once a colleague has requested; otherwise the effect of the visible wait for a demo.

        Args:
            cohort: The visitor's cohort.
            row: The visitor's row in it.
        """
        if int(cohort.people.account[row]) in self._converted_accounts:
            return -math.inf
        return self.sales.decision_penalty(_region(cohort, row))

    def is_woken(self, candidates: Candidates, number: int) -> bool:
        """Whether a candidate has left the plan before now."""
        last_ms = self.woken.get((candidates.place, int(candidates.numbers[number])))
        return last_ms is not None and self.clock.now_ms > last_ms

    # What awake visitors need

    def has_requested_asleep(self, cohort: AwakeCohort, visit: int) -> bool:
        """Whether a visitor requested a demo at the end of a planned visit, before waking."""
        record = cohort.visit_records[visit]
        return self.request_visits[cohort.cohort.place].get(int(record["visitor"])) == int(record["visit"])

    def page_named(self, name: str) -> Page:
        """Page of this name.

        Raises:
            ComponentError: There is none.
        """
        for page in self.pages:
            if page.name == name:
                return page
        raise ComponentError(unknown("page", name, [page.name for page in self.pages]))

    def kind_of(self, event: str) -> tuple[int, bool]:
        """Kind of the activity that is an event of a component, and whether servers send it.

        Raises:
            ComponentError: No component has announced the event.
        """
        if event not in self._kinds:
            raise ComponentError(f"{unknown('event', event, self._kinds)} (name it in `events` of the component)")
        return self._kinds[event]

    def record(self, act: Act) -> None:
        """Record an activity of an awake visitor."""
        self._acts.append(act)
        # Checked first: without subscribers this runs for every page view.
        if self._subscribers and act.record[-1] in self._names:
            self._announce(self._names[act.record[-1]])

    def request_of(self, cohort: AwakeCohort, row: int, visit: Visit, identified_ms: dict[bool, int]) -> None:
        """Submit the request of an awake visitor."""

        def record(kind: int) -> None:
            self._acts.append(Act(cohort, row, visit, identified_ms, (self.clock.now_ms, 0, -1, -1, -1, kind)))

        record(REQUEST)
        browser = row + len(cohort) * visit.itinerary.second_browser
        self._submit_request(
            cohort.cohort, row, cohort.cohort.browser_ids[browser], lambda event: record(sales_kind(event))
        )

    def refuses(self, invited_by: str | None) -> bool:
        """Whether the colleague who invited a visitor never came."""
        return invited_by in self._refused

    def refuse(self, visitor: str) -> None:
        """Remember a visitor who never came."""
        self._refused.add(visitor)

    def _submit_request(self, cohort: Cohort, row: int, browser: str, record_step: Callable[[EventName], None]) -> None:
        account = int(cohort.people.account[row])
        if self._demo_per_account and account >= 0:
            # From now on the colleagues' decisions have a penalty of −∞.
            self._converted_accounts.add(account)
        draws = BuyerDraws(*cohort.buyer_draws[row].tolist())

        def step(event: EventName) -> None:
            record_step(event)
            self._announce(event)

        self.sales.request_demo(browser, _region(cohort, row), draws, step, self._accounts.company(account))
        self._announce(EventName.DEMO_REQUESTED)

    def _cancel_later_visits(self, candidates: Candidates, visit: int) -> None:
        """Record the request of a candidate, and the visits that it cancels."""
        record, n_later = candidates.visit_records[visit], int(candidates.n_later[visit])
        self.request_visits[candidates.place][int(record["visitor"])] = int(record["visit"])
        if n_later:
            self.cancelled_visits[candidates.place, int(record["visitor"])] = int(record["visit"])
            self.n_cancelled_visits += n_later

    def _hooks_of(self, touched: tuple[bool, ...]) -> ComponentHooks:
        """Hooks of a combination of components; many visitors share each."""
        if touched not in self._hooks:
            self._hooks[touched] = self._generator.components.hooks(touched)
        return self._hooks[touched]


def _region(cohort: Cohort, visitor: int) -> str:
    return REGIONS[cohort.people.region[visitor]]


def _site_activity(cohort: Cohort) -> HourActivity:
    """Activity of a cohort's agents on the site since the last call."""
    log = cohort.activity
    viewed, log.viewed = np.array(log.viewed, dtype=np.int64), []
    submitted, log.submitted = np.array(log.submitted, dtype=np.int64), []
    return logged_activity(cohort, viewed, submitted)


def _desk_activity(cohort: Cohort) -> HourActivity:
    """Requests of a cohort's visitors, and steps at the sales desk, since the last call."""
    log = cohort.activity
    requested, log.requested = log.requested, []
    steps, log.sales = log.sales, []
    visits = np.array([*requested, *(cohort.request_visit[visitor] for visitor, _, _ in steps)], dtype=np.int64)
    records = cohort.visit_records[visits] if isinstance(cohort, Candidates) else visits_of(cohort, visits)
    times = [*cohort.end_ms[requested].tolist(), *(time_ms for _, time_ms, _ in steps)]
    return desk_activity(records, times, [*[REQUEST] * len(requested), *(sales_kind(event) for _, _, event in steps)])
