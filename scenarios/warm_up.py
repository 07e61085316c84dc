"""Warm-up: the initial transient of a simulation, to be excluded from responses.

Hourly counts are averaged over replications (Welch's method: P. D. Welch, The statistical analysis of simulation
results, in Computer Performance Modeling Handbook, 1983, 268–328) and adjusted for the weekly cycle, estimated from the
other weeks. MSER-5 then truncates the series where the standard error of the mean of the rest, in batches of five, is
smallest (K. P. White, M. J. Cobb and S. C. Spratt, Proceedings of the 2000 Winter Simulation Conference, 755–760).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scenarios.errors import InputError
from scenarios.run.pools import ExecutorChoice
from scenarios.scenario import Scenario
from scenarios.studies.execution import Execution, Progress
from scenarios.study import Study

if TYPE_CHECKING:
    from analytics.charts.style import AnyChart

Floats = NDArray[np.float64]
Series = Literal["page_views", "visitors", "visits", "demo_requests"]
"""Hourly count."""

_BATCH: Final = 5
_DAY, _WEEK = 24, 168
_MIN_WEEKS: Final = 3
"""Minimum weeks: the first may be transient, and two more are needed to estimate the weekly cycle."""


@dataclass(frozen=True, eq=False)
class WarmUp:
    """Warm-up period of a scenario.

    Args:
        series: The hourly count.
        replications: Number of runs averaged.
        hours: Hours to exclude; None if the series does not settle in its first half: use a longer clock, or the world
            has no steady state.
        table: One row per ``hour`` of the clock: the ``mean`` count, the count ``without_cycle``, and its centred
            ``moving_average`` over a day, shorter at the ends (Welch's plot).
    """

    series: Series
    replications: int
    hours: int | None
    table: pl.DataFrame

    def __repr__(self) -> str:
        return f"<Warm-up of {self.series}: {'not within the clock' if self.hours is None else f'{self.hours} hours'}>"

    def chart(self) -> AnyChart:
        """Draw Welch's plot with the warm-up."""
        from analytics.charts.studies import welch_chart  # noqa: PLC0415 - imports Altair

        return welch_chart(self.table, self.series.replace("_", " "), self.hours)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
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
    """Estimate the warm-up period of a scenario.

    Args:
        scenario: The scenario; its clock is extended to three weeks if shorter.
        series: The hourly count.
        replications: Number of runs to average, 2 or more.
        seed: Seed of the runs; the scenario's own if not given.
        jobs: Number of parallel runs; the number of cores if not given.
        executor: Where to run, as for :func:`scenarios.run.pools.pool_of`.
        progress: Called with the number of completed runs.

    Raises:
        InputError: Nothing is counted in any run.
    """
    n_hours = max(scenario.clock.hours, _MIN_WEEKS * _WEEK)
    # No claims are checked here, and those about counts would not hold for a longer clock.
    scenario = scenario.replace({"clock.hours": n_hours, "claims": {}})
    mean = _hourly_means(scenario, series, replications, seed, Execution(jobs, executor, progress))
    if not mean.any():
        # A series of zeros would seem to be stable from its first hour.
        raise InputError(f"{scenario.name}: no {series.replace('_', ' ')} in any of {replications:,} runs")
    level = without_cycle(mean, _WEEK)
    table = pl.DataFrame(
        {"hour": np.arange(n_hours), "mean": mean, "without_cycle": level, "moving_average": _smoothed(level)}
    )
    return WarmUp(series, replications, mser5(level), table)


def mser5(values: Floats) -> int | None:
    """Return the number of initial values to truncate by MSER-5; None if it would be more than half.

    Args:
        values: A series of ten values or more, shape (n,).

    >>> mser5(np.concatenate([np.arange(10.0), np.full(40, 10.0)]))
    10
    """
    n_batches = len(values) // _BATCH
    batches = values[: n_batches * _BATCH].reshape(n_batches, _BATCH).mean(axis=1)
    rest = (batches[cut:] for cut in range(n_batches // 2 + 1))
    errors = [float(np.sum((each - each.mean()) ** 2)) / len(each) ** 2 for each in rest]
    cut = int(np.argmin(errors))
    return None if cut == n_batches // 2 else cut * _BATCH


def without_cycle(values: Floats, length: int) -> Floats:
    """Return a series adjusted for a cycle, estimated from the other cycles after the first.

    The cycle is divided out, because peaks are proportional to traffic; or subtracted, if some hour of the cycle has no
    events. A cycle is never adjusted by itself, which would remove its noise and make it seem the most stable.

    Args:
        values: The series, of at least three cycles, shape (n,).
        length: Number of values in a cycle.
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
    """Centred moving average over a day, with a shorter symmetric window at the ends."""
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
