"""Claims about visitors on the clock whom nothing touches."""

from typing import Any, cast

import numpy as np
import pytest

from analytics.events.times import HOUR_MS
from simulator.engine.clock import Clock
from simulator.replication.candidates import Candidates
from simulator.replication.planned_agents import activate, decisions
from simulator.settings.clock import ClockSettings
from simulator.visitors.cohort import Cohort
from simulator.visitors.journey import Journeys

NEVER = -1


class World:
    """A world with a clock only, which logs the requests: their time and visit."""

    def __init__(self, woken_ms: int | None = None) -> None:
        self.clock = Clock(ClockSettings(hours=1))
        self.requests: list[tuple[int, int]] = []
        self._woken_ms = woken_ms

    def request_demo(self, cohort: Cohort, visitor: int, visit: int) -> None:
        """Log the request."""
        self.requests.append((self.clock.now_ms, visit))
        cohort.request_visit[visitor] = visit

    def is_woken(self, candidates: Candidates, number: int) -> bool:
        """Whether the visitor has been woken."""
        return self._woken_ms is not None and self.clock.now_ms > self._woken_ms

    def penalty_of(self, cohort: Cohort, visitor: int) -> float:
        """No penalty."""
        return 0.0


def cohort_of(arrival_ms: int, decision_margin: list[float], form_ms: int = NEVER) -> Cohort:
    """One visitor with two visits: two pages, read for 1 and 2 s, and more than half an hour later one, for 3 s."""
    journeys = Journeys(
        n_visits=np.array([2]),
        visitor=np.array([0, 0]),
        number=np.array([1, 2]),
        n_pages=np.array([2, 1]),
        page=np.array([0, 1, 0]),
        view_ms=np.array([0, 1000, 2_000_000]),
        submit_ms=np.array([NEVER, form_ms, NEVER]),
        end_ms=np.array([3000, 2_003_000]),
    )
    unused: Any = None
    return Cohort(
        index=0,
        rows=np.array([0]),
        people=cast("Any", ["somebody"]),
        arrival_ms=np.array([arrival_ms]),
        journeys=journeys,
        signals=unused,
        decision_margin=np.array(decision_margin),
        buyer_draws=np.full((1, 7), 0.5),
        identities=np.zeros((2, 2), dtype=np.uint64),
        second_browser=np.zeros(2, dtype=bool),
        accounts=unused,
    )


def run(cohort: Cohort, *, page_by_page: bool = True, woken_ms: int | None = None) -> World:
    """Run the visitor for an hour, page by page or at the decisions only."""
    world = World(woken_ms)
    if page_by_page:
        activate(world, cohort)
    else:
        world.clock.env.process(decisions(world, cast("Candidates", cohort), 0))
    world.clock.env.run(until=world.clock.length_ms)
    return world


@pytest.mark.parametrize(
    ("margins", "requests", "viewed"),
    [
        ([-1.0, -0.001], [], [0, 1, 2]),
        ([0.001, 5.0], [(3500, 0)], [0, 1]),  # the second visit does not take place
        ([-1.0, 1.0], [(2_003_500, 1)], [0, 1, 2]),
        ([0.0, 0.0], [], [0, 1, 2]),  # the uniform number must be strictly below the probability
    ],
    ids=["never", "first visit", "second visit", "margins of 0"],
)
def test_a_request_ends_the_journey(margins: list[float], requests: list[tuple[int, int]], viewed: list[int]):
    """It is made at the end of the first visit whose margin is above 0, and nothing follows it."""
    cohort = cohort_of(500, margins, form_ms=1400)
    assert run(cohort).requests == requests
    assert cohort.activity.viewed == viewed
    assert cohort.activity.submitted == [1]
    # Who is on the clock for the decisions only makes the same ones.
    assert run(cohort_of(500, margins), page_by_page=False).requests == requests


@pytest.mark.parametrize(
    ("arrival_ms", "viewed", "requests"),
    [
        (HOUR_MS - 2000, [0, 1], []),  # the page is open when the clock stops, and the form unsent
        (HOUR_MS - 1000, [0], []),  # the second page would open at the very end
        (HOUR_MS - 1001, [0, 1], []),
        (HOUR_MS - 3000, [0, 1], []),  # the decision would be at the very end
        (HOUR_MS - 3001, [0, 1], [(HOUR_MS - 1, 0)]),
    ],
)
def test_nothing_happens_at_the_end_itself(arrival_ms: int, viewed: list[int], requests: list[tuple[int, int]]):
    """Steps at the end or later do not happen: the visitor is censored."""
    cohort = cohort_of(arrival_ms, [1.0, 1.0], form_ms=2000)
    assert run(cohort).requests == requests
    assert cohort.activity.viewed == viewed
    assert cohort.activity.submitted == ([1] if arrival_ms < HOUR_MS - 2000 else [])


@pytest.mark.parametrize(("woken_ms", "n"), [(3499, 0), (3500, 1), (None, 1)])
def test_who_was_woken_decides_there(woken_ms: int | None, n: int):
    """A candidate who was woken before the end of the visit makes no decision of a sleeper."""
    assert len(run(cohort_of(500, [1.0, 1.0]), page_by_page=False, woken_ms=woken_ms).requests) == n
