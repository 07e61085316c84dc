"""Sample-size planning by simulation: the traffic that is needed to detect a signal with a target power.

A pilot gives a first guess. Two rounds of replications at sizes around it, the second around the result of the first,
give the power curve (:mod:`scenarios.output_analysis.power_curve`) and the size at the target power, with an interval
for the Monte-Carlo error of the replications.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from analytics.statistics.intervals import wilson_interval
from scenarios.errors import InputError
from scenarios.output_analysis.power_curve import PowerCurve, fit_power_curve
from scenarios.run.pools import ExecutorChoice
from scenarios.scenario import Scenario
from scenarios.studies.execution import Execution, Progress
from scenarios.study import Study

Vary = Literal["visitors", "hours"]
"""Setting that is varied: visitors per day, or hours of the clock."""

_SETTING: Final[dict[Vary, str]] = {"visitors": "traffic.visitors_per_day", "hours": "clock.hours"}
_LARGEST: Final[dict[Vary, float]] = {"visitors": 2_000_000, "hours": 24 * 365}
_PILOT: Final = 20
_MAX_RATIO: Final = 16.0
"""Largest ratio between successive guesses, because a pilot is too small to extrapolate further."""
_ROUNDS: Final[tuple[tuple[float, ...], ...]] = ((0.4, 0.7, 1.0, 1.5), (0.6, 0.85, 1.15, 1.5))
"""Sizes of each round, as multiples of the best guess so far."""


@dataclass(frozen=True, eq=False)
class SampleSize:
    """Traffic that is needed to detect a signal with a target power.

    Args:
        signal: The signal.
        power: Target power: the share of runs in which the signal is significant.
        alpha: Significance level.
        vary: Setting that was varied.
        needed: Visitors per day, or hours, at the target power.
        low: Lower end of the 95 % interval of ``needed``, for the Monte-Carlo error of the replications.
        high: Upper end; None where the replications leave it open.
        curve: One row per size: ``size``, ``n`` replications, number of them in which the signal was ``found``, their
            share ``power`` with its 95 % interval ``ci_low`` and ``ci_high``, and the ``fitted`` power.
        fitted: The power curve.
    """

    signal: str
    power: float
    alpha: float
    vary: Vary
    needed: float
    low: float
    high: float | None
    curve: pl.DataFrame
    fitted: PowerCurve

    def __repr__(self) -> str:
        return f"<{self.signal}: power {self.power:g} at {self.needed:,.0f} {self.unit}>"

    @property
    def unit(self) -> str:
        """Unit of ``needed``."""
        return "visitors a day" if self.vary == "visitors" else "hours"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "signal": self.signal,
            "power": self.power,
            "alpha": self.alpha,
            "unit": self.unit,
            "needed": self.needed,
            "ci_low": self.low,
            "ci_high": self.high,
            "curve": self.curve.to_dicts(),
        }


def sample_size(
    scenario: Scenario,
    signal: str,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    vary: Vary = "visitors",
    replications: int = 400,
    seed: int | None = None,
    jobs: int | None = None,
    executor: ExecutorChoice = None,
    progress: Progress | None = None,
) -> SampleSize:
    """Find the traffic at which a signal is detected with a target power.

    Args:
        scenario: The scenario whose traffic or clock is varied.
        signal: The signal, or an interaction such as ``region_europe:security_page_view``.
        power: Target power, between alpha and 1.
        alpha: Significance level. A run in which the model cannot be fitted counts as not significant.
        vary: Whether visitors per day or hours are varied.
        replications: Total number of runs besides the pilot; 40 or more.
        seed: Seed of the runs; the scenario's own if not given.
        jobs: Number of parallel runs; the number of cores if not given.
        executor: Where to run, as for :func:`scenarios.run.pools.pool_of`.
        progress: Called with the number of completed runs of each round.

    Raises:
        InputError: The signal has no effect, or the target power is not reached with any feasible traffic.
        ScenarioError: There is no such signal.
    """
    if not 0 < alpha < power < 1:
        raise InputError(f"power: must lie between alpha ({alpha:g}) and 1 (got {power:g})")
    if replications < _PILOT * 2:
        raise InputError(f"replications: must be at least {2 * _PILOT} (got {replications})")
    seed = scenario.seed if seed is None else seed
    planner = _Planner(scenario, signal, alpha, vary, seed, Execution(jobs, executor, progress))
    return planner.plan(power, replications)


@dataclass
class _Planner:
    """Runs rounds of replications at chosen sizes, and accumulates the results.

    Attributes:
        seen: Replications, and those of them in which the signal was found, by size.
        n_studies: Rounds so far; each has a seed of its own.
    """

    scenario: Scenario
    signal: str
    alpha: float
    vary: Vary
    seed: int
    execution: Execution
    seen: dict[float, tuple[int, int]] = field(default_factory=dict)
    n_studies: int = 0

    def plan(self, power: float, replications: int) -> SampleSize:
        guess, curve = self._pilot(power), None
        for multiples in _ROUNDS:
            sizes = self._sizes(guess * multiple for multiple in multiples)
            self._observe(sizes, max(1, replications // len(_ROUNDS) // len(sizes)))
            curve = self._fit()
            if curve is None:
                # All runs were significant, or none: the target lies outside these sizes.
                guess *= 1 / 4 if self._share_found() > power else 4
            else:
                guess = min(max(curve.size(power), guess / _MAX_RATIO), guess * _MAX_RATIO)
        if curve is None or curve.size(power) > _LARGEST[self.vary]:
            raise InputError(
                f"a power of {power:g} is not reached within {_LARGEST[self.vary]:,.0f} {self.vary}, or "
                f"{replications} replications are too few to estimate it; use more, or a scenario with more traffic"
            )
        low, high = curve.interval(power)
        seen = self._table(curve)
        return SampleSize(self.signal, power, self.alpha, self.vary, curve.size(power), low, high, seen, curve)

    def _pilot(self, power: float) -> float:
        """First guess: the mean of z is proportional to √size, and must reach the sum of two quantiles."""
        size = self._current_size()
        normal = NormalDist()
        target = normal.inv_cdf(1 - self.alpha / 2) + normal.inv_cdf(power)
        while size <= _LARGEST[self.vary]:
            z = self._replicate([size], _PILOT, f'z("{self.signal}")')[0]
            known = z[~np.isnan(z)]
            if len(known) >= _PILOT // 2:
                ratio = (target / max(abs(float(known.mean())), target / math.sqrt(_MAX_RATIO))) ** 2
                return min(size * max(ratio, 1 / _MAX_RATIO), _LARGEST[self.vary])
            # In most of these runs the model was not fitted, for which more traffic is the remedy.
            size *= 4
        raise InputError(f"the model cannot be fitted with any feasible traffic; {self.signal} is not detected")

    def _current_size(self) -> float:
        traffic, clock = self.scenario.traffic, self.scenario.clock
        return float(traffic.visitors_per_day if self.vary == "visitors" else clock.hours)

    def _sizes(self, target: Iterable[float]) -> list[float]:
        """Valid distinct sizes: whole hours, or visitors rounded to three digits."""
        bounded = (min(size, _LARGEST[self.vary]) for size in target)
        rounded = (round(size) if self.vary == "hours" else float(f"{size:.3g}") for size in bounded)
        return sorted({max(1, size) for size in rounded})

    def _observe(self, sizes: Sequence[float], n: int) -> None:
        for size, p in zip(sizes, self._replicate(sizes, n, f'p_value("{self.signal}")'), strict=True):
            n_before, found_before = self.seen.get(size, (0, 0))
            # NaN, where there was no fit, compares as not significant.
            self.seen[size] = n_before + len(p), found_before + int((p < self.alpha).sum())

    def _replicate(self, sizes: Sequence[float], n: int, response: str) -> list[np.ndarray]:
        """Values of a response in independent runs at each size."""
        self.n_studies += 1
        several = len(sizes) > 1
        study = Study.from_dict(
            {
                "name": "power",
                "scenario": self.scenario.to_data(),
                "overrides": {} if several else {_SETTING[self.vary]: sizes[0]},
                "factors": {_SETTING[self.vary]: list(sizes)} if several else {},
                "replications": n,
                # Independent random numbers: the samples of a probit regression must be independent.
                "seed": self.seed + self.n_studies - 1,
                "common_random_numbers": False,
                "responses": {"response": response, "truth": f'true_coefficient("{self.signal}")'},
            }
        )
        table = study.execute(self.execution).wide
        truth = table["truth"].drop_nulls()
        # Where the truth is not known, nobody can say that there is nothing to find.
        if len(truth) and (truth == 0).all():
            raise InputError(
                f"{self.signal} has no effect in {self.scenario.name}: no traffic makes it significant in more than "
                f"{self.alpha:.0%} of the runs"
            )
        by_point = table.partition_by("point", maintain_order=True)
        return [rows["response"].cast(pl.Float64).fill_null(np.nan).to_numpy() for rows in by_point]

    def _share_found(self) -> float:
        n, found = (sum(column) for column in zip(*self.seen.values(), strict=True))
        return float(found / n)

    def _fit(self) -> PowerCurve | None:
        n, found = zip(*self.seen.values(), strict=True)
        size, n_all, found_all = (np.array(column, dtype=np.float64) for column in (list(self.seen), n, found))
        return fit_power_curve(size, n_all, found_all)

    def _table(self, curve: PowerCurve) -> pl.DataFrame:
        sizes = sorted(self.seen)
        n, found = (np.array([self.seen[size][place] for size in sizes]) for place in (0, 1))
        low, high = wilson_interval(found, n)
        fitted = [curve.power(size) for size in sizes]
        columns = {"size": [float(size) for size in sizes], "n": n, "found": found, "power": found / n}
        return pl.DataFrame({**columns, "ci_low": low, "ci_high": high, "fitted": fitted})
