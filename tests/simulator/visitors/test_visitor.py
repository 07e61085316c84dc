"""Claims about visitors as agents on the clock."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from simulator.visitors.visitor import Visitor, WorldView
from small_worlds import LoggingVisitor

from analytics.events.times import HOUR_MS
from simulator.engine.clock import Clock
from simulator.model import Simulation
from simulator.settings.clock import ClockSettings
from simulator.settings.world import WorldSettings
from simulator.visitors.cohort import Cohort
from simulator.visitors.journey import Journeys

NEVER = -1
Log = list[tuple[int, str, int]]


class Diary(LoggingVisitor):
    """A visitor who logs every step, in milliseconds."""

    log: Log

    def note(self, what: str, number: int) -> None:
        """Log a step."""
        self.log.append((self.world.clock.now_ms, what, number))


class World:
    """A world with a clock only, which logs the requests."""

    def __init__(self, log: Log) -> None:
        self.clock = Clock(ClockSettings(hours=1))
        self.log = log

    def request_demo(self, cohort: Cohort, visitor: int) -> None:
        """Log the request."""
        self.log.append((self.clock.now_ms, "request", visitor))

    def decision_penalty(self, cohort: Cohort, visitor: int) -> float:
        """No penalty."""
        return 0.0


def cohort_of(arrival_ms: int, decision_margin: list[float], forms: dict[int, int] | None = None) -> Cohort:
    """One visitor with two visits: two pages, read for 1 and 2 s, and more than half an hour later one, for 3 s."""
    submit = np.full(3, NEVER)
    for view, at in (forms or {}).items():
        submit[view] = at
    journeys = Journeys(
        n_visits=np.array([2]),
        visitor=np.array([0, 0]),
        number=np.array([1, 2]),
        n_pages=np.array([2, 1]),
        page=np.array([0, 1, 0]),
        view_ms=np.array([0, 1000, 2_000_000]),
        submit_ms=submit,
        end_ms=np.array([3000, 2_003_000]),
    )
    unused: Any = None
    return Cohort(
        index=0,
        rows=np.array([0]),
        people=cast("Any", SimpleNamespace(__len__=lambda: 1)),
        arrival_ms=np.array([arrival_ms]),
        journeys=journeys,
        signals=unused,
        decision_margin=np.array(decision_margin),
        buyer_draws=np.full((1, 7), 0.5),
        identities=np.zeros((2, 2), dtype=np.uint64),
        second_browser=np.zeros(2, dtype=bool),
        accounts=unused,
    )


def run(cohort: Cohort) -> Log:
    """Run the visitor for an hour and return the log."""
    log: Log = []
    world = World(log)
    visitor = Diary(cast("WorldView", world), cohort, 0)
    visitor.log = log
    world.clock.env.process(visitor.journey())
    world.clock.env.run(until=world.clock.length_ms)
    return log


def test_a_visitor_goes_through_the_journey_page_by_page():
    """Page views, forms and decisions happen at their milliseconds, until the end without a request."""
    cohort = cohort_of(500, [-1.0, -0.001], forms={1: 1400})
    assert run(cohort) == [
        (500, "view", 0),
        (1500, "view", 1),
        (1900, "form", 1),
        (3500, "decide", 0),
        (2_000_500, "view", 2),
        (2_003_500, "decide", 1),
    ]
    assert cohort.activity.viewed == [0, 1, 2]
    assert cohort.activity.submitted == [1]
    assert cohort.activity.requested == []
    assert cohort.request_visit == {}


@pytest.mark.parametrize(
    ("margins", "last", "request_visit"),
    [
        ([0.001, 5.0], (3500, "request", 0), {0: 0}),  # the second visit does not take place
        ([-1.0, 1.0], (2_003_500, "request", 0), {0: 1}),
        ([0.0, 0.0], (2_003_500, "decide", 1), {}),  # the uniform number must be strictly below the probability
    ],
    ids=["first visit", "second visit", "margins of 0"],
)
def test_a_request_ends_the_journey(margins: list[float], last: tuple[int, str, int], request_visit: dict[int, int]):
    """It is made at the end of the first visit whose margin is above 0, and nothing follows it."""
    cohort = cohort_of(500, margins)
    assert run(cohort)[-1] == last
    assert cohort.request_visit == request_visit
    assert cohort.activity.requested == list(request_visit.values())
    assert cohort.requested.tolist() == [request_visit.get(0) == visit for visit in (0, 1)]


@pytest.mark.parametrize(
    ("arrival_ms", "last"),
    [
        (HOUR_MS - 2000, (HOUR_MS - 1000, "view", 1)),  # the page is open when the clock stops, and the form unsent
        (HOUR_MS - 1000, (HOUR_MS - 1000, "view", 0)),  # the second page would open at the very end
        (HOUR_MS - 1001, (HOUR_MS - 1, "view", 1)),
        (HOUR_MS - 3000, (HOUR_MS - 2000, "view", 1)),  # the decision would be at the very end
        (HOUR_MS - 3001, (HOUR_MS - 1, "request", 0)),
    ],
)
def test_nothing_happens_at_the_end_itself(arrival_ms: int, last: tuple[int, str, int]):
    """Steps at the end or later do not happen: the visitor is censored."""
    assert (
        run(cohort_of(arrival_ms, [1.0, 1.0], forms={1: 2000 if arrival_ms == HOUR_MS - 2000 else NEVER}))[-1] == last
    )


class Shy(Visitor):
    """A visitor who never requests a demo."""

    def wants_demo(self, visit: int) -> bool:
        """Never."""
        return False


class Keen(Visitor):
    """A visitor who requests a demo at the end of the first visit."""

    def wants_demo(self, visit: int) -> bool:
        """Always."""
        return True


def test_a_simulation_accepts_other_visitors():
    """A subclass without requests makes none, one that always requests makes one each, at the first visit's end."""
    settings = {"traffic": {"visitors_per_day": 300}, "intent": {"target_conversion": 0.3}}
    world = WorldSettings.model_validate(settings)
    shy, keen, usual = (Simulation(world, seed=1, visitor=each).run() for each in (Shy, Keen, Visitor))
    assert shy.counts["demo_requests"] == 0
    assert shy.counts["page_views"] > usual.counts["page_views"] > keen.counts["page_views"]
    assert keen.visits["visit"].max() == 1
    assert keen.visits.filter("requested_demo").height == keen.counts["demo_requests"]
    # Only visitors whose first visit was cut by the end made no request.
    assert keen.visits.filter(~keen.visits["requested_demo"])["censored"].all()
