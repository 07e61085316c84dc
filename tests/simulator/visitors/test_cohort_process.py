"""Claims about the process of a cohort: it takes the same steps as one process for each visitor."""

from collections.abc import Generator, Iterator
from typing import ClassVar

import polars as pl
import pytest
import simpy
from polars.testing import assert_frame_equal
from small_worlds import LoggingVisitor, simulated

from simulator.engine.clock import ExactEnvironment, Wait
from simulator.settings.world import WorldSettings

Note = tuple[int, str, str, int]
DAY = WorldSettings.model_validate(
    {
        "traffic": {"visitors_per_day": 1500},
        "clock": {"hours": 12},
        "intent": {"target_conversion": 0.3},
        "visits": {"return_rate": 0.5, "gap_hours": 0.5, "after_request_rate": 0.5},
    }
)


class Diary(LoggingVisitor):
    """A visitor who logs every step, and an alarm half a minute after each page view."""

    log: ClassVar[list[Note]] = []

    def view_page(self, view: int) -> None:
        """View a page, log it, and set an alarm."""
        super().view_page(view)
        self.world.clock.env.process(self._alarm(view))

    def request_demo(self, visit: int) -> None:
        """Request a demo and log it."""
        super().request_demo(visit)
        self.note("request", visit)

    def note(self, what: str, number: int) -> None:
        """Log a step."""
        who = f"{self.cohort.arrival_source}/{self.cohort.index}/{self.number}"
        self.log.append((self.world.clock.env.now, who, what, number))

    def _alarm(self, view: int) -> Generator[simpy.Event, None, None]:
        yield self.world.clock.env.timeout(seconds=30)
        self.note("alarm", view)


class OwnProcess(Diary):
    """The same with an overridden journey, and so with its own process."""

    log: ClassVar[list[Note]] = []

    def journey(self) -> Generator[simpy.Event, None, None]:
        """Go through the visits as usual."""
        yield from super().journey()


def run(visitor: type[Diary]) -> tuple[list[Note], pl.DataFrame]:
    """Log and events of all visitors of a class."""
    visitor.log.clear()
    events, _ = simulated(DAY, seed=3, visitor=visitor)
    return visitor.log.copy(), events


def test_one_process_and_many_take_the_same_steps():
    """Each visitor takes the same steps at the same times in the same order; all steps are in the order of time.

    The events are equal, and those of visitors of no subclass too.
    """
    (together, events), (processes, same_events) = run(Diary), run(OwnProcess)
    assert sorted(together) == sorted(processes)
    assert {what for _, _, what, _ in together} == {"view", "form", "decide", "request", "alarm"}
    for log in (together, processes):
        assert log == sorted(log, key=lambda note: note[0])
        log.sort(key=lambda note: note[1])
    assert together == processes
    assert_frame_equal(events, same_events)
    assert_frame_equal(events, simulated(DAY, seed=3)[0])


def waiting(env: ExactEnvironment, log: list[tuple[int, str]], name: str, *waits: Wait) -> Iterator[Wait]:
    """Wait, and log each time."""
    for wait in waits:
        yield wait
        log.append((env.now, name))


@pytest.mark.parametrize("until", [2, 3, 10])
def test_an_iterator_stops_with_the_clock_and_resumes_with_it(until: int):
    """A run ends before the events of its end, and the next one resumes there."""
    env, log = ExactEnvironment(), []
    env.step_through(waiting(env, log, "a", *((moment, None) for moment in (1, 2, 3, 3, 9))))
    env.run(until=until)
    assert log == [(moment, "a") for moment in (1, 2, 3, 3, 9) if moment < until]
    assert env.now == until
    env.run(until=11)
    assert [moment for moment, _ in log] == [1, 2, 3, 3, 9]


def test_iterators_resume_in_the_order_of_their_ranks():
    """Of several waits for one time, those without a rank come first, then the others by rank."""
    env, log = ExactEnvironment(), []
    env.step_through(waiting(env, log, "late", (50, (2,)), (60, None)))
    env.step_through(waiting(env, log, "early", (40, None), (50, (1,))))
    env.step_through(waiting(env, log, "plain", (45, None), (50, None)))
    env.run()
    at_fifty = [name for moment, name in log if moment == 50]
    assert at_fifty == ["plain", "early", "late"]
    assert [moment for moment, _ in log] == sorted(moment for moment, _ in log)


def test_a_wait_for_what_has_passed_is_refused():
    """Time cannot go back."""
    env = ExactEnvironment()
    env.step_through(iter([(30, None), (20, None)]))
    env.timeout(25)
    with pytest.raises(ValueError, match="cannot wait until 20 ms"):
        env.run()
