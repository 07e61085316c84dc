"""How long a simulated world takes to fill: which hours at the beginning say nothing of its ordinary state.

Replications of a count by hour are averaged, as P. D. Welch does (The statistical analysis of simulation results, in
Computer Performance Modeling Handbook, 1983, 268–328), and what belongs to the hour of the week is taken out, as the
other weeks know it. MSER-5 then says where to cut: before the hour from which on the mean of
batches of five is known best (K. P. White, M. J. Cobb and S. C. Spratt, Proceedings of the 2000 Winter Simulation
Conference, 755–760).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scenarios.run.pools import ExecutorChoice
from scenarios.scenario import Scenario
from scenarios.studies.execution import Execution, Progress
from scenarios.study import Study

if TYPE_CHECKING:
    from analytics.charts.style import AnyChart

__all__ = ["Series", "WarmUp", "find_warm_up", "mser5", "without_cycle"]

Floats = NDArray[np.float64]
Series = Literal["page_views", "visitors", "visits", "demo_requests"]
"""What is counted by hour."""

_BATCH: Final = 5
_DAY, _WEEK = 24, 168
_LEAST_WEEKS: Final = 3
"""Weeks that are watched: the first may be filling, and the others tell of each other's weekends."""


@dataclass(frozen=True, eq=False)
class WarmUp:
    """How long a world takes to fill.

    Args:
        series: What was counted.
        replications: How many runs were averaged.
        hours: Hours to leave out; None where the series settles nowhere in its first half: the clock must be longer, or
            the world, like one that grows, has no ordinary state.
        table: One row per ``hour`` of the clock: the ``mean`` count, what is left ``without_cycle``, and its centred
            ``moving_average`` over a day, shorter at the ends (Welch's plot).
    """

    series: Series
    replications: int
    hours: int | None
    table: pl.DataFrame

    def __repr__(self) -> str:
        return f"<Warm-up of {self.series}: {'not within the clock' if self.hours is None else f'{self.hours} hours'}>"

    def chart(self) -> AnyChart:
        """Draw Welch's plot, with the hours to leave out."""
        from analytics.charts.studies import welch_chart  # noqa: PLC0415 - imports Altair

        return welch_chart(self.table, self.series.replace("_", " "), self.hours)

    def to_dict(self) -> dict[str, Any]:
        """Write it as plain data."""
        return {
            "series": self.series,
            "replications": self.replications,
            "warm_up_hours": self.hours,
            "table": self.table.to_dicts(),
        }


def find_warm_up(
    scenario: Scenario,
    series: Series = "page_views",
    *,
    replications: int = 10,
    seed: int | None = None,
    jobs: int | None = None,
    executor: ExecutorChoice = None,
    progress: Progress | None = None,
) -> WarmUp:
    """Find the hours at the beginning of a scenario that say nothing of its ordinary state.

    Args:
        scenario: The world. It is watched for three weeks at least, whatever its clock says.
        series: What is counted by hour.
        replications: Runs to average, 2 or more.
        seed: Seed of the runs; the scenario's own if not given.
        jobs: Runs at a time; as many as there are cores if not given.
        executor: Where to run, as for :func:`scenarios.run.pools.pool_of`.
        progress: Told how many runs are done.
    """
    n_hours = max(scenario.clock.hours, _LEAST_WEEKS * _WEEK)
    scenario = scenario.replace({"clock.hours": n_hours, "claims": {}})
    mean = _hourly_means(scenario, series, replications, seed, Execution(jobs, executor, progress))
    level = without_cycle(mean, _WEEK)
    table = pl.DataFrame(
        {"hour": np.arange(n_hours), "mean": mean, "without_cycle": level, "moving_average": _smoothed(level)}
    )
    return WarmUp(series, replications, mser5(level), table)


def mser5(values: Floats) -> int | None:
    """How many values to cut off at the beginning by MSER-5; None where it would be more than half.

    Args:
        values: A series, of ten values or more.
    """
    n_batches = len(values) // _BATCH
    batches = values[: n_batches * _BATCH].reshape(n_batches, _BATCH).mean(axis=1)
    rest = (batches[cut:] for cut in range(n_batches // 2 + 1))
    errors = [float(np.sum((each - each.mean()) ** 2)) / len(each) ** 2 for each in rest]
    cut = int(np.argmin(errors))
    return None if cut == n_batches // 2 else cut * _BATCH


def without_cycle(values: Floats, length: int) -> Floats:
    """Take out of a series what belongs to the place in a cycle, as the other cycles after the first know it.

    It is divided out, for a smaller crowd has smaller peaks; or taken away, where some hour of the cycle is empty. No
    cycle is held against itself, which would leave it without chance and so make it seem the calmest of all.

    Args:
        values: The series, at least as long as three cycles.
        length: Values in a cycle.
    """
    n_cycles = len(values) // length
    later = values[length : n_cycles * length].reshape(-1, length)
    total, usual = later.sum(axis=0), np.empty_like(values)
    for number, begin in enumerate(range(0, len(values), length)):
        own = later[number - 1] if 1 <= number < n_cycles else 0.0
        profile = (total - own) / (len(later) - (1 <= number < n_cycles))
        usual[begin : begin + length] = profile[: len(values) - begin]
    level = later.mean()
    return np.asarray(values * level / usual if usual.min() > 0 else values - usual + level)


def _smoothed(values: Floats) -> Floats:
    """Centred moving average over a day; at the ends over as much as there is on both sides."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    place = np.arange(len(values))
    half = np.minimum(_DAY // 2, np.minimum(place, len(values) - 1 - place))
    return np.asarray((total[place + half + 1] - total[place - half]) / (2 * half + 1))


def _hourly_means(scenario: Scenario, series: str, replications: int, seed: int | None, execution: Execution) -> Floats:
    hours = range(scenario.clock.hours)
    study = Study.from_dict(
        {
            "name": "warm-up",
            "scenario": scenario.to_data(),
            "replications": replications,
            "seed": scenario.seed if seed is None else seed,
            "responses": {str(hour): f'hourly("{series}", "sum", start={hour}, end={hour + 1})' for hour in hours},
        }
    )
    return study.execute(execution).summary["mean"].to_numpy()
