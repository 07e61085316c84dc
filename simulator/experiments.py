"""Experiments (A/B tests): each visitor keeps one arm, and the arm has a known effect.

Colleagues interfere, as they do in life: who asks for a demo keeps colleagues of other arms from asking
(``intent.demo_per``), and who reads on for longer invites a colleague later. No draw is moved by that.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from math import prod
from typing import Annotated, Literal, Self

import numpy as np
import polars as pl
from pydantic import AfterValidator, Field, model_validator

from simulator.arrays import Floats, Integers
from simulator.campaigns import Name
from simulator.settings import LogOdds, Positive, Settings, Share, shares_fault
from simulator.streams import Streams

__all__ = ["ArmSettings", "ExperimentSettings", "Experiments", "ExperimentsSettings", "arm_effects"]


class ArmSettings(Settings):
    """One arm of an experiment; as it stands by default it changes nothing.

    Attributes:
        share: Share of the visitors; the shares of all arms sum to 1.
        links: Factors on the weights of all links to a page, by page.
        exit_rate: Factors on the probability of leaving the site from a page, by page; the outcome is kept between
            0.01 and 1.
        log_odds: Effect on the log-odds of a demo request at the end of every visit.
    """

    share: Share
    links: dict[str, Positive] = Field(default_factory=dict)
    exit_rate: dict[str, Positive] = Field(default_factory=dict)
    log_odds: LogOdds = 0.0


class ExperimentSettings(Settings):
    """An experiment on all visitors.

    Attributes:
        unit: What is assigned to an arm: a visitor, with all visits.
        arms: Arms by name; their shares sum to 1.
    """

    unit: Literal["visitor"] = "visitor"
    arms: dict[Name, ArmSettings] = Field(min_length=2)

    @model_validator(mode="after")
    def _arms_make_a_whole(self) -> Self:
        if fault := shares_fault(arm.share for arm in self.arms.values()):
            raise ValueError(f"arms: {fault}")
        return self


_MOST_COMBINATIONS = 4096


def _few_enough(experiments: dict[str, ExperimentSettings]) -> dict[str, ExperimentSettings]:
    combinations = prod(len(experiment.arms) for experiment in experiments.values())
    if combinations > _MOST_COMBINATIONS:
        raise ValueError(
            f"the arms of all experiments have {combinations} combinations; at most {_MOST_COMBINATIONS} can be"
        )
    return experiments


ExperimentsSettings = Annotated[dict[Name, ExperimentSettings], AfterValidator(_few_enough)]
"""Experiments by name."""


def arm_effects(experiments: Mapping[str, ExperimentSettings]) -> dict[str, float]:
    """True effect of each arm on the log-odds of a request, by ``experiment=arm``."""
    return {
        f"{name}={arm}": settings.log_odds
        for name, experiment in experiments.items()
        for arm, settings in experiment.arms.items()
    }


class Experiments:
    """Assigns visitors to arms, by a number that belongs to experiment and visitor alone.

    A visitor has one *combination*: an arm of every experiment. Everything else is looked up by its number.

    Args:
        settings: Experiments by name.

    Attributes:
        combinations: The arms of each combination.
        labels: What events say of each combination, ``experiment=arm`` joined by ``;``, null without experiments.
        log_odds: Effect of each combination on the decision; shape (combinations,).
    """

    def __init__(self, settings: Mapping[str, ExperimentSettings]) -> None:
        self._settings = settings
        self._shape = tuple(len(experiment.arms) for experiment in settings.values())
        named = [
            [(f"{name}={arm}", effects) for arm, effects in experiment.arms.items()]
            for name, experiment in settings.items()
        ]
        combinations = list(product(*named))
        self.combinations: list[tuple[ArmSettings, ...]] = [tuple(arm for _, arm in both) for both in combinations]
        texts = [";".join(label for label, _ in both) or None for both in combinations]
        self.labels = pl.Series(texts, dtype=pl.String)
        self.log_odds: Floats = np.array([sum(arm.log_odds for arm in arms) for arms in self.combinations], dtype=float)

    def combination(self, rows: Integers, streams: Streams, cohort: int) -> Integers:
        """Combination of each visitor of a cohort, given their places in it; shape (visitors,)."""
        combination = np.zeros(len(rows), dtype=np.int64)
        for (name, experiment), n_arms in zip(self._settings.items(), self._shape, strict=True):
            steps = np.cumsum([arm.share for arm in experiment.arms.values()])[:-1]
            uniforms = streams.uniforms(f"experiment:{name}", cohort).at(rows)
            combination = combination * n_arms + np.searchsorted(steps, uniforms, side="right")
        return combination
