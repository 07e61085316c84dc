"""Claims about the simulated clock."""

from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import simpy
from hypothesis import given, settings, strategies as st

from analytics.events.times import HOUR_MS
from simulator.engine.clock import Clock, ExactEnvironment, Wait
from simulator.settings.clock import ClockSettings

START = datetime(2026, 3, 3, tzinfo=UTC)


def times_of(clock: Clock, moments: list[int | datetime]) -> list[int]:
    """Simulated times, in ms, at which a process resumes that waits for these times."""
    times = []

    def wait() -> Generator[simpy.Event, None, None]:
        for moment in moments:
            yield clock.until(moment)
            times.append(clock.now_ms)

    clock.env.process(wait())
    clock.env.run()
    return times


def test_waiting_until_a_moment_is_exact():
    """A process resumes at exactly the millisecond it waits for, the present included."""
    assert times_of(Clock(ClockSettings()), [0, 100, 300, 300, 86_399_999]) == [0, 100, 300, 300, 86_399_999]
    assert times_of(Clock(ClockSettings()), [START + timedelta(seconds=1.5), 1500]) == [1500, 1500]


def test_simultaneous_waits_end_in_the_order_in_which_they_started():
    """Processes that reach the same millisecond by different ways meet there, first come first."""
    clock, log = Clock(ClockSettings()), []

    def walk(name: str, stops_ms: list[int]) -> Generator[simpy.Event, None, None]:
        for stop in stops_ms:
            yield clock.until(stop)
        log.append((name, clock.env.now))

    clock.env.process(walk("a", [100, 200, 700]))
    clock.env.process(walk("b", [700]))
    clock.env.run()
    assert log == [("b", 700), ("a", 700)]


def test_a_past_moment_is_refused():
    """Waiting for what has passed is an error that says what time it is."""
    clock = Clock(ClockSettings())
    clock.env.run(until=2000)
    with pytest.raises(ValueError, match="cannot wait until 1999 ms: it is 2000 ms already"):
        clock.until(1999)


@given(st.lists(st.floats(0, 1e6), max_size=30))
@settings(max_examples=50)
def test_whoever_computes_a_time_can_wait_for_it(seconds: list[float]):
    """Sums of waits are whole milliseconds, so the present, however it was computed, is never in the past."""
    clock, total_ms = Clock(ClockSettings()), 0
    for each in seconds:
        clock.env.run(until=clock.env.timeout(seconds=each))
        total_ms += round(1000 * each)
        clock.env.run(until=clock.until(clock.to_ms(clock.now)))
    assert type(clock.env.now) is int
    assert clock.now_ms == total_ms


def test_a_duration_has_a_unit():
    """Durations add up and are rounded to the nearest millisecond; a plain number is a whole one of milliseconds."""
    env = ExactEnvironment()
    assert env.run(until=env.timeout(2.0, "value")) == "value"
    env.run(until=env.timeout(1, days=1, hours=2, minutes=3, seconds=4.0056))
    assert env.now == 2 + 1 + ((26 * 60 + 3) * 60 + 4) * 1000 + 6
    env.run(until=env.timeout(np.int64(5)))
    assert type(env.now) is int


@pytest.mark.parametrize(
    "wait",
    [
        lambda env: env.timeout(1.5),
        lambda env: simpy.Timeout(env, 1.5),
        lambda env: env.at(1.5),
        lambda env: env.run(until=1.5),
        lambda env: env.event().succeed() and env.schedule(env.event(), delay=1.5),
    ],
    ids=["timeout", "SimPy's own", "at", "run", "schedule"],
)
def test_a_fraction_of_a_millisecond_is_refused(wait: Callable[[ExactEnvironment], object]):
    """Nothing puts a fraction on the clock, and the error says how to give the unit."""
    with pytest.raises(TypeError, match=r"whole milliseconds, not 1\.5; .*timeout\(seconds=1\.5\)"):
        wait(ExactEnvironment())


@pytest.mark.parametrize("duration", [{"delay": -1}, {"seconds": -1}, {"minutes": -1e-9}, {"hours": 1, "days": -1}])
def test_a_negative_duration_is_refused(duration: dict[str, float]):
    """Time cannot go back, not even by less than is rounded away."""
    with pytest.raises(ValueError, match=r"[Nn]egative"):
        ExactEnvironment().timeout(**duration)


def test_equal_ranks_come_in_the_order_of_their_waits():
    """Ranks need not differ: those that are equal, or of different lengths, have an order as well."""
    env, log = ExactEnvironment(), []
    for name, rank in (("c", (1, 2)), ("a", (1,)), ("d", (1, 2)), ("b", (1,))):
        env.at(5, rank).callbacks.append(lambda _event, name=name: log.append(name))
    env.run()
    assert log == ["a", "b", "c", "d"]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kolkata"])
def test_simulated_time_is_utc_time(zone: str):
    """Milliseconds and UTC convert into each other, and the end is hours after the start, over a change of clocks."""
    start = datetime(2026, 3, 28, 12, tzinfo=ZoneInfo(zone))
    clock = Clock(ClockSettings(start=start, hours=48))
    utc = start.astimezone(UTC)
    assert clock.to_utc(90_500) == utc + timedelta(seconds=90.5)
    assert clock.to_ms(utc + timedelta(hours=2)) == 2 * HOUR_MS
    assert clock.to_ms(clock.to_utc(12_345_678)) == 12_345_678
    assert clock.end == clock.start + timedelta(hours=48)
    assert (clock.length_ms, clock.start_ms) == (48 * HOUR_MS, utc.timestamp() * 1000)
    assert times_of(clock, [13 * HOUR_MS, 47 * HOUR_MS]) == [13 * HOUR_MS, 47 * HOUR_MS]
    assert clock.now == utc + timedelta(hours=47)


@pytest.mark.parametrize(
    ("moment", "utc"),
    [
        (datetime(2026, 3, 3, 12), datetime(2026, 3, 3, 12, tzinfo=UTC)),  # noqa: DTZ001 - naive on purpose
        (datetime(2026, 3, 3, 12, tzinfo=timezone(timedelta(hours=5, minutes=30))), START + timedelta(hours=6.5)),
        (datetime(2026, 3, 2, 19, tzinfo=ZoneInfo("America/New_York")), START),
        ("2026-03-03T01:00:00+01:00", START),
        ("2026-03-03T12:00:00.123456Z", START + timedelta(hours=12, milliseconds=123)),
    ],
)
def test_the_start_is_brought_to_utc(moment: datetime | str, utc: datetime):
    """A start without time zone is UTC, one with another zone is converted; it is cut to whole milliseconds."""
    start = ClockSettings.model_validate({"start": moment}).start
    assert start == utc
    assert start.tzinfo == UTC


def test_ranked_events_come_last_in_the_order_of_their_ranks():
    """At one time, ranked events come last and by rank, whichever wait started first."""
    env, log = ExactEnvironment(), []

    def waits(name: str, rank: tuple[int, ...] | None) -> Any:
        yield env.at(1000, rank)
        log.append(name)

    for name, rank in (("c", (2, 0)), ("a", (1, 5)), ("first", None), ("b", (1, 7)), ("second", None)):
        env.process(waits(name, rank))
    env.run()
    assert log == ["first", "second", "a", "b", "c"]


def waiting(env: ExactEnvironment, log: list[tuple[int, str]], name: str, *waits: Wait) -> Iterator[Wait]:
    """Wait, and log each time."""
    for wait in waits:
        yield wait
        log.append((env.now, name))


@pytest.mark.parametrize("until", [2, 4, 10])
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
    env.step_through(waiting(env, log, "late", (5, (2,)), (6, None)))
    env.step_through(waiting(env, log, "early", (3, None), (5, (1,))))
    env.step_through(waiting(env, log, "plain", (4, None), (5, None)))
    env.run()
    at_five = [name for moment, name in log if moment == 5]
    assert at_five == ["plain", "early", "late"]
    assert [moment for moment, _ in log] == sorted(moment for moment, _ in log)


def test_a_wait_for_what_has_passed_is_refused():
    """Time cannot go back."""
    env = ExactEnvironment()
    env.step_through(iter([(3, None), (2, None)]))
    env.timeout(2)
    with pytest.raises(ValueError, match="cannot wait until 2"):
        env.run()
