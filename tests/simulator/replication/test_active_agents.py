"""Claims about active agents and workers: whichever visitors are agents, and whoever works, the events are the same."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from polars.testing import assert_frame_equal
from simulator.visitors.visitor import Visitor
from small_worlds import DIRTY

from scenarios.config.library import library_names
from scenarios.scenario import Scenario
from simulator.engine.clock import ExactEnvironment
from simulator.model import Outcome, Simulation
from simulator.replication import generator
from simulator.settings.world import WorldSettings
from simulator.tracking.delivery import CollectingSink, Delivery
from simulator.tracking.labels import KeptLabels
from simulator.visitors.cohort_sampler import COHORT_SIZE

DAY = "2026-03-03T{:02}:00:00Z"
ROUND_THE_CLOCK = {"opens": "00:00", "closes": "24:00"}
SALE = {"start": DAY.format(6), "end": DAY.format(12), "channel": "email", "visitors": 300}
BOOM = {"kind": "launch", "start": DAY.format(8), "end": DAY.format(10), "factor": 3.0}
OUTAGE = {"kind": "outage", "start": DAY.format(9), "end": DAY.format(11)}

WORLDS: dict[str, dict[str, Any]] = {
    "eager": {"intent": {"target_conversion": 0.5}},
    "everybody at once": {"intent": {"target_conversion": None, "intercept": 20.0}},
    "nobody": {"intent": {"target_conversion": None, "intercept": -50.0}},
    "no visitors": {"traffic": {"visitors_per_day": 1e-9}},
    "discouraged": {
        "intent": {"target_conversion": 0.5},
        "sales": {"wait_effect_per_day": -1.0, "lead_hours": 0.0, "buyer_delay_days": 0.0},
    },
    "few accounts": {"intent": {"target_conversion": 0.5}, "population": {"accounts": 5, "account_rate": 1.0}},
    "sales round the clock": {
        "intent": {"target_conversion": 0.5},
        "sales": {
            "teams": {"default": ROUND_THE_CLOCK},
            "lead_hours": 0.0,
            "buyer_delay_days": 0.0,
            "days_to_close": 0.01,
        },
    },
    "many returns": {"visits": {"return_rate": 0.6, "gap_hours": 0.05}, "intent": {"target_conversion": 0.3}},
    "visits after a request": {
        "visits": {"return_rate": 0.6, "gap_hours": 0.05, "after_request_rate": 0.6},
        "intent": {"target_conversion": 0.4},
        "population": {"second_device_rate": 0.3, "accounts": 100},
    },
    "dirty, for thirty hours from an odd moment": {
        "tracking": {**DIRTY, "late_minutes": 90.0},
        "clock": {"start": "2026-03-07T13:37:41.123Z", "hours": 30},
    },
    "campaign, launch and outage": {
        "traffic": {"visitors_per_day": 900, "campaigns": {"c": SALE}, "events": {"l": BOOM, "o": OUTAGE}}
    },
    "two devices": {"population": {"second_device_rate": 0.5}, "visits": {"return_rate": 0.7, "gap_hours": 0.3}},
    "experiment": {"experiments": {"e": {"arms": {"a": {"share": 0.5}, "b": {"share": 0.5, "log_odds": 1.0}}}}},
    "several cohorts": {"traffic": {"visitors_per_day": 25_000, "events": {"l": BOOM}}, "clock": {"hours": 16}},
}


NO_DEMAND = WorldSettings.model_validate({"intent": {"target_conversion": None, "intercept": -50.0}}).intent


def simulated(world: WorldSettings, active_agents: Any, seed: int = 3) -> tuple[CollectingSink, Outcome]:
    """What is received, and the outcome."""
    sink = CollectingSink()
    return sink, Simulation(world, seed=seed, active_agents=active_agents).run([sink])


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


def check_equal(world: WorldSettings, seed: int = 3) -> tuple[CollectingSink, Outcome]:
    """Hold all that comes of both kinds of agents equal, and return it."""
    full, sparse = simulated(world, "all", seed), simulated(world, "interacting", seed)
    check_same(sparse, full)
    assert_frame_equal(sparse[0].malformed, full[0].malformed)
    return sparse


def check_same(found: tuple[CollectingSink, Outcome], expected: tuple[CollectingSink, Outcome]) -> None:
    """Events, broken lines, labels, the tables of the truth, sales and counts are equal."""
    (sink, outcome), (other_sink, other) = found, expected
    assert_frame_equal(sink.events, other_sink.events)
    assert_frame_equal(sink.malformed.drop("n_before"), other_sink.malformed.drop("n_before"))
    for name in ("visits", "labels", "people", "accounts"):
        assert_frame_equal(getattr(outcome, name), getattr(other, name))
    assert_frame_equal(outcome.sales.requests, other.sales.requests)
    assert outcome.sales.summary == other.sales.summary
    assert outcome.counts == other.counts
    assert outcome.truth == other.truth


def world_of(given: dict[str, Any]) -> WorldSettings:
    """A small world with these settings."""
    return WorldSettings.model_validate({"traffic": {"visitors_per_day": 800}, **given})


@pytest.mark.parametrize("name", WORLDS)
def test_neither_active_agents_nor_workers_change_the_events(name: str, tmp_path: Path):
    """All that comes of odd worlds is equal if all visitors are agents, if those who interact are, and on workers.

    Workers return hours in order, and leave no files of planned activity.
    """
    world = world_of(WORLDS[name])
    alone = check_equal(world)
    with ThreadPoolExecutor(1) as executor:
        sink, hours, outcome = shared(world, executor, tmp_path)
    check_same((sink, outcome), alone)
    assert hours == list(range(world.clock.hours))
    # Where nothing is planned there is no last hour after which a plan would be deleted.
    assert not outcome.counts["visitors"] or not list(tmp_path.glob("plan-*"))
    if name == "several cohorts":
        assert outcome.counts["visitors"] > COHORT_SIZE


@pytest.mark.parametrize("name", library_names())
def test_in_every_scenario_of_the_library_the_events_are_the_same(name: str):
    """With few visitors and bots and, where nothing of the scenario lies later, for some hours."""
    bots = {"tracking.bots_per_day": 20.0, "tracking.undeclared_bots_per_day": 10.0}
    world = Scenario.load(name, {"traffic.visitors_per_day": 300, **bots}).world
    hours = min(world.clock.hours, 30)
    check_equal(world.model_copy(update={"clock": world.clock.model_copy(update={"hours": hours})}))


worlds = st.fixed_dictionaries(
    {
        "clock": st.fixed_dictionaries(
            {"hours": st.integers(1, 30), "start": st.sampled_from([DAY.format(0), "2026-03-03T05:17:41.123Z"])}
        ),
        "traffic": st.fixed_dictionaries(
            {"visitors_per_day": st.sampled_from([30.0, 300.0, 700.0])},
            optional={
                "campaigns": st.just({"c": SALE}),
                "events": st.just({"l": BOOM, "o": OUTAGE}),
                "growth_per_week": st.sampled_from([-0.5, 5.0]),
            },
        ),
        "intent": st.fixed_dictionaries({"target_conversion": st.floats(0.01, 0.9)}),
        "population": st.fixed_dictionaries(
            {
                "accounts": st.integers(1, 60),
                "account_rate": st.floats(0, 1),
                "second_device_rate": st.floats(0, 1),
                "invitation_hours": st.floats(0.1, 5),
            }
        ),
        "visits": st.fixed_dictionaries(
            {"return_rate": st.floats(0, 0.7), "gap_hours": st.floats(0.01, 5)},
            optional={"after_request_rate": st.sampled_from([0.5, 1.0])},
        ),
        "sales": st.fixed_dictionaries(
            {
                "wait_effect_per_day": st.sampled_from([0.0, -0.5, -5.0]),
                "lead_hours": st.sampled_from([0.0, 2.0]),
                "response_minutes": st.floats(0.01, 60),
                "slot_minutes": st.sampled_from([1.0, 45.0]),
                "teams": st.just({"default": ROUND_THE_CLOCK}),
            }
        ),
        "tracking": st.sampled_from([{}, DIRTY]),
    }
)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(worlds, st.integers(0, 2**32))
def test_in_any_world_the_events_are_the_same(given: dict[str, Any], seed: int):
    """Worlds drawn at random, with any seed, leave no byte that differs."""
    check_equal(WorldSettings.model_validate(given), seed)


@pytest.mark.validation
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(worlds, st.integers(0, 2**32))
def test_in_hundreds_of_worlds_the_events_are_the_same(given: dict[str, Any], seed: int):
    """The same for hundreds of worlds."""
    check_equal(WorldSettings.model_validate(given), seed)


class Odd(Visitor):
    """A visitor of a subclass."""


def test_auto_activates_all_of_a_small_world_and_of_a_subclass():
    """A large world has interacting agents only, unless a subclass may act on every page.

    A campaign, a launch or growth can make a world large.
    """
    small, large = world_of({}), world_of({"traffic": {"visitors_per_day": 50_000}})
    assert Simulation(small, seed=1).active_agents == "all"
    assert Simulation(large, seed=1).active_agents == "interacting"
    assert Simulation(large, seed=1, visitor=Odd).active_agents == "all"
    assert Simulation(small, seed=1, active_agents="interacting").active_agents == "interacting"
    with pytest.raises(ValueError, match="a Odd may act on every page; give 'all' or 'auto'"):
        Simulation(small, seed=1, visitor=Odd, active_agents="interacting")
    for traffic in (
        {"campaigns": {"c": {**SALE, "visitors": 50_000}}},
        {"events": {"l": {**BOOM, "factor": 1000.0}}},
        {"growth_per_week": 1e6},
    ):
        world = world_of({"traffic": {"visitors_per_day": 5000, **traffic}})
        assert Simulation(world.model_copy(update={"intent": NO_DEMAND}), seed=1).active_agents == "interacting"


def test_only_who_may_request_is_active():
    """In a world without candidates no visitor is an agent on the clock."""
    simulation = Simulation(world_of(WORLDS["nobody"]), seed=1, visitor=Visitor, active_agents="interacting")
    active: list[int] = []
    original = Visitor.decisions
    try:
        Visitor.decisions = lambda self: active.append(self.number) or original(self)  # type: ignore[method-assign]
        assert simulation.run().counts["page_views"] > 1500
        assert not active
        Simulation(world_of(WORLDS["eager"]), seed=1, active_agents="interacting").run()
        assert 100 < len(active) < 800
    finally:
        Visitor.decisions = original  # type: ignore[method-assign]


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


def test_the_order_in_which_tasks_are_done_does_not_matter(tmp_path: Path):
    """An executor that runs the last task first gives the same run, hours in order."""
    world = world_of(WORLDS["dirty, for thirty hours from an odd moment"])
    sink, hours, outcome = shared(world, Lazy(), tmp_path)
    check_same((sink, outcome), simulated(world, "interacting"))
    assert hours == list(range(world.clock.hours))


def test_a_large_hour_is_emitted_in_parts(monkeypatch: pytest.MonkeyPatch):
    """The size of the parts does not change the events or their order."""
    for tracking in ({}, DIRTY):
        world = world_of({"traffic": {"visitors_per_day": 400}, "tracking": tracking})
        whole, parts = CollectingSink(), CollectingSink()
        expected = Simulation(world, seed=3).run([whole])
        with monkeypatch.context() as patch:
            patch.setattr(generator, "_MAX_RECORDS_AT_ONCE", 40)
            outcome = Simulation(world, seed=3).run([parts])
        assert_frame_equal(parts.events, whole.events)
        assert_frame_equal(outcome.labels, expected.labels)
        assert outcome.counts == expected.counts
        assert (len(parts.deliveries) > len(whole.deliveries)) == (not tracking)


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
