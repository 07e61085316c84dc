"""The live world: the clock, the active agents and the sales team; the part of a run that has a state."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

from analytics.events.geography import REGIONS
from analytics.events.times import HOUR_MS
from analytics.events.tracking_plan import EventName
from simulator.engine.clock import Clock, ExactEnvironment
from simulator.replication.candidates import Candidates
from simulator.sales.desk import BuyerDraws, SalesDesk
from simulator.settings.world import WorldSettings
from simulator.tracking.activity import REQUEST, HourActivity, desk_activity, logged_activity, sales_kind, visits_of
from simulator.visitors.cohort import Cohort
from simulator.visitors.cohort_process import activate
from simulator.visitors.visitor import Visitor
from simulator.world.accounts import Accounts


class LiveWorld:
    """The world in which agents are active and request demos.

    Args:
        world: Settings of the world.
        accounts: The companies.
        visitor: Class of the agents.

    Attributes:
        env: SimPy environment.
        clock: Simulated time.
        sales: The sales desk.
        request_visits: Visit in which each visitor requested a demo, by place of the cohort and visitor.
        cancelled_visits: The same for candidates with later visits, which the request cancels.
        n_cancelled_visits: Number of those later visits before the end.
    """

    def __init__(self, world: WorldSettings, accounts: Accounts, visitor: type[Visitor] = Visitor) -> None:
        self.env = ExactEnvironment()
        self.clock = Clock(world.clock, self.env)
        self.sales = SalesDesk(self.clock, world.sales)
        self.request_visits: defaultdict[int, dict[int, int]] = defaultdict(dict)
        self.cancelled_visits: dict[tuple[int, int], int] = {}
        self.n_cancelled_visits = 0
        self._accounts = accounts
        self._visitor = visitor
        self._demo_per_account = world.intent.conversion_unit == "account"
        self._converted_accounts: set[int] = set()
        self._active_cohorts: list[Cohort] = []
        self._changed: set[Cohort] = set()

    def admit(self, cohort: Cohort) -> None:
        """Activate visitors: candidates for their decisions only, all others from their arrival, page by page.

        Args:
            cohort: A cohort, or the candidates of one.
        """
        # Candidates have no page views to go through, only decisions.
        if isinstance(cohort, Candidates):
            for number in range(len(cohort)):
                self.env.process(self._visitor(self, cohort, number).decisions())
        else:
            self._active_cohorts.append(cohort)
            activate(self, cohort, self._visitor)

    def advance(self, hour: int) -> HourActivity:
        """Advance the clock by an hour and return the activity that was not planned.

        Args:
            hour: Number of the hour, from 0; each hour in turn.
        """
        self.env.run(until=(hour + 1) * HOUR_MS / 1000)
        parts = [
            _site_activity(cohort)
            for cohort in self._active_cohorts
            if cohort.activity.viewed or cohort.activity.submitted
        ]
        # By place: the order of a set depends on memory addresses.
        changed, self._changed = sorted(self._changed, key=lambda cohort: cohort.place), set()
        return HourActivity.of([*parts, *(_desk_activity(cohort) for cohort in changed)])

    def request_demo(self, cohort: Cohort, visitor: int) -> None:
        """Submit a visitor's request to the sales desk.

        Args:
            cohort: The visitor's cohort.
            visitor: The visitor's row in it.
        """

        def record_step(event: EventName) -> None:
            # A whole millisecond in seconds may be a rounding error too small.
            cohort.activity.sales.append((visitor, int(self.env.now * 1000 + 1e-6), event))
            self._changed.add(cohort)

        self._record_request(cohort, visitor)
        account = int(cohort.people.account[visitor])
        if self._demo_per_account and account >= 0:
            # From now on the colleagues' decisions have a penalty of −∞.
            self._converted_accounts.add(account)
        # The browser of the visit that ended in the request, not the person's first one.
        browser = cohort.browser_ids[int(cohort.browser[cohort.request_visit[visitor]])]
        draws = BuyerDraws(*cohort.buyer_draws[visitor].tolist())
        self.sales.request_demo(browser, _region(cohort, visitor), draws, record_step, self._accounts.company(account))

    def decision_penalty(self, cohort: Cohort, visitor: int) -> float:
        """Effect of the state of the world on a visitor's decision to request a demo in log-odds; 0 or below.

        −∞ once a colleague has requested; otherwise the effect of the visible wait for a demo.

        Args:
            cohort: The visitor's cohort.
            visitor: The visitor's row in it.
        """
        if int(cohort.people.account[visitor]) in self._converted_accounts:
            return -math.inf
        return self.sales.decision_penalty(_region(cohort, visitor))

    def _record_request(self, cohort: Cohort, visitor: int) -> None:
        """Record a request and the visits that it cancels."""
        self._changed.add(cohort)
        visit = cohort.request_visit[visitor]
        if not isinstance(cohort, Candidates):
            self.request_visits[cohort.place][visitor] = visit
            return
        record, n_later = cohort.visit_records[visit], int(cohort.n_later[visit])
        self.request_visits[cohort.place][int(record["visitor"])] = int(record["visit"])
        if n_later:
            self.cancelled_visits[cohort.place, int(record["visitor"])] = int(record["visit"])
            self.n_cancelled_visits += n_later


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
