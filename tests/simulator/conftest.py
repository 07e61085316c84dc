"""A small simulation for the tests of the simulator, run once."""

from types import SimpleNamespace

import pytest

from simulator.engine.streams import Streams
from simulator.model import Model
from simulator.settings.sales import WEEKDAYS
from simulator.settings.world import WorldSettings
from simulator.tracking.delivery import CollectingSink
from simulator.visitors.cohort_sampler import CohortSampler

SEED = 5


class Recorder(CollectingSink):
    """A sink that counts how often it is closed."""

    n_closed = 0

    def close(self) -> None:
        """Count."""
        self.n_closed += 1


@pytest.fixture(scope="session")
def small_run() -> SimpleNamespace:
    """A day with a thousand visitors, many requests and many returning visitors, and everything known about it.

    ``world``, ``model``, ``outcome``, ``recorder`` (the sink), ``batches`` (events by hour), ``events``,
    ``progress`` (all reports of it) and ``cohort`` (the one cohort, drawn again).
    """
    world = WorldSettings.model_validate(
        {
            "traffic": {"visitors_per_day": 1000},
            "intent": {"target_conversion": 0.2},
            "visits": {"return_rate": 0.5, "gap_hours": 1.0},
            "population": {"personas": {"reader": {}, "careful": {"pages": {"security": 3.0}}}},
            # A desk that never closes, and buyers without delay: one day has every step up to the deal.
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
    recorder, progress = Recorder(), []
    model = Model(world, seed=SEED, sinks=[recorder]).run(progress=progress.append)
    sampler = CohortSampler(world, Streams(SEED))
    assert sampler.n_cohorts == 1
    return SimpleNamespace(
        world=world,
        model=model,
        outcome=model.outcome,
        recorder=recorder,
        batches=[delivery.events for delivery in recorder.deliveries],
        events=recorder.events,
        progress=progress,
        cohort=sampler.draw(0, model.truth.intercept),
    )
