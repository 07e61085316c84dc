"""The intercept at which the wished share of visitors requests a demo."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from pydantic.main import IncEx

from simulator.engine.arrays import Floats, Integers
from simulator.engine.streams import Streams
from simulator.settings.world import WorldSettings
from simulator.visitors.cohort_sampler import CohortSampler

__all__ = ["calibrated_intercept", "true_intercept"]

_PILOT_COHORTS = 4
# Half the width of the bracket in which bisection looks closely, and the most steps that may lead to it.
_BRACKET = 1e-9
_SECANTS = 12
# The pilot has a seed of its own: the truth belongs to the scenario, not to the seed of a run.
_PILOT_SEED = 20_260_303


def true_intercept(world: WorldSettings) -> float:
    """Intercept of a world's visitors, in log-odds per visit: as given, or calibrated on a pilot population.

    It is that of the ordinary traffic before any experiment, and of visitors left to themselves: a long wait or a
    colleague who has already asked belong to the state of the world, and keep the share that is seen below the one
    wished for. The pilot has some 65,000 visitors, so the share it is calibrated to is met to about one part in a
    hundred.
    """
    if world.intent.intercept is not None:
        return world.intent.intercept
    target = world.intent.target_conversion
    if target is None:
        raise ValueError("give intent.target_conversion or intent.intercept")
    # The truth is that of the ordinary traffic: neither a campaign nor an experiment moves it.
    volume: IncEx = {"campaigns", "events", "visitors_per_day", "growth_per_week"}
    apart: dict[str, IncEx | bool] = {"clock": True, "sales": True, "experiments": True, "traffic": volume}
    return _calibrate(world.model_dump_json(exclude=apart), target)


@lru_cache(maxsize=64)
def _calibrate(world_json: str, target_conversion: float) -> float:
    world = WorldSettings.model_validate_json(world_json, strict=False)
    sampler = CohortSampler(world, Streams(_PILOT_SEED))
    pilots = [sampler.pilot(index) for index in range(_PILOT_COHORTS)]
    ahead = np.concatenate(([0], np.cumsum([n for _, _, n in pilots])))
    return calibrated_intercept(
        np.concatenate([log_odds for log_odds, _, _ in pilots]),
        np.concatenate([visitor + start for (_, visitor, _), start in zip(pilots, ahead, strict=False)]),
        int(ahead[-1]),
        target_conversion,
    )


def calibrated_intercept(log_odds: Floats, visitor: Integers, n_visitors: int, target_conversion: float) -> float:
    """Intercept at which a wished share of visitors requests a demo, over all their visits.

    Solves mean over visitors of 1 − Π over visits (1 − logistic(intercept + log-odds)) = ``target_conversion`` by
    bisection; the left side grows with the intercept.

    Args:
        log_odds: Effect of the signals at each visit of a pilot population; shape (visits,).
        visitor: Visitor of each visit; shape (visits,).
        n_visitors: Number of visitors in the pilot.
        target_conversion: Wished share, between 0 and 1.
    """

    def share(intercept: float) -> float:
        survives = -np.logaddexp(0.0, intercept + log_odds)
        return float(-np.expm1(np.bincount(visitor, weights=survives, minlength=n_visitors)).mean())

    below, above = _bracket(share, target_conversion)

    def falls_short(intercept: float) -> bool:
        # As the share grows with the intercept, there is nothing to work out beyond the bracket.
        return share(intercept) < target_conversion if below < intercept < above else intercept <= below

    low, high = -60.0, 60.0
    while not falls_short(low):
        low *= 2
    while falls_short(high):
        high *= 2
    middle = (low + high) / 2
    # Far below any standard error, or as near as numbers of this size can be.
    while high - low > 1e-12 and low < middle < high:  # noqa: PLR2004
        low, high = (middle, high) if falls_short(middle) else (low, middle)
        middle = (low + high) / 2
    return middle


def _bracket(share: Callable[[float], float], target: float) -> tuple[float, float]:
    """Two intercepts close together, of which one gives less than the wished share and the other does not.

    By the secant method on the logarithm of the share, which for small shares is close to a straight line. Where that
    leads nowhere, the bracket is everything: bisection needs none, it is only quicker with one.
    """
    everything = -math.inf, math.inf
    point = math.log(target / (1 - target))
    points, values = (point - 1.0, point), (share(point - 1.0), share(point))
    for _ in range(_SECANTS):
        if not 0 < values[0] != values[1] > 0:
            return everything
        logs = [math.log(value / target) for value in values]
        point = points[1] - logs[1] * (points[1] - points[0]) / (logs[1] - logs[0])
        if abs(point - points[1]) < _BRACKET / 2:
            break
        points, values = (points[1], point), (values[1], share(point))
    below, above = point - _BRACKET, point + _BRACKET
    return (below, above) if share(below) < target <= share(above) else everything
