"""Claims about a run on several workers: it equals the run of one process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from small_worlds import DIRTY

from simulator.replication import generator
from simulator.settings.world import WorldSettings
from simulator.simulation import Outcome, Simulation
from simulator.tracking.delivery import CollectingSink, Delivery
from simulator.tracking.labels import KeptLabels

WORLDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "dirty": {"tracking": {**DIRTY, "late_minutes": 90.0}, "clock": {"hours": 30, "start": "2026-03-03T05:17:41.123Z"}},
    "eager and returning": {
        "intent": {"target_conversion": 0.4},
        "visits": {"return_rate": 0.7, "gap_hours": 0.3},
        "population": {"accounts": 20},
    },
    "visits after a request": {
        "intent": {"target_conversion": 0.4},
        "visits": {"return_rate": 0.7, "gap_hours": 0.3, "after_request_rate": 0.5},
        "population": {"second_device_rate": 0.3},
    },
    "nobody": {"traffic": {"visitors_per_day": 1e-9}},
    "several cohorts and launches": {
        "traffic": {
            "visitors_per_day": 30_000,
            "events": {
                "l": {"kind": "launch", "start": "2026-03-03T02:00:00Z", "end": "2026-03-03T03:00:00Z", "factor": 3.0}
            },
        },
        "clock": {"hours": 6},
    },
}


class Lazy(Executor):
    """Runs no task until a result is requested, and then the last one first: the worst possible order."""

    def __init__(self) -> None:
        self._tasks: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a task."""
        future = _LazyFuture(self)
        self._tasks.append((future, lambda: fn(*args, **kwargs)))
        return future

    def work(self) -> None:
        """Run all tasks, the last one first."""
        while self._tasks:
            future, task = self._tasks.pop()
            Future.set_result(future, task())


class _LazyFuture(Future[Any]):
    def __init__(self, executor: Lazy) -> None:
        super().__init__()
        self._executor = executor

    def result(self, timeout: float | None = None) -> Any:
        self._executor.work()
        return super().result(timeout)


def kept(hour: int, deliveries: Iterable[Delivery]) -> tuple[int, list[Delivery]]:
    """What a worker returns for an hour: all of it."""
    return hour, list(deliveries)


def shared(world: WorldSettings, executor: Executor, folder: Path) -> tuple[CollectingSink, list[int], Outcome]:
    """What is received, the hours in the order in which they came, and the outcome."""
    sink, labels, hours = CollectingSink(), KeptLabels(), []

    def take(result: tuple[int, list[Delivery]]) -> None:
        hours.append(result[0])
        for delivery in result[1]:
            sink.write(delivery)
            labels.add(delivery.labels)

    simulation = Simulation(world, seed=3, active_agents="interacting")
    return sink, hours, simulation.share(executor, kept, take, n_workers=2, folder=folder, labels=labels)


def check_same(world: WorldSettings, executor: Executor, folder: Path) -> Outcome:
    """Hold a shared run equal to that of one process, and return its outcome."""
    sink, hours, outcome = shared(world, executor, folder)
    alone = CollectingSink()
    expected = Simulation(world, seed=3, active_agents="interacting").run([alone])
    assert hours == list(range(world.clock.hours))
    assert_frame_equal(sink.events, alone.events)
    assert_frame_equal(sink.malformed.drop("n_before"), alone.malformed.drop("n_before"))
    for name in ("labels", "visits", "people", "accounts"):
        assert_frame_equal(getattr(outcome, name), getattr(expected, name))
    assert_frame_equal(outcome.sales.requests, expected.sales.requests)
    assert outcome.counts == expected.counts
    return outcome


def world_of(given: dict[str, Any]) -> WorldSettings:
    """A small world with these settings."""
    return WorldSettings.model_validate({"traffic": {"visitors_per_day": 1500}, **given})


@pytest.mark.parametrize("name", WORLDS)
def test_a_shared_run_equals_that_of_one_process(name: str, tmp_path: Path):
    """Events, broken lines, labels, truth, sales and counts are those of one process."""
    with ThreadPoolExecutor(1) as executor:
        check_same(world_of(WORLDS[name]), executor, tmp_path)


def test_the_order_in_which_tasks_are_done_does_not_matter(tmp_path: Path):
    """An executor that runs the last task first gives the same run, hours in order."""
    check_same(world_of(WORLDS["dirty"]), Lazy(), tmp_path)


def test_a_large_hour_is_emitted_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The size of the parts does not change the events or their order."""
    for name in ("plain", "dirty"):
        world = world_of({**WORLDS[name], "traffic": {"visitors_per_day": 400}})
        whole, parts = CollectingSink(), CollectingSink()
        expected = Simulation(world, seed=3).run([whole])
        with monkeypatch.context() as patch:
            patch.setattr(generator, "_MAX_RECORDS_AT_ONCE", 40)
            outcome = Simulation(world, seed=3).run([parts])
        assert_frame_equal(parts.events, whole.events)
        assert_frame_equal(outcome.labels, expected.labels)
        assert outcome.counts == expected.counts
        assert (len(parts.deliveries) > len(whole.deliveries)) == (name == "plain")


def test_plans_are_deleted(tmp_path: Path):
    """Files with planned activity are deleted after their last hour."""
    with ThreadPoolExecutor(1) as executor:
        shared(world_of({}), executor, tmp_path)
    assert not list(tmp_path.glob("plan-*"))


def test_a_run_with_all_agents_active_cannot_be_shared(tmp_path: Path):
    """Agents on the clock cannot be distributed among workers: that is an error."""
    simulation = Simulation(world_of({}), seed=1, active_agents="all")
    with pytest.raises(ValueError, match="cannot be shared"), ThreadPoolExecutor(1) as executor:
        simulation.share(executor, kept, print, n_workers=1, folder=tmp_path, labels=KeptLabels())


def test_an_error_in_a_worker_is_raised(tmp_path: Path):
    """An error of the work is raised where the run was started."""

    def fails(hour: int, deliveries: Iterable[Delivery]) -> pl.DataFrame:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"), ThreadPoolExecutor(1) as executor:
        Simulation(world_of({}), seed=1, active_agents="interacting").share(
            executor, fails, print, n_workers=1, folder=tmp_path, labels=KeptLabels()
        )
