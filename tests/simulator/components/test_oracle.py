"""Claims about every registered component: who is on the clock changes nothing, and the truth is what the events say.

With components, ``active_agents: all`` makes everybody an object on the clock. What components may not know about, and
whatever only follows a plan, is then tested as well.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from random_worlds import REGISTERED, WORLDS, built_in
from small_worlds import check_rebuilt, check_same

from simulator.agents.component import Component
from simulator.components.probes import QueueLength
from simulator.model import Model
from simulator.settings.components import DECISIONS, registered
from simulator.settings.world import WorldSettings

MANY_HEALTHY = {"deadline": None, "suppress_health_check": list(HealthCheck)}
BUSY: dict[str, Any] = {
    "traffic": {"visitors_per_day": 700},
    "intent": {"target_conversion": 0.2},
    "population": {"accounts": 60, "second_device_rate": 0.3, "invitation_hours": 1.0},
    "visits": {"return_rate": 0.5, "gap_hours": 0.5, "after_request_rate": 0.5},
    "sales": {"wait_effect_per_day": -0.5},
}
"""A day with many requests, returns, colleagues and second devices, on which requests wait overnight."""


QUICK = ("live_chat", "nurture_email", "discount_banner")
"""Static waking, unplanned visits, and late waking."""


class Nothing(Component):
    """A component that touches nobody and does nothing."""


def check(given: dict[str, Any], names: list[str], seed: int = 3) -> Model:
    """Hold what components do equal, whoever is on the clock, and the truth to the events; return the model."""
    world = WorldSettings.model_validate(given)
    awake, sparse = (
        Model(
            world,
            seed=seed,
            active_agents=active_agents,
            # The labels differ from the names in the registry, as in files.
            components=[built_in(name, f"my_{name}") for name in names] or [Nothing()],
            probes=[QueueLength("inbox", every_minutes=7.0)],
        ).run()
        for active_agents in ("all", "interacting")
    )
    check_same(sparse, awake)
    assert len(awake.visitors) >= len(sparse.visitors)
    if world.tracking == WorldSettings().tracking:
        check_rebuilt(sparse)
    return sparse


def test_a_component_that_does_nothing_changes_nothing():
    """With it, page by page and for decisions only: four ways to run one world, and not a byte differs."""
    idle = check(BUSY, [])
    assert not idle.visitors
    for active_agents in ("all", "interacting"):
        check_same(
            Model(
                WorldSettings.model_validate(BUSY),
                seed=3,
                active_agents=active_agents,
                probes=[QueueLength("inbox", every_minutes=7.0)],
            ).run(),
            idle,
        )


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in REGISTERED]
)
def test_who_is_on_the_clock_changes_nothing(name: str):
    """Each component alone: everybody an object, or only whom it touches, give the same; it does something."""
    model = check(BUSY, [name])
    assert model.visitors
    without = Model(WorldSettings.model_validate(BUSY), seed=3).run()
    assert not without.events.equals(model.events)


@pytest.mark.parametrize("decision", sorted(registered(DECISIONS)))
def test_who_is_on_the_clock_does_not_change_how_visitors_decide(decision: str):
    """Each decision model, with a component that moves decisions beside it."""
    model = check({**BUSY, "decision": {"use": decision}}, ["live_chat"])
    assert model.outcome.counts["demo_requests"] > 30


combinations = st.lists(st.sampled_from(REGISTERED), min_size=1, max_size=3, unique=True)
worlds = st.builds(
    lambda world, decision: {**world, **({"decision": {"use": decision}} if decision else {})},
    WORLDS,
    st.sampled_from([None, None, None, *sorted(registered(DECISIONS))]),
)


@settings(max_examples=4, derandomize=True, **MANY_HEALTHY)
@given(worlds, combinations, st.integers(0, 2**32))
def test_who_is_on_the_clock_changes_nothing_in_any_world(world: dict[str, Any], names: list[str], seed: int):
    """Components together, in worlds drawn at random, leave no byte that differs."""
    check(world, names, seed)


@pytest.mark.validation
@settings(max_examples=300, **MANY_HEALTHY)
@given(worlds, combinations, st.integers(0, 2**32))
def test_who_is_on_the_clock_changes_nothing_in_hundreds_of_worlds(world: dict[str, Any], names: list[str], seed: int):
    """The same for hundreds of worlds."""
    check(world, names, seed)
