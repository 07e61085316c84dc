"""Claims about active agents and workers: whichever visitors are agents, and whoever works, the events are the same."""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from polars.testing import assert_frame_equal
from random_worlds import BOOM, OUTAGE, ROUND_THE_CLOCK, SALE, WORLDS, built_in
from small_worlds import DIRTY

from scenarios.config.library import library_names
from scenarios.scenario import Scenario
from simulator.agents.visitor import Visitor
from simulator.model import Model
from simulator.replication import delivered_hours, generator, live_world
from simulator.replication.outcome import Outcome
from simulator.settings.world import WorldSettings
from simulator.tracking.delivery import CollectingSink, Delivery
from simulator.tracking.labels import KeptLabels
from simulator.visitors.cohort_sampler import COHORT_SIZE

ODD_WORLDS: dict[str, dict[str, Any]] = {
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


QUICK = ("visits after a request", "dirty, for thirty hours from an odd moment", "campaign, launch and outage")

NO_DEMAND = WorldSettings.model_validate({"intent": {"target_conversion": None, "intercept": -50.0}}).intent


def simulated(
    world: WorldSettings, active_agents: Any, seed: int = 3, **options: Any
) -> tuple[CollectingSink, Outcome]:
    """What is received, and the outcome."""
    sink = CollectingSink()
    return sink, Model(world, seed=seed, active_agents=active_agents, sinks=[sink], **options).run().outcome


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


def shared(
    world: WorldSettings, executor: Executor, folder: Path, **options: Any
) -> tuple[CollectingSink, list[int], Outcome]:
    """What is received, the hours in the order in which they came, and the outcome."""
    sink, labels, hours = CollectingSink(), KeptLabels(), []

    def take(result: tuple[int, list[Delivery]]) -> None:
        hours.append(result[0])
        for delivery in result[1]:
            sink.write(delivery)
            labels.add(delivery.labels)

    model = Model(world, seed=3, active_agents="interacting", **options)
    return sink, hours, model.share(executor, kept, take, n_workers=2, folder=folder, labels=labels)


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


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ODD_WORLDS]
)
def test_neither_active_agents_nor_workers_change_the_events(name: str, tmp_path: Path):
    """All that comes of odd worlds is equal if all visitors are agents, if those who interact are, and on workers.

    Workers return hours in order, and leave no files of planned activity.
    """
    world = world_of(ODD_WORLDS[name])
    alone = check_equal(world)
    with ThreadPoolExecutor(1) as executor:
        sink, hours, outcome = shared(world, executor, tmp_path)
    check_same((sink, outcome), alone)
    assert hours == list(range(world.clock.hours))
    # Where nothing is planned there is no last hour after which a plan would be deleted.
    assert not outcome.counts["visitors"] or not list(tmp_path.glob("plan-*"))
    if name == "several cohorts":
        assert outcome.counts["visitors"] > COHORT_SIZE


@pytest.mark.slow  # worlds drawn at random have all of their kinds
@pytest.mark.parametrize("name", library_names())
def test_in_every_scenario_of_the_library_the_events_are_the_same(name: str):
    """With few visitors and bots and, where nothing of the scenario lies later, for some hours."""
    bots = {"tracking.bots_per_day": 20.0, "tracking.undeclared_bots_per_day": 10.0}
    world = Scenario.load(name, {"traffic.visitors_per_day": 300, **bots}).world
    hours = min(world.clock.hours, 30)
    check_equal(world.model_copy(update={"clock": world.clock.model_copy(update={"hours": hours})}))


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(WORLDS, st.integers(0, 2**32))
def test_in_any_world_the_events_are_the_same(given: dict[str, Any], seed: int):
    """Worlds drawn at random, with any seed, leave no byte that differs."""
    check_equal(WorldSettings.model_validate(given), seed)


@pytest.mark.validation
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(WORLDS, st.integers(0, 2**32))
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
    assert Model(small, seed=1).active_agents == "all"
    assert Model(large, seed=1).active_agents == "interacting"
    assert Model(large, seed=1, visitor=Odd).active_agents == "all"
    assert Model(small, seed=1, active_agents="interacting").active_agents == "interacting"
    with pytest.raises(ValueError, match="a Odd may act on every page; give 'all' or 'auto'"):
        Model(small, seed=1, visitor=Odd, active_agents="interacting")
    for traffic in (
        {"campaigns": {"c": {**SALE, "visitors": 50_000}}},
        {"events": {"l": {**BOOM, "factor": 1000.0}}},
        {"growth_per_week": 1e6},
    ):
        world = world_of({"traffic": {"visitors_per_day": 5000, **traffic}})
        assert Model(world.model_copy(update={"intent": NO_DEMAND}), seed=1).active_agents == "interacting"


def test_only_who_may_request_is_active(monkeypatch: pytest.MonkeyPatch):
    """In a world without candidates no visitor is an agent on the clock."""
    active: list[int] = []
    original = live_world.decisions

    def counted(world: Any, candidates: Any, number: int) -> Any:
        active.append(number)
        return original(world, candidates, number)

    monkeypatch.setattr(live_world, "decisions", counted)
    assert simulated(world_of(ODD_WORLDS["nobody"]), "interacting")[1].counts["page_views"] > 1500
    assert not active
    simulated(world_of(ODD_WORLDS["eager"]), "interacting")
    assert 100 < len(active) < 800


def test_the_order_in_which_tasks_are_done_does_not_matter(tmp_path: Path):
    """An executor that runs the last task first gives the same run, hours in order."""
    world = world_of(ODD_WORLDS["dirty, for thirty hours from an odd moment"])
    sink, hours, outcome = shared(world, Lazy(), tmp_path)
    check_same((sink, outcome), simulated(world, "interacting"))
    assert hours == list(range(world.clock.hours))


def test_a_large_hour_is_emitted_in_parts(monkeypatch: pytest.MonkeyPatch):
    """The size of the parts does not change the events or their order."""
    for tracking in ({}, DIRTY):
        world = world_of({"traffic": {"visitors_per_day": 400}, "tracking": tracking})
        whole, parts = CollectingSink(), CollectingSink()
        expected = Model(world, seed=3, sinks=[whole]).run().outcome
        with monkeypatch.context() as patch:
            # No hour waits for another, as if each were a large one.
            patch.setattr(delivered_hours, "_MAX_HOURS_TOGETHER", 1)
            patch.setattr(generator, "_MAX_RECORDS_AT_ONCE", 40)
            outcome = Model(world, seed=3, sinks=[parts]).run().outcome
        assert_frame_equal(parts.events, whole.events)
        assert_frame_equal(outcome.labels, expected.labels)
        assert outcome.counts == expected.counts
        assert (len(parts.deliveries) > len(whole.deliveries)) == (not tracking)


def test_workers_do_not_change_what_components_do(tmp_path: Path):
    """Whom components touch, and whom they wake late, is the same on workers, who get their settings only."""
    world = world_of({"intent": {"target_conversion": 0.2}, "tracking": DIRTY})
    names = ["discount_banner", "live_chat", "nurture_email", "webinar"]
    components = [built_in(name, f"my_{name}") for name in names]
    with ThreadPoolExecutor(1) as executor:
        sink, _, outcome = shared(world, executor, tmp_path, components=components)
    check_same((sink, outcome), simulated(world, "interacting", components=components))
    assert {"Discount Shown", "Live Chat Ended"} <= set(sink.events["event"].drop_nulls())


def test_a_run_with_all_agents_active_cannot_be_shared(tmp_path: Path):
    """Agents on the clock cannot be distributed among workers: that is an error."""
    model = Model(world_of({}), seed=1, active_agents="all")
    with pytest.raises(ValueError, match="cannot be shared"), ThreadPoolExecutor(1) as executor:
        model.share(executor, kept, print, n_workers=1, folder=tmp_path, labels=KeptLabels())


def test_an_error_in_a_worker_is_raised(tmp_path: Path):
    """An error of the work is raised where the run was started."""

    def fails(hour: int, deliveries: Iterable[Delivery]) -> pl.DataFrame:
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"), ThreadPoolExecutor(1) as executor:
        Model(world_of({}), seed=1, active_agents="interacting").share(
            executor, fails, print, n_workers=1, folder=tmp_path, labels=KeptLabels()
        )
