"""Print how fast funnelsim is, as ratios against the naive script; run by ``make bench``."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping

from analytics.event_store import EventStore
from benchmarks.naive_simpy import NaiveFunnel
from scenarios.digest import EventsDigest
from scenarios.scenario import Scenario
from simulator.simulation import Simulation
from simulator.sinks import Delivery, Sink

ROUNDS = 5
WORLD = Scenario.load("baseline").world


class StoreSink:
    """Feeds an event store."""

    def __init__(self) -> None:
        self.store = EventStore()

    def write(self, delivery: Delivery) -> None:
        """Put one batch into the store."""
        self.store.append(delivery.events)

    def close(self) -> None:
        """Nothing is left to do."""


def naive() -> int:
    """Events of a day of the naive script."""
    return NaiveFunnel(WORLD, seed=7).run()


def funnelsim(*sinks: Callable[[], Sink]) -> Callable[[], int]:
    """Return a function that simulates the same day into new sinks and returns the number of events."""

    def run() -> int:
        return Simulation(WORLD, seed=7).run([sink() for sink in sinks]).counts["events"]

    return run


SUBJECTS: Mapping[str, Callable[[], int]] = {
    "naive SimPy script": naive,
    "funnelsim, events only": funnelsim(),
    "funnelsim, through the event store": funnelsim(StoreSink),
    "funnelsim, through the event store and digest": funnelsim(StoreSink, EventsDigest),
}


def events_per_second(subject: Callable[[], int]) -> float:
    """Speed of one run."""
    started = time.perf_counter()
    n_events = subject()
    return n_events / (time.perf_counter() - started)


def measure(rounds: int = ROUNDS) -> dict[str, dict[str, float]]:
    """Median speed of each subject and the median of its ratios to the naive script, round by round.

    The subjects take turns, so that a machine that slows down slows them all.
    """
    for subject in SUBJECTS.values():
        subject()
    speeds: dict[str, list[float]] = {name: [] for name in SUBJECTS}
    for _ in range(rounds):
        for name, subject in SUBJECTS.items():
            speeds[name].append(events_per_second(subject))
    yardstick = speeds["naive SimPy script"]
    return {
        name: {
            "ratio": statistics.median(one / other for one, other in zip(values, yardstick, strict=True)),
            "events_per_second": statistics.median(values),
        }
        for name, values in speeds.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds to take the median of")
    options = parser.parse_args()
    results = measure(options.rounds)
    if options.json:
        print(json.dumps(results, indent=2))
        return
    print(f"A day of the baseline scenario, one core, median of {options.rounds} rounds taken in turn\n")
    print(f"{'ratio':>7}  {'events/s':>10}  what")
    for name, result in results.items():
        print(f"{result['ratio']:6.2f}×  {result['events_per_second']:>10,.0f}  {name}")


if __name__ == "__main__":
    main()
