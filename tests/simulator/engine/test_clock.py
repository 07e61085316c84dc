"""Claims about the simulated clock."""

from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import simpy

from analytics.events.times import HOUR_MS
from simulator.engine.clock import Clock, ExactEnvironment, Wait
from simulator.settings.clock import ClockSettings

START = datetime(2026, 3, 3, tzinfo=UTC)


def times_of(clock: Clock, moments_ms: list[int]) -> list[float]:
    """Simulated times, in seconds, at which a process resumes that waits for these times."""
    times = []

    def wait() -> Generator[simpy.Event, None, None]:
        for moment in moments_ms:
            yield clock.until(moment)
            times.append(clock.env.now)

    clock.env.process(wait())
    clock.env.run()
    return times


def test_waiting_until_a_moment_is_exact():
    """A process resumes at exactly the millisecond it waits for, the present included; sums of delays would miss it."""
    assert times_of(Clock(ClockSettings()), [0, 100, 300, 300, 86_399_999]) == [0.0, 0.1, 0.3, 0.3, 86_399.999]
    assert 0.1 + 0.2 != 0.3


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
    assert log == [("b", 0.7), ("a", 0.7)]


def test_a_past_moment_is_refused():
    """Waiting for what has passed is an error that says what time it is."""
    clock = Clock(ClockSettings())
    clock.env.run(until=2)
    with pytest.raises(ValueError, match=r"cannot wait until 1\.999: it is 2 already"):
        clock.until(1999)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kolkata"])
def test_simulated_time_is_utc_time(zone: str):
    """Seconds and UTC convert into each other, and the end is hours after the start, over a change of clocks."""
    start = datetime(2026, 3, 28, 12, tzinfo=ZoneInfo(zone))
    clock = Clock(ClockSettings(start=start, hours=48))
    utc = start.astimezone(UTC)
    assert clock.to_utc(90.5) == utc + timedelta(seconds=90.5)
    assert clock.to_seconds(utc + timedelta(hours=2)) == 7200
    assert clock.to_seconds(clock.to_utc(12_345.678)) == 12_345.678
    assert clock.end == clock.start + timedelta(hours=48)
    assert (clock.length_ms, clock.start_ms) == (48 * HOUR_MS, utc.timestamp() * 1000)
    assert times_of(clock, [13 * HOUR_MS, 47 * HOUR_MS]) == [13 * 3600, 47 * 3600]


@pytest.mark.parametrize(
    ("given", "utc"),
    [
        (datetime(2026, 3, 3, 12), datetime(2026, 3, 3, 12, tzinfo=UTC)),  # noqa: DTZ001 - naive on purpose
        (datetime(2026, 3, 3, 12, tzinfo=timezone(timedelta(hours=5, minutes=30))), START + timedelta(hours=6.5)),
        (datetime(2026, 3, 2, 19, tzinfo=ZoneInfo("America/New_York")), START),
        ("2026-03-03T01:00:00+01:00", START),
        ("2026-03-03T12:00:00.123456Z", START + timedelta(hours=12, milliseconds=123)),
    ],
)
def test_the_start_is_brought_to_utc(given: datetime | str, utc: datetime):
    """A start without time zone is UTC, one with another zone is converted; it is cut to whole milliseconds."""
    settings = ClockSettings.model_validate({"start": given})
    assert settings.start == utc
    assert settings.start.tzinfo == UTC


def test_ranked_events_come_last_in_the_order_of_their_ranks():
    """At one time, ranked events come last and by rank, whichever wait started first."""
    env, log = ExactEnvironment(), []

    def waits(name: str, rank: tuple[int, ...] | None) -> Any:
        yield env.at(1.0, rank)
        log.append(name)

    for name, rank in (("c", (2, 0)), ("a", (1, 5)), ("first", None), ("b", (1, 7)), ("second", None)):
        env.process(waits(name, rank))
    env.run()
    assert log == ["first", "second", "a", "b", "c"]


def waiting(env: ExactEnvironment, log: list[tuple[float, str]], name: str, *waits: Wait) -> Iterator[Wait]:
    """Wait, and log each time."""
    for wait in waits:
        yield wait
        log.append((env.now, name))


@pytest.mark.parametrize("until", [2.0, 2.5, 10.0])
def test_an_iterator_stops_with_the_clock_and_resumes_with_it(until: float):
    """A run ends before the events of its end, and the next one resumes there."""
    env, log = ExactEnvironment(), []
    env.step_through(waiting(env, log, "a", *((float(moment), None) for moment in (1, 2, 3, 3, 9))))
    env.run(until=until)
    assert log == [(moment, "a") for moment in (1, 2, 3, 3, 9) if moment < until]
    assert env.now == until
    env.run(until=11)
    assert [moment for moment, _ in log] == [1, 2, 3, 3, 9]


def test_iterators_resume_in_the_order_of_their_ranks():
    """Of several waits for one time, those without a rank come first, then the others by rank."""
    env, log = ExactEnvironment(), []
    env.step_through(waiting(env, log, "late", (5.0, (2,)), (6.0, None)))
    env.step_through(waiting(env, log, "early", (4.0, None), (5.0, (1,))))
    env.step_through(waiting(env, log, "plain", (4.5, None), (5.0, None)))
    env.run()
    at_five = [name for moment, name in log if moment == 5]
    assert at_five == ["plain", "early", "late"]
    assert [moment for moment, _ in log] == sorted(moment for moment, _ in log)


def test_a_wait_for_what_has_passed_is_refused():
    """Time cannot go back."""
    env = ExactEnvironment()
    env.step_through(iter([(3.0, None), (2.0, None)]))
    env.timeout(2.5)
    with pytest.raises(ValueError, match="cannot wait until 2"):
        env.run()
