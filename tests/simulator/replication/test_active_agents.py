"""Claims about active agents: whichever visitors are agents, the events are the same, byte for byte."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from polars.testing import assert_frame_equal
from small_worlds import DIRTY

from scenarios.config.library import library_names
from scenarios.scenario import Scenario
from simulator.engine.clock import ExactEnvironment
from simulator.settings.world import WorldSettings
from simulator.simulation import Outcome, Simulation
from simulator.tracking.delivery import CollectingSink
from simulator.visitors.cohort_sampler import COHORT_SIZE
from simulator.visitors.visitor import Visitor

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
    "dirty": {"tracking": DIRTY},
    "campaign, launch and outage": {
        "traffic": {"visitors_per_day": 900, "campaigns": {"c": SALE}, "events": {"l": BOOM, "o": OUTAGE}}
    },
    "two devices": {"population": {"second_device_rate": 0.5}, "visits": {"return_rate": 0.7, "gap_hours": 0.3}},
    "experiment": {"experiments": {"e": {"arms": {"a": {"share": 0.5}, "b": {"share": 0.5, "log_odds": 1.0}}}}},
    "thirty hours from an odd moment": {"clock": {"start": "2026-03-07T13:37:41.123Z", "hours": 30}},
}


NO_DEMAND = WorldSettings.model_validate({"intent": {"target_conversion": None, "intercept": -50.0}}).intent


def simulated(world: WorldSettings, active_agents: Any, seed: int = 3) -> tuple[CollectingSink, Outcome]:
    """What is received, and the outcome."""
    sink = CollectingSink()
    return sink, Simulation(world, seed=seed, active_agents=active_agents).run([sink])


def check_equal(world: WorldSettings, seed: int = 3) -> Outcome:
    """Hold all that comes of both ways equal, and return the outcome."""
    (full, one), (sparse, other) = simulated(world, "all", seed), simulated(world, "interacting", seed)
    assert_frame_equal(sparse.events, full.events)
    assert_frame_equal(sparse.malformed, full.malformed)
    for name in ("visits", "labels", "people", "accounts"):
        assert_frame_equal(getattr(other, name), getattr(one, name))
    assert_frame_equal(other.sales.requests, one.sales.requests)
    assert other.sales.summary == one.sales.summary
    assert other.counts == one.counts
    assert other.truth == one.truth
    return other


def world_of(given: dict[str, Any]) -> WorldSettings:
    """A small world with these settings."""
    return WorldSettings.model_validate({"traffic": {"visitors_per_day": 1500}, **given})


@pytest.mark.parametrize("name", WORLDS)
def test_active_agents_do_not_change_the_events(name: str):
    """Events, broken lines, labels, the visit table, sales and counts are equal in odd worlds."""
    check_equal(world_of(WORLDS[name]))


@pytest.mark.parametrize("name", library_names())
def test_in_every_scenario_of_the_library_the_events_are_the_same(name: str):
    """With few visitors and, where nothing of the scenario lies later, for some hours."""
    world = Scenario.load(name, {"traffic.visitors_per_day": 300}).world
    hours = min(world.clock.hours, 30)
    check_equal(world.model_copy(update={"clock": world.clock.model_copy(update={"hours": hours})}))


def test_several_cohorts_are_no_exception():
    """Also where cohorts overlap and people of one company are in several of them."""
    outcome = check_equal(world_of({"traffic": {"visitors_per_day": 25_000}, "intent": {"target_conversion": 0.1}}))
    assert outcome.counts["visitors"] > 20_000 > COHORT_SIZE


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


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
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
    """A large world has interacting agents only, unless a subclass may act on every page."""
    small, large = world_of({}), world_of({"traffic": {"visitors_per_day": 50_000}})
    assert Simulation(small, seed=1).active_agents == "all"
    assert Simulation(large, seed=1).active_agents == "interacting"
    assert Simulation(large, seed=1, visitor=Odd).active_agents == "all"
    assert Simulation(small, seed=1, active_agents="interacting").active_agents == "interacting"
    with pytest.raises(ValueError, match="a Odd may act on every page; give 'all' or 'auto'"):
        Simulation(small, seed=1, visitor=Odd, active_agents="interacting")


def test_auto_counts_all_arrival_sources():
    """A campaign, a launch or growth can make a world large."""
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
        assert simulation.run().counts["page_views"] > 3000
        assert not active
        Simulation(world_of(WORLDS["eager"]), seed=1, active_agents="interacting").run()
        assert 100 < len(active) < 1500
    finally:
        Visitor.decisions = original  # type: ignore[method-assign]


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
