"""Experiments (A/B tests): each visitor keeps one arm, and the arm has a known effect.

Colleagues interfere, as they do in life: who asks for a demo keeps colleagues of other arms from asking
(``intent.conversion_unit``), and who reads on for longer invites a colleague later. No draw is moved by that.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import polars as pl

from simulator.engine.arrays import Floats, Integers
from simulator.engine.streams import Streams
from simulator.settings.experiments import ArmSettings, ExperimentSettings

__all__ = ["Experiments"]


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
