"""Claims about rounds: whoever is woken in rounds lives as in a process of their own."""

from collections.abc import Generator, Iterator
from typing import ClassVar

import polars as pl
import pytest
import simpy
from polars.testing import assert_frame_equal

from simulator.engine.clock import ExactEnvironment, Wait
from simulator.settings.world import WorldSettings
from simulator.simulation import Simulation
from simulator.tracking.delivery import CollectingSink
from simulator.visitors.visitor import Visitor

Note = tuple[float, str, str, int]
DAY = WorldSettings.model_validate(
    {
        "traffic": {"visitors_per_day": 1500},
        "clock": {"hours": 12},
        "intent": {"target_conversion": 0.3},
        "visits": {"return_rate": 0.5, "gap_hours": 0.5},
    }
)


class Diary(Visitor):
    """A visitor who writes down what they do, and half a minute after each page that it was read."""

    log: ClassVar[list[Note]] = []

    def view_page(self, view: int) -> None:
        """Open a page, write it down, and set an alarm."""
        super().view_page(view)
        self._note("view", view)
        self.world.clock.env.process(self._alarm(view))

    def send_form(self, view: int) -> None:
        """Send a form and write it down."""
        super().send_form(view)
        self._note("form", view)

    def wants_demo(self, visit: int) -> bool:
        """Decide, and write down when."""
        self._note("decide", visit)
        return super().wants_demo(visit)

    def request_demo(self, visit: int) -> None:
        """Request a demo and write it down."""
        super().request_demo(visit)
        self._note("request", visit)

    def _alarm(self, view: int) -> Generator[simpy.Event, None, None]:
        yield self.world.clock.env.timeout(30.0)
        self._note("alarm", view)

    def _note(self, what: str, number: int) -> None:
        who = f"{self.cohort.arrival_source}/{self.cohort.index}/{self.number}"
        self.log.append((self.world.clock.env.now, who, what, number))


class OwnProcess(Diary):
    """The same, but with a journey of its own, and so a process of its own."""

    log: ClassVar[list[Note]] = []

    def journey(self) -> Generator[simpy.Event, None, None]:
        """Live through the visits as everybody does."""
        yield from super().journey()


def lived(visitor: type[Diary]) -> tuple[list[Note], pl.DataFrame]:
    """Diary and events of all visitors of a class."""
    visitor.log.clear()
    sink = CollectingSink()
    Simulation(DAY, seed=3, visitor=visitor).run([sink])
    return visitor.log.copy(), sink.events


def test_rounds_and_processes_are_the_same_life():
    """Each visitor takes the same steps at the same moments in the same order, and the events are the same."""
    (rounds, events), (processes, same_events) = lived(Diary), lived(OwnProcess)
    assert sorted(rounds) == sorted(processes)
    assert {what for _, _, what, _ in rounds} == {"view", "form", "decide", "request", "alarm"}
    for told in (rounds, processes):
        told.sort(key=lambda note: note[1])
    assert rounds == processes
    assert_frame_equal(events, same_events)


def test_time_never_runs_back():
    """Steps, alarms and requests come in the order of time, whoever they belong to."""
    moments = [moment for moment, *_ in lived(Diary)[0]]
    assert moments == sorted(moments)


def waiting(env: ExactEnvironment, log: list[tuple[float, str]], name: str, *waits: Wait) -> Iterator[Wait]:
    """Wait and write down when one went on."""
    for wait in waits:
        yield wait
        log.append((env.now, name))


@pytest.mark.parametrize("until", [2.0, 2.5, 10.0])
def test_who_follows_stops_with_the_clock_and_goes_on_with_it(until: float):
    """A run ends at its moment, before what is due then, and the next one takes up where it stopped."""
    env, log = ExactEnvironment(), []
    env.step_through(waiting(env, log, "a", *((float(moment), None) for moment in (1, 2, 3, 3, 9))))
    env.run(until=until)
    assert log == [(moment, "a") for moment in (1, 2, 3, 3, 9) if moment < until]
    assert env.now == until
    env.run(until=11)
    assert [moment for moment, _ in log] == [1, 2, 3, 3, 9]


def test_followers_meet_in_the_order_of_their_ranks():
    """Of several who wait for one moment, those without rank go on first, then the others by rank."""
    env, log = ExactEnvironment(), []
    env.step_through(waiting(env, log, "late", (5.0, (2,)), (6.0, None)))
    env.step_through(waiting(env, log, "early", (4.0, None), (5.0, (1,))))
    env.step_through(waiting(env, log, "plain", (4.5, None), (5.0, None)))
    env.run()
    at_five = [name for moment, name in log if moment == 5]
    assert at_five == ["plain", "early", "late"]
    assert [moment for moment, _ in log] == sorted(moment for moment, _ in log)


def test_a_wait_for_what_has_passed_is_refused():
    """Nobody can go back."""
    env = ExactEnvironment()
    env.step_through(iter([(3.0, None), (2.0, None)]))
    env.timeout(2.5)
    with pytest.raises(ValueError, match="cannot wait until 2"):
        env.run()
