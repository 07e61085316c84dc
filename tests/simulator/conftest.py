"""A small simulation for the tests of the simulator, run once."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import polars as pl
import pytest

from simulator.engine.streams import Streams
from simulator.settings.sales import WEEKDAYS
from simulator.settings.world import WorldSettings
from simulator.simulation import Simulation
from simulator.tracking.delivery import Delivery
from simulator.visitors.cohort_sampler import CohortSampler

SEED = 5


@dataclass
class Recorder:
    """A sink that keeps the hourly batches apart."""

    batches: list[pl.DataFrame] = field(default_factory=list)
    n_closed: int = 0

    def write(self, delivery: Delivery) -> None:
        """Keep a batch."""
        self.batches.append(delivery.events)

    def close(self) -> None:
        """Count."""
        self.n_closed += 1


@pytest.fixture(scope="session")
def small_run() -> SimpleNamespace:
    """A day of a thousand visitors of whom many ask and many come again, and all that is known of it.

    ``world``, ``simulation``, ``outcome``, ``recorder`` (the sink), ``events``, ``progress`` (what was told of it) and
    ``cohort`` (the one cohort, drawn again).
    """
    world = WorldSettings.model_validate(
        {
            "traffic": {"visitors_per_day": 1000},
            "intent": {"target_conversion": 0.2},
            "visits": {"return_rate": 0.5, "gap_hours": 1.0},
            "population": {"personas": {"reader": {}, "careful": {"pages": {"security": 3.0}}}},
            # A desk that never closes, and buyers who know what they want: a day sees everything up to the deal.
            "sales": {
                "teams": {
                    "default": {
                        "opens": "00:00",
                        "closes": "24:00",
                        "weekdays": list(WEEKDAYS),
                        "sdrs": {"headcount": 5},
                        "account_executives": {"headcount": 20},
                    }
                },
                "lead_hours": 0.5,
                "buyer_delay_days": 0.05,
                "days_to_close": 0.05,
            },
        }
    )
    simulation, recorder, progress = Simulation(world, seed=SEED), Recorder(), []
    outcome = simulation.run([recorder], progress.append)
    sampler = CohortSampler(world, Streams(SEED))
    assert sampler.n_cohorts == 1
    return SimpleNamespace(
        world=world,
        simulation=simulation,
        outcome=outcome,
        recorder=recorder,
        events=pl.concat(recorder.batches),
        progress=progress,
        cohort=sampler.draw(0, simulation.truth.intercept),
    )
