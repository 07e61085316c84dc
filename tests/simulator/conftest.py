"""A small simulation for the tests of the simulator, run once."""

from dataclasses import dataclass, field

import polars as pl
import pytest

from simulator.cohort import Cohort, CohortMaker
from simulator.simulation import Outcome, Simulation
from simulator.streams import Streams
from simulator.world import WorldSettings

SEED = 5


@dataclass
class Recorder:
    """A sink that keeps the hourly batches apart."""

    batches: list[pl.DataFrame] = field(default_factory=list)
    n_closed: int = 0

    def write(self, events: pl.DataFrame) -> None:
        """Keep a batch."""
        self.batches.append(events)

    def close(self) -> None:
        """Count."""
        self.n_closed += 1


@dataclass(frozen=True)
class SmallRun:
    """What a small simulation was made of and what it left."""

    world: WorldSettings
    simulation: Simulation
    outcome: Outcome
    recorder: Recorder
    events: pl.DataFrame
    progress: list[float]

    @property
    def cohort(self) -> Cohort:
        """The one cohort of the simulation, drawn again."""
        maker = CohortMaker(self.world, Streams(SEED))
        assert maker.n_cohorts == 1
        return maker.draw(0, self.simulation.truth.intercept)


@pytest.fixture(scope="session")
def small_run() -> SmallRun:
    """A day of a thousand visitors of whom many ask and many come again."""
    world = WorldSettings.model_validate(
        {
            "traffic": {"visitors_per_day": 1000},
            "intent": {"visitor_to_demo": 0.2},
            "visits": {"return_rate": 0.5, "gap_hours": 1.0},
        }
    )
    simulation, recorder, progress = Simulation(world, seed=SEED), Recorder(), []
    outcome = simulation.run([recorder], progress.append)
    return SmallRun(world, simulation, outcome, recorder, pl.concat(recorder.batches), progress)
