"""Claims about whole simulations: that they can be repeated, and that their counts agree."""

import gc
import hashlib
import os
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.ndjson import encode
from simulator.clock import HOUR_MS
from simulator.cohort import Cohort, CohortMaker
from simulator.simulation import Simulation
from simulator.sinks import CollectingSink, Delivery
from simulator.world import WorldSettings

HOUR = timedelta(hours=1)


class Recorder:
    """A sink that keeps the hourly batches apart."""

    def __init__(self) -> None:
        self.batches: list[pl.DataFrame] = []

    def write(self, delivery: Delivery) -> None:
        """Keep a batch."""
        self.batches.append(delivery.events)

    def close(self) -> None:
        """Nothing to do."""


SMALL = {"traffic": {"visitors_per_day": 400}, "intent": {"visitor_to_demo": 0.2}}


def world_of(**settings: object) -> WorldSettings:
    """A small world in which many ask."""
    return WorldSettings.model_validate(SMALL | settings)


def digest(seed: int = 1, replication: int = 0, world: WorldSettings | None = None) -> str:
    """SHA-256 of the lines of a small simulation."""
    sink = CollectingSink()
    Simulation(world or world_of(), seed=seed, replication=replication).run([sink])
    return hashlib.sha256(encode(sink.events)).hexdigest()


IN_A_PROCESS = f"""
import hashlib
from analytics.ndjson import encode
from simulator.simulation import Simulation, WorldSettings
from simulator.sinks import CollectingSink
sink = CollectingSink()
Simulation(WorldSettings.model_validate({SMALL!r}), seed=1).run([sink])
print(hashlib.sha256(encode(sink.events)).hexdigest())
"""


def test_hash_order_and_threads_do_not_matter():
    """Processes with other PYTHONHASHSEED and another number of Polars' threads write the same bytes as this one."""
    found = {digest()}
    for hash_seed, threads in (("0", "1"), ("4242", "2")):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "POLARS_MAX_THREADS": threads}
        done = subprocess.run(
            [sys.executable, "-c", IN_A_PROCESS],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        found.add(done.stdout.strip())
    assert len(found) == 1


def test_the_same_seed_gives_the_same_events_and_another_others():
    """Seeds and replications, 0 among them, each have events of their own, every time the same."""
    keys = [(0, 0), (1, 0), (2, 0), (1, 1), (0, 1)]
    digests = [digest(*key) for key in keys]
    assert len(set(digests)) == len(keys)
    assert digest(0, 0) == digests[0]


def test_a_simulation_can_be_run_again():
    """Running does not use a simulation up: the second run gives the same events, visits, sales and counts."""
    simulation = Simulation(world_of(), seed=3)
    sinks = CollectingSink(), CollectingSink()
    first, second = (simulation.run([sink]) for sink in sinks)
    assert_frame_equal(sinks[0].events, sinks[1].events)
    assert_frame_equal(first.visits, second.visits)
    assert_frame_equal(first.sales.requests, second.sales.requests)
    assert (first.counts, first.truth) == (second.counts, second.truth)


def test_a_simulation_does_not_depend_on_those_before_it():
    """A run between two others leaves no trace in the second of them."""
    before = digest(1)
    Simulation(world_of(traffic={"visitors_per_day": 900}), seed=8).run()
    assert digest(1) == before


def test_running_without_sinks_counts_the_same(small_run: SimpleNamespace):
    """Who listens does not matter to what happens."""
    assert small_run.simulation.run().counts == small_run.outcome.counts


def test_a_simulation_leaves_its_world_as_it_was():
    """Running writes nothing on the settings."""
    world = world_of()
    before = world.model_dump_json()
    Simulation(world, seed=1).run()
    assert world.model_dump_json() == before


def test_the_collector_of_garbage_is_left_as_it_was():
    """The run switches Python's garbage collection off only for itself, also when a sink fails."""

    class Full:
        def write(self, delivery: Delivery) -> None:
            raise OSError("no space left")

        def close(self) -> None:
            """Nothing to do."""

    assert gc.isenabled()
    Simulation(world_of(), seed=1).run()
    assert gc.isenabled()
    with pytest.raises(OSError, match="no space left"):
        Simulation(world_of(), seed=1).run([Full()])
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_batches_are_hours_half_open(small_run: SimpleNamespace):
    """One batch for each hour, with what happened from its beginning, included, to its end, excluded."""
    start, batches = small_run.world.clock.start, small_run.recorder.batches
    assert len(batches) == small_run.world.clock.hours
    for number, batch in enumerate(batches):
        assert batch["received_at"].is_between(start + number * HOUR, start + (number + 1) * HOUR, closed="left").all()
    assert sum(batch.height > 0 for batch in batches) > 20


def batches_of_arrivals_at_one_hour(monkeypatch: pytest.MonkeyPatch, hours: int) -> list[pl.DataFrame]:
    """Hourly batches of a simulation of so many hours to which everybody comes exactly one hour after the start."""
    draw = CohortMaker.draw

    def all_at_once(maker: CohortMaker, index: int, intercept: float) -> Cohort:
        cohort = draw(maker, index, intercept)
        cohort.arrival_ms[:] = HOUR_MS
        return cohort

    monkeypatch.setattr(CohortMaker, "draw", all_at_once)
    recorder = Recorder()
    Simulation(world_of(clock={"hours": hours}), seed=1).run([recorder])
    return recorder.batches


def test_an_event_on_the_hour_belongs_to_the_hour_that_begins(monkeypatch: pytest.MonkeyPatch):
    """Pages opened at exactly the hour are in the batch that begins there."""
    before, after = batches_of_arrivals_at_one_hour(monkeypatch, 2)
    assert before.height == 0
    assert (after["received_at"] == WorldSettings().clock.start + HOUR).sum() == after["anonymous_id"].n_unique() > 5


def test_an_event_at_the_very_end_does_not_happen(monkeypatch: pytest.MonkeyPatch):
    """The last moment is no part of the simulation."""
    (only,) = batches_of_arrivals_at_one_hour(monkeypatch, 1)
    assert only.height == 0


def test_nothing_happens_before_the_start_or_from_the_end_on(small_run: SimpleNamespace):
    """All events and visits lie in the simulated time, its end excluded."""
    clock = small_run.world.clock
    end = clock.start + clock.hours * HOUR
    assert small_run.events["received_at"].is_between(clock.start, end, closed="left").all()
    for name in ("started_at", "ended_at"):
        assert small_run.outcome.visits[name].is_between(clock.start, end, closed="left").all()


def test_progress_grows_to_1_and_sinks_are_closed_once(small_run: SimpleNamespace):
    """Progress is told after every hour, the last time as 1; each sink is closed when all is done."""
    assert small_run.progress == [(hour + 1) / 24 for hour in range(24)]
    assert small_run.recorder.n_closed == 1


def test_counts_agree_with_events_and_visits(small_run: SimpleNamespace):
    """Visitors, visits, events, page views and requests are as many as can be counted in the events."""
    counts, events, visits = small_run.outcome.counts, small_run.events, small_run.outcome.visits
    pages = events.filter(pl.col("type") == "page")
    requests = events.filter(pl.col("event") == "Demo Requested")
    assert counts["events"] == events.height
    assert counts["page_views"] == pages.height == visits["n_page_views"].sum()
    assert counts["demo_requests"] == requests.height == visits["requested_demo"].sum()
    assert counts["visits"] == visits.height
    assert counts["visitors"] == events["anonymous_id"].n_unique() == visits["anonymous_id"].n_unique()


def test_the_sales_desk_got_the_requests(small_run: SimpleNamespace):
    """The team has the requests of the events, by the same visitors and at the same moments, and the demos held."""
    clock, requests = small_run.world.clock, small_run.outcome.sales.requests
    events = small_run.events.filter(pl.col("event") == "Demo Requested").sort("anonymous_id")
    at = requests.sort("anonymous_id").select("anonymous_id", ms=(pl.col("requested_s") * 1000).round().cast(pl.Int64))
    assert at["anonymous_id"].equals(events["anonymous_id"])
    assert (at["ms"] == events["timestamp"].dt.epoch("ms") - round(clock.start.timestamp() * 1000)).all()
    held = small_run.events.filter(pl.col("event") == "Demo Held").height
    assert held == requests["held_s"].count() == small_run.outcome.sales.summary["held"] > 0


def test_more_representatives_make_no_wait_longer():
    """With common random numbers the same people ask at the same moments, and nobody waits longer for a larger team."""
    waits, asked = [], []
    for reps in (1, 2, 4, 14):
        outcome = Simulation(world_of(sales={"reps": reps}), seed=6).run()
        asked.append(outcome.sales.requests.select("anonymous_id", "requested_s"))
        waits.append(outcome.sales.requests["wait_minutes"])
    for one, two in pairwise(asked):
        assert_frame_equal(one, two)
    for fewer, more in pairwise(waits):
        # Whoever is not taken up before the end waits for longer than any number.
        assert (more.fill_null(float("inf")) <= fewer.fill_null(float("inf")) + 1e-9).all()
    assert waits[0].drop_nulls().mean() > waits[-1].mean()


def test_a_larger_team_changes_no_page_view():
    """The sales team is behind the form: what visitors see does not depend on it."""
    sinks = CollectingSink(), CollectingSink()
    for reps, sink in zip((1, 20), sinks, strict=True):
        Simulation(world_of(sales={"reps": reps}), seed=6).run([sink])
    one, two = (sink.events.filter(pl.col("event").fill_null("") != "Demo Held") for sink in sinks)
    assert_frame_equal(one, two)


def test_replications_are_independent():
    """Hourly page views of six pairs of replications are uncorrelated within 4 SE, once the profile is taken off."""
    views = []
    for replication in range(12):
        sink = CollectingSink()
        Simulation(world_of(), seed=1, replication=replication).run([sink])
        hours = sink.events.filter(pl.col("type") == "page")["received_at"].dt.hour()
        views.append(hours.value_counts().sort("received_at")["count"].to_list())
    table = pl.DataFrame(views, orient="row").to_numpy().astype(float)
    residual = (table - table.mean(axis=0)) / table.std(axis=0, ddof=1)
    # Twelve rows that sum to 0 have a mean product of −1/12; a pair of 24 hours has a standard error of 1/√24.
    pairs = [(residual[i] * residual[i + 1]).mean() for i in range(0, 12, 2)]
    assert abs(sum(pairs) / len(pairs) + 1 / 12) < 4 / (24 * len(pairs)) ** 0.5


def test_a_longer_simulation_begins_like_a_shorter_one():
    """The first 12 hours of 24 hold the events of a simulation of 12."""
    short, long = CollectingSink(), CollectingSink()
    Simulation(world_of(clock={"hours": 12}), seed=4).run([short])
    world = world_of(clock={"hours": 24})
    Simulation(world, seed=4).run([long])
    half = long.events.filter(pl.col("received_at") < world.clock.start + 12 * HOUR)
    assert_frame_equal(half, short.events)
