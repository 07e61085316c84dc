"""Small worlds with components, run to their end, and what was seen of them."""

from typing import Any

import polars as pl

from analytics.sessions.visits import visit_table
from simulator.agents.component import Component
from simulator.agents.probe import Probe
from simulator.model import Model
from simulator.settings.world import WorldSettings

WORLD: dict[str, Any] = {
    "traffic": {"visitors_per_day": 1500.0},
    "clock": {"hours": 24},
    "intent": {"intercept": -3.0, "conversion_unit": "visitor"},
}
"""A day with many requests, none of which depends on another."""


def run_with(
    *components: Component, seed: int = 7, probes: tuple[Probe, ...] = (), visitor: Any = None, **sections: Any
) -> Model:
    """Run a world with components to its end.

    Args:
        components: The components.
        seed: Seed of the run.
        probes: What is measured.
        visitor: Class of the visitors, if not the usual one.
        sections: Sections of the world's settings, merged into those of :data:`WORLD`.
    """
    merged = {name: {**WORLD.get(name, {}), **sections.get(name, {})} for name in {*WORLD, *sections}}
    world = WorldSettings.model_validate(merged)
    options = {"visitor": visitor} if visitor else {}
    return Model(world, seed=seed, components=components, probes=probes, **options).run()


def tracked(model: Model, event: str) -> pl.DataFrame:
    """Events of a name, by time."""
    return model.events.filter(pl.col("event") == event).sort("timestamp")


def hours(model: Model, times: pl.Series) -> list[float]:
    """Times as hours since the start."""
    return [(time - model.clock.start).total_seconds() / 3600 for time in times]


def requesters(model: Model) -> set[str]:
    """Browsers with a demo request."""
    return set(tracked(model, "Demo Requested")["anonymous_id"])


def assert_truth_is_what_was_seen(model: Model) -> None:
    """The true visit table is the one that analysts rebuild from the events, row for row."""
    true = model.outcome.visits
    seen = visit_table(model.events, observed_until=model.clock.end, conversion_unit=model.world.intent.conversion_unit)
    assert seen.height == true.height > 0
    # A logarithm of floats may differ in the last digit.
    columns = [name for name in true.columns if name != "log_session_minutes"]
    assert [name for name in columns if not true[name].equals(seen[name])] == []
