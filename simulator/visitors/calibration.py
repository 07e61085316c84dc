"""Calibration of the intercept to a target conversion rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from pydantic.main import IncEx

from analytics.signals.definitions import SIGNALS
from simulator.engine.arrays import Floats, Integers
from simulator.engine.streams import Streams
from simulator.settings.class_identity import ClassIdentity, identity_of
from simulator.settings.experiments import arm_effects
from simulator.settings.world import WorldSettings
from simulator.visitors.cohort_sampler import CohortSampler
from simulator.visitors.decision_rule import LOGIT, DecisionRule
from simulator.visitors.truth import Truth

_PILOT_COHORTS = 4
# Half the width of the bracket for bisection, and the maximum number of secant steps towards it.
_BRACKET = 1e-9
_SECANTS = 12
# The pilot has its own seed: the truth belongs to the scenario, not to the seed of a run.
_PILOT_SEED = 20_260_303


def true_parameters(world: WorldSettings) -> Truth:
    """The true parameters of the decision in a world.

    Args:
        world: Settings of the world.

    >>> world = WorldSettings.model_validate({"intent": {"intercept": -4.0}})
    >>> true_parameters(world).coefficients["careers_page_view"]
    0.0
    """
    # Signals without an effect are part of the truth too, with a coefficient of 0.
    decoys = dict.fromkeys((signal.name for signal in SIGNALS), 0.0)
    return Truth(
        true_intercept(world),
        {**decoys, **world.intent.effects},
        world.intent.account_sd,
        arm_effects(world.experiments),
        {name: persona.log_odds for name, persona in world.population.personas.items()},
    )


def true_intercept(world: WorldSettings) -> float:
    """Intercept of a world in log-odds per visit: the given one, or one calibrated on a pilot population.

    The calibration covers the ordinary traffic without experiments, components, waits or colleagues. Both waits and
    colleagues' requests depend on the state of the world and reduce the observed conversion below the target;
    components move it either way. The pilot has about 65,000 visitors, so the target is met with a relative error of
    about 1 %.

    Args:
        world: Settings of the world; ``intent`` gives the intercept or the target.

    Raises:
        ValueError: ``intent`` gives neither.
    """
    if world.intent.intercept is not None:
        # An intercept that is given needs no pilot.
        return world.intent.intercept
    target = world.intent.target_conversion
    if target is None:
        raise ValueError("give intent.target_conversion or intent.intercept")
    rules = (world.decision, world.site.navigation)
    return _calibrate(calibration_settings(world), target, tuple(identity_of(rule.cls) for rule in rules if rule))


def calibration_settings(world: WorldSettings) -> str:
    """Settings on which a calibrated intercept depends, as JSON; scenarios that differ in others share one calibration.

    Args:
        world: Settings of the world.
    """
    volume: IncEx = {"campaigns", "events", "sources", "visitors_per_day", "growth_per_week"}
    apart: dict[str, IncEx | bool] = {
        "clock": True,
        "sales": True,
        "tracking": True,
        "experiments": True,
        "components": True,
        "probes": True,
        "traffic": volume,
    }
    return world.model_dump_json(exclude=apart)


@lru_cache(maxsize=64)
def _calibrate(world_json: str, target_conversion: float, rules: tuple[ClassIdentity, ...]) -> float:  # noqa: ARG001
    # From JSON: models with dicts cannot be keys of a cache. A class that is defined anew keeps its name in the JSON.
    world = WorldSettings.model_validate_json(world_json, strict=False)
    sampler = CohortSampler(world, Streams(_PILOT_SEED))
    pilots = [sampler.pilot(index) for index in range(_PILOT_COHORTS)]
    ahead = np.concatenate(([0], np.cumsum([n for _, _, n in pilots])))
    return calibrated_intercept(
        np.concatenate([log_odds for log_odds, _, _ in pilots]),
        np.concatenate([visitor + start for (_, visitor, _), start in zip(pilots, ahead, strict=False)]),
        int(ahead[-1]),
        target_conversion,
        sampler.tables.rule,
    )


def calibrated_intercept(
    log_odds: Floats, visitor: Integers, n_visitors: int, target_conversion: float, rule: DecisionRule = LOGIT
) -> float:
    """Intercept at which a target share of visitors requests a demo, over all their visits.

    Solves mean over visitors of 1 − Π over visits (1 − P(intercept + log-odds)) = ``target_conversion`` by
    bisection; the left side increases with the intercept.

    Args:
        log_odds: Effect of the signals at each visit of a pilot population; shape (visits,).
        visitor: Visitor of each visit; shape (visits,).
        n_visitors: Number of visitors in the pilot.
        target_conversion: Target share, between 0 and 1.
        rule: Rule by which visitors decide.

    One visit each and no signals: the intercept is the logit of the target.

    >>> visits = np.arange(1000)
    >>> round(calibrated_intercept(np.zeros(1000), visits, 1000, target_conversion=0.5), 9) + 0.0
    0.0
    """

    def share(intercept: float) -> float:
        survives = rule.log_refusal(intercept + log_odds)
        return float(-np.expm1(np.bincount(visitor, weights=survives, minlength=n_visitors)).mean())

    below, above = _bracket(share, target_conversion)

    def falls_short(intercept: float) -> bool:
        # The share increases with the intercept, so outside the bracket the answer is known without computing it.
        return share(intercept) < target_conversion if below < intercept < above else intercept <= below

    # A share of 1e-26 or 1 − 1e-26; wide enough for any realistic target, and doubled where it is not.
    low, high = -60.0, 60.0
    # Only extreme targets or effects leave the initial range.
    while not falls_short(low):
        low *= 2
    while falls_short(high):
        high *= 2
    middle = (low + high) / 2
    # Far below any standard error, or the resolution of floats of this size.
    while high - low > 1e-12 and low < middle < high:  # noqa: PLR2004
        low, high = (middle, high) if falls_short(middle) else (low, middle)
        middle = (low + high) / 2
    return middle


def _bracket(share: Callable[[float], float], target: float) -> tuple[float, float]:
    """Two close intercepts with the solution between them; everything where they cannot be found.

    The secant method on the log of the share converges fast because small shares are close to log-linear. Bisection
    works without a bracket too, only more slowly.
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
