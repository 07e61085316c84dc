"""Sample-size planning by simulation: the traffic that is needed to detect a signal, or an arm, with a target power.

Of a signal, a pilot gives a first guess. Two rounds of replications at sizes around it, the second around the result of
the first, give the power curve (:mod:`scenarios.output_analysis.power_curve`) and the size at the target power, with an
interval for the Monte-Carlo error of the replications. Of an experiment, a closed form gives the size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from analytics.statistics.experiments.power import detectable_difference, power_of_test, visitors_needed
from analytics.statistics.experiments.proportions import compare_proportions
from analytics.statistics.intervals import wilson_interval
from scenarios.errors import InputError, advice
from scenarios.output_analysis.power_curve import PowerCurve, fit_power_curve
from scenarios.run.pools import ExecutorChoice
from scenarios.scenario import Scenario
from scenarios.studies.execution import Execution, Progress
from scenarios.study import Study

Vary = Literal["visitors", "hours"]
"""Setting that is varied: visitors per day, or hours of the clock."""

_SETTING: Final[dict[Vary, str]] = {"visitors": "traffic.visitors_per_day", "hours": "clock.hours"}
_LARGEST: Final[dict[Vary, float]] = {"visitors": 2_000_000, "hours": 24 * 365}
_SMALLEST_ALPHA: Final = 1e-9
"""Smallest level of which a quantile can be computed with some digits."""
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
    _check_power(power, alpha)
    if replications < _PILOT * 2:
        raise InputError(f"replications: must be at least {2 * _PILOT} (got {replications})")
    seed = scenario.seed if seed is None else seed
    planner = _Planner(scenario, signal, alpha, vary, seed, Execution(jobs, executor, progress))
    return planner.plan(power, replications)


def _check_power(power: float, alpha: float) -> None:
    if not _SMALLEST_ALPHA <= alpha < power < 1:
        alpha_text = f"alpha ({alpha:g}), which is {_SMALLEST_ALPHA:g} or more,"
        raise InputError(f"power: must lie between {alpha_text} and 1 (got {power:g})")


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


@dataclass(frozen=True, eq=False)
class ExperimentPower:
    """Traffic that an experiment needs, and what it can show with the traffic that it has.

    Args:
        experiment: The experiment.
        reference: Its reference arm.
        power: Target power: the probability that a difference is significant.
        alpha: Significance level of the two-sided test, without adjustment for several arms.
        days: Days of a run.
        replications: Number of runs.
        arms: One row per other ``arm``, with means over the runs: ``visitors`` and ``reference_visitors`` of a run,
            ``conversion`` and ``reference_conversion``; the smallest increase that a run detects, as
            ``detectable_difference`` and ``detectable_lift`` (relative); the ``lift`` to detect, the
            ``visitors_needed`` for it in this arm and the ``days_needed`` for both arms, null where there is no lift;
            the closed-form ``power`` of a run, the share ``simulated_power`` of runs with a significant difference, and
            its 95 % interval ``ci_low`` and ``ci_high``, at the scenario's own difference.
    """

    experiment: str
    reference: str
    power: float
    alpha: float
    days: float
    replications: int
    arms: pl.DataFrame

    def __repr__(self) -> str:
        return f"<{self.experiment}: {self.replications} runs of {self.days:g} days>"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {**vars(self), "arms": self.arms.to_dicts()}


def experiment_power(
    scenario: Scenario,
    experiment: str,
    *,
    lift: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
    replications: int = 400,
    seed: int | None = None,
    jobs: int | None = None,
    executor: ExecutorChoice = None,
    progress: Progress | None = None,
) -> ExperimentPower:
    """Find the traffic at which an experiment shows a difference in conversion with a target power.

    Runs of the scenario give traffic, conversion and the true difference, from which a closed form gives the size
    (:mod:`analytics.statistics.experiments.power`); the share of runs with a significant difference is a check of it.

    Args:
        scenario: The scenario with the experiment.
        experiment: Its name.
        lift: Relative increase of conversion to detect, such as 0.1; that of the scenario's arms if not given.
        power: Target power, between alpha and 1.
        alpha: Significance level.
        replications: Number of runs, 2 or more.
        seed: Seed of the runs; the scenario's own if not given.
        jobs: Number of parallel runs; the number of cores if not given.
        executor: Where to run, as for :func:`scenarios.run.pools.pool_of`.
        progress: Called with the number of completed runs.

    Raises:
        InputError: There is no such experiment, or a number is out of its range, or no run has a request in the
            reference arm.
    """
    _check_power(power, alpha)
    if experiment not in scenario.experiments:
        hint = advice(experiment, list(scenario.experiments))
        raise InputError(f"experiment: there is no experiment {experiment!r} in {scenario.name}{hint}")
    if lift is not None and not (lift > -1 and lift):
        raise InputError(f"lift: must be above -1 and not 0, such as 0.1 for 10 % more (got {lift:g})")
    arms = scenario.experiments[experiment].arms
    # The first by name, as in the intent model and in reports.
    reference, *others = sorted(arms)
    runs = _runs_by_arm(scenario, experiment, replications, seed, Execution(jobs, executor, progress))
    rows = []
    for arm in others:
        has_effect = arms[arm].model_copy(update={"share": arms[reference].share}) != arms[reference]
        rows.append({"arm": arm, **_arm_power(runs, (reference, arm), lift, power, alpha, has_effect=has_effect)})
    days = scenario.clock.hours / 24
    days_needed = pl.col("visitors_needed") / pl.col("visitors") * days
    table = pl.DataFrame(rows, infer_schema_length=None).with_columns(days_needed=days_needed)
    return ExperimentPower(experiment, reference, power, alpha, days, runs.height, table)


def _runs_by_arm(scenario: Scenario, name: str, n: int, seed: int | None, execution: Execution) -> pl.DataFrame:
    """One row per run, with ``visitors:ARM`` and ``converted:ARM``."""
    measures = {
        f"{measure}:{arm}": f'{measure}(arm="{name}={arm}")'
        for arm in scenario.experiments[name].arms
        for measure in ("visitors", "converted")
    }
    seed = scenario.seed if seed is None else seed
    plan = {"name": "power", "scenario": scenario.to_data(), "replications": n, "seed": seed, "responses": measures}
    return Study.from_dict(plan).execute(execution).wide


def _arm_power(
    runs: pl.DataFrame, arms: tuple[str, str], lift: float | None, power: float, alpha: float, *, has_effect: bool
) -> dict[str, float | None]:
    """Return the columns of an arm; see :class:`ExperimentPower`."""
    n_0, x_0, n_1, x_1 = (runs[f"{measure}:{arm}"].to_numpy() for arm in arms for measure in ("visitors", "converted"))
    if not x_0.sum() or not (n_0.all() and n_1.all()):
        raise InputError(
            f"no run has visitors in both arms and a request in {arms[0]}; use more traffic or longer runs"
        )
    conversion, reference = x_1.sum() / n_1.sum(), x_0.sum() / n_0.sum()
    own = conversion - reference
    detectable = detectable_difference(reference, n_1.mean(), n_0.mean(), power=power, alpha=alpha)
    wanted = lift * reference if lift is not None else own if has_effect else None
    needed = None
    if wanted is not None:
        if not 0 < reference + wanted < 1:
            raise InputError(f"lift: {wanted / reference:+.0%} of a conversion of {reference:.2%} is no conversion")
        ratio = n_0.mean() / n_1.mean()
        needed = visitors_needed(reference, wanted, ratio=ratio, power=power, alpha=alpha)
    tests = (compare_proportions(*counts).p_value for counts in zip(x_1, n_1, x_0, n_0, strict=True))
    # Where nobody requests a demo, or everybody, nothing is found.
    n_found = sum(p is not None and p < alpha for p in tests)
    low, high = wilson_interval(n_found, runs.height)
    return {
        "visitors": n_1.mean(),
        "reference_visitors": n_0.mean(),
        "conversion": conversion,
        "reference_conversion": reference,
        "detectable_difference": detectable,
        "detectable_lift": None if detectable is None else detectable / reference,
        "lift": None if wanted is None else wanted / reference,
        "visitors_needed": needed,
        "power": power_of_test(reference, own, n_1.mean(), n_0.mean(), alpha=alpha),
        "simulated_power": n_found / runs.height,
        "ci_low": float(low),
        "ci_high": float(high),
    }
